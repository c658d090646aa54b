"""Local mode never leaves this machine, and shows the same deployment in other ways."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from behaviours.command_line import Desk
from fixtures.cfn_lint import find_faults

# What a user's shell may hold: a real account's credentials, a profile that does not exist, endpoints, a proxy.
HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAREALACCOUNT12345",
    "AWS_SECRET_ACCESS_KEY": "real-account-secret",
    "AWS_SESSION_TOKEN": "real-session",
    "AWS_PROFILE": "production-admin",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ENDPOINT_URL": "https://192.0.2.1",
    "AWS_ENDPOINT_URL_S3": "https://192.0.2.2",
    "AWS_CA_BUNDLE": "/nonexistent.pem",
    "HTTPS_PROXY": "http://192.0.2.3:3128",
    "HTTP_PROXY": "http://192.0.2.3:3128",
}


@pytest.mark.needs("strace")
def test_no_connection_leaves_the_machine(desk: Desk) -> None:
    """With any AWS settings in the environment, every connection of every process goes to loopback or a local socket."""
    log = desk.folder / "connections.log"
    command = [sys.executable, "-m", "sre_agent_deploy", "deploy"]
    environ = {**os.environ, **HOSTILE, "SRE_AGENT_STATE_DIR": str(desk.state_dir)}
    watch = [shutil.which("strace") or "", "-f", "-qq", "-e", "trace=connect,sendto", "--seccomp-bpf", "-o", str(log), *command]
    # The daemon outlives the command and would keep strace waiting: it is ended as soon as the verdict is there.
    with subprocess.Popen(watch, cwd=desk.folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as traced:
        assert traced.stdout is not None
        said = []
        for line in traced.stdout:
            said.append(line)
            if "cleanup" in line:
                break
        desk.close()
        traced.communicate(timeout=120)
    assert any("is verified" in line for line in said), said
    addresses = set(re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', log.read_text(errors="replace")))
    reached = {four or six for four, six in addresses}
    assert len(reached) > 1
    assert not {address for address in reached if not address.startswith("127.") and address != "::1"}


def test_plan_before_a_deployment(desk: Desk) -> None:
    """Every change is shown with its reason, nothing is made, and an AWS that was started for it alone is stopped again."""
    assert desk.deploy("plan").code == 2
    assert desk.run("embedded_aws", "status", "--state-dir", str(desk.state_dir)).code == 3
    desk.start_aws()
    ended = desk.deploy("plan", "--json")
    assert ended.code == 2, ended.text
    changes = json.loads(ended.out)["changes"]
    assert {change["action"] for change in changes} == {"create"}
    assert {change["because"] for change in changes} == {"nothing has this name yet"}
    assert not desk.state_file.exists()
    assert desk.client("s3").list_buckets()["Buckets"] == []
    assert desk.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"] == []


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """List the resources that the configuration of a desk has, in the order of their creation."""
    desk = Desk(tmp_path_factory.mktemp("planned"))
    desk.configure()
    planned = desk.deploy("plan", "--json")
    desk.close()
    return [change["name"] for change in json.loads(planned.out)["changes"]]


def test_guide_names_every_resource(desk: Desk, names: list[str]) -> None:
    """The Console guide has a numbered step for each resource of the plan, and what AWS chooses is named by its step."""
    guide = desk.deploy("guide")
    assert guide.code == 0, guide.text
    steps = re.findall(r"^## (\d+)\. ([a-z_]+) ", guide.out, flags=re.MULTILINE)
    assert steps == [(str(number), name) for number, name in enumerate(names, 1)]
    assert "«gateway_id from step" in guide.out
    assert not re.findall(r"<[a-z_]+\.[a-z_]+>|⟦", guide.out)


def test_export_passes_cfn_lint(desk: Desk, names: list[str]) -> None:
    """The template holds or explains every resource, and cfn-lint finds nothing wrong with it."""
    exported = desk.deploy("export", "cloudformation")
    assert exported.code == 0, exported.text
    template = json.loads(exported.out)
    named = {*template["Resources"], *(logical(name) for name in template["Metadata"]["ByHand"])}
    assert {logical(name) for name in names} <= named
    assert list(find_faults(exported.out)) == []


def logical(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
