"""START HERE: the scripts of the AgentCore sample by their places, each as a click command with the sample's own flags.

`run_script` is all that the files in compat/ call. Imports of what a script does are late, as in cli/.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.root import main
from sre_core import exit_codes

if TYPE_CHECKING:
    from agentcore_sample.checkout import Checkout
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.user import CommandResult
    from sre_agent_deploy.config.edit import Field

_PROVIDER = "sre-agent-api-key-credential-provider"
_AMAZONS = "https://bedrock-agentcore-control.us-east-1.amazonaws.com"


def run_script(path: str, arguments: list[str] | None = None) -> None:
    """Run the script that the sample has at this place, in the folder above it, and exit with its code."""
    place = Path(path).absolute()
    name = next((name for name in SCRIPTS if place.as_posix().endswith(f"/{name}")), None)
    if name is None:
        sys.exit(f"{path} is none of the sample's scripts: {', '.join(SCRIPTS)}.")
    try:
        main(arguments, SCRIPTS[name], name.rpartition("/")[2], obj=place.parents[name.count("/")])
    except SystemExit as ended:
        # argparse, which the sample's programs used, ends with 2 where an option is wrong, and its shell scripts end with 1.
        usage = 2 if name.endswith(".py") else exit_codes.FAILED
        raise SystemExit(usage if ended.code == exit_codes.USAGE else ended.code) from None


def _open() -> tuple[Checkout, Terminal]:
    """Go to the folder of the sample, and take its variables."""
    from agentcore_sample.checkout import Checkout
    from sre_agent_deploy.cli.terminal import Terminal

    checkout = Checkout(click.get_current_context().obj)
    os.chdir(checkout.root)
    checkout.export_variables()
    return checkout, Terminal()


def _deploy(user: Terminal, *targets: str) -> CommandResult:
    """Deploy everything, or the targets and what they need. Exits with code 1 where that fails."""
    from agentcore_sample import REQUEST
    from sre_agent_deploy.cli.terminal import end
    from sre_agent_deploy.commands.deploy import deploy

    result = deploy(REQUEST, user, targets=targets)
    if not result.success:
        end(result, user)
    user.note(result.message)
    return result


def _locate(region: str | None, endpoint_url: str | None) -> dict[Field, str]:
    """Name the region and the endpoint as config.yaml does. Amazon's own endpoints are found from the region."""
    amazons = endpoint_url is None or re.fullmatch(r"https://[a-z0-9.-]+\.amazonaws\.com(\.cn)?/?", endpoint_url)
    found: dict[Field, str] = {("aws", "region"): region} if region else {}
    return found if amazons else {**found, ("aws", "endpoint_url"): endpoint_url or ""}


@click.command(help="Deploy everything that gateway/config.yaml and gateway/.env describe, verify it, and write the gateway's files.")
def create_gateway() -> None:
    checkout, user = _open()
    checkout.configure({})
    _deploy(user)
    checkout.write_gateway_files(user)


@click.command(help="Create the credential provider of the backends' API key, and write its ARN to .credentials_provider.")
@click.option("--credential-provider-name", default=_PROVIDER, help="Accepted; the deployment names its provider itself.")
@click.option("--api-key", help="Accepted and not used: the deployment makes its own key.")
@click.option("--region", help="AWS region.")
@click.option("--endpoint-url", help="The endpoint of an AWS that is not Amazon's.")
def create_credentials_provider(credential_provider_name: str, api_key: str | None, region: str | None, endpoint_url: str | None) -> None:
    checkout, user = _open()
    if api_key:
        user.warn(
            "--api-key was not used: this deployment makes its own key and keeps it in AWS Secrets Manager. Every user of this "
            "machine could read the one that you gave in the list of processes: leave the option out."
        )
    if credential_provider_name != _PROVIDER:
        user.warn("--credential-provider-name was not used: the deployment's id is in the name, so that cleanup finds it.")
    checkout.configure(_locate(region, endpoint_url))
    _deploy(user, "credential_provider")
    user.note(f"Credential Provider ARN: {checkout.write_provider(user)}")


@click.command(help="Create the gateway, and with --create-s3-target the targets of the four backends.")
@click.argument("gateway_name")
@click.option("--region", help="AWS region.")
@click.option("--endpoint-url", default=_AMAZONS, help="The endpoint of an AWS that is not Amazon's.")
@click.option("--role-arn", required=True, help="IAM role of the gateway.")
@click.option("--discovery-url", required=True, help="Discovery URL of the Cognito user pool.")
@click.option("--allowed-audience", help="Accepted; Cognito's machine tokens have no audience.")
@click.option("--allowed-clients", help="The app client that may use the gateway.")
@click.option("--description-for-gateway", help="Description of the gateway.")
@click.option("--description-for-target", multiple=True, help="Accepted; each target describes itself by its OpenAPI document.")
@click.option("--search-type", type=click.Choice(["SEMANTIC", "NONE"]), help="Tool search; can only be chosen at creation.")
@click.option("--protocol-version", help="Accepted; the gateway speaks every version of MCP.")
@click.option("--create-s3-target", is_flag=True, help="Also create the targets of the four backends.")
@click.option("--s3-uri", multiple=True, help="Accepted; the deployment uploads the documents of its own backends.")
@click.option("--provider-arn", help="The credential provider that the targets use.")
@click.option("--save-gateway-url", is_flag=True, help="Write the gateway's address to .gateway_uri.")
@click.option("--delete-gateway-if-exists", is_flag=True, help="Accepted; an existing gateway is changed in place and keeps its id.")
@click.option("--output-json", is_flag=True, help="Print the gateway's values as JSON.")
def create_managed_gateway(gateway_name: str, **given: str | bool | tuple[str, ...] | None) -> None:
    from agentcore_sample.checkout import describe_gateway, list_targets, name_resources

    checkout, user = _open()
    checkout.configure({**_locate(_text(given["region"]), _text(given["endpoint_url"])), **name_resources(gateway_name, given)})
    if given["delete_gateway_if_exists"]:
        user.warn("--delete-gateway-if-exists: an existing gateway is not deleted. It is changed in place and keeps its id.")
    _deploy(user, "gateway", *(list_targets() if given["create_s3_target"] else ()))
    if given["save_gateway_url"]:
        checkout.write_uri(user)
    user.note(describe_gateway(as_json=bool(given["output_json"])))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


@click.command(help="Write a fresh access token for the gateway to .access_token.")
@click.option("--audience", help="Accepted; Cognito's machine tokens have no audience.")
def generate_token(audience: str | None) -> None:
    checkout, user = _open()
    if audience:
        user.warn("--audience was not used: Cognito's machine tokens have none, and the gateway checks the client instead.")
    checkout.write_token(user)


@click.command(
    help="Repair and verify the deployment, and put the gateway's address and a fresh token where the sample's agent reads them."
)
@click.option("--cleanup", is_flag=True, help="Take address and token out of the files again. Resources in AWS stay.")
def configure_gateway(cleanup: bool) -> None:
    checkout, user = _open()
    if cleanup:
        checkout.disconnect_agent()
        user.note("The gateway's address and token are removed from the files. To delete what is in AWS: sre-agent-deploy cleanup")
        return
    checkout.configure({})
    _deploy(user)
    checkout.write_provider(user)
    checkout.connect_agent(checkout.write_uri(user), checkout.write_token(user))


@click.command(help="Take the domain from BACKEND_DOMAIN. The OpenAPI documents are part of the release, and get it when it is deployed.")
def generate_specs() -> None:
    checkout, user = _open()
    domain = os.environ.get("BACKEND_DOMAIN")
    if not domain:
        raise click.UsageError("BACKEND_DOMAIN is missing. Set it to the domain of the deployment: BACKEND_DOMAIN=api.example.com")
    checkout.configure({("deployment", "domain_name"): domain}, required=False)
    user.note(f"config.yaml: deployment.domain_name is {domain}.")


@click.command(help="Take the certificate. The backends run on the deployment's own instance and start with it.")
@click.option("--host", envvar="HOST", help="Accepted; the backends answer behind the front door of the instance.")
@click.option(
    "--ssl-keyfile", envvar="SSL_KEYFILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Private key (PEM)."
)
@click.option("--ssl-certfile", envvar="SSL_CERTFILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Chain (PEM).")
def start_demo_backend(host: str | None, ssl_keyfile: Path | None, ssl_certfile: Path | None) -> None:
    if not ssl_keyfile or not ssl_certfile:
        raise click.UsageError("--ssl-keyfile and --ssl-certfile are needed: without a certificate nothing is served.")
    key, chain = str(ssl_keyfile.absolute()), str(ssl_certfile.absolute())
    checkout, user = _open()
    checkout.configure({("deployment", "ssl_cert_path"): chain, ("deployment", "ssl_key_path"): key}, required=False)
    user.note("config.yaml has the certificate. The backends start with the instance: gateway/create_gateway.sh deploys it.")


@click.command(help="Build the image of the assistant for AgentCore Runtime. LOCAL_BUILD=true ends there.")
@click.argument("ecr_repo_name", default="sre_agent")
def build_and_deploy(ecr_repo_name: str) -> None:
    from agentcore_sample.runtime import build_image

    _, user = _open()
    amd64 = os.environ.get("PLATFORM") == "x86_64" or os.environ.get("LOCAL_BUILD") == "true"
    build_image(ecr_repo_name, "linux/amd64" if amd64 else "linux/arm64", local=os.environ.get("LOCAL_BUILD") == "true")
    user.note(f"Built {ecr_repo_name}:latest. To run it: docker run -p 8080:8080 --env-file FILE {ecr_repo_name}:latest")


@click.command(help="Deploy the assistant on AgentCore Runtime, as part of the deployment, and write its ARN to .agent_arn.")
@click.option("--runtime-name", help="Accepted; the deployment's id is in the name, so that cleanup finds it.")
@click.option("--container-uri", required=True, help="The image in Amazon ECR.")
@click.option("--role-arn", help="Accepted; the deployment makes a role with the permissions that the assistant needs.")
@click.option("--region", help="Accepted; a runtime is in the region of the deployment.")
@click.option("--force-recreate", is_flag=True, help="Accepted; a runtime is updated in place and keeps its ARN.")
def deploy_agent_runtime(container_uri: str, **given: str | bool | None) -> None:
    from agentcore_sample.runtime import describe_runtime
    from sre_agent_deploy.config.field_syntax import ECR_IMAGE

    # Before config.yaml has it: a wrong value there would stop every other script.
    if any(ECR_IMAGE.faults("image", container_uri)):
        raise click.UsageError(f"--container-uri must be {ECR_IMAGE.says}, for example {ECR_IMAGE.example}")
    checkout, user = _open()
    for option in (name for name, value in given.items() if value):
        user.warn(f"--{option.replace('_', '-')} was not used: see --help.")
    checkout.configure({})
    checkout.configure(describe_runtime(container_uri, user))
    _deploy(user, "runtime_endpoint")
    checkout.write_runtime_arn(user)
    user.note("The machine runs its own assistant until everything is deployed: sre-agent-deploy deploy")


@click.command(help="Ask the assistant, on AgentCore Runtime where --runtime-arn or .agent_arn names one, otherwise on the instance.")
@click.option("--prompt", required=True, help="The question.")
@click.option("--runtime-arn", help="The runtime to ask.")
@click.option("--region", help="Accepted; it is in the ARN.")
@click.option("--session-id", help="Questions of one session have the same id, of at least 33 characters.")
def invoke_agent_runtime(prompt: str, runtime_arn: str | None, region: str | None, session_id: str | None) -> None:
    from agentcore_sample.runtime import ask

    checkout, user = _open()
    saved = checkout.root / "deployment/.agent_arn"
    arn = runtime_arn or (saved.read_text(encoding="utf-8").strip() if saved.is_file() else "")
    click.echo(ask(prompt, arn, session_id or os.environ.get("SESSION_ID", ""), os.environ.get("USER_ID", ""), user))


@click.command(help="Create the user pool with its domain and clients, and print their ids.")
def setup_cognito() -> None:
    checkout, user = _open()
    checkout.configure({})
    _deploy(user, "user_pool_domain", "gateway_client", "caller_client")
    user.note(checkout.describe_login())


@click.command(help="Delete everything of the deployment in AWS, and the files that the sample's scripts wrote.")
@click.option("--gateway-name", help="Accepted; what is deleted is what the deployment created, whatever its name.")
@click.option("--runtime-name", help="Accepted, like --gateway-name.")
@click.option("--force", is_flag=True, help="Delete without asking.")
def clean_up(*, gateway_name: str | None, runtime_name: str | None, force: bool) -> None:
    from agentcore_sample import REQUEST
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands.cleanup import cleanup

    checkout, user = _open()
    if gateway_name or runtime_name:
        user.warn("--gateway-name and --runtime-name were not used: exactly what the deployment created is deleted.")
    result = cleanup(REQUEST, Terminal(yes=force))
    if result.success:
        checkout.delete_written()
    end(result, user)


@click.command(help="Says that this assistant has no memory of its users.", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage_memories(**_: object) -> None:
    from agentcore_sample.checkout import no_memory
    from sre_core.problem import Refused

    raise Refused(no_memory())


@click.command(help="Test the gateway: run every verification check.")
def mcp_commands() -> None:
    from agentcore_sample import REQUEST
    from sre_agent_deploy.cli.terminal import end
    from sre_agent_deploy.commands.verify import verify

    _, user = _open()
    end(verify(REQUEST, user), user)


@click.command(help="Says how the backends are ended: they run on the deployment's own instance.")
def stop_demo_backend() -> None:
    _, user = _open()
    user.note("No backend runs here: they run on the deployment's instance. To delete it with everything: scripts/cleanup.sh")


SCRIPTS = {
    "backend/openapi_specs/generate_specs.sh": generate_specs,
    "backend/scripts/start_demo_backend.sh": start_demo_backend,
    "backend/scripts/stop_demo_backend.sh": stop_demo_backend,
    "deployment/build_and_deploy.sh": build_and_deploy,
    "deployment/deploy_agent_runtime.py": deploy_agent_runtime,
    "deployment/invoke_agent_runtime.py": invoke_agent_runtime,
    "deployment/setup_cognito.sh": setup_cognito,
    "gateway/create_credentials_provider.py": create_credentials_provider,
    "gateway/create_gateway.sh": create_gateway,
    "gateway/generate_token.py": generate_token,
    "gateway/main.py": create_managed_gateway,
    "gateway/mcp_cmds.sh": mcp_commands,
    "scripts/cleanup.sh": clean_up,
    "scripts/configure_gateway.sh": configure_gateway,
    "scripts/manage_memories.py": manage_memories,
}
