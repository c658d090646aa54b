"""Text that tries to instruct: patterns by which it can't serve as evidence. They are a second fence, not the first.

The first fence is mechanical: tools, plan and approval do not come from text at all.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

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
    | \bfrom\s+now\s+on\b
    | \b(?:AI|LLM|language\s+model|chatbot)s?(?:\s+(?:agent|assistant|system)s?)?\s+(?:(?:that|who|which)\s+)?
      (?:is\s+|are\s+)?(?:read|process|pars|summari[sz]|analy[sz])\w*
    | \b(?:when|while|before|after)\s+(?:you\s+)?summari[sz]\w+
    | \byour\s+(?:\w+\s+)?(?:answer|response|reply|summary|report|conclusion|output|task|job|goal)\s+(?:must|should|shall|has\s+to)\b
    | \b(?:call|query|ask|pass|repeat)\b.{0,60}\bnamespace\s*=
    | </?\s*(?:observation|tool_?(?:result|call|use)|function_?(?:result|call)s?|instructions?|prompt)\b
    | <\|?\s*(?:bos|eos|eot_id|begin_of_text|start_of_turn|end_of_turn)\b | <\|(?:end|user|tool)\b
    | "role"\s*:\s*"(?:system|assistant|developer)"
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# "Ignore" and "instructions", near one another, in the languages that most logs and most attackers are written in.
_OTHER_LANGUAGE = re.compile(
    r"""
    (?:ignorier|missacht|vergiss|vergesst|ignore[zr]|oublie|ignor[ae]|olvid|descart|esque[cç]|dimentica|negeer|vergeet|zignoruj
      |игнорир|забудь|忽略|无视|無視|忘记|忘れ|무시) .{0,40}
      (?:anweisung|vorherig|befehl|instru[ckçz]|consigne|pr[eé]c[eé]dent|anterior|istruzion|opdracht|polece|инструкц|указани|指令|指示|提示|命令|지시|명령)
    | (?:指令|指示|提示|命令|지시|명령|anweisung\w*|befehle?) .{0,20} (?:忽略|无视|無視|忘れ|무시|ignorier|missacht)
    """,
    re.IGNORECASE | re.VERBOSE,
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

# Letters of other scripts that look like Latin ones, and what stands for letters in disguised words.
_ALIKE = str.maketrans("аеорсухіјѕԁһӏвкмнтαεικνορτυχ", "aeopcyxijsdhlbkmhtaeikvoptux")
_DIGITS = str.maketrans("013457@$", "oieastas")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .*_-]){3,}\w(?!\w)")
_TAGS = range(0xE0000, 0xE0080)  # Unicode's invisible copies of ASCII


def is_instruction(text: str) -> bool:
    """Say whether a text tries to instruct who reads it."""
    return any(_INSTRUCTION.search(read) or _OTHER_LANGUAGE.search(read) for read in _read(text))


def gives_order(text: str) -> bool:
    """Say whether a text leads somewhere or tells people to do something."""
    return any(_ORDER.search(read) for read in (text, _undisguise(text), _unescape(text)))


@lru_cache(256)
def _read(text: str) -> tuple[str, ...]:
    """Return the readings of a text: as it is, without disguise, and decoded, as a model can read it."""
    plain = _undisguise(text)
    return tuple(dict.fromkeys([text, plain, *(decode(plain) for decode in _DECODINGS), *_decode_tokens(text)]))


def _undisguise(text: str) -> str:
    """Return a text without invisible characters, accents, look-alikes and spaced letters."""
    shown = "".join(chr(ord(one) - _TAGS.start) if ord(one) in _TAGS else one for one in text)
    parts = unicodedata.normalize("NFKD", shown)
    seen = "".join(one for one in parts if unicodedata.category(one) not in {"Cf", "Mn"}).lower().translate(_ALIKE)
    return _SPACED.sub(lambda found: re.sub(r"[ .*_-]", "", found[0]), seen.replace("\\n", "\n"))


def _unescape(text: str) -> str:
    """Undo what HTML and URLs do to a text."""
    return re.sub(r"%([2-7][0-9a-f])", lambda found: chr(int(found[1], 16)), html.unescape(text), flags=re.IGNORECASE)


_DECODINGS: tuple[Callable[[str], str], ...] = (
    _unescape,
    lambda text: text.translate(_DIGITS),
    lambda text: codecs.encode(text, "rot13"),
    lambda text: text[::-1],
)


def _decode_tokens(text: str) -> Iterator[str]:
    """Decode each word that is Base64 or hexadecimal and gives text."""
    for token in _ENCODED.findall(text):
        for decode in (_decode_base64, bytes.fromhex):
            with contextlib.suppress(ValueError):
                decoded = decode(token).decode("ascii")
                if decoded.isprintable():
                    yield decoded


def _decode_base64(token: str) -> bytes:
    return base64.b64decode(token.rstrip("=") + "=" * (-len(token.rstrip("=")) % 4), altchars=b"-_", validate=True)
