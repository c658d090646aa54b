"""The creation of a resource: the one call that is not idempotent. It is never made twice, and its result is never lost.

What follows it can be repeated: configure the resource, wait until it is ready, and read it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.engine.delete import explain_refusal
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.plan import compare, refuse_stranger
from sre_agent_deploy.progress import Event, run_interrupted
from sre_agent_deploy.resource import Found, Mark, Ready, Resource, Waiting, compare_tags
from sre_core import clock, duration
from sre_core.problem import Problem

TRIES = 4


def create_resource(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem:
    """Create a resource exactly once, or adopt the one that an interrupted attempt created. `mark` gets its token here.

    The intent is saved each time before the call is sent. An attempt whose answer was lost is looked up for as long as AWS
    may hide its result (`SETTLES`), and only then sent again.
    """
    for tries_left in reversed(range(TRIES)):
        intent = _open_intent(journal, mark)
        if intent:
            # With a client token, or a name that only one can have, sending it again is itself the lookup. Each alternative has
            # a token of its own, and which of them was sent is not recorded.
            repeatable = (wanted.TOKEN and not wanted.elsewhere()) or wanted.UNIQUE
            earlier = _find_earlier(aws, wanted, mark, timedelta(0) if repeatable else _time_hidden(aws, wanted, intent))
            if isinstance(earlier, Problem):
                return earlier
            if earlier:
                return journal.record_phase(intent, "born", id=earlier)
        if wanted.ADOPTS_SILENTLY and (taken := _find_stranger(aws, wanted, mark)):
            return taken
        created = _create_somewhere(aws, wanted, journal, mark)
        if isinstance(created, Problem):
            return _adopt_or_refuse(aws, wanted, journal, mark, created, again=intent is not None)
        if isinstance(created, Record):
            return created
        if not tries_left:
            return created.problem
    raise AssertionError("the last try returned")


def find_unfinished(aws: Aws, kind: type[Resource], record: Record | None, deployment: str) -> tuple[str, ...] | Problem:
    """Find the ids of what an unfinished creation has made, for as long as AWS may hide it. The resource is no longer wanted."""
    if record is None:
        return ()
    ids: tuple[str, ...] = ()
    hidden = aws.progress.time_hidden(kind.SETTLES, clock.parse(record.intended_at))
    for _ in aws.progress.poll("shown", f"the result of an earlier creation of {record.name}", hidden):
        listed = attempt(lambda: kind.owned(aws, deployment), progress=aws.progress)
        if isinstance(listed, Problem | Lost):
            return listed.problem if isinstance(listed, Lost) else listed
        ids = tuple(owned.id for owned in listed if (owned.name, owned.generation) == (record.name, record.generation))
        if ids:
            return ids
    return run_interrupted() if aws.progress.stop.requested else ()


def _find_stranger(aws: Aws, wanted: Resource, mark: Mark) -> Problem | None:
    """Find out if another owner has taken the name since the plan was made; a lookup that fails counts as taken."""
    found = attempt(
        lambda: inventory.read_resource(aws, type(wanted), wanted.natural_id(aws), wanted.name, mark.deployment),
        progress=aws.progress,
        subject=wanted,
        failures=wanted.FAILURES,
    )
    if isinstance(found, Lost):
        return found.problem
    if found is None or isinstance(found, Problem):
        return found
    return refuse_stranger(wanted, found, mark.deployment) if found.owner(mark.deployment) != "us" else None


def _open_intent(journal: Journal, mark: Mark) -> Record | None:
    """Return the record of a creation whose result is not known."""
    record = journal.state.records.get(f"{mark.name}-{mark.generation}")
    return record if record and record.phase == "intended" else None


def _create_somewhere(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem | Lost:
    """Create it, or the first of its alternatives for which AWS has room. Returns the first refusal where there is room for none."""
    refused = created = _create_when_free(aws, wanted, journal, mark)
    for label, alternative in wanted.elsewhere().items():
        if not (isinstance(created, Problem) and _lacks_room(created, wanted)):
            return created
        aws.progress.observe(Event("waiting", aws.progress.name, f"{created.what} Trying {label}"))
        created = _create_when_free(aws, alternative, journal, mark)
    return refused if isinstance(created, Problem) and _lacks_room(created, wanted) else created


def _lacks_room(refused: Problem, wanted: Resource) -> bool:
    return (refused.context.get("operation", ""), refused.context.get("aws_code", "")) in wanted.ELSEWHERE


def _create_when_free(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem | Lost:
    """Create it, and again for as long as AWS has not released its name from a deleted resource."""
    refused: Problem | None = None
    for poll in aws.progress.poll("gone", f"the name of {wanted.name} to be free", aws.progress.limits.ready):
        created = _send_creation(aws, wanted, journal, mark)
        if not isinstance(created, Problem):
            return created
        refused = created
        blocker = explain_refusal(aws, type(wanted), lambda: wanted.natural_id(aws), created)
        if not isinstance(blocker, Waiting):
            return blocker
        poll.status = blocker.for_
    assert refused
    return aws.progress.interrupted_or(refused)


def _send_creation(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem | Lost:
    def create() -> tuple[Record, str]:
        # An intent for each try: the time for which AWS may hide the result begins with it.
        record = journal.record_intent(mark.name, wanted.KIND, mark.generation)
        return record, wanted.create(aws, replace(mark, token=record.token))

    created = attempt(
        create,
        progress=aws.progress,
        subject=wanted,
        failures=wanted.FAILURES,
        propagates=wanted.PROPAGATES,
        repeatable=wanted.TOKEN,
    )
    return created if isinstance(created, Problem | Lost) else journal.record_phase(created[0], "born", id=created[1])


def _adopt_or_refuse(aws: Aws, wanted: Resource, journal: Journal, mark: Mark, refusal: Problem, *, again: bool) -> Record | Problem:
    """Adopt the resource if AWS refuses a taken name and the taker is our own earlier attempt.

    `again` says that the answer of an earlier attempt was lost, so that AWS may still hide its result. Any other refusal
    created nothing.
    """
    intent = _open_intent(journal, mark)
    if intent is None:
        return refusal
    id = _find_earlier(aws, wanted, mark, _time_hidden(aws, wanted, intent) if again else timedelta(0))
    if isinstance(id, Problem):
        return refusal
    record = journal.record_phase(intent, "born" if id else "gone", id=id)
    return record if id else refusal


def _time_hidden(aws: Aws, wanted: Resource, intent: Record) -> timedelta:
    """Return the time for which AWS may still hide the result of an attempt."""
    return aws.progress.time_hidden(wanted.SETTLES, clock.parse(intent.intended_at))


def _find_earlier(aws: Aws, wanted: Resource, mark: Mark, within: timedelta) -> str | Problem | None:
    """Find the id of what an earlier attempt created; None where AWS does not show it in time, a Problem where the lookup failed."""
    for _ in aws.progress.poll("shown", "the result of an earlier attempt", within):
        if id := _try_look_up(aws, wanted, mark):
            return id
    return run_interrupted() if aws.progress.stop.requested else None


def _try_look_up(aws: Aws, wanted: Resource, mark: Mark) -> str | Problem | None:
    # A failed lookup does not prove that the resource is absent.
    found = attempt(lambda: _look_up(aws, wanted, mark), progress=aws.progress)
    return found.problem if isinstance(found, Lost) else found


def _look_up(aws: Aws, wanted: Resource, mark: Mark) -> str | None:
    """Look up what has this mark or this name and belongs to this deployment."""
    kind = type(wanted)
    ids = [owned.id for owned in kind.owned(aws, mark.deployment) if (owned.name, owned.generation) == (mark.name, mark.generation)]
    for id in filter(None, (*ids, wanted.natural_id(aws))):
        found = inventory.read_resource(aws, kind, id, mark.name, mark.deployment)
        if found and not found.broken and found.owner(mark.deployment) == "us" and not _is_of_another_configuration(wanted, found):
            return id
    return None


def _is_of_another_configuration(wanted: Resource, found: Found[Any]) -> bool:
    """Check if an interrupted update created it for a configuration that has changed since. The next plan then deletes it."""
    differences = compare(wanted.prefer(found.outputs), found.seen)
    return wanted.BESIDE and any(difference.field in wanted.FIXED for difference in differences)


def configure_resource(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Make the calls of a resource's `configure`, all of which can be repeated."""
    answer = attempt(
        lambda: wanted.configure(aws, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES, propagates=wanted.PROPAGATES
    )
    return answer.problem if isinstance(answer, Lost) else answer


def restore_tags(aws: Aws, wanted: Resource, id: str, mark: Mark) -> Problem | None:
    """Give a resource that exists the tags that a new one would be created with."""
    if not wanted.MOST_TAGS:
        return None
    answer = attempt(
        lambda: _restore_tags(aws, wanted, id, mark),
        progress=aws.progress,
        subject=wanted,
        failures=wanted.FAILURES,
        propagates=wanted.PROPAGATES,
    )
    return answer.problem if isinstance(answer, Lost) else answer


def _restore_tags(aws: Aws, wanted: Resource, id: str, mark: Mark) -> None:
    found = type(wanted).read(aws, id, wanted.name)
    changes = compare_tags(mark.tags(wanted.MOST_TAGS), found.tags or {}) if found else None
    if changes:
        wanted.set_tags(aws, id, changes)


def wait_until_ready(aws: Aws, wanted: Resource, id: str) -> Aws | Problem:
    """Poll until a resource is ready. Returns the look at AWS that showed it, or a Problem when it failed or its time is up."""
    status, look = "its status was not read", aws
    for poll in aws.progress.poll("ready", status, aws.progress.limits.ready):
        state = attempt(partial(wanted.ready, look, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(state, Ready):
            return look
        if isinstance(state, Problem | Lost):
            return state.problem if isinstance(state, Lost) else state
        poll.status = status = state.for_
        look = aws.observing()
    return aws.progress.interrupted_or(_not_ready(aws, wanted, id, status))


def read_back(aws: Aws, wanted: Resource, id: str) -> Found[Any] | Problem:
    """Read a resource that was just created. Reads may lag, so this polls for as long as AWS may hide it (`SETTLES`)."""
    asked = aws
    for _ in aws.progress.poll("shown", f"{id} to be shown by AWS", aws.progress.time_hidden(wanted.SETTLES, clock.now())):
        read = partial(type(wanted).read, asked, id, wanted.name)
        found = attempt(read, progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(found, Lost):
            return found.problem
        if found is not None:
            return found
        asked = aws.anew()
    return aws.progress.interrupted_or(_vanished(wanted, id))


def _not_ready(aws: Aws, wanted: Resource, id: str, status: str) -> Problem:
    return Problem(
        code="WAIT-TOO-LONG",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was not ready after {duration.format_exactly(aws.progress.limits.ready)}.",
        why=f"Its last status: {status}{_read_witness(aws, wanted, id)}",
        do=(
            f"See the resource's own reason in the Console ({id}).",
            "Run `sre-agent-deploy resume`: it waits again, for as long as `retries.ready` in the configuration says.",
        ),
    )


def _read_witness(aws: Aws, wanted: Resource, id: str) -> str:
    text = attempt(lambda: type(wanted).witness(aws, id), progress=aws.progress)
    return f"\nThe end of what it printed:\n{text}" if text and isinstance(text, str) else ""


def _vanished(wanted: Resource, id: str) -> Problem:
    return Problem(
        code="AWS-VANISHED",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was created, and now AWS does not show it.",
        why="Another user or tool deleted it, or AWS's reads lag behind for longer than usual.",
        do=(
            f"See whether it was deleted: CloudTrail > Event history, filter by {id}.",
            "Run `sre-agent-deploy resume`: it looks the resource up again, and creates it if it is gone.",
        ),
    )
