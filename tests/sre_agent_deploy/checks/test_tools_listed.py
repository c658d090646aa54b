"""A listing of tools, page by page."""

from __future__ import annotations

import asyncio

from mcp.types import ListToolsResult, Tool

from sre_agent_deploy.checks.verification.tools import list_every_page
from sre_core.problem import Problem


def page(*names: str, then: str | None) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name=name, input_schema={"type": "object"}) for name in names], next_cursor=then)


def test_several_pages() -> None:
    """All pages are read, in their order."""
    pages = {None: page("a", "b", then="2"), "2": page(then="3"), "3": page("c", then=None)}

    async def ask(cursor: str | None) -> ListToolsResult:
        return pages[cursor]

    assert asyncio.run(list_every_page(ask)) == ("a", "b", "c")


def test_a_listing_without_end() -> None:
    """It is abandoned and reported; no check waits for ever."""

    async def ask(cursor: str | None) -> ListToolsResult:
        return page("a", then=f"{cursor}+")

    problem = asyncio.run(list_every_page(ask))
    assert isinstance(problem, Problem)
    assert problem.code == "GATEWAY-LIST-ENDLESS"
