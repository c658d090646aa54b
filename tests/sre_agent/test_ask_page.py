"""Every answer that docs/how-to/ask.md shows is the one that is given."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from evals.questions.run import ENDS
from evals.recorded_tools import RecordedTools

from sre_agent import supervisor
from sre_agent.brief import render_brief
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.request import Request

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "ask.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```text\n\$ sre-agent ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("arguments", "shown"), EXAMPLES, ids=[arguments[:40] for arguments, _ in EXAMPLES])
def test_an_example(arguments: str, shown: str) -> None:
    """The page shows what is printed; only the ids of evidence differ."""
    *options, prompt = shlex.split(arguments)
    given = {name.removeprefix("--"): value for name, value in zip(options[::2], options[1::2], strict=True)}
    report = asyncio.run(supervisor.answer(Request(prompt=prompt, **given), RecordedTools("crash-loop", ENDS), Rules()))
    assert _without_ids(render_brief(report)) == _without_ids(shown)


def test_there_are_examples() -> None:
    """The page has an example of each way to ask."""
    assert len(EXAMPLES) >= 7


def _without_ids(text: str) -> str:
    return re.sub(r"inv-[0-9a-f]+-e\d+", "ID", text)
