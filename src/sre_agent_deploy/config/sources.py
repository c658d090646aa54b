"""Systems from which the backend APIs answer: clusters, logs, metrics and runbooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from sre_agent_deploy.config import Fault, Mode, required, unavailable
from sre_agent_deploy.config.aws import region_faults
from sre_agent_deploy.config.environment import SecretReference, plain_secret
from sre_agent_deploy.config.field_syntax import (
    AMP_WORKSPACE,
    EKS_CLUSTER,
    INDEX,
    LOG_GROUP,
    NAMESPACE,
    REPOSITORY,
    SOURCE_NAME,
    SOURCE_PATH,
    SOURCE_URL,
)
from sre_agent_deploy.config.gateway import bucket_faults
from sre_agent_deploy.config.section import Section, setting

KUBECONFIG = "file:~/.kube/config"


class Source(Section):
    """One system. Its secrets are references, and the deployment keeps their values in Secrets Manager."""

    SECRETS: ClassVar[tuple[str, ...]] = ()
    FOR_DEPLOYMENT: ClassVar[tuple[str, ...]] = ()
    """The settings that the deployment acts on, and of which the services know nothing."""

    @property
    def kind(self) -> str:
        """Return the kind of system."""
        return str(getattr(self, "source", ""))

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each secret that is not a reference."""
        for field in self.SECRETS:
            text = getattr(self, field)
            if text and not SecretReference.parse(text):
                yield _no_reference() if field == "kubeconfig" else plain_secret(field)

    def references(self) -> dict[str, SecretReference]:
        """Return the references to this source's secrets, by field."""
        found = {field: SecretReference.parse(getattr(self, field)) for field in self.SECRETS}
        return {field: reference for field, reference in found.items() if reference}

    def plain_values(self) -> dict[str, str]:
        """Return the values that are no secrets, for the services."""
        values = {name: value for name, value in self.model_dump().items() if value and name not in (*self.SECRETS, *self.FOR_DEPLOYMENT)}
        return {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in values.items()}


NAME = "What answers call it; empty takes the kind of source, with a number from the second of a kind on."


CLUSTER = "Of eks: the name of the cluster."
ACCESS_ENTRY = (
    "Of eks: true creates an access entry in the cluster, for the instance role in the group sre-agent-readers, and deletes it with the "
    "deployment; the cluster must be in the region of the deployment, and its authentication mode API or API_AND_CONFIG_MAP. false changes "
    "nothing of the cluster."
)
REGION = "Of a source on AWS: its region; empty takes that of the deployment."


class ClusterSource(Source):
    """A cluster, by a kubeconfig, or by its name in Amazon EKS."""

    SECRETS: ClassVar[tuple[str, ...]] = ("kubeconfig",)
    FOR_DEPLOYMENT: ClassVar[tuple[str, ...]] = ("access_entry",)

    source: Literal["kubeconfig", "eks"] = setting(
        "kubeconfig",
        "kubeconfig: the API server of a kubeconfig's context. eks: a cluster of Amazon EKS, by its name.",
        example="kubeconfig",
    )
    cluster: str = setting("", CLUSTER, example="prod")
    access_entry: bool = setting(False, ACCESS_ENTRY, example="true")
    region: str = setting("", REGION, example="eu-west-1")
    name: str = setting("", NAME, example="prod")
    kubeconfig: str = setting(
        KUBECONFIG, "A reference to the kubeconfig: file:PATH, env:NAME or aws-secretsmanager:NAME.", example=KUBECONFIG
    )
    context: str = setting("", "The context of the kubeconfig; empty takes its current one.", example="prod")
    namespace: str = setting("", "The namespace of the application; empty takes that of the context.", example="shop")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a kubeconfig that is no reference, and for a namespace that Kubernetes would refuse."""
        yield from super().faults(mode)
        if self.source == "eks":
            yield from eks_faults(self.cluster, self.region, mode)
        elif not self.kubeconfig:
            yield required("kubeconfig", KUBECONFIG, "A cluster is reached by a kubeconfig.")
        yield from access_entry_faults(self.source, access_entry=self.access_entry)
        yield from NAMESPACE.faults("namespace", self.namespace)

    def references(self) -> dict[str, SecretReference]:
        """Return the reference to the kubeconfig; a cluster of EKS needs none."""
        return {} if self.source == "eks" else super().references()


class RemoteSource(Source):
    """A system that answers HTTP requests."""

    url: str = setting("", "Its address.", example="https://prometheus.example.com")
    token: str = setting("", "A reference to a bearer token.", example="env:SOURCE_TOKEN")
    username: str = setting("", "The user of basic authentication.", example="sre")
    password: str = setting("", "A reference to the user's password.", example="env:SOURCE_PASSWORD")
    ca: str = setting("", "A reference to the PEM file of a private certificate authority.", example="file:/etc/ssl/company-ca.pem")
    tenant: str = setting("", "The tenant, sent as X-Scope-OrgID (Mimir, Loki).", example="team-a")

    def remote_faults(self, example: str) -> Iterator[Fault]:
        """Yield a fault for a missing or malformed address, and for half of a user's credentials."""
        if not self.url:
            yield required("url", example, "The system is asked at an address.")
        yield from SOURCE_URL.faults("url", self.url)
        if self.password and not self.username:
            yield required("username", "sre", "Basic authentication needs a user besides the password.")


class LogSource(RemoteSource):
    """Logs: of a cluster's pods, of files, of a journal, or of Loki."""

    SECRETS: ClassVar[tuple[str, ...]] = ("kubeconfig", "token", "password", "ca")
    FOR_DEPLOYMENT: ClassVar[tuple[str, ...]] = ("access_entry",)

    source: Literal["kubeconfig", "eks", "files", "journald", "loki", "opensearch", "cloudwatch"] = setting(
        "kubeconfig",
        "kubeconfig, eks: the pods of a cluster. files: a folder where the services run. journald: systemd-journal-gatewayd. loki: Loki. "
        "opensearch: OpenSearch or Elasticsearch. cloudwatch: log groups of Amazon CloudWatch.",
        example="kubeconfig",
    )
    name: str = setting("", NAME, example="shop-logs")
    kubeconfig: str = setting("", f"Of a cluster: a reference to the kubeconfig; empty takes {KUBECONFIG}.", example=KUBECONFIG)
    context: str = setting("", "Of a cluster: the context; empty takes the current one.", example="prod")
    namespace: str = setting("", "Of a cluster: the namespace; empty takes that of the context.", example="shop")
    label: str = setting(
        "",
        "Of Loki: the label that names the service; empty takes service_name. Of opensearch: the keyword field that does; empty takes "
        "service.name. Of CloudWatch: the field that does, kubernetes.pod_name for "
        "its workload; empty takes the last part of the log group's name.",
        example="app",
    )
    index: str = setting("", "Of opensearch: the index, or a pattern of several.", example="logs-*")
    cluster: str = setting("", CLUSTER, example="prod")
    access_entry: bool = setting(False, ACCESS_ENTRY, example="true")
    log_groups: tuple[str, ...] = setting((), "Of CloudWatch: the log groups.", example='["/aws/lambda/checkout"]')
    region: str = setting("", REGION, example="eu-west-1")
    path: str = setting("", "Of files: the folder, which is read where the services run.", example="/var/log/shop")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each setting that this kind of source needs or refuses."""
        yield from super().faults(mode)
        if self.source == "files" and not self.path:
            yield required("path", "/var/log/shop", "Files are read from a folder.")
        yield from SOURCE_PATH.faults("path", self.path)
        if self.source == "journald":
            yield from self.remote_faults("http://host.example.com:19531")
        if self.source == "loki":
            yield from self.remote_faults("https://loki.example.com")
        if self.source == "opensearch":
            yield from self.remote_faults("https://opensearch.example.com:9200")
            yield from self._index_faults()
        if self.source == "eks":
            yield from eks_faults(self.cluster, self.region, mode)
        if self.source == "cloudwatch":
            yield from aws_faults(self.region, mode, "files")
            yield from self._log_group_faults()
        yield from access_entry_faults(self.source, access_entry=self.access_entry)
        yield from NAMESPACE.faults("namespace", self.namespace)

    def _index_faults(self) -> Iterator[Fault]:
        if not self.index:
            yield required("index", "logs-*", "Records are searched in an index.")
        yield from INDEX.faults("index", self.index)

    def _log_group_faults(self) -> Iterator[Fault]:
        if not self.log_groups:
            yield required("log_groups", '["/aws/lambda/checkout"]', "CloudWatch is asked for log groups.")
        for number, name in enumerate(self.log_groups):
            yield from LOG_GROUP.faults(("log_groups", number), name)

    def references(self) -> dict[str, SecretReference]:
        """Return the references of this kind of source; the usual kubeconfig where none is named."""
        if self.source in ("files", "cloudwatch", "eks"):
            return {}
        if self.source != "kubeconfig":
            return {field: reference for field, reference in super().references().items() if field != "kubeconfig"}
        reference = SecretReference.parse(self.kubeconfig or KUBECONFIG)
        return {"kubeconfig": reference} if reference else {}


class MetricSource(RemoteSource):
    """A system with Prometheus' HTTP API (Prometheus, Thanos, Mimir, VictoriaMetrics), or CloudWatch."""

    SECRETS: ClassVar[tuple[str, ...]] = ("token", "password", "ca")

    source: Literal["prometheus", "amp", "cloudwatch"] = setting(
        "prometheus",
        "prometheus: any system with its HTTP API. amp: a workspace of Amazon Managed Service for Prometheus. "
        "cloudwatch: Amazon CloudWatch.",
        example="prometheus",
    )
    name: str = setting("", NAME, example="prod-metrics")
    region: str = setting("", REGION, example="eu-west-1")
    namespace: str = setting("", "Only metrics of this namespace of Kubernetes; empty takes all.", example="shop")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a missing or malformed address, and for half of a user's credentials."""
        yield from super().faults(mode)
        if self.source != "prometheus":
            yield from aws_faults(self.region, mode, "prometheus")
        if self.source == "amp":
            yield from self._workspace_faults()
        elif self.source == "prometheus":
            yield from self.remote_faults("https://prometheus.example.com")
        yield from NAMESPACE.faults("namespace", self.namespace)

    def _workspace_faults(self) -> Iterator[Fault]:
        if not self.url:
            yield required("url", AMP_WORKSPACE.example, "A workspace has an address of its own.")
        yield from AMP_WORKSPACE.faults("url", self.url)

    def references(self) -> dict[str, SecretReference]:
        """Return the references of this kind of source; the machine's identity is all that AWS asks for."""
        return super().references() if self.source == "prometheus" else {}


def eks_faults(cluster: str, region: str, mode: Mode) -> Iterator[Fault]:
    """Yield a fault for a cluster of EKS that has no name, or one that EKS does not allow."""
    yield from aws_faults(region, mode, "kubeconfig")
    if not cluster:
        yield required("cluster", "prod", "A cluster of EKS is found by its name.")
    yield from EKS_CLUSTER.faults("cluster", cluster)


def access_entry_faults(source: str, *, access_entry: bool) -> Iterator[Fault]:
    """Yield a fault for an access entry of what is no cluster of EKS."""
    if access_entry and source != "eks":
        yield Fault(
            code="CONFIG-NO-EFFECT",
            path=("access_entry",),
            what="access_entry has no effect.",
            why=f"Only a cluster of Amazon EKS has access entries, and this source is {source}.",
            do=("Remove access_entry, or set source to eks.",),
            correction="false",
        )


def list_entered_clusters(services: Mapping[str, Sequence[Source]]) -> tuple[str, ...]:
    """List the clusters in which the deployment creates an access entry, each once."""
    sources = (source for sources in services.values() for source in sources)
    entered = (source for source in sources if isinstance(source, ClusterSource | LogSource) and source.access_entry)
    return tuple(dict.fromkeys(source.cluster for source in entered))


def entry_faults(services: Mapping[str, Sequence[Source]], region: str) -> Iterator[Fault]:
    """Yield a fault for each access entry in another region than the deployment's."""
    for service, sources in services.items():
        for number, source in enumerate(sources):
            if isinstance(source, ClusterSource | LogSource) and source.access_entry and source.region not in ("", region):
                yield Fault(
                    code="CONFIG-MISMATCH",
                    path=("services", service, number, "access_entry"),
                    what=f"services.{service}[{number}].access_entry is for a cluster of another region than aws.region.",
                    why="A deployment creates resources in one region only. The cluster can be read all the same.",
                    do=(
                        f"Set access_entry to false, and create the entry with aws eks create-access-entry --region {source.region}: "
                        "docs/how-to/use-your-own-systems.md has all of the command.",
                    ),
                    correction="false",
                )


def aws_faults(region: str, mode: Mode, instead: str) -> Iterator[Fault]:
    """Yield a fault for a source on AWS whose region is misspelled, or that a local deployment has no identity for."""
    if region:
        yield from region_faults(region)
    if mode == "local":
        yield unavailable(
            "source", "The services of a local deployment have no identity of AWS: a source on AWS needs mode production.", instead
        )


def list_faults(field: str, sources: Sequence[Source], mode: Mode) -> Iterator[Fault]:
    """Yield the faults of each entry of a list of sources, and one for each name that is used twice."""
    names = [name for name, _ in name_sources(sources)]
    for number, source in enumerate(sources):
        for fault in (*source.faults(mode), *SOURCE_NAME.faults("name", names[number])):
            yield fault.under(field, number)
        if names[number] in names[:number]:
            yield _used_twice(names[number]).under(field, number)


def name_sources[S: Source](sources: Sequence[S]) -> list[tuple[str, S]]:
    """Name the sources of one service: as the user does, else by their kind, with a number from the second of a kind on."""
    named: list[tuple[str, S]] = []
    kinds = Counter[str]()
    for source in sources:
        kinds[source.kind] += 1
        number = kinds[source.kind]
        named.append((getattr(source, "name", "") or (source.kind if number == 1 else f"{source.kind}-{number}"), source))
    return named


def _used_twice(name: str) -> Fault:
    return Fault(
        code="CONFIG-SOURCE-NAME",
        path=("name",),
        what=f"name can't be {name}: another source of this service has it.",
        why="Answers say by its name from which source a record comes.",
        do=(f"Give one of them another name, for example {name}-2.",),
        correction=f"{name}-2",
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


class RunbookSource(Source):
    """Runbooks: of a git repository, an S3 bucket, or a folder."""

    SECRETS: ClassVar[tuple[str, ...]] = ("token", "key", "known_hosts")

    source: Literal["git", "s3", "folder"] = setting(
        "git", "git: a repository. s3: a bucket. folder: a folder where the services run.", example="git"
    )
    name: str = setting("", NAME, example="team-runbooks")
    url: str = setting("", "Of git: its https or ssh address, or a path.", example="https://git.example.com/team/runbooks.git")
    branch: str = setting("", "Of git: the branch; empty takes the repository's own.", example="main")
    username: str = setting("", "Of git over https: the user of the token; empty takes x-access-token.", example="oauth2")
    token: str = setting("", "Of git over https: a reference to a token.", example="env:GIT_TOKEN")
    key: str = setting("", "Of git over ssh: a reference to a private key.", example="file:~/.ssh/runbooks")
    known_hosts: str = setting("", "Of git over ssh: a reference to a known_hosts file.", example="file:~/.ssh/known_hosts")
    path: str = setting(
        "", "Of folder: the folder. Of git: a folder in the repository; empty takes all of it.", example="/var/lib/runbooks"
    )
    bucket: str = setting("", "Of s3: the bucket.", example="team-runbooks")
    prefix: str = setting("", "Of s3: the beginning of the keys.", example="runbooks/")
    region: str = setting("", REGION, example="eu-west-1")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each setting that this kind of source needs or refuses."""
        yield from super().faults(mode)
        match self.source:
            case "git":
                yield from self._repository_faults()
            case "s3":
                yield from aws_faults(self.region, mode, "folder")
                yield from self._bucket_faults()
            case "folder":
                if not self.path:
                    yield required("path", "/var/lib/runbooks", "Runbooks are read from a folder.")
                yield from SOURCE_PATH.faults("path", self.path)

    def _repository_faults(self) -> Iterator[Fault]:
        if not self.url:
            yield required("url", REPOSITORY.example, "Runbooks are read from a repository.")
        yield from REPOSITORY.faults("url", self.url)
        if self.key and not self.known_hosts:
            yield required("known_hosts", "file:~/.ssh/known_hosts", "Without it any server could answer for the repository.")

    def _bucket_faults(self) -> Iterator[Fault]:
        if not self.bucket:
            yield required("bucket", "team-runbooks", "Runbooks are read from a bucket.")
        yield from bucket_faults("bucket", self.bucket, "runbooks are then not read from S3")
