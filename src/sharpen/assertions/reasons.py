"""How values and errors are shown in a reason: short, on one line, storable as UTF-8."""

from __future__ import annotations

from typing import Any

from sharpen.errors import SharpenError

MAX_REASON = 1000
"""Characters of a reason that are kept; a model's or a user function's text can be of any length."""


def quoted(value: Any, limit: int = 120) -> str:
    """``repr`` of ``value``, cut in the middle to about ``limit`` characters."""
    if isinstance(value, str) and len(value) > 4 * limit:  # do not build the repr of a whole book
        value = f"{value[: 2 * limit]}{value[-2 * limit :]}"
    text = repr(value)
    if len(text) <= limit:
        return text
    return f"{text[: limit * 2 // 3]}…{text[-limit // 3 :]}"


def storable(reason: str) -> str:
    """``reason`` cut to ``MAX_REASON`` characters, lone surrogates (which UTF-8 cannot hold) replaced by ``?``."""
    if len(reason) > MAX_REASON:
        reason = reason[: MAX_REASON - 1] + "…"
    return reason if reason.isascii() else reason.encode("utf-8", "replace").decode("utf-8")


def of_exception(error: BaseException) -> str:
    """One line that says what broke: our own errors speak for themselves, others with their type's name."""
    text = " ".join(str(error).split())
    if isinstance(error, SharpenError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
