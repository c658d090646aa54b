"""Size of each EC2 instance type from a committed table (`make generate` renews it), and faults for types that are too small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sre_agent_deploy.config.fault import Fault
from sre_agent_deploy.config.field_syntax import INSTANCE_TYPE
from sre_core.nearest import find_nearest

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
    meant = find_nearest(instance_type, (name for name, kind in load_table().items() if kind.suffices)) or "t3.xlarge"
    yield Fault(
        code="CONFIG-INSTANCE-TYPE",
        path=("instance_type",),
        what="instance_type is unknown to this version, so its size could not be checked.",
        why=f"It must have at least {LEAST_VCPUS} vCPU and {LEAST_MEMORY_MIB // 1024} GiB; it may be new at AWS, or misspelled.",
        do=(
            f"If it is misspelled: did you mean {meant}?",
            "Else check its size: aws ec2 describe-instance-types --instance-types TYPE",
        ),
        warning=True,
    )
