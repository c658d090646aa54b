"""Amazon EKS: the authentication mode of clusters, and access entries, which moto lacks. There is no API server behind a cluster."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Any

from embedded_aws import moto_state
from embedded_aws.strict.patching import add, patch

_MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
_TYPES = ("STANDARD", "EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX")
_PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):(role|user)/((?:[^/]+/)*)([^/]+)")
_POLICY = re.compile(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/\w+")
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")


def keep_authentication_mode() -> None:
    """Keep the authentication mode of a cluster, which can be changed in one direction only.

    https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html
    """
    from moto.core.responses import ActionResult
    from moto.eks.responses import EKSResponse

    @patch(EKSResponse, "create_cluster")
    def create_cluster(original: Any, self: Any) -> Any:
        asked = self._get_param("accessConfig") or {}
        mode = asked.get("authenticationMode", "CONFIG_MAP")
        if mode not in _MODES:
            raise _refusal("InvalidParameterException", 400, f"Unsupported authentication mode {mode}.")
        answer = original(self)
        creator = asked.get("bootstrapClusterCreatorAdminPermissions", True)
        cluster = answer.result["cluster"]
        cluster.access_config = {"authenticationMode": mode, "bootstrapClusterCreatorAdminPermissions": creator}
        cluster.access_entries = {}
        return answer

    @patch(EKSResponse, "update_cluster_config")
    def update_cluster_config(original: Any, self: Any) -> Any:
        wanted = (self._get_param("accessConfig") or {}).get("authenticationMode")
        if not wanted:
            return original(self)
        cluster = _find_cluster(self)
        mode = cluster.access_config["authenticationMode"]
        if _MODES.index(wanted) != _MODES.index(mode) + 1:
            message = f"Unsupported authentication mode update from {mode} to {wanted}"
            raise _refusal("InvalidParameterException", 400, message)
        cluster.access_config["authenticationMode"] = wanted
        update = {"id": str(uuid.uuid4()), "status": "Successful", "type": "AccessConfigUpdate"}
        return ActionResult({"update": update})


def add_access_entries() -> None:
    """Add the operations of access entries, for clusters whose authentication mode allows them.

    https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
    """
    from moto.eks import urls
    from moto.eks.responses import EKSResponse

    urls.url_paths["{0}/clusters/(?P<name>[^/]+)/access-entries(?P<rest>.*)$"] = urls.response.dispatch
    for operation in (
        create_access_entry,
        describe_access_entry,
        list_access_entries,
        update_access_entry,
        delete_access_entry,
        associate_access_policy,
        disassociate_access_policy,
        list_associated_access_policies,
    ):
        add(EKSResponse, operation.__name__, operation)


def tag_access_entries() -> None:
    """Tag access entries like clusters.

    https://docs.aws.amazon.com/eks/latest/APIReference/API_TagResource.html
    """
    from moto.core.responses import ActionResult
    from moto.eks.responses import EKSResponse

    @patch(EKSResponse, "tag_resource")
    def tag_resource(original: Any, self: Any) -> Any:
        if (tags := _tags_of_request(self)) is None:
            return original(self)
        tags.update(self._get_param("tags"))
        return ActionResult({})

    @patch(EKSResponse, "untag_resource")
    def untag_resource(original: Any, self: Any) -> Any:
        if (tags := _tags_of_request(self)) is None:
            return original(self)
        for key in self.querystring.get("tagKeys", ()):
            tags.pop(key, None)
        return ActionResult({})

    @patch(EKSResponse, "list_tags_for_resource")
    def list_tags_for_resource(original: Any, self: Any) -> Any:
        tags = _tags_of_request(self)
        return original(self) if tags is None else ActionResult({"tags": tags})


def create_access_entry(self: Any) -> Any:
    cluster, arn = _find_ready_cluster(self), self._get_param("principalArn")
    groups, kind = self._get_param("kubernetesGroups") or [], self._get_param("type") or "STANDARD"
    principal = _find_principal(self.current_account, arn)
    _validate(groups, kind)
    token = self._get_param("clientRequestToken")
    if found := cluster.access_entries.get(arn):
        if token and token == found["token"]:
            return _show(found)
        message = "The specified access entry resource is already in use on this cluster."
        raise _refusal("ResourceInUseException", 409, message)
    made = _now()
    partition, account, of, _, name = principal.groups()
    cluster.access_entries[arn] = {
        "clusterName": cluster.name,
        "principalArn": arn,
        "kubernetesGroups": list(groups),
        "accessEntryArn": f"{cluster.arn.replace(':cluster/', ':access-entry/')}/{of}/{account}/{name}/{uuid.uuid4()}",
        "createdAt": made,
        "modifiedAt": made,
        "tags": dict(self._get_param("tags") or {}),
        "username": self._get_param("username") or _name_user(partition, account, of, name, arn),
        "type": kind,
        "token": token or secrets.token_hex(16),
        "policies": {},
    }
    return _show(cluster.access_entries[arn])


def describe_access_entry(self: Any) -> Any:
    return _show(_find_entry(self))


def list_access_entries(self: Any) -> Any:
    from moto.core.responses import ActionResult

    policy = self._get_param("associatedPolicyArn")
    found = [arn for arn, entry in _find_ready_cluster(self).access_entries.items() if not policy or policy in entry["policies"]]
    return ActionResult(_page(self, "accessEntries", found))


def update_access_entry(self: Any) -> Any:
    entry, groups = _find_entry(self), self._get_param("kubernetesGroups")
    if entry["type"] != "STANDARD":
        message = 'This operation can only be performed on Access Entries with a type of "STANDARD".'
        raise _refusal("InvalidParameterException", 400, message)
    if groups is not None:
        _validate(groups, entry["type"])
        entry["kubernetesGroups"] = list(groups)
    entry["username"] = self._get_param("username") or entry["username"]
    entry["modifiedAt"] = _now()
    return _show(entry)


def delete_access_entry(self: Any) -> Any:
    from moto.core.responses import ActionResult

    entry = _find_entry(self)
    del _find_ready_cluster(self).access_entries[entry["principalArn"]]
    return ActionResult({})


def associate_access_policy(self: Any) -> Any:
    from moto.core.responses import ActionResult

    entry, policy, scope = _find_entry(self), self._get_param("policyArn"), self._get_param("accessScope") or {}
    if not _POLICY.fullmatch(policy):
        raise _refusal("InvalidParameterException", 400, "The policyArn parameter format is not valid")
    if scope.get("type") not in ("cluster", "namespace") or (scope["type"] == "namespace") != bool(scope.get("namespaces")):
        raise _refusal("InvalidParameterException", 400, "The accessScope is not valid.")
    entry["policies"][policy] = {"policyArn": policy, "accessScope": scope, "associatedAt": _now(), "modifiedAt": _now()}
    place = {"clusterName": entry["clusterName"], "principalArn": entry["principalArn"]}
    return ActionResult({**place, "associatedAccessPolicy": entry["policies"][policy]})


def disassociate_access_policy(self: Any) -> Any:
    from moto.core.responses import ActionResult

    entry, policy = _find_entry(self), self._get_param("policyArn")
    if policy not in entry["policies"]:
        raise _refusal("ResourceNotFoundException", 404, "No associated access policy found.")
    del entry["policies"][policy]
    return ActionResult({})


def list_associated_access_policies(self: Any) -> Any:
    from moto.core.responses import ActionResult

    entry = _find_entry(self)
    place = {"clusterName": entry["clusterName"], "principalArn": entry["principalArn"]}
    return ActionResult({**place, **_page(self, "associatedAccessPolicies", list(entry["policies"].values()))})


def _refusal(code: str, status: int, message: str) -> Exception:
    from moto.eks.exceptions import EKSError

    kind = type(code, (EKSError,), {"TYPE": code, "STATUS": status})
    refused: Exception = kind(message=message)
    return refused


def _find_cluster(response: Any) -> Any:
    return response.eks_backend.describe_cluster(name=response._get_param("clusterName") or response._get_param("name"))


def _find_ready_cluster(response: Any) -> Any:
    """Find the cluster of a request. Raises EKS's refusal where its mode knows no access entries."""
    cluster = _find_cluster(response)
    if cluster.access_config["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
        raise _refusal("InvalidRequestException", 400, message)
    return cluster


def _find_entry(response: Any) -> dict[str, Any]:
    cluster = _find_ready_cluster(response)
    found: dict[str, Any] | None = cluster.access_entries.get(response._get_param("principalArn"))
    if found is None:
        message = "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'."
        raise _refusal("ResourceNotFoundException", 404, message)
    return found


def _find_principal(account_id: str, arn: str) -> re.Match[str]:
    """Find who an entry is for. A user or role of this account must exist; one of another account can't be looked up."""
    from moto.iam.models import iam_backends

    found = _PRINCIPAL.fullmatch(arn)
    if found and found[4].startswith("aws-service-role/"):
        message = "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role"
        raise _refusal("InvalidParameterException", 400, message)
    iam: Any = next(iter(iam_backends[account_id].values()))
    known = {each.arn for each in (*iam.roles.values(), *iam.users.values())}
    if found is None or (found[2] == account_id and arn not in known):
        raise _refusal("InvalidParameterException", 400, "The specified principalArn is invalid: invalid principal.")
    return found


def _validate(groups: list[str], kind: str) -> None:
    if kind not in _TYPES:
        raise _refusal("InvalidParameterException", 400, f"The type {kind} is invalid.")
    if groups and kind != "STANDARD":
        raise _refusal("InvalidParameterException", 400, f"You can't specify kubernetesGroups for access entries with the type {kind}.")
    for group in groups:
        if reserved := next((prefix for prefix in _RESERVED if group.startswith(prefix)), ""):
            message = f"The kubernetes group name {group} is invalid, it cannot start with {reserved}"
            raise _refusal("InvalidParameterException", 400, message)


def _name_user(partition: str, account: str, of: str, name: str, arn: str) -> str:
    return f"arn:{partition}:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}" if of == "role" else arn


def _show(entry: dict[str, Any]) -> Any:
    from moto.core.responses import ActionResult

    return ActionResult({"accessEntry": {key: value for key, value in entry.items() if key not in ("token", "policies")}})


def _page(response: Any, name: str, items: list[Any]) -> dict[str, Any]:
    first, most = int(response._get_param("nextToken") or 0), int(response._get_param("maxResults") or 100)
    more = {"nextToken": str(first + most)} if first + most < len(items) else {}
    return {name: items[first : first + most], **more}


def _tags_of_request(response: Any) -> dict[str, str] | None:
    """Return the tags of the access entry that a request names; None for anything else. Raises NotFoundException."""
    arn = response._extract_arn_from_path()
    if ":access-entry/" not in arn:
        return None
    if not (entry := moto_state.access_entry(response.current_account, response.region, arn)):
        raise _refusal("NotFoundException", 404, "Resource was not found")
    tags: dict[str, str] = entry["tags"]
    return tags


def _now() -> Any:
    from moto.core.utils import utcnow

    return utcnow()
