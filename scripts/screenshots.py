"""Take the pictures of docs/images from a report and a guide: python scripts/screenshots.py REPORT.html GUIDE.html.

Both are what the commands write: `verify --report REPORT.html`, and `guide --out FOLDER`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs/images"


def take_report(browser: Browser, report: Path) -> None:
    """Take what a reader sees first: what to do, and the architecture by status."""
    page = browser.new_page(viewport={"width": 720, "height": 1130})
    page.goto(report.absolute().as_uri())
    page.screenshot(path=IMAGES / "report.png")


def take_guide(browser: Browser, guide: Path) -> None:
    """Take one step with its check box, its fields, its file to paste and its buttons."""
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.goto(guide.absolute().as_uri())
    # A picture of the whole page would be too long for a browser.
    page.evaluate("document.getElementById('step-bucket').scrollIntoView()")
    page.screenshot(path=IMAGES / "guide.png")


def main(report: str, guide: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take_report(browser, Path(report))
        take_guide(browser, Path(guide))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
