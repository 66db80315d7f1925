"""The frame that all pages share: one self-contained HTML file.

Nothing is requested from anywhere, and nothing that a model wrote can run. Everything is escaped by the template
environment; charts alone arrive as markup, and escape for themselves. The content security policy names the hashes of
the one style sheet and the one script and forbids all else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from sharpen.reporting import figures as fig
from sharpen.reporting.cases import AttemptView
from sharpen.reporting.text import cut, for_page, one_line

EXCERPT = 400


def moment(when: datetime) -> str:
    """A time as the foot of a page shows it."""
    return when.strftime("%Y-%m-%d %H:%M:%S %Z").strip()


def made_by() -> list[tuple[str, str]]:
    """Which sharpen made the page, for its foot."""
    from sharpen.about import __version__

    return [("Made by sharpen", __version__)]


def page(template: str, **context: Any) -> str:
    """Render a template of this package."""
    css, js = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(js)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            css=Markup(css),  # noqa: S704 - our own file, no user text in it
            js=Markup(js),  # noqa: S704 - as above
            policy=Markup(policy),  # noqa: S704 - hashes and keywords
            **context,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sharpen.reporting", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: for_page(value) if type(value) is str else value,  # every text, wherever it came from
    )
    environment.filters |= {
        "ms": fig.milliseconds,
        "usd": fig.usd,
        "count": fig.count,
        "percent": fig.percent,
        "plural": fig.plural,
        "number": lambda value: f"{value:,.4g}",
        "excerpt": lambda text: cut(text.strip(), EXCERPT)[0] + ("…" if len(text) > EXCERPT else ""),
        "said": _said,
    }
    return environment


@cache
def _asset(name: str) -> str:
    return files("sharpen.reporting").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _said(attempts: Sequence[AttemptView]) -> str:
    """The first answer in a few words, or why there is none."""
    if not attempts:
        return ""
    first = attempts[0]
    if first.output is not None:
        return one_line(first.output.text, 48)
    return first.failures[0].name.replace("_", " ") if first.failures else first.status.value
