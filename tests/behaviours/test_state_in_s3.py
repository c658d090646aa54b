"""A team keeps a deployment's state in S3: any of its machines continues from there, one at a time."""

from __future__ import annotations

import dataclasses
import json

from behaviours import certificates
from behaviours.command_line import Desk

FILES = {"cert": "fullchain.pem", "key": "privkey.pem", "ca": "ca.pem"}


def test_a_deployment_whose_state_is_in_s3(desk: Desk) -> None:
    """It is deployed, shown, refused while another run holds the lock, unlocked and cleaned up, without a local state file, and at
    last from a folder that knows nothing of the state.
    """
    desk.start_aws("--no-boot")
    s3 = desk.client("s3")
    s3.create_bucket(Bucket="team-states")
    registry = desk.registry()
    aws = {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
    }
    where = ("--state-file", "s3://team-states/sre/state.json")
    certificates.written(desk.folder, "sre.example.com")
    zone = desk.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    files = {f"ssl_{part}_path": str(desk.folder / file) for part, file in FILES.items()}
    names = {"domain_name": "sre.example.com", "hosted_zone_id": zone, **files}
    desk.configure(mode="production", aws={"account_id": registry["account_id"]}, deployment=names, tls={"source": "files"})

    # Nothing runs on the instance here, so verification fails; the state is what counts.
    deployed = desk.deploy("deploy", *where, **aws)
    assert "NOT verified" in deployed.out, deployed.text
    document = json.loads(s3.get_object(Bucket="team-states", Key="sre/state.json")["Body"].read())
    assert {record["phase"] for record in document["records"].values()} == {"ready"}
    history = desk.deploy("history", *where, **aws)
    assert "not verified" in history.out  # and the run is listed with its result

    lock = {
        "command": "deploy",
        "who": "ada",
        "host": "laptop",
        "pid": 7,
        "since": "2026-11-22T15:00:00Z",
        "expires": "2999-01-01T00:00:00Z",
    }
    s3.put_object(Bucket="team-states", Key="sre/state.json.lock", Body=json.dumps(lock).encode())
    assert "At work now: ada on laptop" in desk.deploy("status", *where, **aws).out
    refused = desk.deploy("cleanup", "--yes", *where, **aws)
    assert refused.code == 1
    assert "STATE-LOCKED" in refused.err
    assert "ada on laptop" in refused.err
    # With no state file at hand, the deployment's own tags lead to the same lock, and to the same state.
    lost = desk.folder / "elsewhere"
    lost.mkdir()
    by_id = ("cleanup", "--yes", "--mode", "production", "--deployment-id", document["deployment"])
    (lost / "config.yaml").write_text((desk.folder / "config.yaml").read_text())
    elsewhere = dataclasses.replace(desk, folder=lost, environ={"SRE_AGENT_STATE_DIR": str(lost / "state")})
    refused = elsewhere.deploy(*by_id, **aws)
    assert (refused.code, "STATE-LOCKED" in refused.err, "ada on laptop" in refused.err) == (1, True, True), refused.text
    assert "UNLOCK-NOT-CONFIRMED" in desk.deploy("unlock", *where, **aws).err
    assert desk.deploy("unlock", "--yes", *where, **aws).code == 0

    cleaned = elsewhere.deploy(*by_id, **aws)
    assert cleaned.code == 0, cleaned.text
    assert "cleaned up" in desk.deploy("history", *where, **aws).out
    assert not desk.state_file.exists()
