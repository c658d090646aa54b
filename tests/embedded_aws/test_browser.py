"""The attack itself: a page on another origin, in a real browser that accepts this AWS's certificate."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from fixtures.embedded import EmbeddedAws

pytestmark = pytest.mark.needs("chromium")

ATTACK = """
async ([url, init]) => {
  try { const answer = await fetch(url, init); return `${answer.type} ${answer.status}`; }
  catch (refused) { return "refused"; }
}
"""
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/s3/aws4_request"}


class AnyPage(BaseHTTPRequestHandler):
    """Answers every GET with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>evil</title>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def evil_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), AnyPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser for which every name of .example is this machine: that is what DNS rebinding brings about."""
    rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", rules])
        yield browser.new_context(ignore_https_errors=True).new_page()
        browser.close()


def buckets(aws: EmbeddedAws) -> list[str]:
    return [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    "init",
    [
        {"method": "PUT", "headers": SIGNED},
        {"method": "POST", "body": "Action=CreateUser&UserName=evil", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"method": "GET", "credentials": "include"},
    ],
    ids=["preflight", "simple post", "get"],
)
def test_a_page_reads_and_changes_nothing(embedded: EmbeddedAws, page: Page, evil_port: int, init: dict[str, object]) -> None:
    """The browser gets no permission for the page, and the request has no effect."""
    before = buckets(embedded)
    page.goto(f"http://evil.example:{evil_port}/")

    assert page.evaluate(ATTACK, [f"{embedded.endpoint}/evil-bucket", init]) == "refused"
    assert buckets(embedded) == before


def test_a_page_can_send_without_reading_and_is_still_refused(embedded: EmbeddedAws, page: Page, evil_port: int) -> None:
    """`no-cors` sends a request in every case: the answer is still a refusal."""
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status) if embedded.endpoint in response.url else None)
    page.goto(f"http://evil.example:{evil_port}/")
    page.evaluate(ATTACK, [f"{embedded.endpoint}/evil-bucket", {"method": "POST", "mode": "no-cors", "body": "x"}])
    page.evaluate(f"new Promise(done => {{ const i = new Image(); i.onerror = i.onload = done; i.src = '{embedded.endpoint}/evil.png'; }})")

    assert statuses
    assert set(statuses) == {403}


def test_a_name_that_was_rebound_to_this_machine_is_refused(embedded: EmbeddedAws, page: Page) -> None:
    """Same origin for the browser, another host for us."""
    answer = page.goto(f"https://rebound.example:{urlsplit(embedded.endpoint).port}/")

    assert answer is not None
    assert answer.status == 421
    assert page.evaluate(ATTACK, ["/evil-bucket", {"method": "PUT", "headers": SIGNED}]) == "basic 421"
