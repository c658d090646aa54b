"""Stands in for the CloudWatch agent, whose package only AWS has: it ships what the machine's own configuration of the agent says.

It knows no alarm and no deployment. `install` puts it into a machine's disk where the package would be downloaded and unpacked; the rest
is the program there, which runs on the Python of the machine's release, with the machine's role from IMDS. Like the agent it takes the time
at which a line is read for the line's time. Its clock alone can be set back, by the minutes in `CLOCK`, for alarms that wait 15 minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

AGENT = "opt/aws/amazon-cloudwatch-agent"
CLOCK = "/run/amazon-cloudwatch-agent.minutes-ago"
UNIT = "amazon-cloudwatch-agent.service"
_PACKAGE = "usr/local/share/amazon-cloudwatch-agent"
_IMDS = "http://169.254.169.254/latest"
# A limit of PutLogEvents is 1 MiB for a batch.
_BATCH = 500

# What is downloaded is empty: the package's content comes with the disk, and is unpacked by `rpm`.
CURL = """#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = --output ] && : > "$2"; shift; done
echo "curl $1" >> /var/log/curl.log
"""
RPM = f"""#!/bin/sh -e
mkdir -p /{AGENT}/etc && cp -r /{_PACKAGE}/. /{AGENT}/
"""
CONTROL = f"""#!/bin/sh -e
for word; do case "$word" in file:*) config=${{word#file:}} ;; esac; done
cat > /etc/systemd/system/{UNIT} <<END
[Service]
ExecStart=/bin/sh -c 'exec /opt/sre-agent/venvs/*/bin/python /{AGENT}/bin/agent.py $config'
Restart=always
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now {UNIT}
"""


def install(root: Path) -> None:
    """Let a machine of this disk download and unpack the stand-in as it would the agent's package."""
    scripts = {"usr/local/bin/curl": CURL, "usr/local/bin/rpm": RPM, f"{_PACKAGE}/bin/amazon-cloudwatch-agent-ctl": CONTROL}
    for name, text in scripts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    shutil.copy(__file__, root / _PACKAGE / "bin" / "agent.py")


class Tail:
    """Reads the lines of a file as they are written, from its beginning, and goes on with the new one after a rotation."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self._file: Any = None

    def read(self) -> Iterator[str]:
        path = Path(self.entry["file_path"])
        if self._file:
            yield from self._file
            if path.exists() and os.fstat(self._file.fileno()).st_ino == path.stat().st_ino:
                return
        if path.exists():
            self._file = path.open(errors="replace")
            yield from self._file


class Journal:
    """Reads the messages of units as they come, and passes on those that each filter includes."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        units = (f"--unit={unit}" for unit in entry["units"])
        command = ("journalctl", "--follow", "--lines=all", "--output=cat", *units)
        self._output: Any = subprocess.Popen(command, stdout=subprocess.PIPE).stdout
        os.set_blocking(self._output.fileno(), False)
        self._rest = b""

    def read(self) -> Iterator[str]:
        *lines, self._rest = (self._rest + (self._output.read() or b"")).split(b"\n")
        filters = [re.compile(each["expression"]) for each in self.entry.get("filters", ())]
        for line in (line.decode(errors="replace") for line in lines):
            if all(each.search(line) for each in filters):
                yield line


def measure(config: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Measure what the configuration collects: the name, the dimensions and the value of each metric."""
    collected = config["metrics_collected"]
    added = {name: known[value] for name, value in config["append_dimensions"].items()}
    found: list[tuple[str, dict[str, str], float]] = []
    for path in collected["disk"]["resources"]:
        size = os.statvfs(path)
        used = size.f_blocks - size.f_bfree
        found.append(("disk_used_percent", {"path": path, "fstype": "ext4"}, 100 * used / (used + size.f_bavail)))
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    memory = {line[0].rstrip(":"): int(line[1]) for line in lines}
    found.append(("mem_used_percent", {}, 100 * (1 - memory["MemAvailable"] / memory["MemTotal"])))
    for name, own, value in found:
        dimensions = own | added
        yield name, dimensions, value
        for chosen in config["aggregation_dimensions"]:
            if set(chosen) < dimensions.keys():
                yield name, {each: dimensions[each] for each in chosen}, value


class Agent:
    """Ships lines and metrics by one configuration."""

    def __init__(self, config: Mapping[str, Any], region: str, instance_id: str) -> None:
        import boto3

        self._logs, self._cloudwatch = (boto3.client(name, region_name=region) for name in ("logs", "cloudwatch"))
        self._config, self._instance_id = config, instance_id
        collected = config["logs"]["logs_collected"]
        self._sources = [*map(Tail, collected["files"]["collect_list"]), *map(Journal, collected["journald"]["collect_list"])]
        self._streams: set[tuple[str, str]] = set()

    def ship_lines(self, now: float) -> None:
        for source in self._sources:
            lines = [line.rstrip("\n") for line in source.read()]
            events = [{"timestamp": int(now * 1000), "message": line} for line in lines if line.strip()]
            stream = source.entry["log_stream_name"].replace("{instance_id}", self._instance_id)
            for first in range(0, len(events), _BATCH):
                self._put_lines(source.entry["log_group_name"], stream, events[first : first + _BATCH])

    def _put_lines(self, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        if (group, stream) not in self._streams:
            with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                self._logs.create_log_stream(logGroupName=group, logStreamName=stream)
            self._streams.add((group, stream))
        self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def ship_metrics(self, now: float) -> None:
        config = self._config["metrics"]
        data = [
            {"MetricName": name, "Dimensions": [{"Name": key, "Value": each} for key, each in dimensions.items()], "Value": value,
             "Unit": "Percent", "Timestamp": now}
            for name, dimensions, value in measure(config, {"${aws:InstanceId}": self._instance_id})
        ]  # fmt: skip
        self._cloudwatch.put_metric_data(Namespace=config["namespace"], MetricData=data)


def read_metadata(path: str) -> str:
    """Read one file of the metadata service, with a token."""
    asked = urllib.request.Request(f"{_IMDS}/api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    token = urllib.request.urlopen(asked, timeout=5).read().decode()
    asked = urllib.request.Request(f"{_IMDS}/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token})
    return str(urllib.request.urlopen(asked, timeout=5).read().decode())


def main(config_file: str) -> None:
    """Ship lines each second, and metrics at the interval of the configuration and when the clock is set."""
    config = json.loads(Path(config_file).read_text())
    agent = Agent(config, read_metadata("placement/region"), read_metadata("instance-id"))
    clock, due, seen = Path(CLOCK), 0.0, ""
    while True:
        minutes = clock.read_text() if clock.exists() else "0"
        now = time.time() - 60 * float(minutes)
        agent.ship_lines(now)
        if minutes != seen or time.monotonic() >= due:
            agent.ship_metrics(now)
            due, seen = time.monotonic() + config["agent"]["metrics_collection_interval"], minutes
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1])
