"""Render self-contained HTML pages: one layout and one stylesheet for every page that this program writes.

To add a page, write `report/templates/NAME.html` that begins with `{% extends "page.html" %}` and fills the blocks `content` and, if
it needs one, `script`; then call `render_page("NAME.html", title=..., **values)`. Every value is escaped. The macros of
`macros.html` (`badge`, `facts`, `prose`, `command`) and the classes of `page.css` (`card`, `stack`, `ok`, `bad`, `open`) give it the look
of the others: readable at 360 px, in dark mode and on paper. The page loads nothing: its policy forbids every request.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **values: Any) -> str:
    """Render a template of this folder with its values. Raises UndefinedError where the template names a value that is missing."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
