"""Text that tries to instruct: patterns by which it can't serve as evidence. They are a second fence, not the first.

The first fence is mechanical: tools, plan and approval do not come from text at all.
"""

from __future__ import annotations

import re

# The phrases of public collections of prompt injections; docs/how-to/language-models.md names them.
_INSTRUCTION = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}
      \b(?:instruction|prompt|rule|previous|prior|above|earlier|guideline|safety|polic)
    | \b(?:new|updated|real|actual|important|hidden|secret)\s+(?:system\s+)?(?:instruction|directive|order|task|prompt)s?\b
    | \b(?:system|developer|admin(?:istrator)?|assistant|operator)\s*(?:prompt|message|override|instruction|note|mode)\b
    | \b(?:you|the\s+(?:assistant|agent|model|ai|bot|llm))\s+
      (?:are\s+now|must|should|shall|will\s+now|have\s+to|need\s+to|may\s+now|can\s+now)\b
    | \bact\s+as\b | \bpretend\b | \brole-?play\b | \bdo\s+anything\s+now\b | \bDAN\b | \bjailbreak
    | \bdo\s+not\s+(?:report|mention|tell|reveal|investigate|cite|show|disclose|alert)\b
    | \bdon't\s+(?:report|mention|tell|investigate)\b
    | \b(?:reveal|print|repeat|output|show|leak|send|forward|exfiltrate|upload|post)\b.{0,40}
      \b(?:prompt|instruction|secret|token|credential|password|key|conversation|environment)
    | \b(?:report|conclude|say|answer|respond|reply|state|write|output)\b\s+(?:only|exactly|that|with)\b
    | \b(?:call|use|invoke|run|execute)\s+(?:the\s+)?(?:tool|function|command|script|following)\b
    | <\|?\s*(?:im_start|im_end|system|assistant|user|endoftext|start_header_id) | \[/?(?:INST|SYS|SYSTEM)\] | <</?SYS>>
    | \#{2,}\s*(?:system|instruction|human|assistant) | ^\s*(?:system|assistant|human|user)\s*:
    | \bend\s+of\s+(?:log|observation|data|document|context)s?\b
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_ORDER = re.compile(
    r"""
    \w+:// | \bwww\. | \]\( | <\w+[^>]*\bsrc\b
    | \b(?:curl|wget|nc|ssh|scp|bash|sh|powershell|base64|eval)\s+[-/\w$("']
    | \bkubectl\s+(?:delete|apply|exec|patch|scale|drain|edit|create|replace|cp|run)\b | \brm\s+-\w | \bdrop\s+(?:table|database)\b
    | \b(?:aws|terraform|helm)\s+\w[\w-]*\s+(?:delete|destroy|put|create|update|terminate|apply|uninstall)
    | \b(?:delete|disable|grant|approve|send|e-?mail|upload|visit|open|download|install|contact|transfer|rotate)\s+
      (?:all\b|the\b|your\b|this\b|an?\b|it\b|to\b)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_instruction(text: str) -> bool:
    """Say whether a text tries to instruct who reads it."""
    return _INSTRUCTION.search(text) is not None


def gives_order(text: str) -> bool:
    """Say whether a text leads somewhere or tells people to do something."""
    return _ORDER.search(text) is not None
