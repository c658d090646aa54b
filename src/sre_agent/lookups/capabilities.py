"""What the assistant can do, in three lines: the answer where nothing, or nothing that it understands, was asked."""

from __future__ import annotations

LINES = (
    'Find what broke: "What is wrong?", "Why do orders fail since 14:00?"',
    'Look things up: "How many nodes are there?", "Errors of orders in the last hour", "Is orders healthy?", '
    '"What changed since yesterday?"',
    'Say what to do: "Which runbook is for high latency?", "Who is on call?", "Restart orders" (the command; it never acts)',
)
