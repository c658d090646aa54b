"""START HERE: apply the rules to each call between the router and the services."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from embedded_aws.faults import refusal
from embedded_aws.faults.call import Call, call_of
from embedded_aws.faults.lag import Lag
from embedded_aws.faults.recent_changes import Linger, Propagation
from embedded_aws.faults.rules import Kind, Rule, RuleFile, Rules
from embedded_aws.http_messages import ConnectionCut, Request, Response
from sre_core import clock, log

type Perform = Callable[[], Awaitable[Response]]
_INSTEAD = {
    Kind.THROTTLE: refusal.throttling_error,
    Kind.QUOTA: refusal.over_quota,
    Kind.CAPACITY: refusal.no_capacity,
    Kind.UNSUPPORTED: refusal.unsupported,
}


class Faults:
    """The faults of one start. Without rules every call passes unchanged; `file` may bring later rules."""

    def __init__(self, rules: Rules = Rules(), file: RuleFile | None = None) -> None:  # noqa: B008  # frozen
        self._propagation, self._lag, self._linger = Propagation(), Lag(), Linger()
        self._log, self._file = log.get(), file
        self.switch(rules)

    def switch(self, rules: Rules) -> None:
        """Use these rules from the next call on; counts and random numbers start again."""
        self._rules = rules.rules
        self._counts = [0] * len(rules.rules)
        self._chances = [random.Random(f"{rules.seed}:{number}") for number in range(len(rules.rules))]  # noqa: S311  # repeatable

    async def handle(self, request: Request, service: str, perform: Perform) -> Response:
        """Perform a call, or the fault that replaces it. Raises ConnectionCut where the client gets no response."""
        if self._file and (rules := self._file.changed_rules()):
            self.switch(rules)
        if not self._rules:
            return await perform()
        call = call_of(request, service)
        active = {rule.kind: rule for rule in self._matching_rules(call)}
        if Kind.DELAY in active:
            await asyncio.sleep(active[Kind.DELAY].seconds)
        if refused := self._find_refusal(call, active):
            return refusal.answer(request, call, refused)
        answer = await perform()
        self._remember(call, answer)
        if Kind.CUT in active:
            raise ConnectionCut
        if Kind.SERVER_ERROR in active:
            return refusal.answer(request, call, refusal.broken(call))
        if linger := active.get(Kind.LINGER):
            answer = self._linger.show_lingering(call, answer, clock.now(), timedelta(seconds=linger.seconds))
        lag = active.get(Kind.LAG)
        return self._lag.hide_recent(call, answer, clock.now(), timedelta(seconds=lag.seconds)) if lag else answer

    def _matching_rules(self, call: Call) -> list[Rule]:
        found = []
        for number, rule in enumerate(self._rules):
            if not rule.concerns(call):
                continue
            self._counts[number] += 1
            if (not rule.nth or rule.nth == self._counts[number]) and self._chances[number].random() < rule.probability:
                found.append(rule)
                self._log.debug("fault.applied", kind=str(rule.kind), service=call.service, operation=call.operation)
        return found

    def _find_refusal(self, call: Call, active: dict[Kind, Rule]) -> refusal.Refused | None:
        """Return the error that replaces the call, if any. Raises ConnectionCut where the client gets no response."""
        if error := active.get(Kind.ERROR):
            return refusal.Refused(error.code, error.status, f"The call was refused with {error.code}.")
        for kind, words in _INSTEAD.items():
            if kind in active:
                return words(call)
        if Kind.SERVER_ERROR in active and not active[Kind.SERVER_ERROR].committed:
            return refusal.broken(call)
        if Kind.CUT in active and not active[Kind.CUT].committed:
            raise ConnectionCut
        return self._consistency_error(call, active)

    def _consistency_error(self, call: Call, active: dict[Kind, Rule]) -> refusal.Refused | None:
        now = clock.now()
        for kind, memory in ((Kind.PROPAGATION, self._propagation), (Kind.LAG, self._lag), (Kind.LINGER, self._linger)):
            if kind in active and (refused := memory.refusal_of(call, now, timedelta(seconds=active[kind].seconds))):
                return refused
        return None

    def _remember(self, call: Call, answer: Response) -> None:
        if answer.status < 300:
            self._propagation.record(call, clock.now())
            self._lag.record(call, answer, clock.now())
            self._linger.record(call, clock.now())
