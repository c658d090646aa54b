"""Write examples/production.yaml and the JSON Schema from the configuration's models."""

import json
from pathlib import Path

from sre_agent_deploy.config.template import build_json_schema, render_template

EXAMPLES = Path(__file__).parents[1] / "examples"


def main() -> None:
    (EXAMPLES / "production.yaml").write_text(render_template("production", schema="config.schema.json"), encoding="utf-8")
    (EXAMPLES / "config.schema.json").write_text(json.dumps(build_json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
