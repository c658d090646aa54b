"""Models of config.yaml: one frozen model per section, in AWS's terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from sre_agent_deploy.config import Fault, Mode, required, unavailable
from sre_agent_deploy.config.aws import AWSConfig
from sre_agent_deploy.config.consistency import (
    account_faults,
    alert_faults,
    budget_faults,
    certificate_faults,
    dns_mark_faults,
    instance_type_faults,
    network_faults,
    outside_check_faults,
    tag_faults,
    trace_faults,
    trail_faults,
)
from sre_agent_deploy.config.credentials import CredentialConfig
from sre_agent_deploy.config.deployment import DeploymentConfig, TLSConfig
from sre_agent_deploy.config.field_syntax import DEPLOYMENT_NAME, DURATION, ECR_IMAGE, RECORDING, SECURITY_GROUP_ID, SOURCE_URL, SUBNET_ID
from sre_agent_deploy.config.gateway import GatewayConfig
from sre_agent_deploy.config.operations import (
    AlertsConfig,
    BackupsConfig,
    LimitsConfig,
    MonitoringConfig,
    RetriesConfig,
    StateConfig,
    UpdatesConfig,
)
from sre_agent_deploy.config.section import Section, SetupResult, ValidationResult, VerificationReport, setting
from sre_agent_deploy.config.sources import ClusterSource, LogSource, MetricSource, RunbookSource, Source, entry_faults, list_faults
from sre_core import bedrock

__all__ = [
    "AWSConfig",
    "AlertsConfig",
    "AssistantConfig",
    "Config",
    "CredentialConfig",
    "DeploymentConfig",
    "GatewayConfig",
    "LimitsConfig",
    "MonitoringConfig",
    "PrivacyConfig",
    "RetriesConfig",
    "ServicesConfig",
    "SetupResult",
    "StateConfig",
    "TLSConfig",
    "ValidationResult",
    "VerificationReport",
]

VERSION = 1


class ServicesConfig(Section):
    """The source from which the four backend APIs answer."""

    source: Literal["recorded"] = setting("recorded", "recorded: an incident that was recorded.", example="recorded")
    recording: str = setting("crash-loop", "crash-loop, memory-leak, healthy, or a folder of your own.", example="crash-loop")
    kubernetes: tuple[ClusterSource, ...] = setting(
        (),
        'Clusters of your own, which are only read: [{source: kubeconfig, kubeconfig: "file:~/.kube/config", context: prod}] or '
        "[{source: eks, cluster: prod, access_entry: true}]. "
        "With one system of your own, nothing is answered from a recording but runbooks.",
    )
    logs: tuple[LogSource, ...] = setting(
        (),
        'Logs of your own: [{source: kubeconfig, kubeconfig: "file:~/.kube/config"}], [{source: files, path: /var/log/shop}], '
        '[{source: journald, url: "http://host.example.com:19531"}] or [{source: cloudwatch, log_groups: [/aws/lambda/checkout]}].',
    )
    metrics: tuple[MetricSource, ...] = setting(
        (), 'Metrics of your own: [{source: prometheus, url: "https://prometheus.example.com", token: "env:PROMETHEUS_TOKEN"}].'
    )

    runbooks: tuple[RunbookSource, ...] = setting(
        (), 'Runbooks of your own: [{source: git, url: "https://git.example.com/team/runbooks.git", token: "env:GIT_TOKEN"}].'
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a recording that is neither shipped nor a path, and for each of a source."""
        yield from RECORDING.faults("recording", self.recording)
        for name, sources in self.live().items():
            yield from list_faults(name, sources, mode)

    def live(self) -> dict[str, tuple[Source, ...]]:
        """Return the systems of the user's own, by service; a service without one has none."""
        return {"kubernetes": self.kubernetes, "logs": self.logs, "metrics": self.metrics, "runbooks": self.runbooks}


class ModelKey(Source):
    """The key of a language model's provider."""

    SECRETS: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: str = ""


MOST_IN_NETWORK = 16


def _too_many(field: str) -> Fault:
    return Fault(
        code="CONFIG-RESOURCE-ID",
        path=(field,),
        what=f"{field} has more than {MOST_IN_NETWORK} entries.",
        why=f"AgentCore Runtime takes {MOST_IN_NETWORK} at most.",
        do=("Name two subnets in different Availability Zones, and one security group: that is enough.",),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-vpc.html",
    )


def _no_machine_of_its_own() -> Fault:
    return Fault(
        code="CONFIG-MISMATCH",
        path=("session_store",),
        what="session_store sqlite does not fit runtime agentcore.",
        why="AgentCore Runtime gives each session a machine of its own, whose files end with it.",
        do=("Set session_store: dynamodb, or none to keep nothing.",),
        correction="dynamodb",
    )


class AssistantConfig(Section):
    """Where the assistant runs, and the engine that it reasons with."""

    runtime: Literal["ec2", "agentcore"] = setting(
        "ec2",
        "ec2: on the instance, beside the four backends. agentcore: on Amazon Bedrock AgentCore Runtime; the backends stay.",
        example="ec2",
    )
    image: str = setting(
        "",
        "Of agentcore: the assistant's image in Amazon ECR, for arm64 (target `runtime` of containers/Dockerfile). Empty takes a package.",
        example="123456789012.dkr.ecr.us-east-1.amazonaws.com/sre-agent:1.0",
    )
    libraries: str = setting(
        "",
        "Of agentcore without an image: a folder with its libraries for arm64; docs/how-to/agentcore-runtime.md fills it.",
        example="runtime-libraries",
    )
    subnet_ids: tuple[str, ...] = setting(
        (),
        "Of agentcore: subnets of a VPC in which the assistant gets its network, each with a route to a NAT gateway; "
        "empty: AgentCore's own network.",
        example='["subnet-0a1b2c3d4e5f60718"]',
        console="VPC > Subnets",
    )
    security_group_ids: tuple[str, ...] = setting(
        (),
        "Of subnet_ids: security groups of that VPC, which let out port 443. They are never changed or deleted.",
        example='["sg-0a1b2c3d4e5f60718"]',
        console="EC2 > Security Groups",
    )
    session_store: Literal["auto", "sqlite", "dynamodb", "none"] = setting(
        "auto",
        "Where the questions of a session are kept, so that the next one may refer to them: sqlite (a file on the instance; it ends with "
        "the machine), dynamodb (a table, for every machine that answers), none. auto: sqlite on ec2, dynamodb on agentcore.",
        example="auto",
    )
    session_ttl: str = setting("24h", "How long a question is kept in its session, in either store.", example="24h")
    reasoner: Literal["rules", "bedrock", "anthropic", "openai"] = setting(
        "rules",
        "rules: deterministic, needs no model and no credentials. With a model, the rules answer first, and where the model fails: "
        "bedrock (Amazon Bedrock; the default in production), anthropic, openai (OpenAI and compatible: Ollama, vLLM).",
        example="rules",
    )
    model: str = setting("", "The model; empty takes the provider's usual one. openai has none.", example="anthropic.claude-sonnet-4-6")
    fallback_model: str = setting("", "The model that is asked when the first fails.", example="amazon.nova-pro-v1:0")
    url: str = setting("", "Another address than the provider's; of bedrock with api_key only.", example="https://models.example.com/v1")
    api_key: str = setting("", "Of anthropic, openai, and bedrock in local mode: a reference to the key.", example="env:ANTHROPIC_API_KEY")
    tokens_per_question: int = setting(400_000, "Tokens that one question may cost.", example="400000")
    requests_per_question: int = setting(24, "Requests to the model that one question may cost.", example="24")
    seconds_per_question: int = setting(120, "Seconds that the model may take for one question.", example="120")
    usd_per_question: float = setting(1.0, "US dollars that one question may cost, where the model's price is known.", example="1.0")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a model that can't be reached, and for a key that is written into the file."""
        yield from ModelKey(api_key=self.api_key).faults(mode)
        yield from SOURCE_URL.faults("url", self.url)
        yield from self._runtime_faults(mode)
        yield from DURATION.faults("session_ttl", self.session_ttl)
        if self.reasoner == "bedrock" and mode == "local" and not self.api_key:
            yield required(
                "api_key",
                "env:AWS_BEARER_TOKEN_BEDROCK",
                "The local AWS has no models, and local mode uses none of your AWS credentials. An API key of Bedrock can do nothing else.",
            )
        if self.reasoner == "openai" and not self.model:
            yield required("model", "gpt-5.2", "An OpenAI-compatible endpoint has models of any name.")
        if self.reasoner == "anthropic" and not self.api_key:
            yield required("api_key", "env:ANTHROPIC_API_KEY", "Anthropic's API needs a key.")

    def _runtime_faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each setting with which AgentCore Runtime can't start the assistant."""
        yield from ECR_IMAGE.faults("image", self.image)
        yield from self._network_faults()
        if not self.on_runtime:
            return
        if mode == "production" and not (self.image or self.libraries):
            yield required("libraries", "runtime-libraries", "A package for AgentCore Runtime must bring its libraries along.")
        if self.api_key:
            why = "On AgentCore Runtime the assistant can't read the key of a model. bedrock and rules need none; runtime ec2 reads it."
            yield unavailable("api_key", why, '""')
        if self.session_store == "sqlite":
            yield _no_machine_of_its_own()

    def _network_faults(self) -> Iterator[Fault]:
        """Yield a fault for what is no network of a runtime. AgentCore takes 16 subnets and 16 security groups."""
        for field, syntax in (("subnet_ids", SUBNET_ID), ("security_group_ids", SECURITY_GROUP_ID)):
            for number, value in enumerate(getattr(self, field)):
                yield from syntax.faults((field, number), value)
            if len(getattr(self, field)) > MOST_IN_NETWORK:
                yield _too_many(field)
        if self.subnet_ids and not self.security_group_ids:
            yield required("security_group_ids", f'["{SECURITY_GROUP_ID.example}"]', "AgentCore needs one for its network interfaces.")
        if self.security_group_ids and not self.subnet_ids:
            yield required("subnet_ids", f'["{SUBNET_ID.example}"]', "Security groups belong to network interfaces in subnets.")
        if self.subnet_ids and not self.on_runtime:
            yield Fault(
                code="CONFIG-NO-EFFECT",
                path=("subnet_ids",),
                what="subnet_ids has no effect.",
                why="It is a setting of runtime: agentcore. The instance runs in aws.subnet_id.",
                do=("Set runtime: agentcore.", "Or remove subnet_ids and security_group_ids here."),
                warning=True,
            )

    @property
    def on_runtime(self) -> bool:
        """Return True if the assistant runs on AgentCore Runtime, and not on the instance."""
        return self.runtime == "agentcore"

    @property
    def sessions(self) -> str:
        """Return where sessions are kept: sqlite, dynamodb or none."""
        if self.session_store != "auto":
            return self.session_store
        return "dynamodb" if self.on_runtime else "sqlite"

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models on Bedrock that the assistant's role may use: none with a key, which has its own permissions."""
        if self.reasoner != "bedrock" or self.api_key:
            return ()
        return tuple(dict.fromkeys((self.model or bedrock.MODEL, self.fallback_model or bedrock.FALLBACK)))


class PrivacyConfig(Section):
    """What a language model never gets to see besides secrets, which are always hidden from it."""

    hide: tuple[str, ...] = setting((), "Regular expressions; what they match is hidden.", example='["customer-[0-9]+"]')
    addresses: Literal["show", "hide"] = setting("show", "Whether a model sees IP addresses.", example="show")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a pattern that is no regular expression."""
        for number, pattern in enumerate(self.hide):
            try:
                re.compile(pattern)
            except re.error as error:
                yield Fault(
                    code="CONFIG-PATTERN",
                    path=("hide", number),
                    what="This pattern is no regular expression.",
                    why=f"{error}.",
                    do=("Correct it; single quotes around it keep YAML from reading backslashes.",),
                )


class Config(Section):
    """A whole config.yaml. `mode` is the one it was loaded for."""

    version: int = setting(1, "The version of this format.", example="1")
    mode: Mode = setting("production", "production (AWS) or local (this machine); --mode overrides it.", example="production")
    name: str = setting("sre", "Name of the deployment: 1-20 lower-case letters, digits and hyphens.", example="sre")
    aws: AWSConfig = AWSConfig()
    credentials: CredentialConfig = CredentialConfig()
    gateway: GatewayConfig = GatewayConfig()
    deployment: DeploymentConfig = DeploymentConfig()
    tls: TLSConfig = TLSConfig()
    services: ServicesConfig = ServicesConfig()
    assistant: AssistantConfig = AssistantConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    state: StateConfig = StateConfig()
    limits: LimitsConfig = LimitsConfig()
    retries: RetriesConfig = RetriesConfig()
    alerts: AlertsConfig = AlertsConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    updates: UpdatesConfig = UpdatesConfig()
    backups: BackupsConfig = BackupsConfig()
    tags: Mapping[str, str] = setting(
        {},
        "Tags that every resource gets besides the deployer's own; objects in S3, which take ten at most, only if all fit.",
        example="{team: platform}",
    )

    def default_mode(self) -> Mode:
        """Return the mode that this configuration was loaded for."""
        return self.mode

    def is_monitored(self, mode: Mode) -> bool:
        """Say if the deployment has logs, metrics and alarms in CloudWatch."""
        if self.monitoring.enabled == "auto":
            return mode == "production" and bool(self.alerts.email or self.alerts.url)
        return self.monitoring.enabled == "always"

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Yield each section with its key in the file."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield name, value

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each broken rule of one section or of several together."""
        yield from version_faults(self.version)
        yield from DEPLOYMENT_NAME.faults("name", self.name)
        for name, section in self.sections():
            for fault in section.faults(mode):
                yield fault.under(name)
        yield from account_faults(self.aws, self.gateway, self.credentials, self.monitoring)
        yield from instance_type_faults(self.limits, self.deployment)
        yield from network_faults(self.aws, self.deployment)
        yield from entry_faults(self.services.live(), self.aws.region)
        yield from budget_faults(self.limits, self.alerts, self.aws.region)
        yield from alert_faults(self.limits, self.alerts, self.is_monitored(mode))
        yield from trace_faults(self.monitoring, self.is_monitored(mode))
        yield from trail_faults(self.monitoring, self.is_monitored(mode))
        yield from outside_check_faults(self.monitoring, self.aws.region, self.is_monitored(mode))
        yield from certificate_faults(self.tls, self.deployment, mode)
        yield from tag_faults(self.tags)
        yield from dns_mark_faults(self.tags, self.deployment, self.state.location)


def version_faults(version: int) -> Iterator[Fault]:
    """Yield a fault for a file of another format: it is refused, not half understood."""
    if version == VERSION:
        return
    yield Fault(
        code="CONFIG-VERSION",
        path=("version",),
        what="version is a format that this program can't read.",
        why=f"This program reads version {VERSION}; a higher number needs a newer program.",
        do=("Install a newer sre-agent (in the checkout: `git pull`, then `pip install .`), or correct the number.",),
        correction=str(VERSION),
    )
