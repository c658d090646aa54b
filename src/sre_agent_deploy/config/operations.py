"""How a deployment is kept: where its state is, what it may cost, and whom to tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.not_yet import not_there_yet
from sre_agent_deploy.config.section import Section, described

_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+")


class StateConfig(Section):
    """Where the deployment's state is kept, so that it can be continued and cleaned up."""

    location: str = described(
        "", "s3://BUCKET/KEY for a team; empty keeps it in the file that --state-file names.", example="s3://team-state/sre/state.json"
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """A file, or an object in S3."""
        if self.location and not _S3_URI.fullmatch(self.location):
            yield Fault(
                code="CONFIG-STATE-LOCATION",
                path=("location",),
                what="location is not an S3 object.",
                why="It must be s3:// with a bucket's name and a key.",
                do=("Write it like this: s3://team-state/sre/state.json", "Or leave it empty for a file."),
                correction="s3://team-state/sre/state.json",
            )


class LimitsConfig(Section):
    """What a deployment may not exceed, whoever edits the rest of the file."""

    instance_types: tuple[str, ...] = described(
        (), "The only EC2 instance types that may be deployed; empty allows any that is large enough.", example="[t3.xlarge, m7i.xlarge]"
    )
    instances: int = described(
        0, "The most EC2 instances that all deployments of this account and region may have together; 0 allows any number.", example="3"
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """A number that instances can have."""
        if self.instances < 0:
            yield Fault(
                code="CONFIG-LIMIT-COUNT",
                path=("instances",),
                what="instances is less than none.",
                why="It is how many EC2 instances there may be; 0 stands for any number.",
                do=("Write it like this: 3", "Or write 0 for no limit."),
                correction="0",
            )


class AlertsConfig(Section):
    """Whom to tell when something needs a person."""

    email: str = described("", "Address for alerts; not there yet, so leave it empty.")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Alerts are not sent yet."""
        if self.email:
            yield not_there_yet("email", "Alerts by e-mail", '""')
