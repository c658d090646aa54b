"""A deployment of the version before is understood and cleaned up by this version.

`version_before/` has the files that the version before the rename of the code's words (commit 116c5ee) wrote on 29 November 2026:
its configuration, the state file of a verified deployment, and the connection file. `state_of_format_2.json` is that of the same
deployment by the version of 30 November: with lineage, serial and checksum. An AWS of that day can't be kept: its ids
are random, and it has no dump. So this version deploys the kept configuration, which gives the same resources under the same
names; then the kept state takes the place of the new state file, with only those values changed that an AWS chooses anew for
each resource (ids, outputs, endpoint). Everything else in it is as the version before wrote it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from behaviours import lister
from behaviours.command_line import Desk
from sre_agent import connection
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config

KEPT = Path(__file__).parent / "version_before"
CHOSEN_BY_AWS = {
    *("user_pool", "user_pool_domain", "resource_server", "gateway_client", "caller_client"),  # the pool's id is the first part of all
    *("gateway", "target_kubernetes", "target_logs", "target_metrics", "target_runbooks"),
    *("address", "address_association", "security_group", "instance"),
    *("openapi_kubernetes", "openapi_logs", "openapi_metrics", "openapi_runbooks"),  # their keys have the address that AWS chose
    "private_ca",  # its key has the hash of the authority, which each state folder makes anew
    "release",  # its key has the hash of this version's release
}


def _graft(kept: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The kept state with the ids and outputs of resources that exist now, and nothing else changed."""
    records = {}
    for key, record in kept["records"].items():
        now = new["records"][key]
        assert (record["name"], record["kind"], record["phase"]) == (now["name"], now["kind"], now["phase"])
        assert record["outputs"].keys() <= now["outputs"].keys(), f"{key}: this version no longer knows an output"
        assert record["name"] in CHOSEN_BY_AWS or record["id"] == now["id"], f"{key} has another name in AWS than before"
        outputs = {name: now["outputs"][name] for name in record["outputs"]}
        records[key] = {**record, "id": now["id"], "outputs": outputs}
    grafted = {**kept, "records": records, "aws": new["aws"], "config_file": new["config_file"]}
    # A state that a person has edited has no checksum.
    return {name: value for name, value in grafted.items() if name != "checksum"}


def test_a_deployment_of_the_version_before(desk: Desk) -> None:
    """Its state file is shown, planned with nothing to do, and cleaned up to nothing, unfinished steps included."""
    shutil.copy(KEPT / "config.yaml", desk.folder / "config.yaml")
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir)).code == 0
    before = lister.everything(desk.client)
    assert "NOT verified" in desk.deploy("deploy").out
    new = json.loads(desk.state_file.read_text())
    for file, verified in (("state.json", "2026-11-29T02:39:59Z"), ("state_of_format_2.json", "2026-11-30T05:40:12Z")):
        kept = _graft(json.loads((KEPT / file).read_text()), new)
        desk.state_file.write_text(json.dumps(kept, indent=1))
        status = desk.deploy("status")
        assert status.code == 0, status.text
        assert "deploy by ada on ship" in status.out
        assert f"Verified: {verified}" in status.out
        plan = desk.deploy("plan")
        assert plan.code == 0, plan.text

    # As the version before recorded a creation without an answer, and a deletion that was cut short.
    kept["records"]["address-1"] |= {"phase": "intended", "id": "", "outputs": {}}
    kept["records"]["target_logs-1"] |= {"phase": "dying"}
    desk.state_file.write_text(json.dumps(kept, indent=1))
    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
    assert lister.everything(desk.client) == before


def test_a_configuration_of_the_version_before() -> None:
    """It loads without a fault, with the values that it had."""
    config = load(KEPT / "config.yaml", environ={}, mode=None)
    assert isinstance(config, Config), config
    assert (config.name, config.mode, dict(config.tags)["cost-center"]) == ("kept", "local", "42")
    assert f"{config.retries.limits().throttled}" == "0:05:00"


def test_a_connection_of_the_version_before() -> None:
    """`sre-agent` reads who to ask, and where the secret is."""
    document = json.loads((KEPT / "connection.json").read_text())
    read = connection.load(KEPT / "connection.json")
    assert (read.deployment_id, read.assistant_url, read.client_id) == ("sre-f537b2aa06", "https://127.73.6.113", document["client_id"])
    assert read.client_secret.secret_arn == document["client_secret"]["secret_arn"]
    assert read.registry == document["aws"]["registry"]
