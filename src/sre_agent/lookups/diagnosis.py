"""Diagnosis: the words that ask for a cause. The reasoner answers, after all four specialists have looked."""

from __future__ import annotations

from sre_agent.lookups.lookup import Lookup
from sre_agent.question.intent import cue

_ASKS = "how what which where show list is are was were did does do can could give get tell when who whom whose has have any see plot check"
# What tired people say of something that does not work.
SLANG = (
    r"(borked|busted|hosed|toast|fubar|screwed|wonky|haywire|sideways|kaputt?|flapping|choking|melting( down)?|tank(ed|ing)|blew up"
    r"|blowing up|exploding|burning|on fire|(acting|playing) (up|weird|strange|funny|odd)|through the roof|off the rails)"
)
_NO_QUESTION = rf"^(?!(and |so )?((on|in|at|to|from|for|since|by) )?({'|'.join(_ASKS.split())})\b).*"
LOOKUP = Lookup(
    kind="diagnosis",
    example="What is wrong?",
    look=None,
    cues=(
        cue(25, r"\bwhy\b|\bhow come\b|\broot cause\b|\breasons? (for|behind|of|that)\b"),
        cue(
            12,
            r"\bwhat\b.{0,40}\b(causes?|caused|makes|made|causing|breaks|broke|broken|wrong|at fault|to blame|failing"
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
        # The words of an alert, which is no question: "Latency of orders increased", "Partial service outage", "Pods are stuck".
        cue(
            14,
            _NO_QUESTION
            + r"\b(increas(ed?|es|ing)|decreas(ed?|es|ing)|rose|rising|risen|climb(s|ed|ing)|spik(e|es|ed|ing)|surg(e|es|ed|ing)|jump(s|ed)"
            r"|drop(s|ped|ping)?|degrad\w+|abnormal\w*|anomal\w+|unreachab\w+|unavailab\w+|unresponsive\w*|unstable|instability"
            r"|intermittent\w*|elevated|exhaust\w+|saturat\w+|outages?|disruptions?|exceed(s|ed|ing)|high(er)?)\b",
        ),
        cue(
            14,
            _NO_QUESTION + r"\b(is|are|was|were|keeps?|has|have|not|repeatedly|frequently|cannot|does|do|will)\b.*"
            r"\b(fail\w*|crash\w*|errors?|restart\w*|stuck|pending|ready|time(d|s)? out|timeouts?|killed|evicted|slow"
            r"|down|start|scheduled)\b",
        ),
        cue(14, _NO_QUESTION + r"\b(is|are|was|were) not (being )?\w{3,}(ed|ing)\b"),
        cue(
            4,
            r"\b(fail(s|ed|ing)?|crash(es|ed|ing)?|hang(s|ing)?|stuck|can not|times? out|timing out|not working"
            r"|does not work|stopped working|unavailable|unreachable|misbehav\w+|goes down|is down|are down"
            r"|keeps?)\b",
        ),
        cue(14, rf"\b{SLANG}\b(?!$)|{_NO_QUESTION}\b{SLANG}\b|\bwhat is (all )?{SLANG}\b"),
        cue(9, r"\b(something|anything) (\w+ )?(happened|broke|failed|crashed|died)\b"),
        cue(9, r"\bwhere (do|should|to) (i |we )?(even )?(start|begin|look)\b"),
        cue(9, r"\b(something|anything) (is |are |seems |looks )?(off|odd|strange|weird|fishy|amiss)\b"),
        cue(4, r"\b(do|does|did|will) not (go|get|come|start|load|answer|respond|arrive|reach|connect|finish|run|open)\b"),
        cue(4, r"\b(gets?|getting|got|becomes?|became|becoming) (\w+ and )?(slower|worse)\b"),
        cue(3, r"\b(problems?|issues?|trouble|slow|down|errors|failures?|degraded|complain\w*)\b"),
    ),
)
