"""AgentCore Identity: OAuth2 credential providers, workload identities, the token vault, and what an agent gets with them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from embedded_aws.agentcore.workload_tokens import WorkloadTokens

from .conftest import ACCOUNT_ID, PERMISSIONS, REGION, Api, Aws, Json, unique
from .test_credential_providers import code_of

SECRET = f"client-secret-{uuid.uuid4()}"
SERVER = {
    "issuer": "https://issuer.example.com",
    "authorizationEndpoint": "https://issuer.example.com/authorize",
    "tokenEndpoint": "https://issuer.example.com/token",
}
URL = {"discoveryUrl": "https://issuer.example.com/.well-known/openid-configuration"}


def custom(**changes: Any) -> Json:
    config = {"oauthDiscovery": URL, "clientId": "c", "clientSecret": SECRET, **changes}
    given = {name: value for name, value in config.items() if value is not None}
    return {"credentialProviderVendor": "CustomOauth2", "oauth2ProviderConfigInput": {"customOauth2ProviderConfig": given}}


def of_vendor(vendor: str, member: str, **config: Any) -> Json:
    given = {"clientId": "c", "clientSecret": SECRET, **config}
    return {"credentialProviderVendor": vendor, "oauth2ProviderConfigInput": {f"{member}Oauth2ProviderConfig": given}}


def test_the_life_of_a_client(aws: Aws, control: Any) -> None:
    """The secret is kept in Secrets Manager, replaced there, deleted with the provider, and never in an answer."""
    name, secrets = unique("client"), aws.client("secretsmanager")
    made = control.create_oauth2_credential_provider(name=name, **custom(), tags={"team": "sre"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    arn = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT_ID}:token-vault/default/oauth2credentialprovider/{name}"
    assert made["credentialProviderArn"] == arn
    assert made["callbackUrl"].startswith(f"https://bedrock-agentcore.{REGION}.amazonaws.com/identities/oauth2/callback/")
    found = control.get_oauth2_credential_provider(name=name)
    assert found["oauth2ProviderConfigOutput"] == {"customOauth2ProviderConfig": {"oauthDiscovery": URL, "clientId": "c"}}
    assert control.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "sre"}
    place = found["clientSecretArn"]["secretArn"]
    assert json.loads(secrets.get_secret_value(SecretId=place)["SecretString"])[found["clientSecretJsonKey"]] == SECRET
    changed = control.update_oauth2_credential_provider(name=name, **custom(clientSecret="another", clientId="d"))
    assert changed["clientSecretArn"]["secretArn"] == place
    assert "another" in secrets.get_secret_value(SecretId=place)["SecretString"]
    listed = [each for page in control.get_paginator("list_oauth2_credential_providers").paginate() for each in page["credentialProviders"]]
    assert name in [each["name"] for each in listed]
    assert SECRET not in repr((made, found, changed, listed))
    assert code_of(control, "create_oauth2_credential_provider", name=name, **custom()) == "ConflictException"
    assert control.delete_oauth2_credential_provider(name=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=place)
    assert code_of(control, "get_oauth2_credential_provider", name=name) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "request_without_name",
    [
        {},
        custom(clientSecret=None),
        custom(clientId=None),
        custom(oauthDiscovery={"discoveryUrl": "https://issuer.example.com"}),
        custom(oauthDiscovery={"discoveryUrl": URL["discoveryUrl"].replace("https", "http")}),
        custom(oauthDiscovery={"authorizationServerMetadata": {"issuer": "https://i"}}),
        custom(oauthDiscovery={}),
        custom(clientSecretSource="EXTERNAL"),
        custom(clientAuthenticationMethod="PRIVATE_KEY_JWT"),
        custom(onBehalfOfTokenExchangeConfig={"grantType": "TOKEN_EXCHANGE"}),
        {**custom(), "credentialProviderVendor": "GithubOauth2"},
        {**custom(), "credentialProviderVendor": "Nobody"},
        of_vendor("OktaOauth2", "included"),
        of_vendor("OktaOauth2", "included", **{**SERVER, "tokenEndpoint": "http://issuer.example.com/token"}),
    ],
)
def test_a_client_that_can_not_work(control: Any, request_without_name: Json) -> None:
    """A provider needs a server, a client and its secret; what the local AWS does not serve is refused too."""
    assert code_of(control, "create_oauth2_credential_provider", name=unique("p"), **request_without_name) == "ValidationException"


@pytest.mark.parametrize(
    ("vendor", "member", "config", "discovery"),
    [
        ("GoogleOauth2", "google", {}, "https://accounts.google.com/.well-known/openid-configuration"),
        ("GithubOauth2", "github", {}, "https://github.com/login/oauth/access_token"),
        ("MicrosoftOauth2", "microsoft", {"tenantId": "t"}, "https://login.microsoftonline.com/t/v2.0/.well-known/openid-configuration"),
        ("SpotifyOauth2", "included", {}, "https://accounts.spotify.com/api/token"),
        ("CognitoOauth2", "included", SERVER, SERVER["tokenEndpoint"]),
    ],
)
def test_vendors(control: Any, vendor: str, member: str, config: Json, discovery: str) -> None:
    """The servers of known vendors need not be described; those of one customer are as the request has them."""
    name = unique("vendor")
    made = control.create_oauth2_credential_provider(name=name, **of_vendor(vendor, member, **config))
    found = made["oauth2ProviderConfigOutput"][f"{member}Oauth2ProviderConfig"]["oauthDiscovery"]
    assert (found.get("discoveryUrl") or found["authorizationServerMetadata"]["tokenEndpoint"]) == discovery
    control.delete_oauth2_credential_provider(name=name)


def test_workload_identities(control: Any, shared_gateway: Json) -> None:
    """Those of callers are theirs; that of a gateway is listed, and neither deleted by itself nor given a token."""
    name, url = unique("agent"), "https://app.example.com/back"
    made = control.create_workload_identity(name=name, allowedResourceOauth2ReturnUrls=[url], tags={"team": "sre"})
    assert made["workloadIdentityArn"].endswith(f":workload-identity-directory/default/workload-identity/{name}")
    assert control.list_tags_for_resource(resourceArn=made["workloadIdentityArn"])["tags"] == {"team": "sre"}
    assert control.get_workload_identity(name=name)["allowedResourceOauth2ReturnUrls"] == [url]
    assert control.update_workload_identity(name=name)["allowedResourceOauth2ReturnUrls"] == []
    linked = shared_gateway["gatewayId"]
    pages = control.get_paginator("list_workload_identities").paginate()
    assert {name, linked} <= {each["name"] for page in pages for each in page["workloadIdentities"]}
    assert code_of(control, "create_workload_identity", name=name) == "ConflictException"
    assert code_of(control, "create_workload_identity", name="a b") == "ValidationException"
    assert code_of(control, "delete_workload_identity", name=linked) == "ValidationException"
    control.delete_workload_identity(name=name)
    for operation in ("get", "update", "delete"):
        assert code_of(control, f"{operation}_workload_identity", name=name) == "ResourceNotFoundException"


def test_the_token_vault(aws: Aws, control: Any) -> None:
    """Its key is AgentCore's until an enabled key of the account is set."""
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    mine = {"keyType": "CustomerManagedKey", "kmsKeyArn": key}
    assert control.get_token_vault()["kmsConfiguration"] == {"keyType": "ServiceManagedKey"}
    assert control.set_token_vault_cmk(kmsConfiguration=mine)["kmsConfiguration"] == mine
    assert control.get_token_vault(tokenVaultId="default")["kmsConfiguration"] == mine
    kms.disable_key(KeyId=key.rpartition("/")[2])
    absent = f"{key.rpartition('/')[0]}/{uuid.uuid4()}"
    for refused in (mine, {**mine, "kmsKeyArn": absent}, {"keyType": "CustomerManagedKey"}, {**mine, "keyType": "ServiceManagedKey"}):
        assert code_of(control, "set_token_vault_cmk", kmsConfiguration=refused) == "ValidationException", refused
    assert code_of(control, "get_token_vault", tokenVaultId="other") == "ResourceNotFoundException"
    control.set_token_vault_cmk(kmsConfiguration={"keyType": "ServiceManagedKey"})


@dataclass(frozen=True)
class Server:
    """A Cognito pool as the authorization server, and one of its clients, which two providers know."""

    discovery_url: str
    client_id: str
    provider: Json
    with_wrong_secret: Json


@pytest.fixture(scope="module")
def server(aws: Aws, control: Any) -> Iterator[Server]:
    cognito, domain = aws.client("cognito-idp"), unique("identity")
    pool = cognito.create_user_pool(PoolName=domain)["UserPool"]["Id"]
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    cognito.create_resource_server(UserPoolId=pool, Identifier="api", Name="api", Scopes=scopes)
    cognito.create_user_pool_domain(Domain=domain, UserPoolId=pool)
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="c", GenerateSecret=True, AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"], AllowedOAuthScopes=["api/read"],
    )["UserPoolClient"]  # fmt: skip
    url = f"{aws.account.endpoint}/{pool}/.well-known/openid-configuration"
    config = {"oauthDiscovery": {"discoveryUrl": url}, "clientId": client["ClientId"], "clientSecret": client["ClientSecret"]}
    names = unique("good"), unique("wrong")
    providers = [control.create_oauth2_credential_provider(name=names[0], **custom(**config))]
    providers.append(control.create_oauth2_credential_provider(name=names[1], **custom(**{**config, "clientSecret": SECRET})))
    yield Server(url, client["ClientId"], *providers)
    for name in names:
        control.delete_oauth2_credential_provider(name=name)


def oauth(provider: Json, **changes: Any) -> Json:
    outbound = {"providerArn": provider["credentialProviderArn"], "scopes": ["api/read"], **changes}
    configured = [{"credentialProviderType": "OAUTH", "credentialProvider": {"oauthCredentialProvider": outbound}}]
    return {"credentialProviderConfigurations": configured}


def claims_of(token: str) -> Json:
    import base64

    payload = token.split(".")[1]
    found: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def permissions() -> Json:
    actions = [*PERMISSIONS["Statement"][0]["Action"], "bedrock-agentcore:GetResourceOauth2Token"]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    }


def test_a_target_with_a_client(
    aws: Aws, control: Any, server: Server, api: Any, make_role: Any, make_gateway: Any, make_target: Any, caller_of: Any
) -> None:
    """Its requests have a token of the client, fetched once; the sender of the request is not passed on."""
    gateway = make_gateway(roleArn=make_role(permissions=permissions()), exceptionLevel="DEBUG")
    make_target(gateway, **oauth(server.provider))
    make_target(gateway, name="refused", **oauth(server.with_wrong_secret))
    make_target(gateway, name="wide", **oauth(server.provider, scopes=["api/write"]))
    caller = caller_of(gateway)
    for _ in range(2):
        assert not caller.call("pods___get_pod_status", pod_name="web")["isError"]
    tokens = [request["headers"]["authorization"].removeprefix("Bearer ") for request in api.requests]
    assert len(set(tokens)) == 1
    claims = claims_of(tokens[0])
    assert (claims["client_id"], claims["scope"]) == (server.client_id, "api/read")
    for target, error in {"refused": "invalid_client", "wide": "invalid_scope"}.items():
        failed = caller.call(f"{target}___get_pod_status", pod_name="web")
        assert failed["isError"] and error in failed["content"][0]["text"], failed
    assert len(api.requests) == 2


def test_the_role_of_a_gateway_with_clients(
    aws: Aws, server: Server, api: Any, make_role: Any, make_gateway: Any, make_target: Any, caller_of: Any
) -> None:
    """It needs the action for OAuth tokens, also within its permissions boundary; that for API keys does not do."""
    iam, bounded = aws.client("iam"), make_role(permissions=permissions())
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=json.dumps(PERMISSIONS))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=bounded.rpartition("/")[2], PermissionsBoundary=boundary)
    for role in (make_role(), bounded):
        gateway = make_gateway(roleArn=role, exceptionLevel="DEBUG")
        make_target(gateway, **oauth(server.provider))
        failed = caller_of(gateway).call("pods___get_pod_status", pod_name="web")
        assert "is not authorized to perform bedrock-agentcore:GetResourceOauth2Token" in failed["content"][0]["text"]
    assert not api.requests


def test_targets_that_are_refused(control: Any, server: Server, provider: Json, gateway: Json, make_target: Any) -> None:
    """A provider of the other kind is none, and the grants for a user are not served."""
    for changes, error in (
        (oauth(provider), "ResourceNotFoundException"),
        (oauth(server.provider, grantType="AUTHORIZATION_CODE"), "ValidationException"),
        (oauth(server.provider, grantType="TOKEN_EXCHANGE"), "ValidationException"),
    ):
        with pytest.raises(control.exceptions.ClientError) as refused:
            make_target(gateway, **changes)
        assert refused.value.response["Error"]["Code"] == error


@pytest.fixture
def agent(control: Any) -> Iterator[str]:
    name = unique("agent")
    control.create_workload_identity(name=name)
    yield name
    control.delete_workload_identity(name=name)


def test_what_an_agent_gets(aws: Aws, control: Any, server: Server, provider: Json, agent: str, issuer: Any, shared_gateway: Json) -> None:
    """With the token of its identity an agent gets keys and tokens; a user's token is checked before one is given for it."""
    data = aws.client("bedrock-agentcore")
    own = data.get_workload_access_token(workloadName=agent)["workloadAccessToken"]
    for_user = data.get_workload_access_token_for_user_id(workloadName=agent, userId="u")["workloadAccessToken"]
    for_jwt = data.get_workload_access_token_for_jwt(workloadName=agent, userToken=issuer.token(sub="u"))["workloadAccessToken"]
    asks = {"resourceCredentialProviderName": server.provider["name"], "scopes": ["api/read"], "oauth2Flow": "M2M"}
    for token in (own, for_user, for_jwt):
        assert data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=provider["name"])["apiKey"]
        found = data.get_resource_oauth2_token(workloadIdentityToken=token, **asks)["accessToken"]
        assert claims_of(found)["client_id"] == server.client_id
    again = data.get_resource_oauth2_token(workloadIdentityToken=own, **asks, forceAuthentication=True)["accessToken"]
    assert claims_of(again)["jti"] != claims_of(found)["jti"]

    forged = f"{own.partition('.')[0]}.{'A' * 43}"
    refused = {
        ("get_resource_api_key", "UnauthorizedException"): {"workloadIdentityToken": forged, "resourceCredentialProviderName": "x"},
        ("get_resource_oauth2_token", "UnauthorizedException"): {"workloadIdentityToken": forged, **asks},
        ("get_resource_oauth2_token", "ValidationException"): {"workloadIdentityToken": own, **asks, "oauth2Flow": "USER_FEDERATION"},
        ("get_resource_oauth2_token", "ResourceNotFoundException"): {
            "workloadIdentityToken": own, **asks, "resourceCredentialProviderName": "absent",
        },
        ("get_workload_access_token", "ResourceNotFoundException"): {"workloadName": "absent"},
        ("get_workload_access_token", "ValidationException"): {"workloadName": shared_gateway["gatewayId"]},
        ("get_workload_access_token_for_jwt", "ValidationException"): {"workloadName": agent, "userToken": issuer.token(exp=1)},
    }  # fmt: skip
    for (operation, code), request in refused.items():
        assert code_of(data, operation, **request) == code, (operation, code)
    gone = unique("agent")
    control.create_workload_identity(name=gone)
    token = data.get_workload_access_token(workloadName=gone)["workloadAccessToken"]
    control.delete_workload_identity(name=gone)
    assert code_of(data, "get_resource_api_key", workloadIdentityToken=token, resourceCredentialProviderName=provider["name"]) == (
        "UnauthorizedException"
    )
    # What the pattern of the API lets through, although it is no token.
    for made_up in ("no-token", "a.b.c", f"a.{'A' * 43}.c"):
        assert code_of(data, "get_workload_access_token_for_jwt", workloadName=agent, userToken=made_up) == "ValidationException"
    other = {"customParameters": {"grant_type": "password"}, "forceAuthentication": True}
    found = data.get_resource_oauth2_token(workloadIdentityToken=own, **asks, **other)["accessToken"]
    assert claims_of(found)["client_id"] == server.client_id
    unsigned = data.get_resource_oauth2_token
    with pytest.raises(data.exceptions.ValidationException, match="invalid_client"):
        unsigned(workloadIdentityToken=own, **{**asks, "resourceCredentialProviderName": server.with_wrong_secret["name"]})


def test_how_long_a_token_is_kept(aws: Aws, control: Any, agent: str) -> None:
    """Until shortly before its end: a call in its last seconds gets a new one, a call before that the one that is there."""
    data, name, issuing = aws.client("bedrock-agentcore"), unique("keeps"), Api()
    own = data.get_workload_access_token(workloadName=agent)["workloadAccessToken"]
    asks = {"resourceCredentialProviderName": name, "scopes": ["api/read"], "oauth2Flow": "M2M", "workloadIdentityToken": own}
    found = []
    with aws.https(issuing) as url:
        metadata = {**SERVER, "tokenEndpoint": f"{url}/token"}
        control.create_oauth2_credential_provider(name=name, **custom(oauthDiscovery={"authorizationServerMetadata": metadata}))
        for token, seconds in (("first", 9), ("second", 3600), ("third", 3600)):
            issuing.body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": seconds}).encode()
            found.append(data.get_resource_oauth2_token(**asks)["accessToken"])
        control.delete_oauth2_credential_provider(name=name)
    assert found == ["first", "second", "second"]


def test_a_token_that_has_expired() -> None:
    """The token of an identity is good for a quarter of an hour; its time is within what is signed."""
    tokens = WorkloadTokens()
    payload, _, signature = tokens.issue("agent", "").reveal().partition(".")
    assert tokens.verify(f"{payload}.{signature}") == "agent"
    for seconds, expected in ((60, "agent"), (-1, "")):
        parts = {"workload": "agent", "user": "", "expires": time.time() + seconds}
        payload = base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()
        assert tokens.verify(f"{payload}.{signature}") == ""
        assert tokens.verify(f"{payload}.{tokens._sign(payload)}") == expected


def test_what_an_agent_must_be_allowed(aws: Aws, provider: Json, agent: str) -> None:
    """The identity, its directory, the vault, the provider, and the secret itself: without any one the key stays where it is."""
    import boto3

    iam, user = aws.client("iam"), unique("user")
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    data = session.client("bedrock-agentcore", endpoint_url=aws.account.endpoint, verify=str(aws.account.authority.ca_file))
    prefix = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT_ID}"
    directory, vault = f"{prefix}:workload-identity-directory/default", f"{prefix}:token-vault/default"
    places = [directory, f"{directory}/workload-identity/{agent}", vault, provider["credentialProviderArn"]]
    actions = ["bedrock-agentcore:GetWorkloadAccessToken", "bedrock-agentcore:GetResourceApiKey"]

    def get_key(resources: list[str], *others: Json) -> str:
        statements = [{"Effect": "Allow", "Action": actions, "Resource": resources}, *others]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document)
        token = data.get_workload_access_token(workloadName=agent)["workloadAccessToken"]
        return str(data.get_resource_api_key(workloadIdentityToken=token, resourceCredentialProviderName=provider["name"])["apiKey"])

    secret = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": provider["apiKeySecretArn"]["secretArn"]}
    assert get_key(places, secret)
    for without in places:
        with pytest.raises(data.exceptions.AccessDeniedException):
            get_key([place for place in places if place != without], secret)
    with pytest.raises(data.exceptions.AccessDeniedException, match="secretsmanager:GetSecretValue"):
        get_key(places)


def policy_for(arn: str, **changes: Any) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "bedrock-agentcore:InvokeGateway", "Resource": arn, **changes}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_policy_of_a_gateway(control: Any, gateway: Json, caller_of: Any) -> None:
    """Where there is one, it must allow the call of a caller with an accepted token; a deny wins."""
    arn, caller = gateway["gatewayArn"], caller_of(gateway)
    assert "policy" not in control.get_resource_policy(resourceArn=arn)
    outside = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    here = {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "127.0.0.0/8"]}}
    for changes, allowed in (
        ({}, True),
        ({"Condition": here}, True),
        ({"Condition": outside}, False),
        ({"Effect": "Deny"}, False),
        ({"Action": "bedrock-agentcore:InvokeAgentRuntime"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1a2b3c4d"}}}, False),
    ):
        text = policy_for(arn, **changes)
        assert control.put_resource_policy(resourceArn=arn, policy=text)["policy"] == text
        assert caller.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == (200 if allowed else 403), changes
    control.delete_resource_policy(resourceArn=arn)
    assert caller.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == 200
    for wrong in ({"Resource": "*"}, {"Principal": {"AWS": ACCOUNT_ID}}, {"Action": "s3:GetObject"}, {"Effect": "Maybe"}):
        assert code_of(control, "put_resource_policy", resourceArn=arn, policy=policy_for(arn, **wrong)) == "ValidationException"
    assert code_of(control, "put_resource_policy", resourceArn=arn, policy="{") == "ValidationException"
    absent = arn.replace(gateway["gatewayId"], "absent-0123456789")
    assert code_of(control, "get_resource_policy", resourceArn=absent) == "ResourceNotFoundException"
