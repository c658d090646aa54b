"""A user of the sample's scripts types the commands of its README, and gets a verified deployment."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from behaviours import certificates
from behaviours.command_line import ROOT, Desk, Ended
from fixtures import preloaded

DOMAIN = "api.mycompany.com"
# The sample's README from "Openapi Templates get replaced" on, word for word but for the address of the instance, which it asks
# the instance's metadata for, and the folder of the certificate.
SEQUENCE = """
BACKEND_DOMAIN=api.mycompany.com ./backend/openapi_specs/generate_specs.sh
cd backend
./scripts/start_demo_backend.sh \\
  --host $PRIVATE_IP  \\
  --ssl-keyfile $SSL/privkey.pem \\
  --ssl-certfile $SSL/fullchain.pem
cd ..
cd gateway
./create_gateway.sh
./mcp_cmds.sh
cd ..
GATEWAY_URI=$(cat gateway/.gateway_uri)
sed -i "s|uri: \\".*\\"|uri: \\"$GATEWAY_URI\\"|" sre_agent/config/agent_config.yaml
sed -i '/^GATEWAY_ACCESS_TOKEN=/d' sre_agent/.env
echo "GATEWAY_ACCESS_TOKEN=$(cat gateway/.access_token)" >> sre_agent/.env
"""


def path_to(python: Path) -> str:
    """The PATH of a user who has activated this Python's virtual environment."""
    return f"{python.parent}:{os.environ['PATH']}"


def prepare(desk: Desk) -> dict[str, str]:
    """Lay out the sample's folder with our scripts in it, its settings for an AWS that runs here, and a certificate."""
    desk.start_aws()
    certificates.written(desk.folder, DOMAIN)
    (desk.folder / "config.yaml").unlink()
    shutil.copytree(ROOT / "compat", desk.folder, dirs_exist_ok=True)
    # The sample's user has made the DNS record by hand; here the deployment makes it.
    zone = desk.client("route53").create_hosted_zone(Name="mycompany.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    registry = desk.registry()
    settings = {"account_id": registry["account_id"], "region": "us-east-1", "endpoint_url": registry["endpoint"], "role_name": ""}
    settings |= {"s3_bucket": "", "s3_path_prefix": "devops-multiagent-demo", "gateway_name": "MyAgentCoreGateway", "user_pool_id": ""}
    (desk.folder / "gateway/config.yaml").write_text("".join(f'{name}: "{value}"\n' for name, value in settings.items()))
    (desk.folder / "gateway/.env").write_text("BACKEND_API_KEY=planted-backend-key\n")
    (desk.folder / "sre_agent/config").mkdir(parents=True)
    (desk.folder / "sre_agent/config/agent_config.yaml").write_text('agents: {}\ngateway:\n  uri: "https://placeholder"\n')
    (desk.folder / "sre_agent/.env").write_text("LLM_PROVIDER=bedrock\n")
    return {
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID": zone,
        "SRE_AGENT__DEPLOYMENT__SSL_CA_PATH": str(desk.folder / "ca.pem"),
        "SRE_AGENT_STATE_DIR": str(desk.state_dir),
        "PRIVATE_IP": "10.0.0.5",
        "SSL": str(desk.folder),
        "PATH": path_to(preloaded.interpreter()),
    }


def shell(folder: Path, lines: str, settings: dict[str, str]) -> Ended:
    """Run lines in bash as a user does; the first that fails ends them."""
    command = ["bash", "-euo", "pipefail", "-c", lines]
    environ = {**os.environ, **settings}
    ended = subprocess.run(
        command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def list_ids(desk: Desk) -> dict[str, str]:
    """The id of each resource of the deployment."""
    records = json.loads(desk.state_file.read_text())["records"]
    return {name: record["id"] for name, record in records.items()}


@pytest.mark.unmeasured
@pytest.mark.timeout(1200)  # six verifications, on a machine that has much else to do
def test_the_sequence_of_the_samples_readme(desk: Desk) -> None:
    """It ends in a verified deployment; run again, it changes nothing; its files are there for their owner only."""
    settings = prepare(desk)
    first = shell(desk.folder, SEQUENCE, settings)
    assert first.code == 0, first.text
    assert first.out.count("is verified") == 2
    ids = list_ids(desk)
    for place in ("gateway/.gateway_uri", "gateway/.access_token", "gateway/.credentials_provider"):
        assert stat.S_IMODE((desk.folder / place).stat().st_mode) == 0o600, place
    config = (desk.folder / "config.yaml").read_text()

    for lines in (SEQUENCE, "./scripts/configure_gateway.sh"):
        again = shell(desk.folder, lines, settings)
        assert again.code == 0, again.text
        assert re.search(r"Resources: [0-9]+ already there \(", again.out)
    assert list_ids(desk) == ids
    assert (desk.folder / "config.yaml").read_text() == config
    uri = (desk.folder / "gateway/.gateway_uri").read_text()
    assert yaml.safe_load((desk.folder / "sre_agent/config/agent_config.yaml").read_text())["gateway"] == {"uri": uri}
    assert desk.client("bedrock-agentcore-control").list_gateways()["items"][0]["name"] == "MyAgentCoreGateway"
    assert "planted" not in first.text + again.text + config
    single_scripts(desk, settings, ids)


def single_scripts(desk: Desk, settings: dict[str, str], ids: dict[str, str]) -> None:
    """Run each script that create_gateway.sh replaces, by itself: it changes nothing either, and says what it did not use."""
    provider = (desk.folder / "gateway/.credentials_provider").read_text()
    keyed = shell(desk.folder, "cd gateway; python create_credentials_provider.py --api-key planted-key --region us-east-1", settings)
    assert keyed.code == 0, keyed.text
    assert "--api-key was not used" in keyed.err
    assert "planted-key" not in keyed.text
    assert (desk.folder / "gateway/.credentials_provider").read_text() == provider

    role = desk.client("iam").list_roles()["Roles"]
    arn = next(each["Arn"] for each in role if each["RoleName"].endswith("-gateway"))
    pool = ids["user_pool-1"]
    discovery = f"https://cognito-idp.us-east-1.amazonaws.com/{pool}/.well-known/openid-configuration"
    words = f"--role-arn {arn} --discovery-url {discovery} --provider-arn {provider} --create-s3-target --delete-gateway-if-exists"
    made = shell(desk.folder, f"cd gateway; python main.py MyAgentCoreGateway {words} --save-gateway-url --output-json", settings)
    assert made.code == 0, made.text
    assert "keeps its id" in made.err
    assert ids["gateway-1"] in made.out
    assert list_ids(desk) == ids

    asked = shell(desk.folder, 'python deployment/invoke_agent_runtime.py --prompt "Why does checkout fail?"', settings)
    assert asked.code == 0, asked.text
    assert "Message:" in asked.out
    image = "docker.io/team/sre_agent:latest"
    runtime = shell(desk.folder, f"python deployment/deploy_agent_runtime.py --container-uri {image} --role-arn {arn}", settings)
    assert (runtime.code, "--container-uri must be" in runtime.err) == (2, True)
    before = (desk.folder / "gateway/.access_token").read_text()
    assert shell(desk.folder, "cd gateway; python generate_token.py --audience MCPGateway", settings).code == 0
    assert (desk.folder / "gateway/.access_token").read_text() != before
    login = shell(desk.folder, "./deployment/setup_cognito.sh", settings)
    assert login.code == 0, login.text
    assert f"User Pool ID: {pool}" in login.out
    assert "run on the deployment's instance" in shell(desk.folder, "cd backend; ./scripts/stop_demo_backend.sh", settings).text
    memory = shell(desk.folder, "python scripts/manage_memories.py list --memory-type preferences", settings)
    assert (memory.code, "SAMPLE-NO-MEMORY" in memory.err) == (1, True)
    ended = shell(desk.folder, "./scripts/configure_gateway.sh --cleanup", settings)
    assert ended.code == 0, ended.text
    assert "GATEWAY_ACCESS_TOKEN=removed" in (desk.folder / "sre_agent/.env").read_text()
    assert not (desk.folder / "gateway/.access_token").exists()
    asked = shell(desk.folder, "./scripts/cleanup.sh", settings)
    assert asked.code != 0
    cleaned = shell(desk.folder, "./scripts/cleanup.sh --force --gateway-name MyAgentCoreGateway", settings)
    assert cleaned.code == 0, cleaned.text
    assert desk.client("bedrock-agentcore-control").list_gateways()["items"] == []
    assert not (desk.folder / "gateway/.gateway_uri").exists()


def test_building_the_image(tmp_path: Path) -> None:
    """build_and_deploy.sh builds for this machine where LOCAL_BUILD says so, else for Graviton, and says what it leaves to a person."""
    shutil.copytree(ROOT / "compat", tmp_path, dirs_exist_ok=True)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "docker $*"\n')
    docker.chmod(0o755)
    path = {"PATH": f"{docker.parent}:{path_to(preloaded.interpreter())}"}
    local = shell(tmp_path, "LOCAL_BUILD=true ./deployment/build_and_deploy.sh my_agent", path)
    assert local.code == 0, local.text
    assert "--platform linux/amd64" in local.out
    assert "--target runtime -t my_agent" in local.out
    pushed = shell(tmp_path, "./deployment/build_and_deploy.sh", path)
    assert (pushed.code, "--platform linux/arm64" in pushed.out) == (1, True)
    assert "RUNTIME-PUSH-BY-HAND" in pushed.err


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("cd gateway; python main.py", "GATEWAY_NAME"),
        ("cd gateway; python main.py name --discovery-url https://x", "--role-arn"),
        ("cd gateway; python main.py name --role-arn arn:x", "--discovery-url"),
        ("python deployment/deploy_agent_runtime.py --role-arn arn:x", "--container-uri"),
        ("python deployment/invoke_agent_runtime.py", "--prompt"),
        ("./backend/openapi_specs/generate_specs.sh", "BACKEND_DOMAIN"),
        ("./backend/scripts/start_demo_backend.sh --host 10.0.0.5", "--ssl-keyfile"),
        ("./scripts/configure_gateway.sh --clean", "--cleanup"),
        ("./scripts/cleanup.sh --gateway", "--gateway-name"),
    ],
)
def test_a_flag_that_is_missing(tmp_path: Path, script: str, expected: str) -> None:
    """The message names what is needed, and nothing was changed."""
    shutil.copytree(ROOT / "compat", tmp_path, dirs_exist_ok=True)
    # The first without a fork, as a user starts it; so does `test_no_settings` of the shell scripts.
    python = Path(sys.executable) if script.endswith("main.py") else preloaded.interpreter()
    ended = shell(tmp_path, script, {"PATH": path_to(python)})
    assert ended.code == (2 if ".py" in script else 1), ended.text
    assert expected in ended.err


def test_no_settings(tmp_path: Path) -> None:
    """Without gateway/config.yaml and config.yaml a script says which file it needs, and exits with 1 as the sample's did."""
    shutil.copytree(ROOT / "compat", tmp_path, dirs_exist_ok=True)
    ended = shell(tmp_path, "./gateway/create_gateway.sh", {"PATH": path_to(Path(sys.executable))})
    assert ended.code == 1
    assert "SAMPLE-NO-SETTINGS" in ended.err
