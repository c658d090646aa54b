"""Where the state is: what an option says, else the configuration, else the file of this folder."""

from __future__ import annotations

import json
import os
import secrets
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.user import UNATTENDED
from sre_agent_deploy.commands.workspace import find_state, open_workspace
from sre_agent_deploy.journal.state import State, render_state
from sre_agent_deploy.journal.store import Store
from sre_core.problem import Refused

STATE = State("sre-1", "123456789012", "us-east-1", "production", "/config.yaml", {"endpoint": "", "start_id": ""})


@pytest.fixture
def bucket(unbooted: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket for states, in the AWS that this folder's commands talk to."""
    name = f"states-{secrets.token_hex(5)}"
    unbooted.client("s3").create_bucket(Bucket=name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", unbooted.endpoint)
    monkeypatch.setenv("AWS_CA_BUNDLE", unbooted.ca_file)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", unbooted.registry["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", unbooted.registry["secret_access_key"])
    return name


def remembered(state_file: Path | None, **given: Any) -> tuple[Store, State | None]:
    """The store and the state that these options find."""
    located = find_state(Request(state_file=state_file, **given))
    return located.store, located.state


def _config(bucket: str, mode: str, region: str = "us-east-1") -> None:
    sections = {
        "aws": {"account_id": "123456789012", "region": region},
        "tls": {"source": "files"},
        "deployment": {"ssl_cert_path": "/c.pem", "ssl_key_path": "/k.pem", "domain_name": "sre.example.com"},
        "state": {"location": f"s3://{bucket}/sre/state.json"},
    }
    Path("config.yaml").write_text(json.dumps({"version": 1, "mode": mode, **sections}))


def test_a_state_that_the_configuration_keeps_in_s3(bucket: str) -> None:
    """Every command finds it there; an option is the user's last word."""
    _config(bucket, "production")
    store, state = remembered(None)
    assert (store.location, state) == (f"s3://{bucket}/sre/state.json", None)
    assert remembered(Path(f"s3://{bucket}/other"))[0].location == f"s3://{bucket}/other"
    assert remembered(Path("here"))[0].location == str(Path("here").absolute())


def test_local_mode(bucket: str) -> None:
    """It keeps its state on this machine, with any other setting in the configuration."""
    _config(bucket, "production")
    assert remembered(None, mode="local")[0].location == str(Path(".deployment_state").absolute())


def test_local_mode_and_a_state_in_s3(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said outright it is refused, before anything is asked of the account whose credentials the user's shell holds."""
    _config(bucket, "local")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    elsewhere = Path(f"s3://{bucket}/sre/state.json")
    for given in ({"mode": "local"}, {"config_file": Path("config.yaml")}, {}):
        with pytest.raises(Refused, match="LOCAL-STATE-IN-S3"):
            remembered(elsewhere, **given)
    located = Request(state_file=elsewhere)
    with pytest.raises(Refused, match="LOCAL-STATE-IN-S3"), open_workspace(find_state(located), UNATTENDED, start=True):
        pass


def test_a_local_state_that_was_copied_to_s3(unbooted: EmbeddedAws, bucket: str) -> None:
    """It is refused also where only the state itself says that the deployment is local."""
    unbooted.client("s3").put_object(Bucket=bucket, Key="state", Body=render_state(replace(STATE, mode="local")))
    with pytest.raises(Refused, match="LOCAL-STATE-IN-S3"):
        remembered(Path(f"s3://{bucket}/state"))


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_bucket_in_another_region(unbooted: EmbeddedAws, bucket: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 is called in the configured region, not in that of the shell, and its redirect to the bucket's region is followed."""
    abroad = f"{bucket}-abroad"
    client = unbooted.client("s3", region_name="eu-west-1")
    client.create_bucket(Bucket=abroad, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket=abroad, Key="sre/state.json", Body=render_state(STATE))
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    _config(abroad, "production", region)
    store, state = remembered(None)
    assert state == STATE
    store.save(STATE)


def test_no_configuration(bucket: str) -> None:
    """Without one, or with one that has faults, it is the file of this folder."""
    default = str(Path(".deployment_state").absolute())
    assert remembered(None)[0].location == default
    Path("config.yaml").write_text("no: [configuration")
    assert remembered(None)[0].location == default


@pytest.mark.timeout(60)
def test_a_configuration_that_can_be_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command reads the file once, so it may come from a pipe: `--config <(render)`."""
    monkeypatch.chdir(tmp_path)
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("version: 1\nmode: local\nname: piped\n",))
    writer.start()
    located = find_state(Request(config_file=pipe))
    assert located.config().name == "piped"
    assert located.of_deployed().config() is located.config()
    writer.join()
