"""List what calls of AgentCore and Bedrock must be allowed."""

from __future__ import annotations

from collections.abc import Iterator

from embedded_aws.agentcore.workload_tokens import workload_in
from embedded_aws.authorization.call import Call
from embedded_aws.authorization.demand import ANY, Demand, demand_on, demand_role, demand_tagging
from embedded_aws.authorization.state import ResourceState
from sre_core import bedrock

# Credential providers, as operations name them; in an ARN the kind is in lower case.
_PROVIDERS = ("ApiKeyCredentialProvider", "Oauth2CredentialProvider")
_IN_VAULT = ("GetTokenVault", "SetTokenVaultCMK")
_NETWORK_SERVICE = "network.bedrock-agentcore.amazonaws.com"
_AGENT_READS = {"GetResourceApiKey": "apikeycredentialprovider", "GetResourceOauth2Token": "oauth2credentialprovider"}


def list_agentcore(call: Call, state: ResourceState) -> Iterator[Demand]:
    vault = call.arn("token-vault/default")
    if gateway := call.text("gatewayIdentifier"):
        yield from demand_on(call, call.arn(f"gateway/{gateway.rpartition('/')[2]}"))
    elif runtime := call.text("agentRuntimeId"):
        endpoint = call.text("endpointName", "name")
        yield from demand_on(
            call, call.arn(f"runtime/{runtime}"), *((call.arn(f"runtime/{runtime}/runtime-endpoint/{endpoint}"),) if endpoint else ())
        )
    elif kind := next((kind for kind in _PROVIDERS if kind in call.operation), ""):
        yield from demand_on(call, vault, f"{vault}/{kind.lower()}/{call.text('name') or ANY}")
    elif call.operation in _IN_VAULT:
        yield from demand_on(call, call.arn(f"token-vault/{call.text('tokenVaultId') or 'default'}"))
    elif "Workload" in call.operation:
        yield from demand_on(call, *_workload(call, call.text("name", "workloadName") or ANY))
    elif provider := _AGENT_READS.get(call.operation):
        name = call.text("resourceCredentialProviderName")
        yield from demand_on(
            call, vault, f"{vault}/{provider}/{name}", *_workload(call, workload_in(call.text("workloadIdentityToken")) or ANY)
        )
    else:
        yield from demand_on(call, call.text("resourceArn") or ANY)
    yield from _agentcore_besides(call, state)


def _workload(call: Call, name: str) -> tuple[str, str]:
    """Return the directory of workload identities, and one in it."""
    directory = call.arn("workload-identity-directory/default")
    return directory, f"{directory}/workload-identity/{name}"


def _agentcore_besides(call: Call, state: ResourceState) -> Iterator[Demand]:
    """List what AgentCore does as the caller, and not as the gateway's role."""
    if role := call.text("roleArn"):
        yield demand_role(role, "bedrock-agentcore.amazonaws.com")
    if call.operation == "CreateGateway":
        yield from _creates_identity(call, call.text("name").lower())
        yield from demand_tagging(call, "TagResource", call.arn(f"gateway/{call.text('name').lower()}-AbCdEfGhIj"))
    if call.operation == "CreateAgentRuntime":
        yield from _creates_identity(call, call.text("agentRuntimeName"))
        yield from demand_tagging(call, "TagResource", call.arn(f"runtime/{call.text('agentRuntimeName')}-AbCdEfGhIj"))
    if call.operation == "CreateAgentRuntimeEndpoint":
        yield from demand_tagging(
            call, "TagResource", call.arn(f"runtime/{call.text('agentRuntimeId')}/runtime-endpoint/{call.text('name')}")
        )
    if call.operation.startswith("Create") and (kind := next((kind for kind in _PROVIDERS if kind in call.operation), "")):
        yield from demand_tagging(call, "TagResource", call.arn(f"token-vault/default/{kind.lower()}/{call.text('name')}"))
    if call.operation == "CreateWorkloadIdentity":
        yield from demand_tagging(call, "TagResource", _workload(call, call.text("name"))[1])
    for named in (call.parameters, *(call.parameters.get("oauth2ProviderConfigInput") or {}).values()):
        for member in ("apiKeySecretConfig", "clientSecretConfig"):
            if secret := (named.get(member) or {}).get("secretId"):
                yield Demand("secretsmanager:GetSecretValue", state.secret_arn(secret) or secret)
    target = (call.parameters.get("targetConfiguration") or {}).get("mcp") or {}
    if uri := ((target.get("openApiSchema") or {}).get("s3") or {}).get("uri"):
        yield Demand("s3:GetObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}")
    if (call.parameters.get("networkConfiguration") or {}).get("networkMode") == "VPC":
        # The role that AgentCore uses for network interfaces never exists here, so each call creates it.
        role = f"aws-service-role/{_NETWORK_SERVICE}/AWSServiceRoleForBedrockAgentCoreNetwork"
        yield Demand("iam:CreateServiceLinkedRole", f"arn:aws:iam::{call.account_id}:role/{role}", {"iam:AWSServiceName": _NETWORK_SERVICE})
    code = ((call.parameters.get("agentRuntimeArtifact") or {}).get("codeConfiguration") or {}).get("code") or {}
    if package := code.get("s3"):
        action = "s3:GetObjectVersion" if package.get("versionId") else "s3:GetObject"
        yield Demand(action, f"arn:aws:s3:::{package['bucket']}/{package['prefix']}")


def _creates_identity(call: Call, name: str) -> Iterator[Demand]:
    for resource in _workload(call, f"{name}-AbCdEfGhIj"):
        yield Demand("bedrock-agentcore:CreateWorkloadIdentity", resource)


def list_bedrock(call: Call, state: ResourceState) -> Iterator[Demand]:
    actions = {"Converse": "InvokeModel", "ConverseStream": "InvokeModelWithResponseStream"}
    model = call.text("modelId")
    if call.operation not in (*actions, *actions.values()):
        yield from demand_on(call)
        return
    action, name = f"bedrock:{actions.get(call.operation, call.operation)}", bedrock.model_of(model)
    if model.startswith("arn:"):
        yield Demand(action, model)
        return
    through: dict[str, str] = {}
    if name != model:
        through = {"bedrock:InferenceProfileArn": call.arn(f"inference-profile/{model}")}
        yield from (Demand(action, profile) for profile in through.values())
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html: the model in every region of the profile.
    for region in bedrock.list_destinations(model, call.region):
        yield Demand(action, call.arn(f"foundation-model/{name}", region=region, account=""), through)
