"""Text from outside in a report: shown, and never obeyed."""

from __future__ import annotations

import pytest

from sre_agent.render import escape_markdown, render_code_block

ATTACKS = {
    "title of the window": "\x1b]0;pwned\x07",
    "clear the screen": "\x1bc",
    "hide text": "\x1b[8m",
    "one-byte CSI": "\x9b2J",
    "delete what was before": "fine\x08\x08\x08\x08down",
    "read from right to left": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "half a character": "\udc9b",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
def test_text_that_a_terminal_would_obey(text: str) -> None:
    """Logs and questions can't reach the terminal of who reads the report: each control character is a visible sign."""
    for shown in (escape_markdown(f"payment said: {text}"), "\n".join(render_code_block(text))):
        assert shown.encode("utf-8")
        assert "\ufffd" in shown
        assert not [each for each in shown if each != "\n" and not each.isprintable()]


def test_text_of_other_languages() -> None:
    """Letters, signs and whitespace of ordinary text stay as they are; a line's end is a space."""
    assert escape_markdown("Größe\t→ 数据\r\nデータ") == "Größe → 数据 データ"
