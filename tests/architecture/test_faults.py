"""The prepared faults of `scripts/faults` can still be put in: what each replaces is there once, and its tests exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _faults() -> list[dict[str, Any]]:
    files = sorted((ROOT / "tests" / "faults").glob("*.toml"))
    return [fault for file in files for fault in tomllib.loads(file.read_text(encoding="utf-8"))["fault"]]


def test_the_prepared_faults() -> None:
    """Code that a fault changes was moved or rewritten: say in tests/faults what the fault is now."""
    faults = _faults()
    absent = [fault["name"] for fault in faults if (ROOT / fault["file"]).read_text(encoding="utf-8").count(fault["before"]) != 1]
    assert not absent
    assert len({fault["name"] for fault in faults}) == len(faults)
    assert [(fault["name"], test) for fault in faults for test in fault["tests"] if not _exists(test)] == []


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).is_file() and (not name or bool(re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.M)))
