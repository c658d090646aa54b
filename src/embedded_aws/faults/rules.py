"""Rules that say which calls fail and how, and the file that they are read from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from embedded_aws import moto_state
from embedded_aws.faults.call import Call
from sre_core import log
from sre_core.problem import Problem, Where


class Kind(StrEnum):
    """The faults that a call can have."""

    DELAY = "delay"  # the call takes `seconds` longer
    THROTTLE = "throttle"  # refused with the service's own error for "too many requests"
    SERVER_ERROR = "server_error"  # the service's own 5xx
    CUT = "cut"  # the connection ends without an answer
    QUOTA = "quota"  # refused with the service's own error for "limit exceeded"
    ERROR = "error"  # refused with the error `code` and the status `status`
    PROPAGATION = "propagation"  # a call that uses a role or instance profile younger than `seconds` is refused
    LAG = "lag"  # a resource younger than `seconds` is not shown yet
    CAPACITY = "capacity"  # EC2 launches no instance: InsufficientInstanceCapacity
    UNSUPPORTED = "unsupported"  # EC2 launches no instance there: Unsupported
    LINGER = "linger"  # what was deleted less than `seconds` ago still blocks what it used


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault, and the calls that it affects. `service` is the name that requests are signed for; patterns take `*` and `?`.

    `nth` affects only the nth matching call of this start, `probability` a share of them. With `committed` AWS performs the call
    before the connection ends or the 5xx is sent. `code` and `status` are those of an error. `instance_type` and `zone` limit capacity
    and unsupported to launches of these types in these Availability Zones. Propagation, lag and linger concern what is created or
    deleted while the rule is active.
    """

    kind: Kind
    service: str = "*"
    operation: str = "*"
    nth: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    committed: bool = False
    instance_type: str = "*"
    zone: str = "*"
    code: str = "InternalError"
    status: int = 400

    def concerns(self, call: Call) -> bool:
        """Return whether this rule is about the call."""
        named = fnmatchcase(call.service, self.service) and fnmatchcase(call.operation, self.operation)
        return named and (self.kind not in (Kind.CAPACITY, Kind.UNSUPPORTED) or self._concerns_launch(call))

    def _concerns_launch(self, call: Call) -> bool:
        if (call.service, call.operation) != ("ec2", "RunInstances"):
            return False
        zone = moto_state.zone_of_subnet(call.value("NetworkInterface.1.SubnetId", "SubnetId"))
        return fnmatchcase(call.value("InstanceType"), self.instance_type) and fnmatchcase(zone, self.zone)


@dataclass(frozen=True)
class Rules:
    """All faults of a start; the same seed affects the same calls of the same sequence."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0


def read(path: Path) -> Rules | Problem:
    """Read the rules in a JSON file: `{"seed": 1, "rules": [{"kind": "throttle", "service": "ec2", "operation": "Run*", "nth": 1}]}`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Rules(tuple(_rule(parts) for parts in document["rules"]), int(document.get("seed", 0)))
    except OSError as error:
        return _unreadable(path, str(error))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return _unreadable(path, f"{type(error).__name__}: {error}")


def _rule(parts: Mapping[str, Any]) -> Rule:
    given = dict(parts)
    if unknown := set(given) - {field.name for field in fields(Rule)}:
        raise ValueError(f"a rule has no {', '.join(sorted(unknown))}")
    return Rule(**{**given, "kind": Kind(given["kind"])})


def _unreadable(path: Path, why: str) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-FAULTS-UNREADABLE",
        what=f"The fault rules in {path} can't be read.",
        why=why,
        do=(
            f'Write them as {{"rules": [{{"kind": "{Kind.THROTTLE}", "service": "ec2", "operation": "RunInstances"}}]}};'
            f" kinds are {', '.join(Kind)}.",
            "Or omit --faults: then no fault is caused.",
        ),
        where=Where(str(path)),
    )


class RuleFile:
    """Notices changes of the file with the rules. A change that can't be read leaves the rules as they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._now()
        self._log = log.get()

    def changed_rules(self) -> Rules | None:
        """Return the rules where the file has changed, else None."""
        stamp = self._now()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        rules = read(self._path)
        if isinstance(rules, Problem):
            self._log.warning("faults.not_read", why=rules.why)
            return None
        return rules

    def _now(self) -> tuple[int, int, int]:
        """Return what identifies the content of the file: a replaced file has another inode, however soon it follows."""
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)
