"""Whatever happens to a deployment, in any order, it ends with one of each resource, or with none."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from fixtures.cut import MOMENTS, Cut, cut_at, no_mutation
from fixtures.embedded import EmbeddedAws, served
from fixtures.engine import Engine, site_of
from fixtures.sample import THOROUGH
from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.plan import Action
from sre_core import clock
from sre_core.problem import Refused

# One of each sort: unique by name, known by tag only, inside a parent, replaced in place and replaced beside.
PARTS = ("bucket", "backend_key", "user_pool", "resource_server", "gateway_client", "address", "release")
# More steps than a deployment of these has mutating calls: some deployments are not cut at all.
CALLS = st.integers(1, 16)
VERSIONS = st.integers(1, 3)
LAGGING: dict[str, Any] = {"kind": "lag", "seconds": 0.15}
SERVICES = st.sampled_from(["s3", "ec2", "cognito-idp", "secretsmanager", "*"])
NTH = st.integers(1, 25)
BROKEN = st.sampled_from(["cut", "server_error"])
BIRTHS = st.sampled_from(["Create*", "Allocate*"])
FAULTS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("throttle"), "service": SERVICES, "nth": NTH}),
    st.fixed_dictionaries({"kind": BROKEN, "service": SERVICES, "nth": NTH, "committed": st.just(True)}),
    # Before the commit only where one lookup proves that nothing was created; otherwise a creation waits for as long as AWS may hide it.
    st.fixed_dictionaries({"kind": BROKEN, "service": st.sampled_from(["s3", "secretsmanager"]), "nth": NTH}),
    st.fixed_dictionaries({"kind": st.just("quota"), "service": SERVICES, "operation": BIRTHS, "nth": st.integers(1, 3)}),
)


class Part(Engine):
    """A deployment of these resources alone, and the other resources in its account."""

    def configure(self, version: int) -> None:
        """Another version is another release, which exists beside the one before until the end."""
        self.site = dataclasses.replace(self.site, release=f"v{version}".encode(), release_sha256=f"{version}" * 64)

    def later(self) -> None:
        """Let time pass, so that AWS now shows what it may have hidden."""
        path = self.folder / "state"
        if path.exists():
            document = json.loads(path.read_text())
            for record in document["records"].values():
                record["intended_at"] = clock.stamp(clock.parse(record["intended_at"]) - timedelta(minutes=2))
            document.pop("checksum", None)
            path.write_text(json.dumps(document))

    def theirs(self) -> dict[str, Any]:
        """Create resources of others that look like ours: names that begin as ours do, and no tag."""
        return {
            "bucket": [name for name in self._buckets() if name.endswith("-theirs")],
            "object": self.client("s3").get_object(Bucket=f"{self.id}-theirs", Key="precious")["Body"].read(),
            "pool": [pool["Name"] for pool in self._pools() if pool["Name"].endswith("-theirs")],
        }

    def ours(self) -> dict[str, int]:
        """Count each resource by raw listings."""
        tag = [{"Name": "tag:sre-agent:deployment-id", "Values": [self.id]}]
        pools = [pool["Id"] for pool in self._pools() if not pool["Name"].endswith("-theirs")]
        buckets = [name for name in self._buckets() if not name.endswith("-theirs")]
        cognito, s3 = self.client("cognito-idp"), self.client("s3")
        clients = [client for pool in pools for client in cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]]
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

    def _pools(self) -> list[dict[str, Any]]:
        pages = self.client("cognito-idp").get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
        return [pool for page in pages for pool in page["UserPools"] if pool["Name"].startswith(self.id)]


ONE_OF_EACH = {"buckets": 1, "objects": 1, "pools": 1, "clients": 1, "addresses": 1, "secrets": 1}
NOTHING = dict.fromkeys(ONE_OF_EACH, 0)


@dataclasses.dataclass(frozen=True)
class Sky:
    """The weather of one AWS: the file that its faults come from."""

    aws: EmbeddedAws
    file: Path

    def becomes(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """From the next call on it is this weather."""
        other = self.file.with_suffix(".next")
        other.write_text(json.dumps({"rules": list(rules)}))
        other.replace(self.file)


class Deployments(RuleBasedStateMachine):
    """Everything that users, crashes, faults and other processes do to one deployment."""

    sky: Sky
    first_site: AccountFacts
    runs: list[str]

    @initialize(lagging=st.booleans())
    def begin(self, lagging: bool) -> None:
        self.runs.append("another")
        self.usual = [LAGGING] if lagging else []
        self.folder = tempfile.TemporaryDirectory(prefix="machine-")
        self.part = Part(self.sky.aws, self.first_site, Path(self.folder.name), parts=PARTS)
        self.part.client("s3").create_bucket(Bucket=f"{self.part.id}-theirs")
        self.part.client("s3").put_object(Bucket=f"{self.part.id}-theirs", Key="precious", Body=b"data")
        self.pool = self.part.client("cognito-idp").create_user_pool(PoolName=f"{self.part.id}-theirs")["UserPool"]["Id"]
        self.theirs = self.part.theirs()
        self.due: dict[str, int] | None = NOTHING
        self.sky.becomes(self.usual)

    @rule(version=VERSIONS)
    def deploy(self, version: int) -> None:
        """A first deployment, an update, a resume or a repair: all are the same command."""
        self.part.configure(version)
        outcome = self.part.apply()
        assert not outcome.problems, outcome.problems
        again = self.part.plan()
        assert not [change for change in again.changes if change.action is not Action.KEEP]
        with no_mutation(self.part.aws):
            self.part.apply(again)
        self.due = ONE_OF_EACH

    @rule(version=VERSIONS, faults=st.lists(FAULTS, min_size=1, max_size=3))
    def deploy_in_bad_weather(self, version: int, faults: list[dict[str, Any]]) -> None:
        """Temporary errors are retried; a quota, or reads that always fail, end it with a Problem."""
        self.part.configure(version)
        self.sky.becomes([*self.usual, *faults])
        plan = self.part.plan()
        ended_well = not plan.problems and not self.part.apply(plan).problems
        assert ended_well or any(fault["kind"] == "quota" for fault in faults)
        self.sky.becomes(self.usual)
        self.due = ONE_OF_EACH if ended_well else None
        self._wait()

    @rule(version=VERSIONS, nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed(self, version: int, nth: int, moment: str) -> None:
        self.part.configure(version)
        self._cut(nth, moment, self.part.apply)

    @rule(nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed_in_cleanup(self, nth: int, moment: str) -> None:
        self._cut(nth, moment, self.part.cleanup)

    def _cut(self, nth: int, moment: str, work: Any) -> None:
        self.due = None
        with suppress(Cut), cut_at(self.part.aws, nth, moment):
            work()
        self._wait()

    def _wait(self) -> None:
        """Until AWS shows what it may have hidden; the journal is told that it was longer, as long as AWS may ever take."""
        if self.usual:
            time.sleep(LAGGING["seconds"])
        self.part.later()

    @rule()
    def cleaned_up(self) -> None:
        assert not self.part.cleanup().problems
        self.due = NOTHING

    @precondition(lambda self: self.part.store.path.exists())
    @rule()
    def journal_lost(self) -> None:
        self.part.forget()

    @rule()
    def second_run_at_once(self) -> None:
        with self.part.store.lock("deploy"), pytest.raises(Refused), self.part.store.lock("deploy"):
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
        self.due = None

    @precondition(lambda self: self._whole())
    @rule(name=st.sampled_from(["bucket", "gateway_client"]))
    def changed_by_hand(self, name: str) -> None:
        id = self.part.id_of(name)
        if name == "bucket":
            self.part.client("s3").delete_bucket_policy(Bucket=id)
        else:
            pool, _, client = id.partition("/")
            # Its name stays: nothing else tells a client again whose journal is lost. All that is left out falls back to AWS's defaults.
            name_of_it = f"{self.part.id}-gateway"
            self.part.client("cognito-idp").update_user_pool_client(UserPoolId=pool, ClientId=client, ClientName=name_of_it)
        assert self.part.changes()[name] is Action.UPDATE

    def _whole(self) -> bool:
        """Check if the last step was a successful deployment whose journal still exists."""
        return self.due == ONE_OF_EACH and self.part.store.path.exists()

    @invariant()
    def as_many_as_there_should_be(self) -> None:
        """There are never two of a resource; after a success there is one of each, or none."""
        self.sky.becomes([])
        ours = self.part.ours()
        self.sky.becomes(self.usual)
        assert self.due is None or ours == self.due
        assert all(ours[kind] <= 1 for kind in ("buckets", "pools", "clients", "addresses", "secrets")), ours

    def teardown(self) -> None:
        """In any state, cleanup leaves only what was there before, and deploying again works."""
        if not hasattr(self, "due"):
            return
        if self.due != NOTHING:
            self.cleaned_up()
            self.as_many_as_there_should_be()
        for last in (lambda: self.deploy(1), self.cleaned_up):
            last()
            self.as_many_as_there_should_be()
        self.sky.becomes([])
        assert self.part.theirs() == self.theirs, "somebody else's"
        self.part.client("cognito-idp").delete_user_pool(UserPoolId=self.pool)
        self.folder.cleanup()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[type[Deployments]]:
    file = tmp_path / "weather.json"
    file.write_text('{"rules": []}')
    with served(tmp_path, "--no-boot", "--faults", str(file)) as aws:
        yield type("Deployments", (Deployments,), {"sky": Sky(aws, file), "first_site": site_of(aws, tmp_path), "runs": []})


# In parts, so that every worker can take some.
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("part", range(4 if THOROUGH else 1))
def test_whatever_happens_to_a_deployment(machine: type[Deployments], part: int, tried: Callable[[str, int], None]) -> None:
    """Killed, changed, forgotten, repaired and removed in any order and weather: never two of a thing, never somebody else's, never
    a rest.
    """
    runs, steps = (250, 12) if THOROUGH else (12, 8)
    as_many = settings(max_examples=runs, stateful_step_count=steps, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=as_many)
    tried("runs of the state machine", len(machine.runs))
