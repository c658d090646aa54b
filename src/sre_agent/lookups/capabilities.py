"""The assistant's abilities, in three lines: the answer to an empty question, or to one that it does not understand."""

from __future__ import annotations

LINES = (
    'Find what broke: "What is wrong?", "Why do orders fail since 14:00?"',
    'Look things up: "How many nodes are there?", "Errors of orders in the last hour", "Is orders healthy?", '
    '"What changed since yesterday?"',
    'Say what to do: "Which runbook is for high latency?", "Who is on call?", "Restart orders" (the command; it never acts)',
)
