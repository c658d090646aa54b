"""Secrets that systems hold or programs log are in no answer of any of the four APIs."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from sre_services import openapi, recording
from sre_services.cli import SERVICES

from .conftest import Asked, application

type Json = dict[str, Any]

SERVICE = "payment-service"
# The forms in which programs and people write them. A bare word can't be distinguished from other words.
FORMS: dict[str, Callable[[], tuple[str, str]]] = {
    "assigned": lambda: _written("password={}"),
    "option": lambda: _written("--db-password={}"),
    "JSON": lambda: _written('{{"api_key": "{}"}}'),
    "URL": lambda: _written("postgres://app:{}@payments-db:5432/shop"),
    "header": lambda: _written("Authorization: Bearer {}"),
    "AWS": lambda: (key := "AKIA" + secrets.token_hex(8).upper(), f"denied for {key}"),
    "GitHub": lambda: (key := "ghp_" + secrets.token_hex(18), f"cloning with {key}"),
    "Stripe": lambda: (key := "sk_live_" + secrets.token_hex(12), f"charged by {key}"),
    "JSON Web Token": lambda: (key := f"eyJ{secrets.token_hex(12)}.{secrets.token_hex(12)}.{secrets.token_hex(12)}", f"refused {key}"),
}  # fmt: skip
NAMES = {
    "namespace": "shop", "pod_name": SERVICE, "deployment_name": SERVICE, "service_name": SERVICE, "workload_name": SERVICE,
    "service": SERVICE, "job_name": "planted", "route_name": "planted", "policy_name": "planted", "autoscaler_name": "planted",
    "pattern": "planted", "playbook_id": "crash-looping-pods",
}  # fmt: skip


def _written(form: str) -> tuple[str, str]:
    secret = secrets.token_urlsafe(18)
    return secret, form.format(secret)


class Planted:
    """Gives texts with secrets, and keeps the secrets."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self._forms: Iterator[Callable[[], tuple[str, str]]] = cycle(FORMS.values())

    def text(self) -> str:
        """A text with a secret in the next form."""
        secret, text = next(self._forms)()
        self.secrets.append(secret)
        return f"planted: {text}"

    def bare(self, begin: str = "") -> str:
        """A secret alone, for a place whose name says what it is."""
        self.secrets.append(begin + secrets.token_urlsafe(18))
        return self.secrets[-1]

    def texts(self) -> list[str]:
        return [self.text() for _ in FORMS]


def changed(folder: Path, kind: str, change: Callable[[Json], None]) -> None:
    """Change each object of a kind."""
    path = folder / "kubernetes" / f"{kind}.json"
    document = json.loads(path.read_text())
    for item in document["items"]:
        change(item)
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    """A recording with secrets in the settings and states of objects, in logs, labels of metrics and runbooks."""
    folder, made = Path(shutil.copytree(recording.SHIPPED / "crash-loop", tmp_path_factory.mktemp("planted") / "planted")), Planted()

    def in_template(item: Json) -> None:
        annotate(item)
        for container in item["spec"]["template"]["spec"]["containers"]:
            container["args"] = [*made.texts(), "--redis-password", made.bare(), "--smtp-password", made.bare("-"), "--verbose"]
            container["env"] = [
                *container.get("env", ()),
                *({"name": f"NOTE_{number}", "value": text} for number, text in enumerate(made.texts())),
                *({"name": name, "value": made.bare()} for name in ("DB_PASSWORD", "STRIPE_API_KEY", "SESSION_SECRET", "AUTH_TOKEN")),
            ]

    def annotate(item: Json) -> None:
        item["metadata"]["annotations"] = {
            **(item["metadata"].get("annotations") or {}),
            "kubernetes.io/change-cause": made.text(),
            "kubectl.kubernetes.io/last-applied-configuration": made.text(),
            "password": made.bare(),
        }

    def in_pod(item: Json) -> None:
        annotate(item)
        item["status"] |= {"message": made.text(), "phase": "Pending"}
        for condition in item["status"].get("conditions", ()):
            condition["message"] = made.text()
        for status in item["status"].get("containerStatuses", ()):
            status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": made.text()}}
            status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "message": made.text()}}

    changed(folder, "deployments", in_template)
    changed(folder, "replicasets", in_template)
    changed(folder, "pods", in_pod)
    changed(folder, "configmaps", lambda item: item["data"].update({"DB_PASSWORD": made.bare(), "NOTES": made.text()}))
    changed(folder, "events", lambda item: item.update(message=made.text()))
    changed(folder, "nodes", lambda item: [condition.update(message=made.text()) for condition in item["status"]["conditions"]])
    about = {"name": "planted", "namespace": "shop"}
    said = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": made.text()}
    blind = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": made.text()}
    refused = {"parentRef": {"name": "edge"}, "conditions": [{"type": "Accepted", "status": "False", "message": made.text()}]}
    scaled = {"scaleTargetRef": {"kind": "Deployment", "name": SERVICE}, "maxReplicas": 2}
    for kind, item in {
        "jobs": {"metadata": about, "status": {"conditions": [said]}},
        "horizontalpodautoscalers": {"metadata": about, "spec": scaled, "status": {"conditions": [blind]}},
        "ingresses": {"metadata": {**about, "annotations": {"auth": made.text()}}, "spec": {}},
        "httproutes": {"metadata": about, "spec": {}, "status": {"parents": [refused]}},
        "secrets": {"metadata": {**about, "annotations": {"note": made.text()}}, "data": {"password": made.bare()}},
    }.items():
        (folder / "kubernetes" / f"{kind}.json").write_text(json.dumps({"items": [item]}))
    (log,) = folder.glob(f"logs/{SERVICE}.log")
    prefix = log.read_text().splitlines()[-1].partition(" ")[0]
    times = [f"{prefix} 2026-11-20T10:2{number}:00.000000000Z" for number in range(len(FORMS))]
    with log.open("a") as file:
        file.writelines(f"{time} ERROR {text}\n" for time in times for text in made.texts())
    runbook = folder / "runbooks" / "crash-looping-pods.md"
    runbook.write_text(in_runbook(runbook.read_text(), made))
    for name, labels in {"calls": ("client", "server"), "memory": ("pod", "container"), "requests": ("service", "code")}.items():
        path = folder / "metrics" / f"{name}.json"
        document = json.loads(path.read_text())
        series = document["data"]["result"]
        first = next(each for each in series if SERVICE in each["metric"].values())
        series += [{**first, "metric": {**first["metric"], label: text}} for label in labels for text in made.texts()]
        path.write_text(json.dumps(document))
    return folder, made


def in_runbook(text: str, made: Planted) -> str:
    """A runbook with secrets in its symptoms, steps, contacts and sections."""
    quoted = json.dumps
    steps = [
        f"  - {{do: {quoted(made.text())}, command: {quoted(each)}, changes: {change}}}"
        for change in ("true", "false")
        for each in made.texts()
    ]
    for place, lines in {
        "symptoms:": [f"  - {quoted(each)}" for each in made.texts()],
        "steps:": steps,
        "escalation:": [f"  - {{role: {quoted(made.text())}, contact: {quoted(each)}}}" for each in made.texts()],
        "## Diagnosis": ["", *made.texts()],
        "## Resolution": ["", *made.texts()],
    }.items():
        before, found, after = text.partition(f"\n{place}\n")
        assert found, place
        text = "\n".join([f"{before}\n{place}", *lines, after])
    return text


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_in_no_answer(planted: tuple[Path, Planted], service: str) -> None:
    """Every operation is asked without arguments and with the names of what holds them; what surrounds the secrets is answered."""
    folder, made = planted
    asked = Asked(application(service, folder))
    answers = list[str]()
    for path, item in json.loads(openapi.document_path(service).read_text())["paths"].items():
        parameters = {found["name"]: found for found in item["get"]["parameters"]}
        needed = {name: NAMES[name] for name, found in parameters.items() if found["required"]}
        named = {name: value for name, value in NAMES.items() if name in parameters}
        answers += [asked.client.get(path, params=each).text for each in (needed, named)]
    text = "\n".join(answers)
    assert [secret for secret in made.secrets if secret in text] == []
    assert text.count("planted: ") > 2 * len(FORMS)


def test_whom_to_write_to_is_no_secret() -> None:
    """The addresses in a runbook are what it is for."""
    answer = Asked(application("runbooks", "crash-loop")).get("/runbooks/escalation")
    assert "***" not in json.dumps(answer)
