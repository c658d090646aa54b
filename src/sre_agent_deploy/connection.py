"""The file by which `sre-agent` finds a deployment; it holds no secret (docs/concepts/contracts.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sre_agent_deploy.later import Outputs
from sre_core import atomic_file, clock
from sre_core.secret import Secret
from sre_core.state_folder import state_folder

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.checks.verification.endpoint_client import Endpoints


def build_endpoints(outputs: Mapping[str, Outputs], account: Account, *, domain: str, private_ca: tuple[str, ...]) -> Endpoints:
    """Build the endpoints of a deployment from what AWS answered. `private_ca` names the files of CAs that are not public."""
    from sre_agent_deploy.agentcore import ENDPOINT
    from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
    from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE

    def plain(name: str, output: str) -> str:
        return str(outputs[name][output])

    def client(name: str, scope: str) -> Client:
        secret = outputs[f"{name}_secret"]["client_secret"]
        secret = secret if isinstance(secret, Secret) else Secret(secret)
        return Client(plain(name, "client_id"), secret, f"{plain('resource_server', 'identifier')}/{scope}")

    authority = f"{domain}{plain('address', 'https_suffix')}" if domain else plain("address", "https_authority")
    found = Endpoints(
        base_url=f"https://{authority}",
        public_ip=plain("address", "public_ip"),
        gateway_url=plain("gateway", "gateway_url"),
        discovery_url=plain("user_pool", "discovery_url"),
        gateway_client=client("gateway_client", GATEWAY_SCOPE),
        caller_client=client("caller_client", CALLER_SCOPE),
        ca_files=(*private_ca, *account.ca_files()),
        runtime_url=str(outputs.get(ENDPOINT, {}).get("invocation_url", "")),
        service_logs=account.registry.service_logs if account.registry else "",
        public_names=not account.aws.endpoint,
        ipv6_address=str(outputs.get("dns_record", {}).get("ipv6_address", "")),
    )
    return add_custom_domain(found, outputs, account)


def add_custom_domain(endpoints: Endpoints, outputs: Mapping[str, Outputs], account: Account) -> Endpoints:
    """Add the custom domain of the user pool, if it has one; on Amazon's AWS with the token endpoint at the prefix."""
    from sre_agent_deploy.names import prefix_token_endpoint

    custom = outputs.get("custom_domain")
    if not custom:
        return endpoints
    prefix = "" if account.aws.endpoint else str(prefix_token_endpoint(str(outputs["user_pool_domain"]["domain"]), account.aws.region))
    return replace(
        endpoints,
        custom_domain=str(custom["domain"]),
        cloudfront_domain=str(custom["cloudfront_domain"]),
        prefix_token_endpoint=prefix,
    )


def write_connection(deployment: str, endpoints: Endpoints, secret_arn: str, account: Account, *, name: str = "") -> Path:
    """Write the connection file and return its path."""
    path = connection_path(deployment)
    document = {
        "schema": 1,
        "deployment_id": deployment,
        "name": name,
        "written_at": clock.stamp(),
        "assistant_url": endpoints.assistant_url,
        "invocations_url": endpoints.invocations_url,
        "ca_file": _write_bundle(path, endpoints.ca_files),
        "oidc_discovery_url": endpoints.discovery_url,
        **({"prefix_token_endpoint": endpoints.prefix_token_endpoint} if endpoints.prefix_token_endpoint else {}),
        "client_id": endpoints.caller_client.id,
        "scope": endpoints.caller_client.scope,
        "client_secret": {"secret_arn": secret_arn, "json_key": "client_secret", "region": account.aws.region},
        "aws": {"registry": str(account.registry.path)} if account.registry else {},
    }
    _write_private(path, json.dumps(document, indent=1))
    return path


def connection_path(deployment: str) -> Path:
    """Return the path of a deployment's connection file."""
    return state_folder() / "connections" / f"{deployment}.json"


def is_only(deployment: str) -> bool:
    """Return True if this is the only deployment that `sre-agent` can ask, so that it needs no name."""
    return {path.stem for path in connection_path(deployment).parent.glob("*.json")} <= {deployment}


def read_url(deployment: str) -> str:
    """Read the address of a deployment's assistant; empty where no connection file was written."""
    file = connection_path(deployment)
    return str(json.loads(file.read_text(encoding="utf-8"))["assistant_url"]) if file.exists() else ""


def delete_connection(deployment: str) -> None:
    """Delete the connection file of a deployment that is gone."""
    for path in (connection_path(deployment), _bundle_path(connection_path(deployment))):
        path.unlink(missing_ok=True)


def _write_bundle(path: Path, ca_files: tuple[str, ...]) -> str:
    """Write every private CA certificate into one file. They are public, but only the clients of this deployment need them."""
    if not ca_files:
        return ""
    bundle = _bundle_path(path)
    _write_private(bundle, "\n".join(Path(file).read_text(encoding="ascii").strip() for file in ca_files) + "\n")
    return str(bundle)


def _bundle_path(path: Path) -> Path:
    return path.with_suffix(".ca.pem")


def _write_private(path: Path, content: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_file.write(path, content.encode(), mode=0o600)
