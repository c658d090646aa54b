"""Choose one context of a kubeconfig, or the service account of the pod that this runs in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sre_core.problem import Problem, Refused
from sre_services.sources.settings import Settings

IN_CLUSTER = "in-cluster"


def read_context(settings: Settings) -> SingleConfig:
    """Read the context that the settings name. Raises Refused where there is none, or where it can't be used."""
    try:
        config = _read_config(settings)
        # A kubeconfig without an own context has one; `get` asks for a name only where there are several.
        return _check(config.get(settings.get("context") or None), settings)
    except (ConfigError, KeyError, TypeError, ValueError, msgspec.ValidationError, YAMLError) as fault:
        raise Refused(_unusable(settings, fault)) from None


def _read_config(settings: Settings) -> KubeConfig:
    if settings.source == IN_CLUSTER:
        return KubeConfig.from_service_account()
    settings.require("kubeconfig")
    text = settings.credential("kubeconfig")
    document = YAML(typ="safe", pure=True).load(text.reveal() if text else "")
    if not isinstance(document, Mapping):
        raise ValueError("It is not a YAML mapping")
    return KubeConfig.from_dict(dict(document))


def _check(found: SingleConfig | None, settings: Settings) -> SingleConfig:
    if found is None or found.user is None:
        raise ValueError("The context has no user")
    if found.user.auth_provider:
        raise ValueError("Its user has an auth-provider, which Kubernetes 1.26 removed; use an exec plugin")
    return found


def _unusable(settings: Settings, fault: Exception) -> Problem:
    context = settings.get("context")
    # YAML's errors quote the line, which may hold a token.
    reason = "It is not YAML" if isinstance(fault, YAMLError) else str(fault).strip("'\"") or type(fault).__name__
    return Problem(
        code="SVC-KUBECONFIG",
        what=f"The {settings.source} of the cluster{f' (context {context})' if context else ''} can't be used.",
        why=f"{reason}.",
        do=(
            "See the contexts that there are: kubectl config get-contexts",
            "Set kubeconfig and context of this source in config.yaml, and deploy again.",
        ),
    )
