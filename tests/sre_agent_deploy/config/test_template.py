"""Templates, examples and the JSON Schema come from the models, so they can't say something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from sre_agent_deploy.config import Mode
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.template import build_json_schema, render_template

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("mode", ["production", "local"])
def test_a_template_is_a_valid_configuration(mode: Mode, load_text: Callable[..., object]) -> None:
    """The printed template can be used unchanged, once the account is known."""
    loaded = load_text(render_template(mode), environ={"AWS_ACCOUNT_ID": "123456789012"}, mode=None)
    assert isinstance(loaded, Config)
    assert loaded.mode == mode


def test_the_production_template_names_every_field() -> None:
    """It has each field, below a comment."""
    lines = render_template("production").split("\n")
    fields = [name for section in Config.model_fields.values() for name in getattr(section.annotation, "model_fields", {})]
    for name in (*Config.model_fields, *fields):
        above = [lines[number - 1] for number, line in enumerate(lines) if line.lstrip().startswith(f"{name}:")]
        assert above, name
        assert all(line.lstrip().startswith("#") for line in above), name


def test_the_examples_are_up_to_date() -> None:
    """examples/ holds what the models say today; `make generate` renews it."""
    assert (EXAMPLES / "production.yaml").read_text(encoding="utf-8") == render_template("production", schema="config.schema.json")
    assert json.loads((EXAMPLES / "config.schema.json").read_text(encoding="utf-8")) == build_json_schema()


@pytest.mark.parametrize("example", ["production.yaml", "local.yaml"])
def test_editors_accept_the_examples(example: str) -> None:
    """The schema allows references, empty fields and account IDs without quotes, and refuses an unknown key."""
    validator = jsonschema.Draft202012Validator(build_json_schema())
    document = json.loads(json.dumps(YAML(typ="safe").load(EXAMPLES / example)))
    assert not list(validator.iter_errors(document))
    assert not list(validator.iter_errors({"aws": {"account_id": 123456789012}, "deployment": {"volume_gb": "${SIZE:-50}"}}))
    assert not list(validator.iter_errors({"limits": {"monthly_usd": 49.9}}))
    assert not list(validator.iter_errors({"limits": {"monthly_usd": "${MONTHLY_USD:-}"}}))
    assert list(validator.iter_errors({"limits": {"monthly_usd": "50 USD"}}))
    assert list(validator.iter_errors({"aws": {"regoin": "us-east-1"}}))
    assert list(validator.iter_errors({"deployment": {"operating_system": "windows"}}))
