"""``{# sharpen: ignore SP303 #}``: rules the author of a prompt has decided against."""

from __future__ import annotations

import re

from sharpen.optimizer.analysis.document import Document
from sharpen.optimizer.analysis.template import TagKind

_COMMENT = re.compile(r"\{#[-+]?\s*sharpen:\s*ignore\b\s*([^#]*?)\s*[-+]?#\}", re.IGNORECASE)


def ignored_rules(document: Document) -> frozenset[str]:
    """Ids (upper case) that the prompt's comments name; they hold for the whole prompt."""
    found: set[str] = set()
    for message in document.messages:
        for tag in message.tags:
            comment = _COMMENT.fullmatch(tag.source) if tag.kind is TagKind.COMMENT else None
            if comment:
                found.update(re.findall(r"[A-Z]+\d+", comment.group(1).upper()))
    return frozenset(found)
