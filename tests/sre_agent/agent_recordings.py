"""Recordings that ship, changed: the incident without its proof, under other names, or with what distracts from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sre_services.recording import SHIPPED

type Edit = Callable[[Path], None]


def edited(folder: Path, name: str, *edits: Edit) -> str:
    """A copy of the recording `name` under `folder` with all edits made, as SRE_RECORDING takes it."""
    copy = folder / name
    shutil.copytree(SHIPPED / name, copy)
    for edit in edits:
        edit(copy)
    return str(copy)


def without_lines(pattern: str, *needles: str) -> Edit:
    """Text files without the lines that hold any of the needles."""

    def edit(folder: Path) -> None:
        for path in folder.glob(pattern):
            kept = [line for line in path.read_text().splitlines(keepends=True) if not any(needle in line for needle in needles)]
            path.write_text("".join(kept))

    return edit


def without_file(pattern: str) -> Edit:
    """Without these files."""

    def edit(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return edit


def renamed(names: Mapping[str, str]) -> Edit:
    """Every occurrence of a name replaced, in texts and in names of files."""

    def edit(folder: Path) -> None:
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            text = path.read_text()
            target = path.name
            for old, new in names.items():
                text, target = text.replace(old, new), target.replace(old, new)
            path.unlink()
            (path.parent / target).write_text(text)

    return edit


def objects(file: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Edit:
    """Every object of a Kubernetes List changed in place, or dropped where `change` gives None."""

    def edit(folder: Path) -> None:
        path = folder / "kubernetes" / file
        document = json.loads(path.read_text())
        document["items"] = [changed for item in document["items"] if (changed := change(item)) is not None]
        path.write_text(json.dumps(document))

    return edit


def log_lines(service: str, *lines: str) -> Edit:
    """Lines added at the end of a service's log."""

    def edit(folder: Path) -> None:
        with (folder / "logs" / f"{service}.log").open("a") as log:
            log.writelines(f"{line}\n" for line in lines)

    return edit
