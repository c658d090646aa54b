"""Explain why a source does not answer: the address, certificate, credential or permission that is missing."""

from __future__ import annotations

import ssl
from dataclasses import replace

import httpx2

from sre_core.problem import Problem

_LONGEST_REASON = 300


def explain_no_answer(name: str, url: str, fault: BaseException) -> Problem:
    """Explain why a request got no answer: the address, the network or the certificate."""
    return _untrusted(name, url, fault) if _is_certificate_fault(fault) else unreachable(name, url, fault)


def unreachable(name: str, url: str, fault: BaseException) -> Problem:
    """Explain that a system did not answer."""
    return Problem(
        code="SVC-SOURCE-UNREACHABLE",
        what=f"{name} at {url} did not answer.",
        why=str(fault) or type(fault).__name__,
        do=(
            f"Check the address and that this machine may connect to it: curl -sS {url}",
            "Correct its address below services in config.yaml, and deploy again.",
        ),
    )


def _untrusted(name: str, url: str, fault: BaseException) -> Problem:
    return Problem(
        code="SVC-SOURCE-TLS",
        what=f"The certificate of {name} at {url} was not accepted.",
        why=str(fault),
        do=(
            "If a private certificate authority issued it, set `ca` of this source in config.yaml to a reference to its PEM file.",
            "Else correct the host name in its address, or renew the certificate.",
        ),
    )


def explain_refusal(name: str, url: str, answer: httpx2.Response, permission: str) -> Problem:
    """Explain an answer with an error status: the credential, the permission, or what the source says."""
    if answer.status_code == 401:
        return not_authenticated(name, url, _reason(answer))
    if answer.status_code == 403:
        return not_permitted(name, url, permission, _reason(answer))
    if answer.status_code == 404:
        return _absent(name, url, permission)
    problem = not_understood(name, url, f"It answered {answer.status_code} to {permission}: {_reason(answer)}")
    return replace(problem, context={"answered": str(answer.status_code)})


def not_authenticated(name: str, url: str, reason: str) -> Problem:
    """Explain that a credential is missing or not accepted."""
    return Problem(
        code="SVC-SOURCE-CREDENTIAL",
        what=f"{name} at {url} did not accept the credential, or asks for one.",
        why=reason,
        do=(
            "Set `token`, or `username` and `password`, of this source in config.yaml to a reference to a valid one, and deploy again.",
            "On AWS: the instance role, or the credentials in the environment of the service, are what is sent.",
            "In a kubeconfig: log in again (kubectl get pods shows if it works), and deploy again.",
        ),
    )


def not_permitted(name: str, url: str, permission: str, reason: str) -> Problem:
    """Explain which permission is missing."""
    return Problem(
        code="SVC-SOURCE-PERMISSION",
        what=f"{name} at {url} does not allow: {permission}.",
        why=reason,
        do=(
            "Give the identity that the assistant uses this permission.",
            "On AWS, `sre-agent-deploy deploy` gives the instance role what the configured sources need.",
            "For a cluster, apply the manifest with all that is needed: python -m sre_services rbac | kubectl apply -f -",
        ),
        context={"permission": permission},
    )


def _absent(name: str, url: str, permission: str) -> Problem:
    return Problem(
        code="SVC-SOURCE-ABSENT",
        what=f"{name} at {url} has no such API: {permission}.",
        why="It answered 404.",
        do=(
            f"Check that its address is that of {name} itself, with the path below which its API is: curl -sS {url}",
            "Correct its address below services in config.yaml, and deploy again.",
        ),
    )


def no_such_resource(name: str, region: str, reason: str) -> Problem:
    """Explain that AWS has no log group, cluster or bucket of this name in the region."""
    return Problem(
        code="SVC-SOURCE-ABSENT",
        what=f"{name} has nothing of this name in {region}.",
        why=reason,
        do=("Check its name and its region in the AWS Console.", "Correct both below services in config.yaml, and deploy again."),
    )


def not_understood(name: str, url: str, why: str) -> Problem:
    """Explain an answer that is not one of this kind of source."""
    return Problem(
        code="SVC-SOURCE-ANSWER",
        what=f"{name} at {url} gave an answer that can't be used.",
        why=why,
        do=(
            f"Check that its address is that of {name} itself and not of a login page or another service: curl -sS {url}",
            "If it is, look for the reason in its own log.",
        ),
    )


def unusable_authority(source: str, reason: str) -> Problem:
    """Explain that the certificate authority of a source is no PEM file."""
    return Problem(
        code="SVC-SOURCE-CA",
        what=f"The certificate authority of the source {source} can't be used.",
        why=f"{reason}.",
        do=("Set `ca` of this source in config.yaml to a PEM file that begins with -----BEGIN CERTIFICATE-----.",),
    )


def _is_certificate_fault(fault: BaseException | None) -> bool:
    while fault is not None:
        if isinstance(fault, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(fault):
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _reason(answer: httpx2.Response) -> str:
    """Return what the source says of it: Kubernetes' `message`, Prometheus' and OpenSearch's `error`, else the beginning of the text."""
    try:
        document = answer.json()
    except ValueError:
        document = {}
    said = (document.get("message") or document.get("error")) if isinstance(document, dict) else ""
    # OpenSearch and Elasticsearch say it one level deeper.
    said = said.get("reason") if isinstance(said, dict) else said
    return (str(said or answer.text) or "It gave no reason.").strip()[:_LONGEST_REASON]
