"""Health: whether a service, or everything, is well now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sre_agent.evidence import Answer
from sre_agent.lookups.diagnosis import SLANG
from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.question.names import match_left_out
from sre_agent.reading import Json, number, objects, text, whole
from sre_agent.report import Claim

HIGH_ERROR_PERCENT = 1.0


@dataclass(frozen=True)
class _Sign:
    """One fact about one service; `bad` where it speaks against its health."""

    service: str
    text: str
    bad: bool
    source: tuple[Answer, str]


async def look(view: View) -> Said:
    """Compare replicas, error rate and logged errors of the subject, or of every service; those in trouble first."""
    workloads, rates, errors = await asyncio.gather(
        view.call("get_workload_status", namespace=view.scope.namespace, workload_name=view.name),
        view.call("get_error_rates", service=view.name, time_window=view.scope.recent),
        view.call("count_log_events", event_type="error", time_window=view.scope.recent),
    )
    # Replicas are known of now alone: of a time that is over they say nothing.
    signs = [*(() if view.scope.until else _replicas(workloads)), *_rates(rates), *_logged(errors)]
    if view.scope.namespace not in {"", "all"}:
        # Metrics and logs have no namespaces: of theirs, only what the namespace runs is about it.
        names = {text(item, "name") for item in objects(workloads.data, "items")}
        signs = [sign for sign in signs if sign.service in names]
    left_out: tuple[str, ...] = ()
    if view.left_out:
        left_out = match_left_out(view.words, {sign.service for sign in signs}) or (view.left_out.name,)
        signs = [sign for sign in signs if sign.service not in left_out]
    if view.subject:
        return _of_one(view, [sign for sign in signs if sign.service == view.name])
    return _of_all(view, signs, left_out)


def _of_one(view: View, signs: list[_Sign]) -> Said:
    bad = [sign for sign in signs if sign.bad]
    be, then = ("was", f" {view.during}") if view.scope.until else ("is", "")
    lines = [_claim(view, sign) for sign in sorted(signs, key=lambda sign: not sign.bad)[:MOST_LINES]]
    if not signs:
        return Said(headline=f"Nothing is known of the health of {view.name}{then}", verdict="not_enough_evidence", subject=view.subject)
    if bad:
        return Said(
            headline=f"{view.name} {be} NOT healthy{then}", lines=lines, hint=f"The cause: why does {view.name} fail?", subject=view.subject
        )
    return Said(headline=f"{view.name} {be} healthy{then}", lines=lines, subject=view.subject)


def _of_all(view: View, signs: list[_Sign], left_out: Sequence[str]) -> Said:
    be, show, then = ("were", "showed", f" {view.during}") if view.scope.until else ("are", "show", "")
    noun = f"services besides {' and '.join(left_out)}" if left_out else "services"
    services = dict.fromkeys(sign.service for sign in signs)
    ill = [service for service in services if any(sign.bad for sign in signs if sign.service == service)]
    lines = [_claim(view, sign) for sign in signs if sign.bad][:MOST_LINES]
    if not signs:
        return Said(headline=f"Nothing could be seen of the health of the services{then}", verdict="not_enough_evidence")
    if not ill:
        # The tools list the worst first, so the first sign of each is enough of its kind.
        worst = {id(sign.source[0]): sign for sign in reversed(signs)}
        lines = [Claim(what=f"worst: {sign.service}, {sign.text}", evidence=view.cite(*sign.source)) for sign in reversed(worst.values())]
        return Said(headline=f"All {len(services)} {noun} {be} healthy{then}", lines=lines)
    return Said(
        headline=f"{len(ill)} of {len(services)} {noun} {show} trouble{then}: {', '.join(ill)}",
        lines=lines,
        hint="The cause: what is wrong?",
    )


def _claim(view: View, sign: _Sign) -> Claim:
    return Claim(what=f"{sign.service}: {sign.text}", evidence=view.cite(*sign.source))


def _replicas(answer: Answer) -> Iterator[_Sign]:
    for item in objects(answer.data, "items"):
        ready, desired = whole(item, "ready") or 0, whole(item, "desired") or 0
        complaint = "; ".join(text(found, "message") for found in objects(item, "mismatches"))
        facts = f"{ready} of {desired} replicas ready{f'; {complaint}' if complaint else ''}"
        yield _Sign(
            text(item, "name"),
            facts,
            ready < desired or bool(complaint),
            (answer, _excerpt(item, "name", "ready", "desired", "mismatches")),
        )


def _rates(answer: Answer) -> Iterator[_Sign]:
    for item in objects(answer.data, "items"):
        percent = number(item, "error_percent") or 0.0
        failing = ", ".join(
            f"{text(call, 'to')} ({number(call, 'failed_percent') or 0:.0f} %)" for call in objects(item, "calls") if _fails(call)
        )
        facts = f"{percent:.2f} % of answers failed{f'; calls fail to {failing}' if failing else ''}"
        yield _Sign(
            text(item, "service"),
            facts,
            percent > HIGH_ERROR_PERCENT,
            (answer, _excerpt(item, "service", "error_percent", "peak_percent", "calls")),
        )


def _logged(answer: Answer) -> Iterator[_Sign]:
    for item in objects(answer.data, "items"):
        count, before = whole(item, "count") or 0, whole(item, "count_before") or 0
        facts = f"{count} errors logged, {before} in the equally long time before"
        yield _Sign(text(item, "group"), facts, count > 10 and count > 3 * before, (answer, json.dumps(item)))


def _fails(call: Json) -> bool:
    return (number(call, "failed_percent") or 0.0) > HIGH_ERROR_PERCENT


def _excerpt(item: Json, *names: str) -> str:
    return json.dumps({name: item[name] for name in names if name in item})


_TROUBLE = (
    r"\b(wrong|bad|broken|broke|up|down|errors?|exceptions?|fail(s|ed|ing|ures?)?|crash(es|ed|ing)?|affected|(un)?healthy|sick|ill|impacted|trouble|problems?"
    r"|issues?|slow|degraded|(not )?(ok|okay|fine|well|good|working|ready|available)|unavailable|suffering|on fire|red|green)\b"
)
_OTHERS = r"\b(else|besides|apart from|aside from|other than|except|excluding|not counting|in addition to)\b"
LOOKUP = Lookup(
    kind="health",
    example="Is orders healthy?",
    look=look,
    cues=(
        # What fails besides one thing: the cause of that one is no answer.
        cue(32, rf"^(?!.*\bwhy\b)(?=.*{_OTHERS}).*{_TROUBLE}"),
        cue(
            7,
            r"^(and |so |but )?(is|are|was|were|does|do|did|how (is|are|was|were))\b.{0,60}\b(healthy|health|alive|ok|okay"
            r"|fine|stable|all right|alright|green|in good shape|good|well|sane|happy|normal|doing)\b",
        ),
        cue(
            7,
            r"\b(if|whether)\b.{0,40}\b(is|are|feels?|looks?|works?)\b.{0,20}\b(healthy|alive|ok|okay"
            r"|fine|stable|all right|alright|up|running|good|well|normal)\b",
        ),
        cue(
            6,
            r"^(and |so |but )?(is|are)\b.{1,50}\b(up|running|down|broken|slow|degraded|unhealthy|dead"
            r"|available|ready|unavailable|offline|online|working|struggling|suffering|affected|in trouble"
            r"|reachable)$",
        ),
        cue(
            7,
            r"\b(sure|certain|confirm|verify|check|know|hope) (that )?.{1,40}\b(is|are)\b.{0,20}\b(healthy|alive|ok|okay|fine|stable"
            r"|all right|alright|up|good|well|normal)\b",
        ),
        cue(
            7,
            r"^(is|are|does|do)\b.*\b(runs?|running|works?|working|behaves?|behaving)\b.*\b(should|supposed to|expected|usual|normally)\b",
        ),
        cue(7, r"^(is|are|has|have)\b.{1,50}\b(recovered|back|back (up|to normal|online)|healed|stabili[sz]ed)$"),
        cue(6, r"^can\b.{1,40}\b(be )?(reach(ed)?|called|used|access(ed)?)\b"),
        cue(
            6,
            r"^(and )?([\w.-]+ ){1,3}(still (up|there|running|working)|ok|okay|fine|healthy|alive|up and running)$"
            r"|\b(operational|functional|functioning)\b",
        ),
        cue(
            7,
            r"(?<!going )(?<!trending )\b(up|down|alive|dead|ok|okay|healthy|green|red|fine|good|working|broken)"
            r" or (not|no|what|down|dead|broken|red)\b",
        ),
        cue(7, rf"^(is|are) .{{1,50}}\b{SLANG}$"),
        cue(7, r"^(so |and )?(are )?(we|things|you) (all )?(good|ok|okay|fine|green|healthy|up)( now| again| yet)?$"),
        cue(
            7,
            r"^(is )?(everything|anything|something) (is )?(still |yet |now )*(red|green|amber|yellow|down|up|broken|failing"
            r"|on fire)( now)?$",
        ),
        cue(6, r"\b(health|healthy|unhealthy)\b|\bhealth ?check\b"),
        cue(6, r"^(all|everything|anything|still|things) (is )?(well|ok|okay|good|fine|healthy|green|quiet|clear)\b"),
        cue(5, r"\b(status|state|condition) of\b|\bstatus\b"),
        cue(5, r"^how (is|are|does)\b.{1,60}$|\b(doing|feeling|looking)( ok| okay| fine| well| good)?$"),
        cue(4, r"^(is|does|are)\b.*\b(work|working|respond|responding|behave|behaving)\b"),
    ),
)
