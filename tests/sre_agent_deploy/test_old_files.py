"""The files that users of the sample have become one config.yaml; nothing is dropped, no secret is copied."""

from __future__ import annotations

import json
import stat

import pytest

from fixtures.kept_files import Folder
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config

FLAT = """\
# AWS configuration
# of the team
account_id: "012345678901"   # prod
region: us-east-1
role_name: sre-gateway-role

# Endpoints
endpoint_url: "https://bedrock-agentcore-control.us-east-1.amazonaws.com"
user_pool_id: us-east-1_AbCdEf123
client_id: 1h57kf5cpq17m0eml12
s3_bucket: ""  # empty = create one
gateway_description: 'Gateway: tools'
target_description: S3 target for OpenAPI
own_setting:
  nested: value  # of ours
# the end
"""
DOTENV = """\
# Cognito
COGNITO_DOMAIN=https://my-domain.auth.us-east-1.amazoncognito.com  # it's ours
COGNITO_CLIENT_ID=1h57kf5cpq17m0eml12
COGNITO_CLIENT_SECRET='planted secret'  # rotate
COGNITO_USER_POOL_ID=us-east-1_AbCdEf123
export BACKEND_API_KEY=planted
"""
AGENTS = """\
# who may what
agents:
  logs:
    tools: [search_logs]  # one
global_tools:
  - x_amz_bedrock_agentcore_search
gateway:
  uri: https://gw
"""


def sample(folder: Folder) -> None:
    folder.write("gateway/config.yaml", FLAT)
    folder.write("gateway/.env", DOTENV)
    folder.write("sre_agent/.env", "ANTHROPIC_API_KEY=planted\nGATEWAY_ACCESS_TOKEN=planted\nDEBUG=false\nMINE=17\n")
    folder.write("sre_agent/config/agent_config.yaml", AGENTS)
    folder.write("deployment/.cognito_config", '{"userPoolId": "us-east-1_AbCdEf123", "clientSecret": "planted"}')


def test_a_whole_checkout(folder: Folder) -> None:
    """Each setting is in its section with its comments, everything else is kept as a comment; the old files are unchanged."""
    sample(folder)
    result = folder.run("migrate")
    assert result.code == 0, result.text
    text = folder.config.read_text()
    assert '  # of the team\n  account_id: "012345678901"  # prod\n' in text
    assert "  # Cognito\n  cognito_domain: my-domain  # it's ours\n" in text
    assert "client_secret: env:COGNITO_CLIENT_SECRET" in text
    assert 's3_bucket: ""  # empty = create one' in text
    for kept in (
        "# Endpoints",
        "target_description: S3 target",
        "nested: value  # of ours",
        "# the end",
        "MINE=17",
        "tools: [search_logs]  # one",
    ):
        assert kept in text.partition("# Carried over")[2], kept
    assert (folder.path / "gateway/config.yaml").read_text() == FLAT


def test_what_is_migrated_can_be_deployed(folder: Folder) -> None:
    """With what the old format had no word for, it is a valid configuration of the same values."""
    sample(folder)
    result = folder.run("migrate", "--json")
    needed = json.loads(result.out)["still_needed"]
    assert {problem["code"] for problem in needed} == {"CONFIG-REQUIRED"}
    words = ("deployment.domain_name", "sre.example.com", "deployment.ssl_cert_path", "/c.pem", "deployment.ssl_key_path", "/k.pem")
    assert folder.run("set", *words).code == 0
    config = load(folder.config, environ={}, mode=None)
    assert isinstance(config, Config), config
    assert config.aws.account_id == "012345678901"
    assert config.credentials.client_id == "1h57kf5cpq17m0eml12"
    assert config.gateway.description == "Gateway: tools"


def test_the_report_says_what_moved_where(folder: Folder) -> None:
    """Every old setting is named once: moved, kept as a comment with a reason, or a secret with what to do instead."""
    sample(folder)
    report = json.loads(folder.run("migrate", "--dry-run", "--json").out)
    assert not folder.config.exists()
    assert {"file": "gateway/config.yaml", "name": "region", "to": "aws.region"} in report["moved"]
    assert {each["name"] for each in report["carried_over"]} == {
        *("endpoint_url", "target_description", "own_setting", "DEBUG", "MINE", "agents", "global_tools", "gateway")
    }
    assert {each["name"] for each in report["secrets"]} == {
        *("COGNITO_CLIENT_SECRET", "BACKEND_API_KEY", "ANTHROPIC_API_KEY", "GATEWAY_ACCESS_TOKEN", "clientSecret")
    }
    names = [each["name"] for kind in ("moved", "carried_over", "secrets") for each in report[kind]]
    assert len(names) == 10 + 5 + 4 + 3 + 2


def test_migrating_twice(folder: Folder) -> None:
    """The second time there is nothing to do, and the file is not touched."""
    sample(folder)
    folder.run("migrate")
    text = folder.config.read_bytes()
    result = folder.run("migrate")
    assert "nothing to migrate" in result.out
    assert folder.config.read_bytes() == text


@pytest.mark.parametrize(("choice", "expected"), [("mine", "1h57kf5cpq17m0eml12"), ("theirs", "other")])
def test_two_files_that_disagree(folder: Folder, choice: str, expected: str) -> None:
    """The user chooses; the value that was not chosen is kept as a comment."""
    sample(folder)
    folder.write("gateway/.env", "COGNITO_CLIENT_ID=other\n")
    asked = folder.run("migrate")
    assert "CONFLICT-UNDECIDED" in asked.err
    assert not folder.config.exists()
    assert "CONFLICT-ABORTED" in folder.run("migrate", "--conflict=abort").err
    assert folder.run("migrate", f"--conflict={choice}").code == 0
    used, _, commented = folder.config.read_text().partition("# Carried over")
    assert f"client_id: {expected}" in used
    assert all(value in used + commented for value in ("1h57kf5cpq17m0eml12", "other"))


def test_into_a_configuration_that_is_there(folder: Folder) -> None:
    """Its content stays, comments included; new settings are added; the original is kept beside it and in a backup."""
    sample(folder)
    mine = "# mine\nversion: 1\nmode: production\naws:\n  region: eu-west-1  # ours\n"
    folder.write("config.yaml", mine)
    result = folder.run("migrate", "--conflict=mine")
    assert result.code == 0, result.text
    text = folder.config.read_text()
    assert text.startswith(mine)
    assert 'account_id: "012345678901"' in text
    assert "# prod" in text
    (beside,) = folder.path.glob("config.yaml.before-migration-*")
    assert beside.read_text() == mine
    assert len(folder.backups()) == 1


def test_a_flat_file_in_its_own_place(folder: Folder) -> None:
    """In the sample's gateway folder, config.yaml itself becomes the new one; the original, for its owner only, beside it."""
    folder.write("config.yaml", FLAT + "api_key: planted\n")
    folder.write(".env", DOTENV)
    result = folder.run("migrate")
    assert result.code == 0
    assert "still holds secrets" in result.out
    assert folder.config.read_text().startswith("# The SRE assistant on AWS EC2.\n# Migrated from config.yaml, .env.\nversion: 1\n")
    (beside,) = folder.path.glob("config.yaml.before-migration-*")
    assert beside.read_text() == FLAT + "api_key: planted\n"
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "text"), [("gateway/config.yaml", "a: [\n"), ("gateway/config.yaml", "- a\n"), ("gateway/.env", "A='planted\n")]
)
def test_an_old_file_that_cannot_be_read(folder: Folder, name: str, text: str) -> None:
    """It is reported with its line, and nothing is written."""
    folder.write(name, text)
    result = folder.run("migrate")
    assert "MIGRATE-UNREADABLE" in result.err
    assert "planted" not in result.text
    assert not folder.config.exists()


def test_nothing_to_migrate(folder: Folder) -> None:
    """An empty folder is reported as such; a current configuration is left alone."""
    assert "MIGRATE-NOTHING" in folder.run("migrate").err
    assert "MIGRATE-FILE-MISSING" in folder.run("migrate", "elsewhere").err
    folder.write("config.yaml", "mode: local  # current\n")
    assert "nothing to migrate" in folder.run("migrate").out
    assert folder.config.read_text() == "mode: local  # current\n"


def test_a_language_model_comes_along(folder: Folder) -> None:
    """The sample's provider becomes the reasoner, with a reference to its key: what comes out is valid, and the key is not in it."""
    folder.write("sre_agent/.env", "LLM_PROVIDER=anthropic\nANTHROPIC_API_KEY=planted\n")
    assert folder.run("migrate").code == 0
    assert folder.run("set", "mode", "local").code == 0
    config = load(folder.config, environ={}, mode=None)
    assert isinstance(config, Config), config
    assert (config.assistant.reasoner, config.assistant.api_key) == ("anthropic", "env:ANTHROPIC_API_KEY")
    assert "planted" not in folder.config.read_text()
