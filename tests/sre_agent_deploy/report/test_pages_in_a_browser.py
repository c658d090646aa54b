"""Both pages in a real browser: nothing is loaded, nothing is reported, they fit a phone, and the guide remembers and copies."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import save_guide
from sre_agent_deploy.report.render import html
from sre_agent_deploy.report.report import Report, ResourceResult
from sre_core.problem import Problem

pytestmark = pytest.mark.needs("chromium")

DOWN = Problem(code="SERVICE-UNHEALTHY", what="The logs service answered 502.", why="<script>alert(1)</script>", do=("Read its log.",))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a report with one failure, and a guide that no account was needed for."""
    folder = tmp_path_factory.mktemp("pages")
    findings = tuple(
        Finding(check.id, "failed", "it is down", check.requirements, problem=DOWN)
        if check.id == "service.logs"
        else Finding(check.id, "passed", check.proves, check.requirements, seconds=0.2)
        for check in verification_checks()
    )
    made = (ResourceResult("gateway", "AWS::BedrockAgentCore::Gateway", "sre-0123456789-gateway-abcdefghij", "kept"),)
    report = folder / "report.html"
    report.write_text(html(Report("sre-0123456789", "us-east-1", "production", "https://sre.example.com", made, findings)))
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"version": 1, "mode": "local", "name": "sre"}))
    save_guide(Request(config_file=config), folder)
    return {"report": report, "guide": folder / "guide.html"}


class Quiet(SimpleHTTPRequestHandler):
    """A web server that prints nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guide_url(pages: dict[str, Path]) -> Iterator[str]:
    """Serve the guide over HTTP, where a browser must keep what a page stores.

    What it keeps for `file:` is undefined (MDN, Window.localStorage). On a machine with eight times too much to do, Chromium 156 gave
    one in twenty-five loads of the file an empty storage of its own, and none of 156 over HTTP.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=pages["guide"].parent)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/guide.html"
        server.shutdown()


def opened(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """The page, and everything that a browser complains about or asks for besides it."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url not in (url, "data:,") else None)
    page.goto(url)
    return page, said


@pytest.mark.parametrize("name", ["report", "guide"])
def test_a_page_on_a_phone(phone: BrowserContext, pages: dict[str, Path], name: str) -> None:
    """Nothing has to be scrolled sideways, each control has a name and is large enough, and nothing leaves the machine."""
    page, said = opened(phone, pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.querySelectorAll('h2')].every(title => title.textContent.trim())")
    small = "[...document.querySelectorAll('button, input')].filter(each => each.getBoundingClientRect().height < 20).length"
    assert page.evaluate(small) == 0
    unnamed = "[...document.querySelectorAll('input')].filter(each => !each.labels.length).length"
    assert page.evaluate(unnamed) == 0
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "guide"])
def test_a_page_for_everybody(phone: BrowserContext, pages: dict[str, Path], name: str, scheme: Literal["light", "dark"]) -> None:
    """axe-core finds nothing serious or critical: contrast, names, roles, order and language are right."""
    page, said = opened(phone, pages[name].as_uri())
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["help"], [node["html"][:200] for node in each["nodes"][:3]]) for each in serious] == []
    assert said == []


def test_a_browser_keeps_ticks_of_a_file(phone: BrowserContext, pages: dict[str, Path]) -> None:
    """A guide that is opened as a file may store what was ticked: the page does not say that the browser keeps nothing."""
    page, said = opened(phone, pages["guide"].as_uri())
    page.get_by_role("checkbox").nth(1).check()
    assert page.locator("#count").text_content() == "1"
    assert page.locator("#said").text_content() == ""
    assert page.evaluate("localStorage.length") == 1
    assert said == []


def test_what_the_guide_remembers(phone: BrowserContext, guide_url: str) -> None:
    """A tick and a value stay after the page is closed; each later step shows the value, and it is what is copied."""
    page, said = opened(phone, guide_url)
    page.get_by_role("checkbox").nth(1).check()
    page.locator("[data-note='user_pool.user_pool_id']").fill("us-east-1_Ab1cd2Ef3")
    page.reload()
    assert page.get_by_role("checkbox").nth(1).is_checked()
    assert page.locator("#count").text_content() == "1"
    assert page.locator("[data-ref='user_pool.user_pool_id']").first.text_content() == "us-east-1_Ab1cd2Ef3"
    button = page.locator("button[data-copy^='v-bucket']").first
    button.click()
    wanted = page.locator(f"#{button.get_attribute('data-copy')}").text_content()
    page.wait_for_function("document.getElementById('said').textContent")
    assert page.evaluate("navigator.clipboard.readText()") == wanted
    page.locator("#forget").click()
    page.reload()
    assert page.get_by_role("checkbox").nth(1).is_checked() is False
    assert said == []


def test_the_files_of_the_guide(pages: dict[str, Path]) -> None:
    """Each file that a step names is there: the release, the OpenAPI documents, user data and policies."""
    folder = pages["guide"].parent
    names = {file.name.split("-", 1)[1].partition(".")[0].rpartition("-")[0] or file.name for file in (folder / "files").iterdir()}
    text = (folder / "guide.md").read_text()
    assert {"gateway_role", "instance_role", "instance", "bucket"} <= names
    written = [file.name for file in (folder / "files").iterdir()]
    assert any("-release.zip" in name for name in written)
    assert sum("-openapi_" in name for name in written) == 4
    assert [name for name in written if name not in text] == []
