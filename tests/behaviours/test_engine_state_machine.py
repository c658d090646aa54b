"""After any events in any order there is one of each resource, or none, or the next plan says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from fixtures import sample
from fixtures.asleep import Sleeper
from fixtures.cut import MOMENTS, Cut, cut_at
from fixtures.embedded import EmbeddedAws, served
from fixtures.engine import Engine, deployers_aws, site_of
from fixtures.sample import THOROUGH
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.apply import Outcome, apply
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.plan import Action, Plan
from sre_agent_deploy.resource import DEPLOYMENT_TAG, NAME_TAG
from sre_core import clock
from sre_core.problem import Refused

# Of each sort one: unique by name, inside a parent, known by tag only, replaced in place and replaced beside. A deployment has two of them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "bucket": ("bucket", "release"),
    "secret": ("backend_key",),
    "pool": ("user_pool",),
    "login": ("user_pool", "resource_server", "gateway_client"),
    "address": ("address",),
    "machine": ("instance",),
}
PAIRS = tuple(pair for pair in combinations(GROUPS, 2) if set(pair) != {"pool", "login"})
# More than a deployment of these has mutating calls: some runs are not cut at all, and some never sleep.
CALLS = st.integers(1, 10)
VERSIONS = st.integers(1, 3)
LAGGING: dict[str, Any] = {"kind": "lag", "seconds": 0.15}
SERVICES = st.sampled_from(["s3", "ec2", "cognito-idp", "secretsmanager", "*"])
NTH = st.integers(1, 15)
BROKEN = st.sampled_from(["cut", "server_error"])
CREATIONS = st.sampled_from(["Create*", "Allocate*", "Run*"])
FAULTS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("throttle"), "service": SERVICES, "nth": NTH}),
    st.fixed_dictionaries({"kind": BROKEN, "service": SERVICES, "nth": NTH, "committed": st.just(True)}),
    # Before the commit only where one lookup proves that nothing was created; otherwise a creation waits for as long as AWS may hide it.
    st.fixed_dictionaries({"kind": BROKEN, "service": st.sampled_from(["s3", "secretsmanager"]), "nth": NTH}),
    st.fixed_dictionaries({"kind": st.just("quota"), "service": SERVICES, "operation": CREATIONS, "nth": st.integers(1, 3)}),
)


@dataclasses.dataclass(frozen=True)
class Ground:
    """The resources that every deployment of one AWS needs and that are not parts of it: a network, and a profile for its machines."""

    group_id: str
    profile_arn: str


class Part(Engine):
    """A deployment of these resources alone, judged by raw listings of what has its tag."""

    ground: Ground

    def configure(self, version: int) -> None:
        """Another version is another release and another machine, which exist beside those before until the end; and other tags."""
        self.site = dataclasses.replace(self.site, release=f"v{version}".encode(), release_sha256=f"{version}" * 64)
        self.sections = {"tags": {"version": f"v{version}"}}

    def _draw(self) -> Blueprint:
        whole = blueprint(Config.model_validate({"mode": "local", "name": self.name, **self.sections}), self.site)
        return dataclasses.replace(whole, items=tuple(self._alone(item) for item in whole if item.name in self.parts))

    def _alone(self, item: Item) -> Item:
        if item.name != "instance":
            return item
        ground: dict[str, Any] = {"security_group_id": self.ground.group_id, "profile_arn": self.ground.profile_arn}
        user_data = f"#cloud-config\n# {self.sections['tags']['version']}"
        return Item(dataclasses.replace(item.resource, **ground, status_uri="", user_data=user_data))  # type: ignore[type-var]

    def apply_locked(self, plan: Plan, aws: Aws | None = None) -> Outcome:
        """Apply a plan as a command does: only while the lock is this run's."""
        place, store = aws or self.aws, self.store
        with store.lock("deploy") as lease, place.fenced(lease.require):
            return apply(place.with_progress(self.aws.progress), self.wanted, plan, self.journal(store), self.observe)

    def later(self) -> None:
        """Let time pass, so that AWS now shows what it may have hidden."""
        path = self.folder / "state"
        if path.exists():
            document = json.loads(path.read_text())
            for record in document["records"].values():
                record["intended_at"] = clock.stamp(clock.parse(record["intended_at"]) - timedelta(minutes=2))
            document.pop("checksum", None)
            path.write_text(json.dumps(document))

    @property
    def bucket(self) -> str:
        return f"{self.id}-{self.name}"

    @property
    def secret(self) -> str:
        return f"{self.id}/backend-api-key"

    @property
    def listed(self) -> tuple[str, ...]:
        """The parts that `tagged` lists."""
        return tuple(name for name in self.parts if name != "resource_server")

    def tagged(self) -> dict[str, list[str]]:
        """List what carries our tag, by raw listings: ids by the name of the part."""
        found: dict[str, list[str]] = {}
        if "bucket" in self.parts:
            found["bucket"] = [self.bucket] if self._bucket_tags().get(DEPLOYMENT_TAG) == self.id else []
            listed = self.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", []) if found["bucket"] else []
            found["release"] = [entry["Key"] for entry in listed]
        if "backend_key" in self.parts:
            listed = self.client("secretsmanager").list_secrets(Filters=[{"Key": "name", "Values": [self.secret]}])["SecretList"]
            found["backend_key"] = [entry["ARN"] for entry in listed if self._is_ours(entry.get("Tags", ()))]
        if "user_pool" in self.parts:
            found["user_pool"] = [id for id, tags in self.pools().items() if tags.get(DEPLOYMENT_TAG) == self.id]
        if "gateway_client" in self.parts:
            found["gateway_client"] = [client for pool in found["user_pool"] for client in self._clients(pool)]
        if "address" in self.parts:
            found["address"] = [entry["AllocationId"] for entry in self.client("ec2").describe_addresses(Filters=self._filter)["Addresses"]]
        if "instance" in self.parts:
            answer = self.client("ec2").describe_instances(Filters=self._filter)
            machines = [entry for reservation in answer["Reservations"] for entry in reservation["Instances"]]
            found["instance"] = [entry["InstanceId"] for entry in machines if entry["State"]["Name"] not in ("terminated", "shutting-down")]
        return found

    @property
    def _filter(self) -> list[Any]:
        return [{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [self.id]}]

    def _is_ours(self, tags: Sequence[Mapping[str, str]]) -> bool:
        return {"Key": DEPLOYMENT_TAG, "Value": self.id} in tags

    def _bucket_tags(self) -> dict[str, str]:
        s3 = self.client("s3")
        with suppress(s3.exceptions.ClientError):
            return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"]}
        return {}

    def pools(self) -> dict[str, dict[str, str]]:
        """The pools with our name, and their tags."""
        cognito = self.client("cognito-idp")
        pages = cognito.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
        named = [pool["Id"] for page in pages for pool in page["UserPools"] if pool["Name"] == self.id]
        return {id: cognito.describe_user_pool(UserPoolId=id)["UserPool"].get("UserPoolTags", {}) for id in named}

    def _clients(self, pool: str) -> list[str]:
        listed = self.client("cognito-idp").list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
        return [client["ClientId"] for client in listed]

    def retag(self, name: str, *, set: Mapping[str, str] = {}, remove: Sequence[str] = ()) -> None:
        """Change the tags of a resource by hand."""
        id, pairs = self.id_of(name), [{"Key": key, "Value": value} for key, value in set.items()]
        if name == "bucket":
            tags = {key: value for key, value in {**self._bucket_tags(), **set}.items() if key not in remove}
            self.client("s3").put_bucket_tagging(Bucket=id, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags.items()]})
        elif name == "backend_key":
            secrets = self.client("secretsmanager")
            secrets.tag_resource(SecretId=id, Tags=pairs) if pairs else secrets.untag_resource(SecretId=id, TagKeys=list(remove))
        elif name == "user_pool":
            cognito = self.client("cognito-idp")
            arn = cognito.describe_user_pool(UserPoolId=id)["UserPool"]["Arn"]
            if set:
                cognito.tag_resource(ResourceArn=arn, Tags=dict(set))
            else:
                cognito.untag_resource(ResourceArn=arn, TagKeys=list(remove))
        else:
            ec2 = self.client("ec2")
            ec2.create_tags(Resources=[id], Tags=pairs) if pairs else ec2.delete_tags(Resources=[id], Tags=[{"Key": k} for k in remove])

    def delete(self, name: str, id: str) -> None:
        """Delete one resource by hand, of any owner."""
        if name == "bucket":
            for entry in self.client("s3").list_objects_v2(Bucket=id).get("Contents", []):
                self.delete("release", f"{id}/{entry['Key']}")
            self.client("s3").delete_bucket(Bucket=id)
        elif name == "release":
            bucket, _, key = id.partition("/")
            self.client("s3").delete_object(Bucket=bucket, Key=key)
        elif name == "backend_key":
            self.client("secretsmanager").delete_secret(SecretId=id, ForceDeleteWithoutRecovery=True)
        elif name == "user_pool":
            self.client("cognito-idp").delete_user_pool(UserPoolId=id)
        elif name == "gateway_client":
            pool, _, client = id.partition("/")
            self.client("cognito-idp").delete_user_pool_client(UserPoolId=pool, ClientId=client)
        elif name == "address":
            self.client("ec2").release_address(AllocationId=id)
        else:
            self.client("ec2").terminate_instances(InstanceIds=[id])

    def create_foreign(self, name: str) -> str:
        """Create what has the name that ours would have, and no tag of a deployment; its id."""
        named = [{"Key": NAME_TAG, "Value": name}]
        if name == "bucket":
            self.client("s3").create_bucket(Bucket=self.bucket)
            return self.bucket
        if name == "backend_key":
            return str(self.client("secretsmanager").create_secret(Name=self.secret, SecretString="theirs", Tags=named)["ARN"])
        if name == "user_pool":
            return str(self.client("cognito-idp").create_user_pool(PoolName=self.id)["UserPool"]["Id"])
        if name == "address":
            tags = [{"ResourceType": "elastic-ip", "Tags": named}]
            return str(self.client("ec2").allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"])
        tags = [{"ResourceType": "instance", "Tags": named}]
        place = {"ImageId": self.site.image_id, "InstanceType": "t3.micro", "SubnetId": self.site.subnet_id}
        ran = self.client("ec2").run_instances(MinCount=1, MaxCount=1, TagSpecifications=tags, **place)
        return str(ran["Instances"][0]["InstanceId"])

    def exists(self, name: str, id: str) -> bool:
        """Check by a raw call if a foreign resource is as it was."""
        if name == "bucket":
            return not self._bucket_tags() and self.client("s3").head_bucket(Bucket=id) is not None
        if name == "backend_key":
            return bool(self.client("secretsmanager").get_secret_value(SecretId=id)["SecretString"] == "theirs")
        if name == "user_pool":
            return id in self.pools() and not self.pools()[id]
        if name == "address":
            return bool(self.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"])
        found = self.client("ec2").describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
        return bool(found["State"]["Name"] == "running")


@dataclasses.dataclass(frozen=True)
class Sky:
    """The faults of one AWS, from a file."""

    aws: EmbeddedAws
    file: Path
    sleeper: Aws
    """The same AWS through other clients, for a run that sleeps."""

    def becomes(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Apply these faults from the next call on."""
        other = self.file.with_suffix(".next")
        other.write_text(json.dumps({"rules": list(rules)}))
        other.replace(self.file)


class Deployments(RuleBasedStateMachine):
    """Everything that users, crashes, faults and other processes do to one deployment."""

    sky: Sky
    first_site: AccountFacts
    runs: list[str]

    @initialize(
        pair=st.sampled_from(PAIRS),
        lagging=st.sampled_from([False, False, False, True]),
        cleans=st.sampled_from([False, False, False, True]),
    )
    def begin(self, pair: tuple[str, str], lagging: bool, cleans: bool) -> None:
        self.runs.append("another")
        self.usual = [LAGGING] if lagging else []
        self.cleans = cleans
        self.folder = tempfile.TemporaryDirectory(prefix="machine-")
        parts = tuple(dict.fromkeys(name for group in pair for name in GROUPS[group]))
        self.part = Part(self.sky.aws, self.first_site, Path(self.folder.name), parts=parts)
        self.foreign: dict[str, str] = {}
        self.there: dict[str, list[str]] = {}
        self.nothing: dict[str, int] = dict.fromkeys(self.part.listed, 0)
        self.one_of_each = dict.fromkeys(self.nothing, 1)
        self.due: dict[str, int] | None = self.nothing
        self.sky.becomes(self.usual)

    @rule(version=VERSIONS)
    def deploy(self, version: int) -> None:
        """A first deployment, an update, a resume or a repair: all are the same command."""
        self.part.configure(version)
        plan = self.part.plan()
        assert not plan.problems, plan.problems
        outcome = self.part.apply_locked(plan)
        assert not outcome.problems, outcome.problems
        # Where nothing was there before, others prove it: see `Engine.deploy`.
        if self.usual or self.foreign or any(change.action is not Action.CREATE for change in plan.changes):
            assert self.part.plan().nothing_to_do
        self.due = self.one_of_each

    @rule(version=VERSIONS, faults=st.lists(FAULTS, min_size=1, max_size=2))
    def deploy_in_bad_weather(self, version: int, faults: list[dict[str, Any]]) -> None:
        """Temporary errors are retried; a quota, or reads that always fail, end it with a Problem."""
        self.part.configure(version)
        self.sky.becomes([*self.usual, *faults])
        plan = self.part.plan()
        ended_well = not plan.problems and not self.part.apply_locked(plan).problems
        assert ended_well or any(fault["kind"] == "quota" for fault in faults)
        self.sky.becomes(self.usual)
        self.due = self.one_of_each if ended_well else None
        self._wait()

    @rule(version=VERSIONS, nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed(self, version: int, nth: int, moment: str) -> None:
        self.part.configure(version)
        self._cut(nth, moment, lambda: self.part.apply_locked(self.part.plan()))

    @precondition(lambda self: self.due != self.nothing)
    @rule(nth=CALLS, moment=st.sampled_from(MOMENTS))
    def killed_in_cleanup(self, nth: int, moment: str) -> None:
        self._cut(nth, moment, self.part.cleanup)

    def _cut(self, nth: int, moment: str, work: Any) -> None:
        self.due = None
        with suppress(Cut), cut_at(self.part.aws, nth, moment):
            work()
        self._wait()

    def _wait(self) -> None:
        """Wait until AWS shows what it may have hidden; the journal sees the longest time that AWS may ever take."""
        if self.usual:
            time.sleep(LAGGING["seconds"])
        self.part.later()

    @rule(version=VERSIONS, other=VERSIONS, nth=CALLS)
    def slept_and_woken(self, version: int, other: int, nth: int) -> None:
        """A run sleeps before a change, another takes its lock and deploys; the first then makes no further change, and says why."""
        self.part.configure(version)
        plan, sleeper = self.part.plan(), Sleeper(self.sky.sleeper, nth)
        assert not plan.problems, plan.problems
        with sleeper.running(lambda: self.part.apply_locked(plan, self.sky.sleeper)) as asleep:
            if asleep:
                (self.part.folder / "state.lock").unlink()
                self._wait()
                self.deploy(other)
        (ended,) = sleeper.ended
        assert not sleeper.sent_after_waking
        if asleep:
            problems = ended.problems if isinstance(ended, Outcome | Refused) else ()
            assert "LOCK-LOST" in {problem.code for problem in problems}, ended
            return
        assert isinstance(ended, Outcome)
        assert not ended.problems, ended.problems
        self.due = self.one_of_each

    @precondition(lambda self: self.due != self.nothing)
    @rule()
    def cleaned_up(self) -> None:
        assert not self.part.cleanup().problems
        self.due = self.nothing

    @precondition(lambda self: self.part.store.path.exists())
    @rule()
    def state_lost(self) -> None:
        self.part.forget()

    @rule()
    def second_run_at_once(self) -> None:
        with self.part.store.lock("deploy"), pytest.raises(Refused), self.part.store.lock("deploy"):
            raise AssertionError("two at once")

    @precondition(lambda self: self.due == self.nothing and not self.foreign)
    @rule(data=st.data())
    def foreign_of_the_same_name(self, data: st.DataObject) -> None:
        """It is neither used nor changed; if AWS allows only one of a name, the deployment says so and changes nothing."""
        name = data.draw(st.sampled_from(self._tagged_parts()))
        self.foreign = {name: self.part.create_foreign(name)}
        if self.usual:
            time.sleep(LAGGING["seconds"])
        self.part.configure(1)
        plan = self.part.plan()
        assert not plan.nothing_to_do
        if name in ("bucket", "backend_key"):
            assert [problem.code for problem in plan.problems] == ["EXISTS-NOT-OURS"]
            self._foreign_goes()
        else:
            assert not plan.problems, plan.problems
            self.deploy(1)

    def _foreign_goes(self) -> None:
        for name, id in self.foreign.items():
            assert self.part.exists(name, id)
            self.part.delete(name, id)
        self.foreign = {}

    @precondition(lambda self: self._whole())
    @rule(data=st.data(), tag=st.sampled_from([DEPLOYMENT_TAG, NAME_TAG]), lost=st.booleans())
    def tag_removed(self, data: st.DataObject, tag: str, lost: bool) -> None:
        """Ours without its tag is repaired, or is no longer ours and a Problem, also with the state lost; never is there nothing to do."""
        name = data.draw(st.sampled_from(self._tagged_parts()))
        id, state = self.part.id_of(name), self.part.store.path.read_bytes()
        self.part.retag(name, remove=[tag])
        if lost:
            self.part.forget()
        plan = self.part.plan()
        assert not plan.nothing_to_do
        if plan.problems or plan.extras:
            # A person gives it its tag back.
            self.part.store.path.write_bytes(state)
            self.part.retag(name, set={tag: {DEPLOYMENT_TAG: self.part.id, NAME_TAG: name}[tag]})
        else:
            outcome = self.part.apply_locked(plan)
            assert not outcome.problems, outcome.problems
            if id not in self.part.tagged()[name] and self.part.id_of(name) != id:
                self.part.delete(name, id)
        self.due = None

    @precondition(lambda self: self._whole())
    @rule(data=st.data())
    def deleted_by_hand(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([part for part in self.nothing if part != "bucket"]))
        self.part.delete(name, self.part.id_of(name))
        assert self.part.changes()[name] is Action.CREATE
        self.due = None

    @precondition(lambda self: self._whole())
    @rule()
    def changed_by_hand(self) -> None:
        changed = [name for name in self.nothing if name in ("bucket", "gateway_client", "user_pool", "instance")]
        for name in changed:
            self._change(name, self.part.id_of(name))
        changes = self.part.changes()
        assert {name: changes.get(name) for name in changed} == dict.fromkeys(changed, Action.UPDATE)

    def _change(self, name: str, id: str) -> None:
        cognito = self.part.client("cognito-idp")
        if name == "bucket":
            self.part.client("s3").delete_bucket_policy(Bucket=id)
        elif name == "user_pool":
            cognito.set_user_pool_mfa_config(UserPoolId=id, MfaConfiguration="OFF")
        elif name == "instance":
            self.part.client("ec2").modify_instance_metadata_options(InstanceId=id, HttpTokens="optional")
        else:
            pool, _, client = id.partition("/")
            # Its name stays: nothing else tells a client again whose state is lost. All that is left out falls back to AWS's defaults.
            cognito.update_user_pool_client(UserPoolId=pool, ClientId=client, ClientName=f"{self.part.id}-gateway")

    def _tagged_parts(self) -> list[str]:
        return [name for name in self.nothing if name not in ("release", "gateway_client")]

    def _whole(self) -> bool:
        """Check if the last step was a successful deployment whose state still exists."""
        return self.due == self.one_of_each and self.part.store.path.exists()

    @invariant()
    def as_many_as_there_should_be(self) -> None:
        """After a success there is one of each, or none. Otherwise a plan never says that nothing is to do while it is not so."""
        self.sky.becomes([])
        self.there = self.part.tagged()
        ours = {name: len(ids) for name, ids in self.there.items()}
        assert self.due is None or ours == self.due
        if ours not in (self.nothing, self.one_of_each):
            assert not self.part.plan().nothing_to_do, ours
        # Two of these exist only while one replaces the other.
        assert all(number <= 1 for name, number in ours.items() if name not in ("release", "instance", "address")), ours
        self.sky.becomes(self.usual)

    def teardown(self) -> None:
        """In any state, cleanup leaves only what was there before."""
        if not hasattr(self, "due"):
            return
        self.sky.becomes([])
        # What has just succeeded is cleaned up by a step.
        if self.cleans and self.due != self.nothing and not self._whole():
            assert not self.part.cleanup().problems
            self.there = self.part.tagged()
            assert not any(self.there.values())
        self._foreign_goes()
        for name, ids in self.there.items():
            for id in ids if name not in ("release", "gateway_client") else ():
                self.part.delete(name, id)
        self.folder.cleanup()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[type[Deployments]]:
    file = tmp_path / "weather.json"
    file.write_text('{"rules": []}')
    with served(tmp_path, "--no-boot", "--faults", str(file)) as aws:
        iam, site = aws.client("iam"), site_of(aws, tmp_path)
        profile = iam.create_instance_profile(InstanceProfileName="machine")["InstanceProfile"]["Arn"]
        groups = aws.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [site.vpc_id]}])["SecurityGroups"]
        Part.ground = Ground(groups[0]["GroupId"], profile)
        known = {"sky": Sky(aws, file, deployers_aws(aws).separate()), "first_site": site, "runs": []}
        yield type("Deployments", (Deployments,), known)


RUNS, STEPS = 100, 5 if THOROUGH else 4
PARTS = range(10 if THOROUGH else 1)


# In parts with other runs each, so that workers share them, and a thorough run that was stopped goes on with the next (`-k 7-`).
@pytest.mark.timeout(3 * 3600)
@pytest.mark.parametrize("part", PARTS, ids="{}-".format)
def test_any_history_of_a_deployment(machine: type[Deployments], part: int, tried: Callable[[str, int], None]) -> None:
    """Killed, suspended, changed, forgotten, repaired and removed in any order and with any faults: there are never two of one
    resource unseen, a resource of another owner is never changed, and nothing remains."""
    as_many = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(sample.seed() + part)(machine), settings=as_many)
    tried("runs of the state machine", len(machine.runs))
