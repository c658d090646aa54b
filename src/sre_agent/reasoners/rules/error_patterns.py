"""Patterns for error messages: the setting, host or file that they name. They know runtimes and libraries, but no service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)*(?::\d{1,5})?)"
_QUOTE = r"[\"'`“]?"

# "lookup db.main.svc: no such host", "could not translate host name "db" to address", "getaddrinfo ENOTFOUND db", …
_NAME_RESOLUTION = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"lookup\s+{_QUOTE}{_HOST}",
        rf"could not (?:translate|resolve)(?: host(?:name)?)?(?: name)?:?\s+{_QUOTE}{_HOST}",
        rf"(?:ENOTFOUND|EAI_AGAIN|NXDOMAIN|UnknownHostException:?|unknown host:?|nodename nor servname)\s+{_QUOTE}{_HOST}",
        rf"{_QUOTE}{_HOST}{_QUOTE}:?\s+(?:NXDOMAIN|name or service not known|no such host|could not be resolved|does not resolve)",
        rf"(?:no such host|name or service not known|name resolution|(?:cannot|can't|failed to) resolve)\b.{{0,20}}?[:\s]{_QUOTE}{_HOST}",
        rf"(?:host|address|server)[=:\s]+{_QUOTE}{_HOST}.{{0,60}}(?:no such host|not known|not resolve|resolution)",
    )
)
_RESOLUTION = re.compile(
    r"no such host|name or service not known|name resolution|ENOTFOUND|EAI_AGAIN|NXDOMAIN|UnknownHost|unknown host|"
    r"(?:translate|resolve)\w* (?:the )?host|(?:can(?:no|')t|could not|failed to|unable to|does not|did not) (?:be )?resolve|"
    r"not be resolved|nodename nor servname",
    re.I,
)
_SETTING_NAME = r"(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z][\w-]{0,60}(?:\.[a-z][\w-]{0,60}){1,8}|--[a-z][\w-]+)"
_FAULT = (
    r"(?:missing|required|not set|unset|undefined|not defined|must be (?:set|defined|provided|one of|an?\b)|not found|empty|invalid|"
    r"malformed|"
    r"unparsable|illegal|unsupported|unknown|unrecogni[sz]ed|can(?:no|')t (?:be )?pars\w+|could not (?:be )?pars\w+|failed to pars\w+|"
    r"unable to pars\w+|out of range|wrong|bad value|KeyError|no value|mismatch\w*|refers to|points (?:at|to))"
)
_KIND_OF_SETTING = (
    r"(?:env(?:ironment)?(?: ?var(?:iable)?)?s?|config(?:uration)?|settings?|variable|property|parameter|option|key|flag|dsn|ur[li]|"
    r"connection string|field|value)"
)
_SETTING = (
    re.compile(rf"{_FAULT}\W.{{0,60}}?{_SETTING_NAME}\b"),
    re.compile(rf"\b{_SETTING_NAME}\b.{{0,80}}?{_FAULT}"),
)
_CONFIG = re.compile(rf"(?:{_FAULT}\W.{{0,40}}?\b{_KIND_OF_SETTING}\b|\b{_KIND_OF_SETTING}\b.{{0,40}}?{_FAULT})", re.I)
_QUOTED = re.compile(r"[\"'`“](?P<name>[\w.:/@-]{2,80})[\"'`”]")
_FILE = re.compile(
    r"(?:no such file or directory|FileNotFoundError|ENOENT|cannot (?:open|find|read))\b.{0,40}?(?P<name>/[\w./-]{2,120})|"
    r"(?P<before>/[\w./-]{2,120}):? no such file",
    re.I,
)
_CREDENTIAL = re.compile(
    r"(?:(?:password )?authentication failed|access denied|login failed|invalid credentials|permission denied) "
    r"for (?:user|role)\s+[\"'`]?(?P<name>[\w.@-]{1,60})",
    re.I,
)
_CONNECTION = re.compile(
    r"connection refused|ECONNREFUSED|connect(?:ion)? (?:to .{1,80} )?(?:timed? ?out|failed|reset)|ECONNRESET|ETIMEDOUT|i/o timeout|"
    r"unreachable|broken pipe|deadline exceeded|connection error|(?:could not|failed to|unable to) connect|"
    r"unable ?to ?connect|no connection (?:is|became) available|communications link failure|"
    r"upstream (?:connect error|timed out|unavailable)|\b50[234]\b|service unavailable|bad gateway|gateway time-?out|"
    r"circuit (?:breaker )?(?:is )?open",
    re.I,
)
_TARGET = re.compile(
    rf"(?:dial tcp|ECONNREFUSED|connect(?:ing|ion)? to|connect(?! E[A-Z])|host|server|at|://)\s*{_QUOTE}(?:[a-z][a-z0-9+.-]*://)?(?:[^\s/@]*@)?{_HOST}",
    re.I,
)
_MEMORY = re.compile(
    r"out of memory|OutOfMemory|cannot allocate memory|heap (?:limit|out of memory|space|usage|size)|GC overhead|MemoryError|"
    r"memory (?:usage|pressure|limit|high|growing)|(?:high|low|growing|rising) memory|memory.{0,30}(?:\d{2,3} ?%|exceed)|"
    r"(?:cache|queue|buffer|pool|map|session)s?.{0,40}(?:(?:without|never|not) evict|unbounded|growing|entries)|gc pause|long gc|leak",
    re.I,
)


# Messages whose result is remembered: an investigation diagnoses twice, and others at the same time read the same lines.
_REMEMBERED = 4_096


@dataclass(frozen=True)
class Complaint:
    """The subject of an error message: `what` is host, setting, file or credential, and `name` says which."""

    what: str
    name: str


@lru_cache(_REMEMBERED)
def find_configuration_error(message: str) -> Complaint | None:
    """Find the setting, host, file or credential that a message calls wrong."""
    head = message[:2_000]
    if _RESOLUTION.search(head):
        return Complaint(
            "host",
            next((found["host"].rstrip(".") for pattern in _NAME_RESOLUTION if (found := pattern.search(head))), "") or _quoted_name(head),
        )
    for pattern in _SETTING:
        if found := pattern.search(head):
            return Complaint("setting", found["name"])
    if found := _CREDENTIAL.search(head):
        return Complaint("credential", found["name"])
    if found := _FILE.search(head):
        return Complaint("file", found["name"] or found["before"])
    return Complaint("setting", _quoted_name(head)) if _CONFIG.search(head) else None


@lru_cache(_REMEMBERED)
def find_connection_error(message: str) -> Complaint | None:
    """Find the host that a message could not reach."""
    head = message[:2_000]
    if not _CONNECTION.search(head):
        return None
    found = _TARGET.search(head)
    return Complaint("host", found["host"] if found else "")


@lru_cache(_REMEMBERED)
def mentions_memory(message: str) -> bool:
    """Say whether a message is about memory that runs out, or about something that only grows."""
    return bool(_MEMORY.search(message[:2_000]))


def _quoted_name(text: str) -> str:
    found = _QUOTED.search(text)
    return found["name"] if found else ""
