"""Write examples/production.yaml and the JSON Schema from the configuration's models."""

import json
from pathlib import Path

from sre_agent_deploy.config.template import json_schema, template

EXAMPLES = Path(__file__).parents[1] / "examples"


def main() -> None:
    (EXAMPLES / "production.yaml").write_text(template("production", schema="config.schema.json"), encoding="utf-8")
    (EXAMPLES / "config.schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
