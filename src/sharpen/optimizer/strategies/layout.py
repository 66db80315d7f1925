"""Takes a prompt apart into instructions and inputs, so that both can be put together in another form."""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.examples import LABEL_LINE
from sharpen.optimizer.analysis.template import Region
from sharpen.optimizer.analysis.text import HOLE, MessageText, words
from sharpen.optimizer.strategies.output_contract import readable


@dataclass(frozen=True, slots=True)
class Input:
    """A stretch of a message that hands in one value: its line(s) with the label or delimiters that belong to it."""

    message: int
    start: int
    end: int
    name: str
    source: str
    tag: str
    bare: bool

    @property
    def labelled(self) -> str:
        """``Message: {{ message }}``; as it was when it has a label or delimiters already."""
        return f"{readable(self.name)}: {self.source}" if self.bare else self.source

    @property
    def fenced(self) -> str:
        """The value between tags named like its variable; as it was when it has delimiters already."""
        if (not self.bare and "\n" in self.source) or self.source.count("{") > self.tag.count("{"):
            return self.source
        return f"<{self.name}>\n{self.tag}\n</{self.name}>"


@dataclass(frozen=True, slots=True)
class Parts:
    """Instructions (system first) and inputs, in order. Together they hold every Jinja tag once."""

    system: str
    before: str
    after: str
    inputs: tuple[Input, ...]

    @property
    def instructions(self) -> str:
        return "\n\n".join(part for part in (self.system, self.before, self.after) if part)


def find_inputs(document: Document) -> tuple[Input, ...]:
    """Inputs that stand on lines of their own, in order; a value inside a sentence is none."""
    return tuple(
        found
        for message in document.speaking
        for region in message.inserted
        if (found := _input(message, region)) and (document.is_input(region) or _alone(message, region))
    )


def take_apart(document: Document) -> Parts | None:
    """The parts of a prompt of an optional system message and one user message; None for any other prompt.

    None as well when an input stands inside a sentence, or when a tag such as ``{% set %}`` binds text to its place.
    """
    roles = [message.role for message in document.messages]
    if roles not in (["user"], ["system", "user"]):
        return None
    user = document.messages[-1]
    inputs = tuple(found for found in find_inputs(document) if found.message == user.index)
    bound = any(
        tag.keyword in ("set", "macro", "import", "from", "extends", "block")
        for m in document.messages
        for tag in m.tags
    )
    spread = [message for message in document.messages[:-1] if any(document.is_input(r) for r in message.inserted)]
    inline = [r for r in user.inserted if document.is_input(r) and not any(i.start <= r.start < i.end for i in inputs)]
    if not inputs or bound or spread or inline:
        return None
    first, last = inputs[0], inputs[-1]
    between = user.source[first.start : last.end]
    for found in inputs:
        between = between.replace(found.source, "", 1)
    if between.strip():  # instructions between two inputs refer to their place
        return None
    before, after = user.source[: first.start].strip(), user.source[last.end :].strip()
    if document.cue:
        after = after.rpartition("\n")[0].strip()
    system = document.messages[0].source.strip() if len(roles) == 2 else ""
    return Parts(system, before, after, inputs)


def _alone(message: MessageText, region: Region) -> bool:
    start = message.prose.rfind("\n", 0, region.start) + 1
    end = message.prose.find("\n", region.end)
    line = message.prose[start : region.start] + message.prose[region.end : end if end >= 0 else None]
    return not line.strip()


def _input(message: MessageText, region: Region) -> Input | None:
    if len(region.tags) != 1:
        return None
    prose, source = message.prose, message.source
    start = prose.rfind("\n", 0, region.start) + 1
    end = prose.find("\n", region.end)
    end = len(prose) if end < 0 else end
    before, after = prose[start : region.start], prose[region.end : end]
    name = min(region.variables)
    label = LABEL_LINE.fullmatch(before + HOLE)
    if HOLE in before + after or (words(after) and not after.lstrip().startswith("</")):
        return None
    if label and not words(label.group(2)):
        return Input(message.index, start, end, name, source[start:end], region.source, bare=False)
    if words(before) and not before.rstrip().endswith(">"):
        return None
    bare = not before.strip() and not after.strip()
    if not bare:
        return Input(message.index, start, end, name, source[start:end], region.source, bare=False)
    outer_start, outer_end = _around(prose, start, end)
    bare = (outer_start, outer_end) == (start, end)
    return Input(message.index, outer_start, outer_end, name, source[outer_start:outer_end], region.source, bare=bare)


def _around(prose: str, start: int, end: int) -> tuple[int, int]:
    """The lines around a lone value that only mark it off: a fence, quotes, tags, or a label before it."""
    above_start = prose.rfind("\n", 0, start - 1) + 1 if start else 0
    above = prose[above_start : max(0, start - 1)].strip()
    below_end = prose.find("\n", end + 1) if end < len(prose) else -1
    below_end = len(prose) if below_end < 0 else below_end
    below = prose[end + 1 : below_end].strip()
    if above and below and _mark(above) and _mark(below):
        return above_start, below_end
    label = LABEL_LINE.fullmatch(above)
    if label and not label.group(2).strip() and len(words(above)) <= 3:
        return above_start, end
    return start, end


def _mark(line: str) -> bool:
    return line.startswith(("```", '"""', "'''", "---", "===", "***", "###", "<<<", ">>>")) or (
        line.startswith("<") and line.endswith(">")
    )
