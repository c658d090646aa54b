"""How large each EC2 instance type is, as far as a committed table knows (`make generate` renews it)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
        """Whether the whole system fits (requirement 1.1)."""
        return self.vcpus >= LEAST_VCPUS and self.memory_mib >= LEAST_MEMORY_MIB


@cache
def table() -> dict[str, InstanceType]:
    """Every known type by its name."""
    rows = files("sre_agent_deploy.config").joinpath("instance_types.csv").read_text(encoding="utf-8").splitlines()[1:]
    return {name: InstanceType(name, int(vcpus), int(memory), arch) for name, vcpus, memory, arch in (row.split(",") for row in rows)}


def smallest_that_suffices(family: str) -> str:
    """The smallest type of a family that is large enough; t3.xlarge where the family has none."""
    fitting = [known for known in table().values() if known.name.partition(".")[0] == family and known.suffices]
    return min(fitting, key=lambda known: (known.memory_mib, known.vcpus, known.name)).name if fitting else "t3.xlarge"
