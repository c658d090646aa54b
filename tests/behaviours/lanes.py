"""Several AWSs on this machine side by side, each with an engine: what waits in one leaves the processors to the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from behaviours import lister
from behaviours.command_line import Desk
from behaviours.engine import Engine, engine
from fixtures.embedded import served
from fixtures.sample import THOROUGH


class Lane:
    """One empty AWS, an engine for it, and a folder to deploy from."""

    def __init__(self, folder: Path, opened: ExitStack, *options: str) -> None:
        self._folders = (folder / f"{number}" for number in count())
        self.desk = Desk(folder)
        self.desk.configure()
        opened.enter_context(served(self.desk.state_dir, *options))
        self.engine: Engine = opened.enter_context(engine(self.desk.registry_file, {"SRE_AGENT_STATE_DIR": str(self.desk.state_dir)}))
        self.client = self.desk.client

    def fresh(self, **sections: Any) -> Path:
        """A folder with a configuration and no state; what was in the one before is forgotten."""
        folder = next(self._folders)
        folder.mkdir()
        self.configure(folder, **sections)
        return folder

    def configure(self, folder: Path, **sections: Any) -> None:
        usual = {
            "services": {"recording": "crash-loop"},
            "limits": {"monthly_usd": 50},
            "alerts": {"email": "team@example.com"},
            "assistant": {"runtime": "agentcore"},
            "retries": {"shown": "2s"},
        }
        document = {"version": 1, "mode": "local", "name": "test", **usual, **sections}
        (folder / "config.yaml").write_text(json.dumps(document))

    def counted(self) -> dict[str, int]:
        """Count the resources of each kind, by unfiltered listings."""
        return {kind: len(ids) for kind, ids in lister.everything(self.client).items()}


@contextmanager
def lane(folder: Path, *options: str, boots: bool = False) -> Iterator[Lane]:
    """A lane that ends with the block, and leaves no files. Its instances run nothing, unless it `boots`."""
    folder.mkdir(parents=True)
    with ExitStack() as opened:
        yield Lane(folder, opened, *(() if boots else ("--no-boot",)), *options)
    shutil.rmtree(folder, ignore_errors=True)


def every[P](points: Iterable[P], trial: Callable[[Lane, P], str], folder: Path) -> list[str]:
    """Try every point in one of several lanes; answers what went wrong. A lane in which something did is not used again."""
    lanes = 4 if THOROUGH else 2
    waiting = iter(list(points))  # a list's iterator gives each to one thread
    numbers = count()

    def drive(_: int) -> list[str]:
        faults: list[str] = []
        point = next(waiting, None)
        while point is not None:
            with lane(folder / f"lane-{next(numbers)}") as here:
                fault = ""
                while point is not None and not fault:
                    fault = trial(here, point)
                    faults += [f"{point}: {fault}"] if fault else []
                    point = next(waiting, None)
        return faults

    with ThreadPoolExecutor(lanes) as pool:
        return [fault for faults in pool.map(drive, range(lanes)) for fault in faults]
