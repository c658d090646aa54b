"""Amazon Machine Images."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing
from sre_core import clock

_CANONICAL = "099720109477"
_PREFIX = "/aws/service/canonical/ubuntu/server/"
_RELEASES = {"22.04": "jammy", "24.04": "noble"}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def ubuntu_is_there() -> None:
    """Canonical publishes the ids of Ubuntu's AMIs as public SSM parameters; moto has neither the AMIs nor the parameters.

    https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
    """
    from moto.ssm import models as ssm

    @replacing(ssm.ParameterDict, "_check_loading_status")
    def check_loading_status(original: Any, self: Any, key: str) -> None:
        original(self, key)
        if not str(key or "").startswith(_PREFIX) or any(name.startswith(_PREFIX) for name in dict.keys(self)):
            return
        for name, image_id in _register(self.account_id, self.region_name).items():
            new_parameter: Any = ssm.Parameter
            parameter = new_parameter(
                account_id=self.account_id,
                name=name,
                value=image_id,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=clock.now().timestamp(),
                version=1,
                data_type="aws:ec2:image",
            )
            dict.__setitem__(self, name, [parameter])


def _register(account_id: str, region: str) -> dict[str, str]:
    """Put the images in EC2; each parameter's name with its image's id."""
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[account_id][region]
    return {
        f"{_PREFIX}{version}/stable/current/{spelling}/hvm/{volume}/ami-id": _image(ec2, name, version, spelling).id
        for version, name in _RELEASES.items()
        for spelling in _ARCHITECTURES
        for volume in (("ebs-gp2",) if version == "22.04" else ("ebs-gp3",))
    }


def _image(ec2: Any, name: str, version: str, spelling: str) -> Any:
    from moto.ec2.models.amis import Ami
    from moto.ec2.utils import random_ami_id

    image = Ami(
        ec2,
        random_ami_id(),
        name=f"ubuntu/images/hvm-ssd/ubuntu-{name}-{version}-{spelling}-server-20261101",
        owner_id=_CANONICAL,
        public=True,
        virtualization_type="hvm",
        architecture=_ARCHITECTURES[spelling],
        state="available",
        root_device_name="/dev/sda1",
        root_device_type="ebs",
    )
    ec2.amis[image.id] = image
    return image
