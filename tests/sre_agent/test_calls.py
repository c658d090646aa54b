"""The calls of one question: none twice, lists read on, at most twenty-five, and what was not seen is said first."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from evals.cases.run import CountedTools as Outside
from evals.recorded_tools import RecordedTools

from sre_agent import supervisor
from sre_agent.brief import MOST_LINES, render_brief
from sre_agent.calls import MOST_CALLS, CountedTools
from sre_agent.evidence import Answer, Argument
from sre_agent.reading import objects
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.render import render_markdown
from sre_agent.report import Report
from sre_agent.tools import Tool
from sre_core import clock
from sre_services.recording import SHIPPED

COPIES = 12  # of each healthy application


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The crash loop among more than a hundred applications that are well."""
    folder = Path(shutil.copytree(SHIPPED / "crash-loop", tmp_path_factory.mktemp("large") / "large"))
    healthy = [
        path.stem for path in (SHIPPED / "crash-loop" / "logs").glob("*.log") if path.stem not in {"payment-service", "checkout-service"}
    ]
    for kind in ("pods", "deployments", "replicasets", "services", "endpointslices"):
        file = folder / "kubernetes" / f"{kind}.json"
        listed = json.loads(file.read_text())
        added = [
            _rename(item, name, f"{name}-{number}")
            for item in listed["items"]
            for name in healthy
            for number in range(COPIES)
            if name in json.dumps(item["metadata"])
        ]
        file.write_text(json.dumps({**listed, "items": [*listed["items"], *added]}))
    return str(folder)


def _rename(item: dict[str, object], old: str, new: str) -> dict[str, object]:
    return dict(json.loads(json.dumps(copy.deepcopy(item)).replace(old, new)))


def ask(recording: str, prompt: str) -> tuple[Report, int]:
    tools = Outside(RecordedTools(recording))
    return asyncio.run(supervisor.investigate(prompt, tools, Rules())), tools.calls


def test_a_system_of_a_hundred_services(large: str) -> None:
    """The cause is found within the calls of a question, and the first lines say which lists were not read to their end."""
    report, calls = ask(large, "What is wrong?")
    assert report.root_cause
    assert report.root_cause.service == "payment-service"
    assert calls <= MOST_CALLS
    for text in (render_brief(report), render_markdown(report)):
        assert ("**Partly seen**" in "\n".join(text.splitlines()[:4])) == bool(report.unseen)
    assert len(render_brief(report).splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    ("prompt", "headline"),
    [
        ("Which services are there?", "workloads: 1 with too few ready replicas"),
        ("Is recommendation-service-11 healthy?", "recommendation-service-11 is"),
        ("Why does nonsense-service fail?", "There is nothing named nonsense-service"),
    ],
)
def test_names_on_later_pages(large: str, prompt: str, headline: str) -> None:
    """A list is read to its end: what is asked for may be on its last page."""
    report, calls = ask(large, prompt)
    assert headline in report.headline
    assert report.unseen == ()
    assert calls <= MOST_CALLS


def test_pages_are_one_answer() -> None:
    """Items of all pages, a hash of all texts, and the same call asked once."""

    async def run() -> tuple[Answer, Answer, int]:
        outside = Outside(RecordedTools("healthy"))
        tools = CountedTools(outside)
        first = await tools.call("search_logs", start_time="2h", log_level="INFO")
        assert await tools.call("search_logs", log_level="INFO", start_time="2h") is first
        return first, await tools.read_next("search_logs", first), outside.calls

    first, both, calls = asyncio.run(run())
    assert isinstance(first.data, dict)
    assert isinstance(both.data, dict)
    assert first.truncated
    assert both.data["items"][: len(first.data["items"])] == first.data["items"]
    assert len(both.data["items"]) > len(first.data["items"])
    assert both.sha256 != first.sha256
    assert calls == 2


class Repeating:
    """A source whose every page names a next one, and whose pages come again."""

    def __init__(self, pages: tuple[str, ...], failure: str = "") -> None:
        self._pages, self._failure, self.asked = pages, failure, list[Argument]()

    def offered(self) -> Mapping[str, Tool]:
        return {"get_pod_status": Tool("kubernetes___get_pod_status", "", {"properties": {"cursor": {}}})}

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        self.asked.append(arguments.get("cursor", ""))
        at = self._pages.index(str(arguments.get("cursor", self._pages[0])))
        data = {"items": [{"name": self._pages[at]}], "total": 9, "cursor": self._pages[(at + 1) % len(self._pages)]}
        failure = self._failure if at else ""
        return Answer(tool=operation, arguments=arguments, at=clock.now(), data=data, sha256="0", failure=failure, truncated=True)


@pytest.mark.parametrize(
    ("pages", "failure", "names", "calls"),
    [
        (("a",), "", ["a"], 2),
        (("a", "b", "c"), "", ["a", "b", "c"], 4),
        (("a", "b"), "the cursor is of another question", ["a"], 2),
        (tuple(map(str, range(MOST_CALLS * 2))), "", [str(number) for number in range(MOST_CALLS)], MOST_CALLS),
    ],
)
def test_a_source_that_always_names_a_next_page(pages: tuple[str, ...], failure: str, names: list[str], calls: int) -> None:
    """Reading ends where a page has nothing new or is refused, no item is counted twice, and the gap says that there is more."""

    async def run(source: Repeating) -> Answer:
        tools = CountedTools(source)
        answers = {"get_pod_status": await tools.call("get_pod_status")}
        return (await tools.read_on(answers, ("get_pod_status",), tools.left))["get_pod_status"]

    source = Repeating(pages, failure)
    answer = asyncio.run(run(source))
    assert [item["name"] for item in objects(answer.data, "items")] == names
    assert len(source.asked) == calls
    (gap,) = supervisor.gaps.record_answers(answer).gaps
    assert gap.unseen == f"{len(names)} of 9 items of get_pod_status"


def test_a_list_without_calls_left(large: str) -> None:
    """It stays as it is, and the gap names how much of it was read."""

    async def run() -> Answer:
        tools = CountedTools(RecordedTools(large), most=1)
        answers = await tools.call_all([supervisor.kubernetes.ToolCall("get_pod_status", {"namespace": ""})])
        return (await tools.read_on(answers, ("get_pod_status",), tools.left))["get_pod_status"]

    answer = asyncio.run(run())
    (gap,) = supervisor.gaps.record_answers(answer).gaps
    assert answer.truncated
    assert gap.unseen.endswith("items of get_pod_status")
