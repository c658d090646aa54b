"""Images of runtimes: checked as AgentCore checks them, and played by the assistant that is installed beside the local AWS.

Nothing is pulled: the local ECR keeps manifests and no layers. As with a machine image, what runs is this release.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedded_aws import iam_state, policy
from embedded_aws.agentcore.errors import Violation, invalid, unsupported_error
from embedded_aws.instances.progress import StepFailed
from embedded_aws.moto_state import ecr_manifest
from embedded_aws.world import World
from sre_core import release

_URI = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)
_MEMBER = "agentRuntimeArtifact.containerConfiguration.containerUri"
_PULLS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_ASSISTANT = "assistant"


def refuse_bad_image(world: World, uri: str, role_arn: str) -> None:
    """Refuse an image that the role may not pull, that is not in the account's ECR, or that is not for arm64."""
    found = _URI.fullmatch(uri)
    if not found or found["account"] != world.account_id or found["region"] != world.region:
        raise unsupported_error(_MEMBER, "It knows images of its own account and region only.")
    repository = f"arn:aws:ecr:{world.region}:{world.account_id}:repository/{found['repository']}"
    if not _may_pull(world.account_id, role_arn, repository):
        raise _refuse(
            f"Access denied while validating ECR URI '{uri}'. The execution role requires permissions for "
            "ecr:GetAuthorizationToken, ecr:BatchGetImage, and ecr:GetDownloadUrlForLayer operations."
        )
    manifest = ecr_manifest(world.account_id, world.region, found["repository"], found["tag"] or "latest", found["digest"] or "")
    if manifest is None:
        raise _refuse(f"The specified image identifier does not exist in the repository with URI '{uri}'.")
    if "arm64" not in _list_architectures(json.loads(manifest)):
        raise _refuse(f"Architecture incompatible for uri '{uri}'. Supported architectures: [arm64]")


def find_program() -> tuple[Path, tuple[str, ...]]:
    """Find the folder and the command of the assistant that runs for every image. Raises StepFailed where it is not installed."""
    spec = find_spec("sre_agent")
    if spec is None or not spec.submodule_search_locations:
        raise StepFailed("The local AWS plays images by the assistant, which is not installed beside it.")
    command = next(service.command for service in release.services() if service.name == _ASSISTANT)
    return Path(spec.submodule_search_locations[0]).parent, command


def _may_pull(account_id: str, role_arn: str, repository: str) -> bool:
    boundary = iam_state.role_boundary(account_id, role_arn)
    groups = (iam_state.role_policies(account_id, role_arn), *(() if boundary is None else (boundary,)))
    wanted = (("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in _PULLS))
    return all(policy.allows(policies, action, resource, {}) for policies in groups for action, resource in wanted)


def _list_architectures(manifest: Mapping[str, Any]) -> Iterator[str]:
    """List the architectures of a manifest list, or of the configuration that a manifest brings along."""
    for each in manifest.get("manifests", ()):
        yield str(each.get("platform", {}).get("architecture", ""))
    config = manifest.get("config")
    if isinstance(config, Mapping):
        if "data" not in config:
            raise unsupported_error(_MEMBER, "Push a manifest list, or a manifest with config.data: configurations are no manifests.")
        yield str(json.loads(base64.b64decode(config["data"])).get("architecture", ""))


def _refuse(message: str) -> Exception:
    return invalid(message, Violation(_MEMBER, message))
