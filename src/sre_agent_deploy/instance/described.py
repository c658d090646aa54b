"""What the machine of a deployment runs: its machine.json, before AWS has chosen everything in it (pure)."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance.machine import Machine, SecretRef
from sre_agent_deploy.later import Ref, spelled
from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE, api_key, prefix


def describe_machine(config: Config, site: AccountFacts, id: str) -> Machine:
    """What runs on the instance. Values that AWS has yet to choose stand in it as spelled Refs."""
    identifier = spelled(Ref("resource_server", "identifier"))
    key, own_recording = api_key(config), Path(config.services.recording).is_dir()
    return Machine(
        deployment_id=id,
        name="instance",
        region=site.region,
        release_uri=spelled(Ref("release", "uri")),
        release_sha256=site.release_sha256,
        status_uri=f"s3://{spelled(Ref('bucket', 'bucket_name'))}/{prefix(config, id)}/status/",
        environment={
            "SRE_RECORDING": "recording" if own_recording else config.services.recording,
            "GATEWAY_URL": spelled(Ref("gateway", "gateway_url")),
            "OIDC_DISCOVERY_URL": spelled(Ref("user_pool", "discovery_url")),
            "GATEWAY_CLIENT_ID": spelled(Ref("gateway_client", "client_id")),
            "GATEWAY_SCOPE": f"{identifier}/{GATEWAY_SCOPE}",
            "CALLER_CLIENT_ID": spelled(Ref("caller_client", "client_id")),
            "CALLER_SCOPE": f"{identifier}/{CALLER_SCOPE}",
        },
        credentials={
            "backend-api-key": SecretRef(spelled(key.secret_arn), key.json_key if isinstance(key.json_key, str) else spelled(key.json_key)),
            "gateway-client-secret": SecretRef(spelled(Ref("gateway_client_secret", "secret_arn")), "client_secret"),
        },
        certificate=SecretRef(spelled(Ref("certificate", "secret_arn"))),
        domain=config.deployment.domain_name,
    )
