import pytest

from sharpen.config.prompts import PromptTemplate
from sharpen.config.rules import Thresholds
from sharpen.errors import UnknownNameError, UserError
from sharpen.optimizer.models import OptimizationConfig, Prompt
from sharpen.optimizer.optimizer_service import OptimizerService, analyze_prompt, extract_prompt_from_workflow

WEAK = "{{ message }}"
GOOD = (
    "Classify the message as exactly one of: billing, shipping. Answer with that word only.\n\nMessage: {{ message }}"
)


def test_the_cycle_improves_what_needs_it_and_says_none_otherwise():
    service = OptimizerService()
    improved = service.run_optimization_cycle("triage", WEAK)
    assert improved is not None
    assert (improved.workflow_id, improved.basis, improved.accepted) == ("triage", "static", False)
    assert improved.improvement_score >= 0
    assert 0 <= improved.confidence <= 0.5
    assert service.run_optimization_cycle("triage", GOOD) is None


def test_the_older_dict_still_drives_the_cycle():
    service = OptimizerService()
    for arguments in ((None, {"success_rate": 0.3}), ({"success_rate": 0.3},)):
        with pytest.warns(DeprecationWarning, match="baseline_metrics"):
            assert service.run_optimization_cycle("triage", GOOD, *arguments) is not None
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert service.should_optimize(analyze_prompt(GOOD), baseline_metrics={"success_rate": 0.3})
    with pytest.warns(DeprecationWarning, match="baseline_metrics"):
        assert service.decide(analyze_prompt(GOOD), baseline_metrics={"success_rate": 0.3}).should_optimize


def test_a_prompt_takes_the_cycles_workflow_when_it_has_none():
    prompt = Prompt.of(PromptTemplate.from_text(WEAK), id="p")
    assert OptimizerService().run_optimization_cycle("w", prompt).workflow_id == "w"


def test_rules_and_config_of_a_plan_fit():
    service = OptimizerService(Thresholds(optimization_threshold=100.0))
    assert service.should_optimize(analyze_prompt(WEAK))
    assert service.should_optimize(analyze_prompt(WEAK), config=OptimizationConfig(score_threshold=99))


def test_the_prompt_is_found_in_the_plan_of_the_workflow(tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "workflow_id: triage\nprompt: {user: 'Sort {{ m }}'}\ntarget: {kind: scripted}\ndataset: [{vars: {m: x}}]\n"
    )
    assert extract_prompt_from_workflow("triage", tmp_path).text == "Sort {{ m }}"
    with pytest.raises(UnknownNameError, match="did you mean 'triage'"):
        extract_prompt_from_workflow("triag", tmp_path)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="prompt is empty"):
        analyze_prompt("  ")
    with pytest.raises(UnknownNameError, match="clarity_focus"):
        OptimizerService().optimize(WEAK, "clarity_focuss")


async def test_inside_a_loop_the_twin_is_named():
    with pytest.raises(RuntimeError, match="_async twin"):
        OptimizerService().optimize(WEAK, "clarity_focus")
    assert (await OptimizerService().optimize_async(WEAK, "auto")).strategy
