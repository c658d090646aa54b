"""Bedrock of the local AWS, with unmodified boto3: answers come from a script."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from fixtures.api_key import make_api_key
from fixtures.embedded import EmbeddedAws, served
from sre_core.bedrock import list_destinations

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKED = {"modelId": MODEL, "system": [{"text": "Be brief."}], "messages": [{"role": "user", "content": [{"text": "Which pod? pod-7f"}]}]}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    folder = tmp_path_factory.mktemp("scripted")
    with served(folder, "--no-boot", "--bedrock-script", str(folder / "script.json")) as running:
        yield running


def write_script(aws: EmbeddedAws, *answers: dict[str, Any], **availability: dict[str, str]) -> None:
    (aws.state_dir / "script.json").write_text(json.dumps({"answers": answers, "availability": availability}))


def test_converse(aws: EmbeddedAws) -> None:
    """The first rule that fits answers, with what it quotes from the conversation, and with its tool calls."""
    tool = {"name": "get_pod_status", "arguments": {"pod_name": "<<pod-[0-9a-f]+>>"}}
    write_script(aws, {"system": "long", "text": "no"}, {"turn": 0, "text": "I look.", "tools": [tool]}, {"turn": 1, "text": "Done."})
    answer = aws.client("bedrock-runtime").converse(**ASKED)
    text, call = answer["output"]["message"]["content"]
    assert text["text"] == "I look."
    assert call["toolUse"]["input"] == {"pod_name": "pod-7f"}
    assert answer["stopReason"] == "tool_use"
    result = {"toolResult": {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"text": "running"}]}}
    further = [*ASKED["messages"], answer["output"]["message"], {"role": "user", "content": [result]}]
    assert aws.client("bedrock-runtime").converse(**{**ASKED, "messages": further})["output"]["message"]["content"] == [{"text": "Done."}]


def test_converse_stream(aws: EmbeddedAws) -> None:
    """The same answer comes as events, which botocore decodes and whose checksums it verifies."""
    write_script(aws, {"text": "Half and half", "tools": [{"name": "look", "arguments": {"at": 1}}], "usage": {"cache_read": 7}})
    events = list(aws.client("bedrock-runtime").converse_stream(**ASKED)["stream"])
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta.get("text", "") for delta in deltas) == "Half and half"
    assert json.loads(next(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)) == {"at": 1}
    assert events[-1]["metadata"]["usage"]["cacheReadInputTokens"] == 7
    assert events[-2] == {"messageStop": {"stopReason": "tool_use"}}


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_errors(aws: EmbeddedAws, operation: str) -> None:
    """A script may refuse; a request that no rule fits is refused too."""
    client = aws.client("bedrock-runtime")
    write_script(aws, {"error": "ThrottlingException", "status": 429, "message": "Too many tokens"})
    with pytest.raises(client.exceptions.ThrottlingException, match="Too many tokens"):
        getattr(client, operation)(**ASKED)
    write_script(aws)
    with pytest.raises(client.exceptions.ValidationException):
        getattr(client, operation)(**ASKED)


def test_availability(aws: EmbeddedAws) -> None:
    """Each model is available, unless the script says otherwise."""
    client = aws.client("bedrock")
    write_script(aws, **{"amazon.nova-pro-v1:0": {"entitlement": "NOT_AVAILABLE"}, "x.y": {"error": "AccessDeniedException"}})
    assert client.get_foundation_model_availability(modelId="amazon.nova-lite-v1:0")["entitlementAvailability"] == "AVAILABLE"
    assert client.get_foundation_model_availability(modelId="amazon.nova-pro-v1:0")["entitlementAvailability"] == "NOT_AVAILABLE"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_foundation_model_availability(modelId="x.y")
    with pytest.raises(ClientError):
        client.get_foundation_model(modelIdentifier="x.y")


def test_the_models_of_a_role(aws: EmbeddedAws) -> None:
    """A role uses a profile only with the model in every region that it routes to: one region less, and AWS would refuse some requests."""
    write_script(aws, {"text": "ok"})
    iam, model = aws.client("iam"), MODEL.removeprefix("eu.")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName="asks", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    given = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.session.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="eu-west-1")
    client = session.client("bedrock-runtime", endpoint_url=aws.endpoint, verify=str(aws.ca_file))
    profile = f"arn:aws:bedrock:eu-west-1:{aws.account_id}:inference-profile/{MODEL}"
    regions = list_destinations(MODEL, "eu-west-1")
    for routed, allowed in ((regions[1:], False), (regions, True)):
        models = [f"arn:aws:bedrock:{region}::foundation-model/{model}" for region in routed]
        through = {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
        statements = [
            {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": profile},
            {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": models, "Condition": through},
        ]
        iam.put_role_policy(
            RoleName="asks", PolicyName="models", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements})
        )
        if allowed:
            assert client.converse(**ASKED)["output"]["message"]["content"] == [{"text": "ok"}]
        else:
            with pytest.raises(client.exceptions.AccessDeniedException, match=regions[0]):
                client.converse(**ASKED)
    with pytest.raises(client.exceptions.AccessDeniedException, match="WithResponseStream"):
        client.converse_stream(**ASKED)
    with pytest.raises(client.exceptions.AccessDeniedException, match="foundation-model"):
        client.converse(**{**ASKED, "modelId": model})


def ask_with_key(aws: EmbeddedAws, key: str, monkeypatch: pytest.MonkeyPatch, service: str = "bedrock-runtime") -> Any:
    """Return a client of unmodified boto3 that has this key and no other credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
    return boto3.session.Session().client(service, region_name=aws.region, endpoint_url=aws.endpoint, verify=aws.ca_file)


def test_an_api_key(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short-term API key is all that a client needs for models."""
    write_script(aws, {"text": "Hello."})
    answer = ask_with_key(aws, make_api_key(aws), monkeypatch).converse(**ASKED)
    assert answer["output"]["message"]["content"] == [{"text": "Hello."}]


@pytest.mark.parametrize(
    "changed",
    [{"secret": "another"}, {"service": "sts"}, {"action": "GetCallerIdentity"}, None],
    ids=["forged", "of another service", "of another action", "no key"],
)
def test_what_is_no_api_key(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str] | None) -> None:
    """A presigned request of anything else opens nothing, nor does a forged one."""
    key = "ABSK" + base64.b64encode(b"BedrockAPIKey-x:y").decode() if changed is None else make_api_key(aws, **changed)
    client = ask_with_key(aws, key, monkeypatch)
    with pytest.raises(client.exceptions.AccessDeniedException, match="API Key is valid"):
        client.converse(**ASKED)


def test_an_api_key_is_for_bedrock_only(aws: EmbeddedAws) -> None:
    """No other service takes it."""
    request = Request(f"{aws.endpoint}/bucket", headers={"Authorization": f"Bearer {make_api_key(aws)}"})
    context = ssl.create_default_context(cafile=aws.ca_file)
    with pytest.raises(HTTPError) as refused:
        urlopen(request, context=context)  # https
    assert refused.value.code in (403, 404)
    refused.value.close()
