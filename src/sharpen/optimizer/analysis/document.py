"""A prompt read once for all rules: messages, language, instructions, examples and what the assertions demand."""

from __future__ import annotations

from functools import cached_property

from sharpen.optimizer.analysis.accepted_answers import variables_of_case
from sharpen.optimizer.analysis.context import LintContext
from sharpen.optimizer.analysis.contract_derivation import derive_contract
from sharpen.optimizer.analysis.examples import (
    ShownAnswer,
    cue_name,
    demonstration_turns,
    quiet_spans,
    shown_answers,
)
from sharpen.optimizer.analysis.instructions import Instruction, read_instruction
from sharpen.optimizer.analysis.language import guess_language
from sharpen.optimizer.analysis.lexicon import input_names
from sharpen.optimizer.analysis.output_contract import OutputContract
from sharpen.optimizer.analysis.template import Region
from sharpen.optimizer.analysis.text import HOLE, MessageText, Sentence, words
from sharpen.optimizer.models import Prompt

LONG_INPUT_WORDS = 6
"""A variable whose values have at least so many words on average carries text to work on, not a parameter."""


class Document:
    """Everything the rules look at. Nothing here is judged yet."""

    def __init__(self, prompt: Prompt, context: LintContext | None = None) -> None:
        self.prompt = prompt
        self.context = context or LintContext()
        self.messages = tuple(MessageText(m.content, i, m.role) for i, m in enumerate(prompt.messages))

    @cached_property
    def speaking(self) -> tuple[MessageText, ...]:
        """Messages that instruct the model: neither demonstrations nor the beginning of its own answer."""
        turns = demonstration_turns(self.messages)
        return tuple(m for m in self.messages if m.index not in turns and m.role != "assistant")

    @cached_property
    def language(self) -> str | None:
        """Code of the language the instructions are written in; None when in doubt."""
        return guess_language("\n".join(sentence.text for sentence in self.sentences).replace(HOLE, " "))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Sentences of the speaking messages, worked examples and quotations left out."""
        found: list[Sentence] = []
        for message in self.speaking:
            quiet = quiet_spans(message)
            found += [s for s in message.sentences if not any(a <= s.start and s.end <= b for a, b in quiet)]
        return tuple(found)

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """What is asked for; empty unless the prompt is English."""
        if self.language != "en":
            return ()
        return tuple(found for sentence in self.sentences if (found := read_instruction(sentence)))

    @cached_property
    def tasks(self) -> tuple[Instruction, ...]:
        """Instructions that say what to do, not only what form the answer has or what to leave."""
        return tuple(found for found in self.instructions if not found.about_form and not found.negative)

    @cached_property
    def contract(self) -> OutputContract | None:
        return derive_contract(self.context.assertions, self.context.cases or ())

    @cached_property
    def answers(self) -> tuple[ShownAnswer, ...]:
        return shown_answers(self.messages)

    @property
    def cue(self) -> str:
        """``Answer`` when the prompt ends in the open line ``Answer:``; else empty."""
        return cue_name(self.messages[-1])

    @cached_property
    def source(self) -> str:
        """All messages' template text."""
        return "\n\n".join(message.source for message in self.messages)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that the tags which can be parsed need from outside."""
        return frozenset[str]().union(*(region.variables for m in self.messages for region in m.regions))

    def is_input(self, region: Region) -> bool:
        """Whether ``region`` inserts text to work on, judged by sample values, else by its variables' names."""
        return any(self._carries_text(name) for name in region.variables)

    def _carries_text(self, name: str) -> bool:
        values = [variables_of_case(case).get(name) for case in (self.context.cases or ())]
        texts = [value for value in values if isinstance(value, str)]
        if texts:
            return sum(len(words(text)) for text in texts) >= LONG_INPUT_WORDS * len(texts)
        return name.lower() in input_names()
