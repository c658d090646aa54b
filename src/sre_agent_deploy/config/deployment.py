"""The EC2 instance, its name in DNS and its certificate."""

from __future__ import annotations

from typing import Literal

from sre_agent_deploy.config.section import Section, described


class DeploymentConfig(Section):
    """The machine that serves the assistant and its backends."""

    instance_type: str = described(
        "t3.xlarge", "EC2 instance type with at least 4 vCPU and 16 GiB of memory.", example="t3.xlarge", console="EC2 > Instance types"
    )
    volume_gb: int = described(50, "Size of the gp3 root volume in GiB, at least 50.", example="50")
    ami_id: str = described(
        "", "An AMI of your own; empty uses the newest official one.", example="ami-0a1b2c3d4e5f60718", console="EC2 > AMIs"
    )
    operating_system: Literal["amazon-linux-2023", "ubuntu-22.04"] = described(
        "amazon-linux-2023", "The operating system: amazon-linux-2023 or ubuntu-22.04.", example="amazon-linux-2023"
    )
    key_name: str = described(
        "", "An existing EC2 key pair for SSH; Session Manager needs none.", example="ops-key", console="EC2 > Key pairs"
    )
    ssh_cidrs: tuple[str, ...] = described((), "Address ranges that may reach port 22; empty keeps it closed.", example="[203.0.113.0/24]")
    domain_name: str = described("", "The public DNS name of the assistant.", example="sre.example.com")
    hosted_zone_id: str = described(
        "",
        "Route 53 hosted zone of that domain; empty if DNS is elsewhere.",
        example="Z0123456789ABCDEFGHIJ",
        console="Route 53 > Hosted zones",
    )
    ssl_cert_path: str = described(
        "", "Certificate chain in PEM, leaf first.", example="/etc/letsencrypt/live/sre.example.com/fullchain.pem"
    )
    ssl_key_path: str = described("", "Private key in PEM.", example="/etc/letsencrypt/live/sre.example.com/privkey.pem")
    ssl_ca_path: str = described("", "CA certificate in PEM, for a private certificate authority.", example="/opt/ssl/ca.pem")
