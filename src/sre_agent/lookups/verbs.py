"""Wishes to act: the words for each kind of change, the command of a runbook that does it, and the permission that it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sre_agent.question.common_words import COMMON
from sre_agent.question.intent import Cue, cue
from sre_agent.question.wording import correct_spelling

# Words before the verb of a wish: "could you please restart", "how do I roll back", "is it safe to drain".
_POLITE_WORDS = """
please now then ok okay so and hey hi just go ahead kindly quickly could can would will you i we want wanted need needs have has like
to let us should must shall may might try how do does time think about trying someone be able am are going better is it safe what the
which command for me agent kubectl a
"""
_BEFORE = rf"^(?:(?:{'|'.join(_POLITE_WORDS.split())}) )*"
# "Rollback history" and "restart count" ask for a record: there the verb is part of a noun.
_NOT_A_RECORD = r"(?! (?:histor(?:y|ies)|counts?|polic(?:y|ies)|reasons?|times|rates?|numbers?|frequency|logs?|events?|loops?|status)\b)"


@dataclass(frozen=True)
class Verb:
    """One kind of change: the words that ask for it, those that say that it is to be done, the words to search runbooks for, its
    command, and the permission for it.
    """

    title: str
    asked: str
    done: str
    search: str
    command: re.Pattern[str]
    permission: str


VERBS = (
    Verb(
        "Roll back",
        r"(?:roll(?:ing)? ?-?back|rollback|undo|rollout undo|revert|go back to|return to|(?:roll|put|take|bring) (?:\S+ ){0,3}?back)\b"
        + _NOT_A_RECORD,
        r"rolled ?-?back|reverted|undone",
        "rollout roll back",
        re.compile(r"rollout undo"),
        "patch deployments",
    ),
    Verb(
        "Restart",
        r"(?:re-?start(?:ing)?|rollout restart|reboot|bounce|recycle|kick)\b" + _NOT_A_RECORD,
        r"re-?started|rebooted|bounced|recycled",
        "restart",
        re.compile(r"rollout restart|delete pod"),
        "patch deployments",
    ),
    Verb(
        "Scale",
        r"(?:scale|scaling|resize|(?:add|give (?!me\b|us\b)) ?(?:[\w-]+ ){0,3}(?:replicas|pods|instances)|more replicas"
        r"|(?:bump|set|take|bring|go|increase|raise|reduce|drop)(?!.*\b(?:memory|cpu|limits?)\b) (?:\S+ ){1,4}to \d+)\b" + _NOT_A_RECORD,
        r"scaled|resized",
        "latency error rate",
        re.compile(r"\bscale\b"),
        "patch deployments/scale",
    ),
    Verb(
        "Drain",
        r"(?:drain|evacuate|empty)",
        r"drained|evacuated|emptied",
        "node pressure",
        re.compile(r"kubectl drain"),
        "create pods/eviction",
    ),
    Verb("Cordon", r"(?:un)?cordon", r"(?:un)?cordoned", "node pressure", re.compile(r"kubectl cordon"), "patch nodes"),
    Verb(
        "Raise the limit of",
        r"(?:(?:raise|increase|bump|lift|double|extend)\b.*\b(?:memory|limits?|cpu|ram)"
        r"|(?:give|grant) (?!me\b|us\b).*\b(?:more (?:memory|cpu)|\d+ ?[gm]i?b?\b))",
        r"given more (?:memory|cpu|ram)",
        "out of memory",
        re.compile(r"set resources"),
        "patch deployments",
    ),
    Verb(
        "Pause the rollout",
        r"(?:pause|stop|halt|freeze)\b.*\b(?:rollout|deployment|release|deploy)",
        r"paused|halted|frozen",
        "rollout",
        re.compile(r"rollout pause"),
        "patch deployments",
    ),
    Verb(
        "Renew the certificate", r"renew\b.*\bcert\w*", r"renewed", "certificate expiry", re.compile(r"certbot renew"), "root on the host"
    ),
    Verb(
        "Apply the configuration",
        r"(?:apply|redeploy|re-deploy|deploy|fix|correct|change|set|edit|update(?! me| us)|patch|configure)",
        r"redeployed|re-deployed|patched|configured",
        "configuration crash loop",
        re.compile(r"kubectl apply|set env"),
        "patch deployments",
    ),
    Verb(
        "Delete",
        r"(?:delete|kill|remove|terminate|destroy|evict|purge|wipe|drop)",
        r"deleted|killed|removed|terminated|evicted",
        "restart",
        re.compile(r"kubectl delete"),
        "delete pods",
    ),
    Verb(
        "Run the change",
        r"(?:execute|run (?:the|a|this|that)|shut ?down|turn off|disable|enable|switch|failover|fail over|stop|start)",
        r"executed|shut ?down|turned off|disabled|enabled|stopped|started",
        "",
        re.compile(r"(?!)"),
        "the permission that its command needs",
    ),
)
# "Could orders be restarted?", "orders needs to be rolled back"; not "why was it restarted" nor "can it be that …".
_TO_BE = (
    r"^(?!how|why|when|what|who|did|was|were|has|had)"
    r"(?:can|could|may|should|must|would|will|shall|i (?:want|need|would like)|[\w .-]{1,40} (?:(?:needs?|has|have|wants?) to|should|must))"
    r"\b.{0,40}\bbe"
)
# "Search back to the previous version", "web needs more memory".
_WISHES = {
    "Roll back": r"^[\w .-]{1,40} back to (?:the |its |an? )?(?:last|old|older|previous|prior|earlier|working|good|yesterdays?)\b",
    "Raise the limit of": r"^[\w .-]{1,40} needs? more (?:memory|cpu)\b",
}
_NEEDS = r"^[\w .-]{1,40} needs? (?:an?|another)"
CUES: tuple[Cue, ...] = tuple(
    cue(30, rf"{_BEFORE}{verb.asked}\b|{_TO_BE} (?:{verb.done})\b|{_NEEDS} {verb.asked}\b|{_WISHES.get(verb.title, '(?!)')}")
    for verb in VERBS
)


def find_verb(words: str) -> Verb:
    """Find the kind of change that a question asks for: by the place of its verb, else by the verb alone, also with a slip in it."""
    placed = (verb for verb, found in zip(VERBS, CUES, strict=True) if found.pattern.search(words))
    spelled = correct_spelling(words, COMMON)
    named = (verb for verb in VERBS if re.search(rf"\b(?:{verb.asked}|{verb.done})\b", spelled))
    return next(placed, None) or next(named, VERBS[-1])
