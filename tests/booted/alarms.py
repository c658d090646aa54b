"""Raise each alarm of a monitored machine by its own cause, and read each message from the topic.

Between the cause and the message is nothing of the tests but the stand-in for AWS's agent (`agent.py`), which ships by the
machine's own configuration and role. Alarms that wait for three periods of five minutes get them by its clock: what is done happens
three times, and the agent's lines and values of the first two times are 10 and 5 minutes old. What EC2 itself reports, and the
memory of the machine, which a container shares with this computer, are not among them.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from behaviours import certificates
from booted.agent import CLOCK, UNIT
from booted.deployed import PATIENCE, Deployed, count_checks
from booted.machine import BootedMachine
from booted.outcomes import require, wait_until
from sre_agent_deploy.alarms import ALARMS, CERTIFICATE_DAYS, DAY
from sre_agent_deploy.instance.systemd import BACKUP, CERTIFICATE_WATCH
from sre_core import clock, metrics
from sre_core.machine import BACKUP_SOURCE_FILE

_SLOW_SECONDS = 3
MONITORED = {
    "SRE_AGENT__MONITORING__ENABLED": "always",
    "SRE_AGENT__MONITORING__CLOUDTRAIL": "true",
    "SRE_AGENT__MONITORING__OUTSIDE_CHECK": "true",
    "SRE_AGENT__MONITORING__P95_SECONDS": str(_SLOW_SECONDS),
    "SRE_AGENT__MONITORING__MODEL_USD_PER_DAY": "0.01",
}
MODEL_SCRIPT = "model.json"
"""The file of a desk by which the local Amazon Bedrock answers; without it no model answers."""
_UNIT, _HEALTH, _ASKED = "sre-agent-logs.service", "/api/logs/health", "/api/logs/logs/search"
_REFUSED_BY_GATEWAY, _REFUSED_BY_COGNITO, _REFUSED_AT_DOOR = 17, 3, 30
_RAISED_WITHIN = 60.0


def alarms(deployment: Deployed, _: BootedMachine) -> None:
    """Update to a machine that is monitored, and raise its alarms one after the other."""
    with deployment.outcomes.promise("a machine with the agent replaces the one before, and is verified", within=PATIENCE) as timed:
        timed.facts = count_checks(deployment.deploy_command("deploy", "--yes", **MONITORED))
        wait_until(lambda: deployment.machine().run("systemctl", "is-active", UNIT).strip() == "active", PATIENCE, "the agent does not run")
    watched = Watched(deployment, deployment.machine())
    with watched.promise("errors", "a service is killed, and its requests are answered with 502"):
        kill_service(watched)
    deployment.wait_until_healthy()
    with watched.promise("outside", "nginx is stopped, and the local Route 53 gets no answer"):
        stop_front_door(watched)
    deployment.wait_until_healthy()
    with watched.promise("refusals", "50 requests are refused: at the front door, by the gateway and by the token endpoint"):
        watched.cause("refusals", lambda: refuse_requests(watched))
    with watched.promise("slow", f"a service that hangs answers after {_SLOW_SECONDS + 1} s, in three periods"):
        watched.cause("slow", lambda: watched.at_each_period(lambda minutes: hang_service(watched, minutes)))
    with watched.promise("disk", "the disk is filled, and measured in three periods") as timed, filled_disk(watched.machine, timed):
        # Before, the agent has measured an empty disk in the same periods: it is the average that counts.
        watched.cause("disk", lambda: watched.at_each_period(lambda _: time.sleep(1.2)), tries=60, pause=0.5)
    with watched.promise("money", "a question is put to a language model, which answers and costs more than 0.01 US dollars"):
        ask_model(watched)
    if watched.has_backup():
        deployment.outcomes.skip("the machine's backup fails", "one was made today, so the alarm is raised after two days")
    else:
        with watched.promise("backup", "the machine's backup fails"):
            fail_backup(watched)
    with watched.promise("certificate", f"a certificate of {CERTIFICATE_DAYS - 4} days is served, and the daily look finds it"):
        serve_short_certificate(watched)


@dataclass
class Watched:
    """A machine that is monitored, and a queue that is subscribed to the topic of its alarms."""

    deployment: Deployed
    machine: BootedMachine
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = self.deployment.desk.client
        self.sqs = self.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        [topic] = [each["TopicArn"] for each in self.client("sns").list_topics()["Topics"]]
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.id = topic.rpartition(":")[2].removesuffix("-alerts")

    @contextmanager
    def promise(self, name: str, cause: str) -> Iterator[Any]:
        """Judge that a cause raises an alarm, and that its message says what to do first."""
        with self.deployment.outcomes.promise(f"{cause}: the alarm {name} is raised, and its message is read", within=PATIENCE) as timed:
            require(self.find_message(name) is None, "it was raised before")
            yield timed
            wait_until(lambda: self.find_message(name), _RAISED_WITHIN, f"no message; the alarm is {self.find_state(name)}")
            message = self.find_message(name) or {}
            require(ALARMS[name].do[0] in message["AlarmDescription"], message["AlarmDescription"])
            timed.facts = "; ".join(filter(None, (timed.facts, message["NewStateReason"])))

    def cause(self, name: str, do: Callable[[], object], *, tries: int = 3, pause: float = 20) -> None:
        """Do what raises an alarm, again where it is not enough: the end of a period has divided it, or earlier values count as well."""
        for _ in range(tries):
            do()
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline:
                if self.find_message(name):
                    return
                time.sleep(0.5)

    def find_message(self, name: str) -> dict[str, Any] | None:
        """Read the queue, and return the message that an alarm was raised."""
        found = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            self.messages.append(json.loads(json.loads(message["Body"])["Message"]))
        raised = (each for each in self.messages if (each["AlarmName"], each["NewStateValue"]) == (f"{self.id}-{name}", "ALARM"))
        return next(raised, None)

    def find_state(self, name: str) -> str:
        return str(self.client("cloudwatch").describe_alarms(AlarmNames=[f"{self.id}-{name}"])["MetricAlarms"][0]["StateValue"])

    def has_backup(self) -> bool:
        """Say if a backup was made today (UTC), as the trial `back_up` does."""
        now = clock.now()
        day = {"StartTime": now.replace(hour=0, minute=0, second=0, microsecond=0), "EndTime": now, "Period": DAY}
        cloudwatch = self.client("cloudwatch")
        found = cloudwatch.get_metric_statistics(
            Namespace=metrics.namespace(self.id), MetricName=metrics.BACKUPS, Statistics=["Maximum"], **day
        )
        return any(each["Maximum"] >= 1 for each in found["Datapoints"])

    def at_each_period(self, do: Callable[[int], object]) -> None:
        """Do something three times, for the periods of ten and five minutes ago and for this one."""
        for minutes in (10, 5, 0):
            self.machine.write(CLOCK, str(minutes))
            do(minutes)

    def count_slow(self, minutes: int) -> int:
        """Count the slow requests in the log of the front door since some minutes ago."""
        since = int((time.time() - 60 * minutes - 120) * 1000)
        asked = {"filterPattern": f"{{ $.seconds >= {_SLOW_SECONDS} }}", "startTime": since, "endTime": since + 240_000}
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=metrics.log_group(self.id, metrics.FRONT_DOOR), **asked)
        )
        return sum(len(page["events"]) for page in pages)


def kill_service(watched: Watched) -> None:
    """Kill a service, again each time that it was started again, until requests were answered with 502 often enough."""
    answers: list[int] = []

    def ask() -> bool:
        if pid := watched.machine.main_pid(_UNIT):
            watched.machine.run("kill", "-9", str(pid))
        answers.extend(watched.deployment.door.status(_HEALTH) for _ in range(3))
        return answers.count(502) >= 6

    wait_until(ask, 60, f"the answers were {answers}")


def stop_front_door(watched: Watched) -> None:
    """Stop nginx until Route 53 has reported it."""
    watched.machine.run("systemctl", "stop", "nginx")
    try:
        wait_until(lambda: watched.find_message("outside"), _RAISED_WITHIN, "no message")
    finally:
        watched.machine.run("systemctl", "start", "nginx")


def refuse_requests(watched: Watched) -> None:
    """Have 50 requests refused: their clients have no key, a token that is none, and a secret that is wrong."""
    door = [watched.deployment.door.status(_ASKED) for _ in range(_REFUSED_AT_DOOR)]
    require(set(door) <= {401, 429}, f"the front door answered {set(door)}")
    registry = watched.deployment.desk.registry()
    control = watched.client("bedrock-agentcore-control")
    [gateway] = control.list_gateways()["items"]
    url = control.get_gateway(gatewayIdentifier=gateway["gatewayId"])["gatewayUrl"]
    [pool] = watched.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
    form = {"grant_type": "client_credentials", "client_id": "absent", "client_secret": "none"}
    with httpx2.Client(verify=ssl.create_default_context(cafile=registry["ca_file"])) as http:
        issuer = f"{registry['endpoint']}/{pool['Id']}"
        endpoint = http.get(f"{issuer}/.well-known/openid-configuration").json()["token_endpoint"]
        inside = [http.post(url, json=asked, headers={"authorization": "Bearer garbage"}).status_code for _ in range(_REFUSED_BY_GATEWAY)]
        inside += [http.post(endpoint, data=form).status_code for _ in range(_REFUSED_BY_COGNITO)]
    require(set(inside) == {401, 400}, f"gateway and token endpoint answered {set(inside)}")


def hang_service(watched: Watched, minutes: int) -> None:
    """Let a service hang while twenty requests wait, and wait until the agent has shipped their lines."""
    # nginx closes its idle connections to a service after two seconds: none is left that the service could close when it goes on.
    time.sleep(2.5)
    before, pid = watched.count_slow(minutes), str(watched.machine.main_pid(_UNIT))
    watched.machine.run("kill", "-STOP", pid)
    with ThreadPoolExecutor(20) as clients:
        waiting = [clients.submit(watched.deployment.door.status, _HEALTH) for _ in range(20)]
        time.sleep(_SLOW_SECONDS + 1)
        watched.machine.run("kill", "-CONT", pid)
    answers = [each.result() for each in waiting]
    require(set(answers) == {200}, f"they were answered with {answers}")
    wait_until(lambda: watched.count_slow(minutes) >= before + 20, 60, "their lines were not shipped")


@contextmanager
def filled_disk(machine: BootedMachine, timed: Any) -> Iterator[None]:
    """Let a file take what is left of the machine's disk, but for a fiftieth."""
    block, free = map(int, machine.run("stat", "--file-system", "--format=%S %a", "/").split())
    machine.run("fallocate", "--length", str(free * 49 // 50 * block), "/var/filling")
    try:
        timed.facts = machine.run("df", "--output=pcent,size", "--human-readable", "/").splitlines()[1].strip()
        yield
    finally:
        machine.run("rm", "/var/filling")


def ask_model(watched: Watched) -> None:
    """Let Amazon Bedrock answer, and ask the question of `verify`: the assistant writes down what its tokens cost."""
    answer = {"text": "The service checkout is out of memory.", "usage": {"input": 20_000, "output": 500}}
    (watched.deployment.desk.folder / MODEL_SCRIPT).write_text(json.dumps({"answers": [answer]}))
    try:
        watched.deployment.deploy_command("verify")
    finally:
        (watched.deployment.desk.folder / MODEL_SCRIPT).unlink()


def fail_backup(watched: Watched) -> None:
    """Take away what the deployer has left to back up, start the machine's own unit, and put it back."""
    s3 = watched.client("s3")
    [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"] if "trail" not in each["Name"]]
    listed = (each["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for each in page["Contents"])
    [key] = [key for key in listed if key.endswith(f"/{watched.machine.instance_id}/{BACKUP_SOURCE_FILE}")]
    kept = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    with suppress(subprocess.CalledProcessError):
        watched.machine.run("systemctl", "start", BACKUP, longest=300)
    s3.put_object(Bucket=bucket, Key=key, Body=kept)


def serve_short_certificate(watched: Watched) -> None:
    """Deploy a certificate that ends soon, and start what looks at it each day."""
    deployment, before = watched.deployment, watched.deployment.door.fingerprint()
    certificates.written(deployment.desk.folder, deployment.domain, days=CERTIFICATE_DAYS - 4)
    deployment.door.trust.load_verify_locations(deployment.desk.folder / "ca.pem")
    deployed = deployment.deploy_command("deploy", "--yes", **MONITORED)
    require(deployed.code == 0, deployed.text)
    wait_until(lambda: deployment.door.fingerprint() not in ("", before), PATIENCE, "it is not served")
    watched.machine.run("systemctl", "start", CERTIFICATE_WATCH)


TRIALS = (alarms,)
