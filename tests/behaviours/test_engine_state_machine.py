"""Whatever happens to a deployment, in whatever order, it ends as one of each thing, or as nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from fixtures.cut import MOMENTS, Cut, cut_at
from fixtures.embedded import EmbeddedAws
from fixtures.engine import Engine, site, unbooted
from sre_agent_deploy.plan import Action
from sre_agent_deploy.site import Site
from sre_core import clock
from sre_core.problem import Refused

__all__ = ["site", "unbooted"]

# Of every sort one: unique by name, by tag only, inside a parent, replaced in place and replaced beside.
PARTS = ("bucket", "backend_key", "user_pool", "resource_server", "gateway_client", "address", "release")
# More steps than a deployment of these has mutating calls: some deployments are not cut at all.
CALLS = st.integers(1, 16)


class Part(Engine):
    """A deployment of these resources alone, and what else lies around in its account."""

    def configure(self, version: int) -> None:
        """Another version is another release, which stands beside the one before until the end."""
        self.site = dataclasses.replace(self.site, release=f"v{version}".encode(), release_sha256=f"{version}" * 64)

    def later(self) -> None:
        """Time passes: what AWS may have hidden a moment ago, it shows by now."""
        path = self.folder / "state"
        if path.exists():
            document = json.loads(path.read_text())
            for record in document["records"].values():
                record["intended_at"] = clock.stamp(clock.parse(record["intended_at"]) - timedelta(minutes=2))
            path.write_text(json.dumps(document))

    def theirs(self) -> dict[str, Any]:
        """Things of somebody else that look like ours: names that begin as ours do, and no tag."""
        return {
            "bucket": [name for name in self._buckets() if name.endswith("-theirs")],
            "object": self.client("s3").get_object(Bucket=f"{self.id}-theirs", Key="precious")["Body"].read(),
            "pool": [pool for pool in self._pools() if pool.endswith("-theirs")],
        }

    def ours(self) -> dict[str, int]:
        """How many of each thing there are, by raw listings."""
        tag = [{"Name": "tag:sre-agent:deployment-id", "Values": [self.id]}]
        pools = [pool for pool in self._pools() if not pool.endswith("-theirs")]
        buckets = [name for name in self._buckets() if not name.endswith("-theirs")]
        cognito, s3 = self.client("cognito-idp"), self.client("s3")
        clients = [
            client
            for pool in self._listed_pools()
            if pool["Name"] in pools
            for client in cognito.list_user_pool_clients(UserPoolId=pool["Id"], MaxResults=60)["UserPoolClients"]
        ]
        secrets = self.client("secretsmanager").list_secrets(Filters=[{"Key": "name", "Values": [f"{self.id}/"]}])["SecretList"]
        return {
            "buckets": len(buckets),
            "objects": sum(s3.list_objects_v2(Bucket=bucket)["KeyCount"] for bucket in buckets),
            "pools": len(pools),
            "clients": len(clients),
            "addresses": len(self.client("ec2").describe_addresses(Filters=tag)["Addresses"]),
            "secrets": len(secrets),
        }

    def _buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith(self.id)]

    def _pools(self) -> list[str]:
        return [pool["Name"] for pool in self._listed_pools()]

    def _listed_pools(self) -> list[dict[str, Any]]:
        pages = self.client("cognito-idp").get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
        return [pool for page in pages for pool in page["UserPools"] if pool["Name"].startswith(self.id)]


ONE_OF_EACH = {"buckets": 1, "objects": 1, "pools": 1, "clients": 1, "addresses": 1, "secrets": 1}
NOTHING = dict.fromkeys(ONE_OF_EACH, 0)


class Deployments(RuleBasedStateMachine):
    """Everything that people, crashes and other processes do to one deployment."""

    embedded: EmbeddedAws
    first_site: Site
    runs: list[str]

    @initialize()
    def begin(self) -> None:
        self.runs.append("another")
        self.folder = tempfile.TemporaryDirectory(prefix="machine-")
        self.part = Part(self.embedded, self.first_site, Path(self.folder.name), parts=PARTS)
        self.part.client("s3").create_bucket(Bucket=f"{self.part.id}-theirs")
        self.part.client("s3").put_object(Bucket=f"{self.part.id}-theirs", Key="precious", Body=b"data")
        self.pool = self.part.client("cognito-idp").create_user_pool(PoolName=f"{self.part.id}-theirs")["UserPool"]["Id"]
        self.theirs = self.part.theirs()

    @rule(version=st.integers(1, 3))
    def deploy(self, version: int) -> None:
        """A first deployment, an update, a resumption or a repair: all the same command."""
        self.part.configure(version)
        self.part.deploy()
        self.due = ONE_OF_EACH

    @rule(version=st.integers(1, 3), nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed(self, version: int, nth: int, moment: str) -> None:
        self.part.configure(version)
        self._cut(nth, moment, self.part.apply)

    @rule(nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed_in_cleanup(self, nth: int, moment: str) -> None:
        self._cut(nth, moment, self.part.cleanup)

    def _cut(self, nth: int, moment: str, work: Any) -> None:
        try:
            with cut_at(self.part.aws, nth, moment):
                work()
        except Cut:
            self.part.later()

    @rule()
    def cleaned_up(self) -> None:
        assert not self.part.cleanup().problems
        assert self.part.ours() == NOTHING

    @precondition(lambda self: self.part.store.path.exists())
    @rule()
    def journal_lost(self) -> None:
        self.part.forget()

    @rule()
    def second_run_at_once(self) -> None:
        with self.part.store.held("deploy"), pytest.raises(Refused), self.part.store.held("deploy"):
            raise AssertionError("two at once")

    @precondition(lambda self: self._whole())
    @rule(name=st.sampled_from(["release", "gateway_client", "address", "backend_key"]))
    def deleted_by_hand(self, name: str) -> None:
        id = self.part.id_of(name)
        parent, _, own = id.partition("/")
        if name == "release":
            self.part.client("s3").delete_object(Bucket=parent, Key=own)
        elif name == "gateway_client":
            self.part.client("cognito-idp").delete_user_pool_client(UserPoolId=parent, ClientId=own)
        elif name == "address":
            self.part.client("ec2").release_address(AllocationId=id)
        else:
            self.part.client("secretsmanager").delete_secret(SecretId=id, ForceDeleteWithoutRecovery=True)
        assert self.part.changes()[name] is Action.CREATE

    @precondition(lambda self: self._whole())
    @rule(name=st.sampled_from(["bucket", "gateway_client"]))
    def changed_by_hand(self, name: str) -> None:
        id = self.part.id_of(name)
        if name == "bucket":
            self.part.client("s3").delete_bucket_policy(Bucket=id)
        else:
            pool, _, client = id.partition("/")
            self.part.client("cognito-idp").update_user_pool_client(UserPoolId=pool, ClientId=client, ClientName="changed by hand")
        assert self.part.changes()[name] is Action.UPDATE

    def _whole(self) -> bool:
        """Whether the last thing that happened was a deployment that ended well."""
        state = self.part.state
        ready = bool(state and len(state.alive()) == len(PARTS) and all(record.phase == "ready" for record in state.alive()))
        return ready and self.ours == ONE_OF_EACH

    @invariant()
    def nothing_twice_and_nothing_of_others(self) -> None:
        """At no time are there two of what only one may be, and what somebody else has is as it was."""
        # Kept, because every rule asks before every step whether it may be the next.
        self.ours = self.part.ours()
        assert all(self.ours[kind] <= 1 for kind in ("buckets", "pools", "clients", "addresses", "secrets")), self.ours
        assert self.part.theirs() == self.theirs

    def teardown(self) -> None:
        """However it stands: cleanup leaves what was there before, and deploying again works."""
        if not hasattr(self, "part"):
            return
        self.cleaned_up()
        self.deploy(1)
        self.cleaned_up()
        assert self.part.theirs() == self.theirs
        self.part.client("cognito-idp").delete_user_pool(UserPoolId=self.pool)
        self.folder.cleanup()


@pytest.fixture
def machine(unbooted: EmbeddedAws, site: Site) -> Iterator[type[Deployments]]:
    yield type("Deployments", (Deployments,), {"embedded": unbooted, "first_site": site, "runs": []})


@pytest.mark.timeout(3600)
def test_whatever_happens_to_a_deployment(machine: type[Deployments], tried: Callable[[str, int], None]) -> None:
    """Killed, changed, forgotten, repaired and removed in any order: never two of a thing, never somebody else's, never a rest."""
    examples = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 20
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)),
    )
    tried("runs of the state machine", len(machine.runs))
