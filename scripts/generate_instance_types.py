"""Write the table of EC2 instance types that sizing is checked against, from the description that moto ships.

It is committed because `--validate-only` works offline and without moto.
"""

import gzip
import json
from importlib.resources import files
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src/sre_agent_deploy/config/instance_types.csv"


def main() -> None:
    described = json.loads(gzip.decompress(files("moto").joinpath("ec2/resources/instance_types.json.gz").read_bytes()))
    rows = [
        f"{name},{about['VCpuInfo']['DefaultVCpus']},{about['MemoryInfo']['SizeInMiB']},{about['ProcessorInfo']['SupportedArchitectures'][-1]}"
        for name, about in sorted(described.items())
    ]
    TABLE.write_text("\n".join(["instance_type,vcpus,memory_mib,architecture", *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
