"""A working folder whose commands reach the account of the environment: Amazon's, or the local AWS."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from behaviours import certificates
from behaviours.command_line import ROOT, Desk, Ended
from live.settings import Settings, configuration

# A deployment to Amazon waits up to a quarter of an hour for a machine; a rotation for its overlaps.
PATIENCE = 3600


@dataclass(frozen=True)
class AccountDesk(Desk):
    """A desk without an AWS of its own."""

    patience: float = PATIENCE

    @property
    def region(self) -> str:
        return os.environ.get("AWS_REGION", "us-east-1")

    def client(self, service: str) -> Any:
        """Open a raw boto3 client, which finds endpoint and credentials in the environment as the commands do."""
        import boto3

        return boto3.Session(region_name=self.region).client(service)

    def write_config(self, settings: Settings, account_id: str, **changed: int) -> None:
        """Write the configuration, and once a certificate of an authority of this run."""
        if not (self.folder / "ca.pem").exists():
            certificates.written(self.folder, settings.domain)
        document = configuration(settings, account_id, str(self.folder), **changed)
        (self.folder / "config.yaml").write_text(json.dumps(document))

    def run_apart(self, module: str, *words: str) -> Ended:
        """Run a command as users do, outside of any test."""
        process = self.started(module, *words)
        out, err = process.communicate(timeout=self.patience)
        return Ended(process.returncode, out, err)

    def start_local_aws(self, domain: str) -> dict[str, str]:
        """Start a local AWS with a hosted zone, which ends with this desk; return the settings that reach it."""
        ended = self.run_apart("embedded_aws", "start", "--state-dir", str(self.state_dir))
        if ended.code:
            sys.exit(ended.text)
        registry = self.registry()
        reached = {
            "AWS_ENDPOINT_URL": registry["endpoint"],
            "AWS_CA_BUNDLE": registry["ca_file"],
            "AWS_ACCESS_KEY_ID": registry["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
            "AWS_REGION": registry["region"],
        }
        os.environ.update(reached)
        made = self.client("route53").create_hosted_zone(Name=domain.partition(".")[2], CallerReference="live")["HostedZone"]
        return {**reached, "SRE_LIVE_ACCOUNTS": registry["account_id"], "SRE_LIVE_HOSTED_ZONE_ID": made["Id"].rpartition("/")[2]}

    def close(self) -> None:
        """End the local AWS, where this desk has started one."""
        if self.registry_file.exists():
            self.run_apart("embedded_aws", "stop", "--state-dir", str(self.state_dir))


TESTS = str(ROOT / "tests")
