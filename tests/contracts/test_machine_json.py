"""The deployer writes machine.json and the instance host reads it, and neither imports the other."""

from __future__ import annotations

import json

from embedded_aws.instances.machine import Machine as HostMachine
from embedded_aws.instances.user_data import written_file
from sre_agent_deploy.instance.machine import Machine, SecretRef
from sre_agent_deploy.instance.user_data import MACHINE_FILE, render_user_data
from sre_core import release


def test_what_is_written_is_what_is_read() -> None:
    """Through the user data, the host understands every service, credential, listener and route as it was meant."""
    names = {name for service in release.services() for name in service.environment}
    credentials = {name for service in release.services() for name in service.credentials}
    written = Machine(
        deployment_id="sre-1",
        name="instance",
        region="us-east-1",
        release_uri="s3://bucket/release.zip",
        release_sha256="0" * 64,
        status_uri="s3://bucket/status/",
        environment=dict.fromkeys(names, "v: 'quoted' # not a comment"),
        credentials={name: SecretRef(f"arn:{name}", "key") for name in credentials},
        certificate=SecretRef("arn:certificate"),
    )
    read = HostMachine.parse(written_file(render_user_data(written).encode(), MACHINE_FILE) or "")
    meant = written.file()
    assert (read.release_uri, read.release_sha256, read.status_uri) == (meant.release_uri, meant.release_sha256, meant.status_uri)
    for theirs, ours in zip(read.services, meant.services, strict=True):
        assert (theirs.name, theirs.command, theirs.health_path) == (ours.name, ours.command, ours.health_path)
        assert theirs.environment == ours.environment
        assert {name: (ref.secret_arn, ref.json_key) for name, ref in theirs.credentials.items()} == {
            name: (ref.secret_arn, ref.json_key) for name, ref in ours.credentials.items()
        }
    assert json.dumps(written.to_json()["front_door"]["listeners"]) == json.dumps(
        [
            {"port": each.port, "scope": each.scope, "routes": [{"path": route.path, "service": route.service} for route in each.routes]}
            for each in read.front_door.listeners
        ]
    )
