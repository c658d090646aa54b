"""A deployment whose machine has booted, and what its trials have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from behaviours.command_line import Desk, Ended
from booted.authority import Authority
from booted.machine import BootedMachine, Door, find_machines, list_health_paths
from booted.outcomes import Outcomes, require, wait_until

# A machine on a busy computer: what takes seconds on an idle one may take minutes there.
PATIENCE = 600.0
# A line of the report such as `  ok   service.logs  …`; the names of resources have no dot.
_CHECK = re.compile(r"^ *ok +\w+\.\w+ ", re.MULTILINE)


@dataclass(frozen=True)
class Deployed:
    """A deployment whose machine has booted."""

    desk: Desk
    door: Door
    settings: Mapping[str, str]
    outcomes: Outcomes
    domain: str
    authority: Authority
    archive: int
    """The port of a proxy that leads to Debian's archive."""

    def machine(self) -> BootedMachine:
        """Return the one machine that runs."""
        [machine] = find_machines(self.desk).values()
        return machine

    def deploy_command(self, *words: str, **changed: str) -> Ended:
        """Run the command line with the deployment's settings, and with what is changed of them."""
        return run_deployer(self.desk, *words, **{**self.settings, **changed})

    def wait_until_healthy(self) -> None:
        """Wait until every service answers through the front door."""
        for service, path in list_health_paths().items():
            wait_until(lambda: self.door.status(path) == 200, PATIENCE, f"{service} does not answer {path}")  # noqa: B023  # used at once

    def read_report(self, machine: BootedMachine, step: str) -> dict[str, Any]:
        """Read what a machine has reported last of a step. Raises ValueError where there is nothing yet."""
        s3 = self.desk.client("s3")
        [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"]]
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        [key] = [key for key in keys if key.endswith(f"/status/{machine.instance_id}/{step}.json")]
        return dict(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))


def run_deployer(desk: Desk, *words: str, **settings: str) -> Ended:
    """Run the command line to its end, which a machine that boots on a busy computer makes late."""
    process = desk.started("sre_agent_deploy", *words, **settings)
    out, err = process.communicate(timeout=7200)
    return Ended(process.returncode, out, err)


def count_checks(ended: Ended) -> str:
    """Say how many checks of a command that has succeeded have passed."""
    require(ended.code == 0, ended.text)
    return f"{len(_CHECK.findall(ended.text))} checks pass"
