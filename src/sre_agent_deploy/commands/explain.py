"""`explain`: read the pages of docs/problems, one for each code. They ship with the package; an editable install reads the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sre_core.nearest import find_nearest
from sre_core.problem import Problem

_SHIPPED = Path(__file__).parents[1] / "problem_pages"
_CHECKOUT = Path(__file__).parents[3] / "docs" / "problems"


@dataclass(frozen=True)
class Page:
    """The page of one code: the code as its heading, its meaning, its causes and what to do."""

    code: str
    text: str

    @property
    def summary(self) -> str:
        """The first sentence of the meaning."""
        first = " ".join(self.text.split("\n\n")[1].split())
        sentence, ends, _ = first.partition(". ")
        return sentence + ends.rstrip()


def list_codes() -> tuple[str, ...]:
    """List every code that has a page, sorted."""
    return tuple(sorted(path.stem for path in _find_folder().glob("*.md")))


def find_page(code: str) -> Page | Problem:
    """Find the page of a code, in any case of letters. For an unknown code the nearest one is suggested."""
    known = list_codes()
    wanted = code.strip().rstrip(":").upper()
    if wanted not in known:
        return _unknown(code, find_nearest(wanted, known))
    return Page(wanted, (_find_folder() / f"{wanted}.md").read_text(encoding="utf-8"))


def _find_folder() -> Path:
    return _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT


def _unknown(code: str, nearest: str | None) -> Problem:
    return Problem(
        code="EXPLAIN-UNKNOWN-CODE",
        what=f"There is no problem code {code}.",
        why="It is misspelled, or belongs to another version of this tool.",
        do=(
            *((f"Did you mean {nearest}? `sre-agent-deploy explain {nearest}`",) if nearest else ()),
            "List all codes: `sre-agent-deploy explain --list`.",
        ),
    )
