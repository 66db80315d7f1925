from sharpen.optimizer.models import Prompt, PromptAnalysis
from sharpen.optimizer.strategies.base import StrategyContext
from sharpen.optimizer.strategies.efficiency_focus import EfficiencyFocus

ANALYSIS = PromptAnalysis(prompt_id="p", overall_score=50, clarity_score=50, efficiency_score=50)


async def test_worked_examples_keep_their_inputs():
    text = (
        "Please classify the review as positive or negative.\n\n"
        "We left the restaurant hungry and 80 euros poorer.\nAnswer: negative\n\n"
        "The nurse was patient with my son and he left with a smile.\nAnswer: positive\n\n"
        "{{ review }}\nAnswer:"
    )
    prompt = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": text}]})
    found = await EfficiencyFocus().propose(StrategyContext(prompt=prompt, analysis=ANALYSIS))
    assert found, "the courtesy goes"
    for candidate in found:
        assert "hungry" in candidate.prompt.text
        assert "nurse" in candidate.prompt.text
