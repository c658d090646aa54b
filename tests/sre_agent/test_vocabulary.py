"""The vocabulary of causes is published: the page has what the rules can say, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from sre_agent.reasoners.rules.vocabulary import CAUSES

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "diagnosis.md"


def test_the_published_vocabulary() -> None:
    """Each cause has one row, with what it means and what decides it."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition("## Vocabulary")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", after.partition("\n## ")[0], re.MULTILINE)
    assert [tuple(map(str.strip, row)) for row in rows] == [(name, cause.title, cause.decided_by) for name, cause in CAUSES.items()]
