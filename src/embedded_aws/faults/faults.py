"""START HERE: stands between the door and the services, and lets go wrong what the rules say."""

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
from embedded_aws.http_messages import Cut, Request, Response
from sre_core import clock, log

type Perform = Callable[[], Awaitable[Response]]
_INSTEAD = {Kind.THROTTLE: refusal.throttling_error, Kind.QUOTA: refusal.over_quota}


class Faults:
    """The faults of one start. Without rules every call passes as it is; `file` is where later rules may come from."""

    def __init__(self, rules: Rules = Rules(), file: RuleFile | None = None) -> None:  # noqa: B008  # frozen
        self._propagation, self._lag, self._linger = Propagation(), Lag(), Linger()
        self._log, self._file = log.get(), file
        self.switch(rules)

    def switch(self, rules: Rules) -> None:
        """From the next call on these rules hold; counting and chance begin anew."""
        self._rules = rules.rules
        self._counts = [0] * len(rules.rules)
        self._chances = [random.Random(f"{rules.seed}:{number}") for number in range(len(rules.rules))]  # noqa: S311  # repeatable

    async def through(self, request: Request, service: str, perform: Perform) -> Response:
        """Answer a call, or what goes wrong instead. Raises Cut where the client is to hear nothing."""
        if self._file and (rules := self._file.changed_rules()):
            self.switch(rules)
        if not self._rules:
            return await perform()
        call = call_of(request, service)
        struck = {rule.kind: rule for rule in self._struck(call)}
        if Kind.DELAY in struck:
            await asyncio.sleep(struck[Kind.DELAY].seconds)
        if refused := self._find_refusal(call, struck):
            return refusal.answer(request, call, refused)
        answer = await perform()
        self._remember(call, answer)
        if Kind.CUT in struck:
            raise Cut
        if Kind.SERVER_ERROR in struck:
            return refusal.answer(request, call, refusal.broken(call))
        if linger := struck.get(Kind.LINGER):
            answer = self._linger.show_lingering(call, answer, clock.now(), timedelta(seconds=linger.seconds))
        lag = struck.get(Kind.LAG)
        return self._lag.hide_recent(call, answer, clock.now(), timedelta(seconds=lag.seconds)) if lag else answer

    def _struck(self, call: Call) -> list[Rule]:
        found = []
        for number, rule in enumerate(self._rules):
            if not rule.concerns(call):
                continue
            self._counts[number] += 1
            if (not rule.nth or rule.nth == self._counts[number]) and self._chances[number].random() < rule.probability:
                found.append(rule)
                self._log.debug("fault.struck", kind=str(rule.kind), service=call.service, operation=call.operation)
        return found

    def _find_refusal(self, call: Call, struck: dict[Kind, Rule]) -> refusal.Refused | None:
        """What the client is told instead of what it asked for. Raises Cut where it is told nothing."""
        for kind, words in _INSTEAD.items():
            if kind in struck:
                return words(call)
        if Kind.SERVER_ERROR in struck and not struck[Kind.SERVER_ERROR].committed:
            return refusal.broken(call)
        if Kind.CUT in struck and not struck[Kind.CUT].committed:
            raise Cut
        return self._not_yet(call, struck)

    def _not_yet(self, call: Call, struck: dict[Kind, Rule]) -> refusal.Refused | None:
        now = clock.now()
        for kind, memory in ((Kind.PROPAGATION, self._propagation), (Kind.LAG, self._lag), (Kind.LINGER, self._linger)):
            if kind in struck and (refused := memory.refusal_of(call, now, timedelta(seconds=struck[kind].seconds))):
                return refused
        return None

    def _remember(self, call: Call, answer: Response) -> None:
        if answer.status < 300:
            self._propagation.saw(call, clock.now())
            self._lag.saw(call, answer, clock.now())
            self._linger.saw(call, clock.now())
