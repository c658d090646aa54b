"""Settings of the EC2 instance, its DNS name and its certificate.

The size of each instance type is in a committed table, which `make generate` renews.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from sre_agent_deploy.config import Fault, Mode, required
from sre_agent_deploy.config.field_syntax import (
    ACME_DIRECTORY,
    AMI_ID,
    AVAILABILITY_ZONE,
    DOMAIN_NAME,
    DURATION,
    EMAIL,
    HOSTED_ZONE_ID,
    INSTANCE_TYPE,
    KEY_NAME,
    PEM_PATH,
    SUBNET_ID,
)
from sre_agent_deploy.config.section import Section, setting
from sre_core.nearest import find_nearest

LEAST_VOLUME_GIB = 50
LONGEST_TTL_SECONDS = 3600
LARGEST_VOLUME_GIB = 65536  # gp3 since 2025


class Fallback(Section):
    """Another place for the machine, if EC2 has no capacity for it in the first."""

    instance_type: str = setting("", "The instance type; empty takes deployment.instance_type.", example="m6i.xlarge")
    availability_zone: str = setting("", "An Availability Zone in which the VPC has a public subnet.", example="us-east-1b")
    subnet_id: str = setting("", "A public subnet of the VPC, instead of a zone.", example="subnet-0a1b2c3d4e5f60718")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a fallback that names no other place, or two."""
        yield from AVAILABILITY_ZONE.faults("availability_zone", self.availability_zone)
        yield from SUBNET_ID.faults("subnet_id", self.subnet_id)
        if self.instance_type:
            yield from size_faults(self.instance_type)
        if not (self.instance_type or self.availability_zone or self.subnet_id):
            yield required("instance_type", "m6i.xlarge", "A fallback names another type, Availability Zone or subnet.")
        if self.availability_zone and self.subnet_id:
            yield Fault(
                code="CONFIG-MISMATCH",
                path=("availability_zone",),
                what="availability_zone and subnet_id both choose the Availability Zone.",
                why="A subnet lies in one Availability Zone already.",
                do=("Remove one of them.",),
                correction='""',
            )


class DeploymentConfig(Section):
    """The machine that serves the assistant and its backends."""

    instance_type: str = setting(
        "t3.xlarge", "EC2 instance type with at least 4 vCPU and 16 GiB of memory.", example="t3.xlarge", console="EC2 > Instance types"
    )
    fallbacks: tuple[Fallback, ...] = setting(
        (),
        "Other instance types and Availability Zones, tried in order when EC2 has no capacity: "
        "[{instance_type: m6i.xlarge}, {availability_zone: us-east-1b}].",
    )
    volume_gb: int = setting(50, "Size of the gp3 root volume in GiB, at least 50.", example="50")
    ami_id: str = setting(
        "", "An AMI of your own; empty uses the newest official one.", example="ami-0a1b2c3d4e5f60718", console="EC2 > AMIs"
    )
    operating_system: Literal["amazon-linux-2023", "ubuntu-22.04"] = setting(
        "amazon-linux-2023", "The operating system: amazon-linux-2023 or ubuntu-22.04.", example="amazon-linux-2023"
    )
    key_name: str = setting(
        "", "An existing EC2 key pair for SSH; Session Manager needs none.", example="ops-key", console="EC2 > Key pairs"
    )
    ssh_cidrs: tuple[str, ...] = setting((), "Address ranges that may reach port 22; empty keeps it closed.", example="[203.0.113.0/24]")
    domain_name: str = setting("", "The public DNS name of the assistant.", example="sre.example.com")
    hosted_zone_id: str = setting(
        "",
        "Route 53 hosted zone of that domain; empty if DNS is elsewhere.",
        example="Z0123456789ABCDEFGHIJ",
        console="Route 53 > Hosted zones",
    )
    ssl_cert_path: str = setting(
        "",
        "Certificate chain in PEM, leaf first. If neither it nor the key is named, both are looked for in /etc/letsencrypt/live/DOMAIN, "
        "/opt/ssl/DOMAIN and /opt/ssl (fullchain.pem and privkey.pem).",
        example="/etc/letsencrypt/live/sre.example.com/fullchain.pem",
    )
    ssl_key_path: str = setting("", "Private key in PEM.", example="/etc/letsencrypt/live/sre.example.com/privkey.pem")
    ssl_ca_path: str = setting("", "CA certificate in PEM, for a private certificate authority.", example="/opt/ssl/ca.pem")
    libraries: str = setting(
        "",
        "A folder with the machine's libraries as wheels, uv and, for Ubuntu 22.04, Python, which the release then brings along: for a "
        "machine that can't reach PyPI and GitHub. "
        "docs/concepts/machine.md fills it.",
        example="machine-libraries",
    )
    software: Literal["docker-compose", "docker", "none"] = setting(
        "docker-compose",
        "What the instance has for your own use beside the deployment: docker-compose (Docker and Compose), docker, or none.",
        example="none",
    )
    dns_ttl: int = setting(60, "Seconds for which a resolver may keep the DNS record; an update waits twice as long.", example="60")
    keep_previous: str = setting(
        "",
        "How long the machine before stays after an update, for `rollback`. It costs as much as the new one. Empty deletes it at once.",
        example="1h",
    )
    ttl: str = setting(
        "",
        "How long this deployment is needed, from its creation; `cleanup --older-than` may delete it afterwards. Empty keeps it.",
        example="24h",
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for an instance that is too small, an open SSH port, and values that EC2 would refuse."""
        yield from AMI_ID.faults("ami_id", self.ami_id)
        yield from KEY_NAME.faults("key_name", self.key_name)
        yield from DOMAIN_NAME.faults("domain_name", self.domain_name)
        yield from HOSTED_ZONE_ID.faults("hosted_zone_id", self.hosted_zone_id)
        for field in ("ssl_cert_path", "ssl_key_path", "ssl_ca_path"):
            yield from PEM_PATH.faults(field, getattr(self, field))
        yield from DURATION.faults("ttl", self.ttl)
        yield from DURATION.faults("keep_previous", self.keep_previous)
        yield from dns_ttl_faults(self.dns_ttl)
        yield from size_faults(self.instance_type)
        for number, fallback in enumerate(self.fallbacks):
            for fault in fallback.faults(mode):
                yield fault.under("fallbacks", number)
        yield from volume_faults(self.volume_gb)
        yield from software_faults(self)
        for index, cidr in enumerate(self.ssh_cidrs):
            yield from cidr_faults(index, cidr)
        if mode == "production" and not self.domain_name:
            yield required("domain_name", DOMAIN_NAME.example, "Certificates and the gateway's targets need a public DNS name.")


def dns_ttl_faults(seconds: int) -> Iterator[Fault]:
    """Yield a fault for a TTL with which an update would wait for hours, or that Route 53 does not take."""
    if 0 <= seconds <= LONGEST_TTL_SECONDS:
        return
    yield Fault(
        code="CONFIG-DNS-TTL",
        path=("dns_ttl",),
        what="dns_ttl is not a time for which the DNS record can be kept.",
        why=f"An update waits twice as long, so it may be 0 to {LONGEST_TTL_SECONDS} seconds.",
        do=("Write it like this: dns_ttl: 60",),
        correction="60",
    )


def software_faults(chosen: DeploymentConfig) -> Iterator[Fault]:
    """Yield a warning for Compose on a machine that does not reach the place from which it is installed."""
    if not chosen.libraries or (chosen.software, chosen.operating_system) != ("docker-compose", "amazon-linux-2023"):
        return
    yield Fault(
        code="CONFIG-SOFTWARE",
        path=("libraries",),
        what="libraries is for a machine without internet access, but Compose would be downloaded from the internet.",
        why="Amazon Linux has no package of Compose, which is from download.docker.com. A machine that can't reach that has no Compose.",
        do=("Write software: docker, which is in Amazon Linux's own repository.", "Or leave it, and see later: sre-agent-deploy readiness"),
        warning=True,
    )


def volume_faults(size: int) -> Iterator[Fault]:
    """Yield a fault for a root volume below 50 GiB (requirement 1.1) or above what gp3 allows."""
    if LEAST_VOLUME_GIB <= size <= LARGEST_VOLUME_GIB:
        return
    yield Fault(
        code="CONFIG-VOLUME-SIZE",
        path=("volume_gb",),
        what="volume_gb is not a size that the root volume can have.",
        why=f"The system needs at least {LEAST_VOLUME_GIB} GiB, and a gp3 volume has at most {LARGEST_VOLUME_GIB}.",
        do=("Write it like this: volume_gb: 50",),
        correction=str(LEAST_VOLUME_GIB if size < LEAST_VOLUME_GIB else LARGEST_VOLUME_GIB),
        aws_docs="https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html",
    )


def cidr_faults(index: int, text: str) -> Iterator[Fault]:
    """Yield a fault for an address range that is malformed or opens SSH to a large part of the internet."""
    path = ("ssh_cidrs", index)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        yield Fault(
            code="CONFIG-CIDR",
            path=path,
            what=f"ssh_cidrs[{index}] is not an address range.",
            why="It must be an address, a slash and the number of fixed bits (0-32, or 0-128 for IPv6).",
            do=("Write it like this: 203.0.113.0/24, or 203.0.113.7/32 for one address.",),
            correction="203.0.113.0/24",
        )
        return
    if network.prefixlen < (8 if network.version == 4 else 32):
        yield Fault(
            code="CONFIG-SSH-OPEN",
            path=path,
            what=f"ssh_cidrs[{index}] opens port 22 to {'the whole internet' if network.prefixlen == 0 else 'much of the internet'}.",
            why="SSH is for named address ranges; Session Manager gives a shell with no open port at all.",
            do=("Write your own range, like this: 203.0.113.0/24", "Or leave ssh_cidrs empty and use Session Manager."),
            correction="203.0.113.0/24",
            aws_docs="https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager.html",
        )
    elif "/" not in text or str(network) != text.lower():
        yield Fault(
            code="CONFIG-CIDR",
            path=path,
            what=f"ssh_cidrs[{index}] is an address, not a range in the form that EC2 stores.",
            why="The bits after the slash's number must be zero, and the slash must be there.",
            do=(f"Write it like this: {network}",),
            correction=str(network),
        )


class TLSConfig(Section):
    """Where the certificate comes from."""

    source: Literal["local_ca", "files", "letsencrypt"] = setting(
        "local_ca",
        "local_ca (local mode), files (ssl_cert_path and ssl_key_path), or letsencrypt: the machine orders it and renews it.",
        example="files",
    )
    email: str = setting(
        "",
        "Of letsencrypt: an address for the account. Let's Encrypt sends no reminders to it, so it may be empty.",
        example="team@example.com",
    )
    staging: bool = setting(
        False,
        "Of letsencrypt: order at its staging environment, which has high limits and which no client trusts: for trials.",
        example="true",
    )
    challenge: Literal["http-01", "dns-01"] = setting(
        "http-01",
        "Of letsencrypt: http-01 (the domain leads to the machine, and port 80 is open) or dns-01 (a TXT record in hosted_zone_id).",
        example="dns-01",
    )
    directory_url: str = setting(
        "", "Of letsencrypt: the directory of another ACME authority; empty is Let's Encrypt.", example=ACME_DIRECTORY.example
    )
    directory_ca_path: str = setting(
        "",
        "Of letsencrypt: the CA certificate in PEM that directory_url itself is served with, if it is a private one.",
        example="/opt/ssl/ca.pem",
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for values that no ACME authority takes."""
        yield from EMAIL.faults("email", self.email)
        yield from ACME_DIRECTORY.faults("directory_url", self.directory_url)
        yield from PEM_PATH.faults("directory_ca_path", self.directory_ca_path)


LEAST_VCPUS = 4
LEAST_MEMORY_MIB = 16 * 1024


@dataclass(frozen=True)
class InstanceType:
    """One row of AWS's own description."""

    name: str
    vcpus: int
    memory_mib: int
    architecture: str

    @property
    def suffices(self) -> bool:
        """The type is large enough for the whole system (requirement 1.1)."""
        return self.vcpus >= LEAST_VCPUS and self.memory_mib >= LEAST_MEMORY_MIB


@cache
def load_table() -> dict[str, InstanceType]:
    """Load every known type by its name."""
    rows = files("sre_agent_deploy.config").joinpath("instance_types.csv").read_text(encoding="utf-8").splitlines()[1:]
    return {name: InstanceType(name, int(vcpus), int(memory), arch) for name, vcpus, memory, arch in (row.split(",") for row in rows)}


def find_smallest_sufficient(family: str) -> str:
    """Find the smallest type of a family that is large enough; t3.xlarge if the family has none."""
    fitting = [known for known in load_table().values() if known.name.partition(".")[0] == family and known.suffices]
    return min(fitting, key=lambda known: (known.memory_mib, known.vcpus, known.name)).name if fitting else "t3.xlarge"


def size_faults(instance_type: str) -> Iterator[Fault]:
    """Yield an error for a type below 4 vCPU and 16 GiB (requirement 1.1), and a warning for an unknown type."""
    malformed = list(INSTANCE_TYPE.faults("instance_type", instance_type))
    yield from malformed
    known = load_table().get(instance_type)
    if malformed or (known and known.suffices):
        return
    if known:
        enough = find_smallest_sufficient(instance_type.partition(".")[0])
        yield Fault(
            code="CONFIG-INSTANCE-TOO-SMALL",
            path=("instance_type",),
            what=f"instance_type has {known.vcpus} vCPU and {known.memory_mib / 1024:g} GiB of memory, which is too small.",
            why=f"The assistant and its four backends need {LEAST_VCPUS} vCPU and {LEAST_MEMORY_MIB // 1024} GiB.",
            do=(f"Use {enough} or larger.",),
            correction=enough,
            aws_docs="https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html",
        )
        return
    nearest = find_nearest(instance_type, (name for name, kind in load_table().items() if kind.suffices)) or "t3.xlarge"
    yield Fault(
        code="CONFIG-INSTANCE-TYPE",
        path=("instance_type",),
        what="instance_type is unknown to this version, so its size could not be checked.",
        why=f"It must have at least {LEAST_VCPUS} vCPU and {LEAST_MEMORY_MIB // 1024} GiB; it may be new at AWS, or misspelled.",
        do=(
            f"If it is misspelled: did you mean {nearest}?",
            "Else check its size: aws ec2 describe-instance-types --instance-types TYPE",
        ),
        warning=True,
    )
