"""`audit`: list every refused access together with who changed the deployment, oldest first.

In local mode the events are in the logs of this machine, those of the local AWS among them; on EC2 in the deployment's log group of
security events, and with monitoring.cloudtrail in that of its trail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sre_agent_deploy.account import local
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import is_running, state_not_found
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import Located, find_state, use_account
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.later import require_known
from sre_agent_deploy.monitoring import TRAIL_LOG, match_refusals
from sre_core import clock
from sre_core.metrics import SECURITY, TRAIL, log_group
from sre_core.problem import Problem, Refused
from sre_core.security_event import EVENT, describe_denial, read_denial

_REASONS = {401: "invalid_token", 429: "throttled"}


@dataclass(frozen=True)
class Entry:
    """One refused access, or one run; `facts` is the event or the run as it was recorded."""

    time: datetime
    kind: str
    what: str
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"time": clock.stamp(self.time), "kind": self.kind, "what": self.what, self.kind: self.facts}


@dataclass(frozen=True)
class Audit:
    """The entries of a time, and what could not be read."""

    deployment: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


def audit(request: Request, since: timedelta, user: User = UNATTENDED) -> Audit:
    """List what happened since then. Raises Refused if there is no state."""
    located = find_state(request)
    state = located.state
    if state is None:
        raise Refused(state_not_found(located.store.location, "audit"))
    begin = clock.now() - since
    events, problems = _read_events(located, state, begin, user)
    entries = (entry for entry in (*_runs(state), *events) if entry.time >= begin)
    return Audit(state.deployment, tuple(sorted(entries, key=lambda entry: entry.time)), problems)


def _runs(state: State) -> Iterator[Entry]:
    for run in state.runs:
        what = f"{run.command} by {run.who} on {run.host}: {run.result or 'not ended'}"
        facts = {"command": run.command, "who": run.who, "host": run.host, "ended": run.ended, "result": run.result}
        yield Entry(clock.parse(run.started), "run", what, facts)


def describe_event(event: dict[str, Any]) -> Entry:
    """Describe one security event in one line (pure)."""
    service = (event.get("service") or event["api"]["service"])["name"]
    user = event.get("user") or event["actor"]["user"]
    source, asked = event["src_endpoint"], event["http_request"]
    subject = f" as {user['uid']}" if "uid" in user else ""
    what = f"{service} refused {asked['http_method']} {asked['url']['path']} of {source.get('ip') or source.get('name')}{subject}"
    moment = datetime.fromtimestamp(event["time"] / 1000, UTC)
    line = f"{what}: {event['status_detail']} (request {asked['uid']})"
    # The path is the client's own: no control character of it reaches a terminal.
    return Entry(moment, "refused", "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line), event)


def _read_events(located: Located, state: State, begin: datetime, user: User) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    if not state.alive():
        return (), ()
    if state.mode == "local":
        return (tuple(_events(_read_files(state))), ()) if is_running(state) else ((), (_not_running(state),))
    with use_account(config_for_cleanup(located, state), user, start=False) as account:
        assert account is not None  # only local mode may have none
        of_machine = _ask(
            account.aws,
            state,
            SECURITY,
            lambda aws: tuple(_events(_read_group(aws, log_group(state.deployment, SECURITY), begin, f'"{EVENT}"'))),
        )
        of_aws = _ask(account.aws, state, TRAIL, lambda aws: read_trail(aws, state, begin))
    answers = (of_machine, of_aws)
    events = tuple(event for each in answers if not isinstance(each, Problem) for event in each)
    return events, tuple(each for each in answers if isinstance(each, Problem))


def _ask(aws: Aws, state: State, group: str, read: Callable[[Aws], tuple[Entry, ...]]) -> tuple[Entry, ...] | Problem:
    found = attempt(partial(read, aws), progress=aws.progress)
    if isinstance(found, Lost):
        found = found.problem
    return _unread(state, group, found) if isinstance(found, Problem) else found


def read_trail(aws: Aws, state: State, begin: datetime) -> tuple[Entry, ...]:
    """Read what the gateway and Cognito refused since then, as CloudTrail has reported it by now; nothing where there is no trail."""
    group, gateway, pool = state.current(TRAIL_LOG), state.current("gateway"), state.current("user_pool")
    if group is None or gateway is None or pool is None:
        return ()
    pattern = require_known(match_refusals(gateway.outputs["arn"], pool.id))
    events = (json.loads(line) for line in _read_group(aws, group.id, begin, pattern))
    # CloudTrail may deliver an event more than once.
    return tuple(describe_event(_describe_refusal(event)) for event in {event["eventID"]: event for event in events}.values())


def _describe_refusal(event: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an event of CloudTrail that reports a refusal as every other door does. It names neither caller nor reason exactly."""
    of_cognito = event["eventName"] == "Token_POST"
    answer = event["additionalEventData"]["responseParameters"] if of_cognito else event["responseElements"]
    status = int(answer["status" if of_cognito else "statusCode"])
    return describe_denial(
        service="cognito-oauth2" if of_cognito else "gateway",
        reason="token_refused" if of_cognito else _REASONS.get(status, "not_authorized"),
        method="POST",
        path="/oauth2/token" if of_cognito else "/mcp",
        client=str(event.get("sourceIPAddress", "")),
        status=str(status),
        request_id=str(event.get("requestID", "")),
        subject="",
        time=int(clock.parse(event["eventTime"]).timestamp() * 1000),
        activity=None,
        facts={"cloudtrail_event_id": str(event["eventID"])},
    )


def _events(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        if event := read_denial(line):
            yield describe_event(event)


def _read_files(state: State) -> Iterator[str]:
    """Read the logs of every machine that there was, and of the local AWS: the gateway, the token endpoint and the front door are in it."""
    registry = local.find_running()
    if registry is None:
        return
    machines = [record.id for record in state.records.values() if record.name == "instance" and record.id]
    logs = (file for id in machines for file in sorted(Path(registry.service_logs.replace("*", id)).glob("*.log")))
    for file in (*logs, Path(registry.log_file)):
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from lines


def _read_group(aws: Aws, group: str, begin: datetime, pattern: str) -> list[str]:
    pages = (
        aws.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, startTime=int(begin.timestamp() * 1000), filterPattern=pattern)
    )
    return [event["message"] for page in pages for event in page["events"]]


def _unread(state: State, group: str, cause: Problem) -> Problem:
    on_machine = (
        "Read them on the machine: `sre-agent-deploy exec 'sudo grep -h security.access_denied /var/log/nginx/security.log'`,"
        " and `sre-agent-deploy logs` for the services."
    )
    where = "the machine" if group == SECURITY else "the gateway and Cognito"
    return Problem(
        code="AUDIT-EVENTS-UNREAD",
        what=f"The security events of {where} of {state.deployment} could not be read; all other events are listed.",
        why=f"They are in the log group {log_group(state.deployment, group)}: {cause.what} {cause.why}",
        do=(*((on_machine,) if group == SECURITY else ()), *cause.do),
        request_id=cause.request_id,
    )


def _not_running(state: State) -> Problem:
    return Problem(
        code="AUDIT-EVENTS-UNREAD",
        what=f"The security events of {state.deployment} were not read; its runs are listed.",
        why="Its local AWS no longer runs, and the logs of its services went with it.",
        do=("Start it again: `sre-agent-deploy deploy`.",),
    )
