"""The last committed figures of an evaluation, and the difference of a new run to them. No data of any case is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("results.json")


def compare(name: str, figures: Mapping[str, float], file: Path = FILE) -> str:
    """Say how each figure differs from the committed one, where the cases are as many."""
    before = _read(file).get(name)
    if before is None:
        return f"{name}: nothing is committed to compare with"
    if any(before.get(key) != value for key, value in figures.items() if key == "cases" or key.endswith(", all")):
        return f"{name}: another number of cases than the committed one, not compared"
    changed = [f"{key} {before.get(key, 0):g} -> {value:g}" for key, value in figures.items() if before.get(key) != value]
    return f"{name}: {', '.join(changed) or 'as committed'}"


def keep(name: str, figures: Mapping[str, float], file: Path = FILE) -> None:
    """Write the figures, to be committed. Those of suites that did not run stay."""
    known = _read(file)
    file.write_text(json.dumps({**known, name: {**known.get(name, {}), **figures}}, indent=2) + "\n", encoding="utf-8")


def _read(file: Path) -> dict[str, dict[str, float]]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
