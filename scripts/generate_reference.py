"""Write docs/reference/ from the code: commands, configuration, resources, problems."""

from pathlib import Path

from reference import commands, configuration, drift, problems, resources

ROOT = Path(__file__).parents[1]
PAGES = {"commands": commands, "configuration": configuration, "drift": drift, "problems": problems, "resources": resources}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / "reference" / f"{name}.md").write_text(page.render(ROOT), encoding="utf-8")


if __name__ == "__main__":
    main()
