"""Jinja set up once: escaping always on, hidden characters always shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from api.pages import wording

HERE = Path(__file__).parent
STYLESHEET = HERE / "static" / "kbops.css"
PAGE_HEADERS = {"Referrer-Policy": "same-origin"}
"""Under the app's `no-referrer`, browsers send `Origin: null` with forms, which says nothing."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def reveal_hidden(text: str) -> str:
    """Show characters that a reader would not see or that reorder text, as ⟦U+202E⟧."""
    return _HIDDEN.sub(lambda match: f"⟦U+{ord(match.group()):04X}⟧", text)


def render_page(
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page; templates get strings escaped and with hidden characters shown."""
    text = _environment.get_template(template).render(**context)
    return HTMLResponse(text, status_code=status, headers=PAGE_HEADERS | dict(headers or {}))


def stylesheet_path() -> str:
    """The stylesheet's address; changes with its text, so that it may be cached for long."""
    return f"/static/kbops.css?v={_digest(STYLESHEET)}"


def static_path(name: str) -> str:
    """Address of another file of ours, which changes with its text too."""
    return f"/static/{name}?v={_digest(STYLESHEET.with_name(name))}"


@cache
def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def _show(value: Any) -> Any:
    is_plain = isinstance(value, str) and not isinstance(value, Markup)
    return reveal_hidden(value) if is_plain else value


def _exact(text: str) -> Markup:
    """Escaped but otherwise as it stands: for fields whose content comes back to us."""
    return escape(text)


def _day(instant: datetime) -> Markup:
    machine = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{} {}</time>').format(
        machine, instant.day, instant.strftime("%b %Y")
    )


def _moment(instant: datetime) -> Markup:
    machine = instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{} {} UTC</time>').format(
        machine, instant.day, instant.strftime("%b %Y, %H:%M")
    )


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_show,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": _day,
        "moment": _moment,
        "exact": _exact,
        "figure": wording.figure,
        "percent": wording.percent,
        "label": wording.label,
        "tone": wording.tone,
        "plural": wording.plural,
    }
    environment.globals["stylesheet_path"] = stylesheet_path
    environment.globals["static_path"] = static_path
    return environment


_environment = _make_environment()
