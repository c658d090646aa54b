"""Settings of the Amazon Bedrock AgentCore Gateway and of the bucket that its targets read from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent_deploy.config import Fault, Mode, ignored
from sre_agent_deploy.config.field_syntax import GATEWAY_NAME, KMS_KEY, ORIGIN, PROVIDER_ARN
from sre_agent_deploy.config.section import Section, setting

LONGEST_DESCRIPTION = 200


class GatewayConfig(Section):
    """The gateway through which the assistant reaches its tools."""

    gateway_name: str = setting(
        "",
        "Name of the gateway; empty derives it from the deployment's name.",
        example="sre-gateway",
        console="Bedrock AgentCore > Gateways",
    )
    description: str = setting("SRE assistant tools", "Description of the gateway.", example="SRE assistant tools")
    s3_bucket: str = setting(
        "",
        "An existing S3 bucket for OpenAPI documents and releases; empty creates one.",
        example="sre-specs-123456789012",
        console="S3 > Buckets",
    )
    s3_path_prefix: str = setting("sre-agent", "Key prefix of everything that is put into the bucket.", example="sre-agent")
    versioning: bool = setting(
        False, "Keep what is replaced or deleted in the bucket that is created, for 30 days (S3 Versioning).", example="true"
    )
    kms_key_arn: str = setting(
        "",
        "The KMS key that encrypts the bucket that is created, or by which yours (s3_bucket) encrypts; empty: S3's own keys.",
        example=KMS_KEY.example,
        console="KMS > Customer managed keys",
    )
    cors_origins: tuple[str, ...] = setting(
        (), "Web pages of these origins may read the bucket that is created (CORS), with a signature.", example="[https://docs.example.com]"
    )
    access_log_bucket: str = setting(
        "",
        "An existing bucket for S3's log of each access to the bucket that is created; its policy must let logging.s3.amazonaws.com write.",
        example="access-logs-123456789012",
        console="S3 > Buckets",
    )
    provider_arn: str = setting(
        "",
        "An existing API key credential provider; empty creates one.",
        example="arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre",
        console="Bedrock AgentCore > Identity",
    )
    search: bool = setting(False, "Semantic tool search; can only be chosen when the gateway is created.", example="false")
    debug: bool = setting(False, "Detailed error messages from the gateway (exception level DEBUG).", example="false")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each name that AgentCore or S3 would refuse."""
        yield from GATEWAY_NAME.faults("gateway_name", self.gateway_name)
        yield from PROVIDER_ARN.faults("provider_arn", self.provider_arn)
        yield from bucket_faults("s3_bucket", self.s3_bucket)
        yield from bucket_faults("access_log_bucket", self.access_log_bucket, "accesses are then not logged")
        yield from KMS_KEY.faults("kms_key_arn", self.kms_key_arn)
        for index, origin in enumerate(self.cors_origins):
            yield from ORIGIN.faults(("cors_origins", index), origin)
        if self.s3_bucket:
            settings = ("versioning", "cors_origins", "access_log_bucket")
            yield from ignored(self, settings, "s3_bucket names a bucket")
        if len(self.description) > LONGEST_DESCRIPTION:
            yield Fault(
                code="CONFIG-DESCRIPTION",
                path=("description",),
                what=f"description is longer than {LONGEST_DESCRIPTION} characters.",
                why="That is the limit of CreateGateway.",
                do=(f"Shorten it to {LONGEST_DESCRIPTION} characters; nothing depends on its text.",),
                correction="SRE assistant tools",
            )
        if not re.fullmatch(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*|", self.s3_path_prefix):
            yield Fault(
                code="CONFIG-S3-PREFIX",
                path=("s3_path_prefix",),
                what="s3_path_prefix can't be used.",
                why="It must be parts of letters, digits and safe characters with / between them, not at either end.",
                do=("Write it like this: sre-agent/specs",),
                correction="sre-agent/specs",
                aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
            )


RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def bucket_faults(field: str, name: str, when_empty: str = "the deployer then creates a bucket with a free name") -> Iterator[Fault]:
    """Yield a fault that lists the rules that `name` breaks; none if it is empty."""
    broken = list(_find_broken_rules(name)) if name else []
    if broken:
        yield Fault(
            code="CONFIG-BUCKET-NAME",
            path=(field,),
            what=f"{field} is not a name that S3 accepts.",
            why=" ".join(broken),
            do=(
                f"Use a name such as {correct_bucket_name(name)}",
                f"Or leave {field} empty: {when_empty}.",
            ),
            correction=correct_bucket_name(name),
            aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
        )
    elif "." in name:
        yield Fault(
            code="CONFIG-BUCKET-DOTS",
            path=(field,),
            what=f"{field} has a dot in it.",
            why="S3's own certificate (*.s3.amazonaws.com) does not cover names with dots, so some clients fail to connect.",
            do=(f"Prefer a name without dots, such as {name.replace('.', '-')}",),
            warning=True,
        )


def _find_broken_rules(name: str) -> Iterator[str]:
    if not 3 <= len(name) <= 63:
        yield "A bucket name has 3 to 63 characters."
    if "/" in name or ":" in name:
        yield "It is the bucket's name alone, without s3://, arn: or a path."
    elif re.search(r"[^a-z0-9.-]", name):
        yield "A bucket name has only lower-case letters, digits, hyphens and dots."
    if not re.fullmatch(r"[a-z0-9](.*[a-z0-9])?", name, re.DOTALL | re.IGNORECASE):
        yield "A bucket name begins and ends with a letter or digit."
    if ".." in name:
        yield "A bucket name has no two dots side by side."
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name):
        yield "A bucket name is not formatted as an IP address."
    if name.startswith(RESERVED_PREFIXES) or name.endswith(RESERVED_SUFFIXES):
        yield "This prefix or suffix is reserved by AWS."


def correct_bucket_name(name: str) -> str:
    """Derive the nearest name that breaks no rule."""
    bare = re.sub(r"^(s3://|arn:[^:]*:s3:::)", "", name).partition("/")[0]
    text = re.sub(r"[^a-z0-9]+", "-", bare.lower()).strip("-")[:50].strip("-")
    if len(text) < 3 or list(_find_broken_rules(text)):
        text = f"sre-{text.replace('--', '-')}-specs".replace("--", "-")
    return text if not list(_find_broken_rules(text)) else "sre-specs"
