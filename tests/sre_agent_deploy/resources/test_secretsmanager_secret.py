"""Secrets are made once, kept, and never shown."""

from __future__ import annotations

import json

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref, Text
from sre_agent_deploy.resources.secretsmanager_secret import GeneratedSecret, StoredSecret
from sre_core.secret import Secret

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused


def generated(deployment: str) -> GeneratedSecret:
    return GeneratedSecret(name="key", secret_name=f"{deployment}/key", json_key="api_key", description="for tests")


def stored(deployment: str, value: str = "a value for tests") -> StoredSecret:
    return StoredSecret(name="client", secret_name=f"{deployment}/client", values=(("client_secret", Secret(value)), ("client_id", "abc")))


def text(aws: Aws, id: str) -> str:
    return aws.client("secretsmanager").get_secret_value(SecretId=id)["SecretString"]


def test_a_generated_secret_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is made, found by its deployment, and deleted so that its name is free at once."""
    check_life_cycle(aws, generated(deployment), marked("key"))
    check_life_cycle(aws, generated(deployment), marked("key"))


def test_a_generated_value(aws: Aws, marked: Marked, deployment: str) -> None:
    """It has 48 characters, is another one each time, stays when configured again, and prints as stars."""
    declared = generated(deployment)
    id = create(aws, declared, marked("key"))
    first = json.loads(text(aws, id))["api_key"]
    assert len(first) == 48
    configure(aws, declared, id)
    assert json.loads(text(aws, id)) == {"api_key": first}
    outputs = read(aws, declared, id).outputs
    assert outputs["value"] == Secret(first)
    assert first not in str(outputs)
    delete(aws, declared, id, deployment)
    create(aws, declared, marked("key"))
    assert json.loads(text(aws, id))["api_key"] != first
    delete(aws, declared, id, deployment)


def test_another_key_for_a_generated_value(aws: Aws, marked: Marked, deployment: str) -> None:
    """The value that programs use moves to its new key; it is not made anew."""
    declared = generated(deployment)
    id = create(aws, declared, marked("key"))
    value = read(aws, declared, id).outputs["value"]
    check_repair(aws, declared, id, json_key="key", description="another")
    assert read(aws, declared, id).outputs["value"] == value
    delete(aws, declared, id, deployment)


@pytest.mark.parametrize("damage", ["no JSON", "[]", "{}"])
def test_a_generated_secret_that_was_damaged_by_hand(aws: Aws, marked: Marked, deployment: str, damage: str) -> None:
    """A text that programs can't read any more is a difference, and gets a new value."""
    declared = generated(deployment)
    id = create(aws, declared, marked("key"))
    aws.client("secretsmanager").put_secret_value(SecretId=id, SecretString=damage)
    assert [entry.field for entry in drift(aws, declared, id)] == ["json_key", "value"]
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_stored_secret_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """The values are kept as one JSON object under their keys."""
    check_life_cycle(aws, stored(deployment), marked("client"))
    id = create(aws, stored(deployment), marked("client"))
    assert json.loads(text(aws, id)) == {"client_id": "abc", "client_secret": "a value for tests"}
    delete(aws, stored(deployment), id, deployment)


def test_a_stored_value_that_changed(aws: Aws, marked: Marked, deployment: str) -> None:
    """Another value is a difference that shows only stars, and is stored."""
    declared = stored(deployment)
    id = create(aws, declared, marked("client"))
    (difference,) = drift(aws, stored(deployment, "another value"), id)
    assert "value" not in str(difference).replace("values", "")
    check_repair(aws, declared, id, values=stored(deployment, "another value").values)
    delete(aws, declared, id, deployment)


def test_a_creation_that_is_sent_again(aws: Aws, marked: Marked, deployment: str) -> None:
    """With the same client token the same secret answers; with another one the name is taken."""
    declared, mark = stored(deployment), marked("client")
    id = declared.create(aws, mark)
    assert declared.create(aws, mark) == id
    assert refused(aws, declared, marked("client")).code == "SECRET-NAME-TAKEN"
    delete(aws, declared, id, deployment)


def test_values_in_guide_and_template(deployment: str) -> None:
    """A value shows nowhere; one that AWS will choose shows by its name."""
    declared = stored(deployment)
    assert "a value for tests" not in f"{declared} {declared.console()} {declared.template()}"
    later = StoredSecret(name="client", secret_name="s", values=(("client_id", Ref("client", "client_id")),))
    assert any("<client.client_id>" in step for step in later.console())
    assert later.template().properties["SecretString"] == Text(("{", '"client_id": "', Ref("client", "client_id"), '"', "}"))
