"""Systems from which the backend APIs answer: a cluster, its logs, Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from sre_agent_deploy.config.fault import Fault, Mode, format_path, required
from sre_agent_deploy.config.field_syntax import NAMESPACE, SOURCE_URL
from sre_agent_deploy.config.secret_reference import SecretReference, plain_secret
from sre_agent_deploy.config.section import Section, setting

KUBECONFIG = "file:~/.kube/config"


class Source(Section):
    """One system. Its secrets are references, and the deployment keeps their values in Secrets Manager."""

    SECRETS: ClassVar[tuple[str, ...]] = ()

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each secret that is not a reference."""
        for field in self.SECRETS:
            text = getattr(self, field)
            if text and not SecretReference.parse(text):
                yield plain_secret(field)

    def references(self) -> dict[str, SecretReference]:
        """Return the references to this source's secrets, by field."""
        found = {field: SecretReference.parse(getattr(self, field)) for field in self.SECRETS}
        return {field: reference for field, reference in found.items() if reference}

    def plain_values(self) -> dict[str, str]:
        """Return the values that are no secrets."""
        return {name: str(value) for name, value in self.model_dump().items() if value and name not in self.SECRETS}


class ClusterSource(Source):
    """A cluster, by a kubeconfig."""

    SECRETS: ClassVar[tuple[str, ...]] = ("kubeconfig",)

    source: Literal["kubeconfig"] = setting("kubeconfig", "kubeconfig: the API server of a kubeconfig's context.", example="kubeconfig")
    kubeconfig: str = setting(
        KUBECONFIG, "A reference to the kubeconfig: file:PATH, env:NAME or aws-secretsmanager:NAME.", example=KUBECONFIG
    )
    context: str = setting("", "The context of the kubeconfig; empty takes its current one.", example="prod")
    namespace: str = setting("", "The namespace of the application; empty takes that of the context.", example="shop")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a kubeconfig that is no reference, and for a namespace that Kubernetes would refuse."""
        if not self.kubeconfig:
            yield required("kubeconfig", KUBECONFIG, "A cluster is reached by a kubeconfig.")
        elif not SecretReference.parse(self.kubeconfig):
            yield _no_reference()
        yield from NAMESPACE.faults("namespace", self.namespace)


class MetricSource(Source):
    """A system with Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics."""

    SECRETS: ClassVar[tuple[str, ...]] = ("token", "password", "ca")

    source: Literal["prometheus"] = setting("prometheus", "prometheus: any system with its HTTP API.", example="prometheus")
    url: str = setting("", "Its address, with the path below which /api/v1 is.", example="https://prometheus.example.com")
    token: str = setting("", "A reference to a bearer token.", example="env:PROMETHEUS_TOKEN")
    username: str = setting("", "The user of basic authentication.", example="sre")
    password: str = setting("", "A reference to the user's password.", example="env:PROMETHEUS_PASSWORD")
    ca: str = setting("", "A reference to the PEM file of a private certificate authority.", example="file:/etc/ssl/company-ca.pem")
    tenant: str = setting("", "The tenant, sent as X-Scope-OrgID (Mimir).", example="team-a")
    namespace: str = setting("", "Only metrics of this namespace of Kubernetes; empty takes all.", example="shop")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a missing or malformed address, and for half of a user's credentials."""
        yield from super().faults(mode)
        if not self.url:
            yield required("url", "https://prometheus.example.com", "Metrics are read from an address.")
        yield from SOURCE_URL.faults("url", self.url)
        yield from NAMESPACE.faults("namespace", self.namespace)
        if self.password and not self.username:
            yield required("username", "sre", "Basic authentication needs a user besides the password.")


def list_faults(field: str, sources: Sequence[Source], mode: Mode) -> Iterator[Fault]:
    """Yield the faults of each entry of a list of sources, and one for more entries than are used."""
    for number, source in enumerate(sources):
        for fault in source.faults(mode):
            yield fault.under(field, number)
    if len(sources) > 1:
        yield Fault(
            code="CONFIG-SOURCES-SEVERAL",
            path=(field, 1),
            what=f"{format_path((field, 1))} is one source too many.",
            why="This version answers from one source of each kind.",
            do=("Remove all entries but the one to answer from.",),
        )


def _no_reference() -> Fault:
    return Fault(
        code="CONFIG-KUBECONFIG",
        path=("kubeconfig",),
        what="kubeconfig is no reference to a kubeconfig.",
        why="A kubeconfig holds credentials, so the configuration only says where it is.",
        do=(
            f"For a file, write it like this: kubeconfig: {KUBECONFIG}",
            "For one in AWS Secrets Manager: kubeconfig: aws-secretsmanager:NAME",
        ),
        correction=KUBECONFIG,
    )
