"""Diagnosis: the words that ask for a cause. The reasoner answers, after all four specialists have looked."""

from __future__ import annotations

from sre_agent.lookups.lookup import Lookup
from sre_agent.question.intent import cue

LOOKUP = Lookup(
    kind="diagnosis",
    example="What is wrong?",
    look=None,
    cues=(
        cue(25, r"\bwhy\b|\bhow come\b|\broot cause\b|\breasons? (for|behind|of|that)\b"),
        cue(
            12,
            r"\bwhat\b.{0,40}\b(causes?|caused|causing|breaks|broke|broken|wrong|at fault|to blame|failing"
            r"|fails|failed|crashed|went down|the matter|the problem|the issue|the trouble|up with|messed"
            r"|the deal|behind)\b",
        ),
        cue(11, r"\b(investigate|diagnose|debug|find out|figure out|analy[sz]e|look into|dig into|triage|track down|get to the bottom)\b"),
        cue(11, r"\bwhat (happened|is happening|is going on|was going on|has happened|goes on|the hell|on earth)\b"),
        cue(9, r"\b(wrong|broken|broke|at fault|to blame|culprit|explain)\b|\bwhat do you (see|think)\b"),
        cue(
            6,
            r"\b(outage|incident)\b|\b(are|is) there (a |any |some )?(problems?|issues?|trouble|incidents?"
            r"|outages?)\b|\bany (problems?|issues?|trouble|incidents?|outages?)\b",
        ),
        cue(
            4,
            r"\b(fail(s|ed|ing)?|crash(es|ed|ing)?|hang(s|ing)?|stuck|can not|times? out|timing out|not working"
            r"|does not work|stopped working|unavailable|unreachable|misbehav\w+|goes down|is down|are down"
            r"|keeps?)\b",
        ),
        cue(3, r"\b(problems?|issues?|trouble|slow|down|errors|failures?|degraded|complain\w*)\b"),
    ),
)
