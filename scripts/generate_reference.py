"""Write docs/reference/ from the code, and the IAM actions of each resource type."""

from pathlib import Path

from reference import commands, configuration, costs, drift, problems, resources, scan

ROOT = Path(__file__).parents[1]
PAGES = {
    "commands": commands,
    "configuration": configuration,
    "costs": costs,
    "drift": drift,
    "problems": problems,
    "resources": resources,
    "scan": scan,
}


def main() -> None:
    for name, page in PAGES.items():
        (ROOT / "docs" / "reference" / f"{name}.md").write_text(page.render(ROOT), encoding="utf-8")
    (ROOT / "src" / "sre_agent_deploy" / "actions.json").write_text(resources.render_actions(), encoding="utf-8")


if __name__ == "__main__":
    main()
