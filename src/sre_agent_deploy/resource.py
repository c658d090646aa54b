"""The vocabulary of a deployment: what a resource is, how one is recognised again, and what AWS shows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from sre_agent_deploy.later import NO_OUTPUTS, Outputs
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

DEPLOYMENT_TAG = "sre-agent:deployment-id"
NAME_TAG = "sre-agent:resource"
GENERATION_TAG = "sre-agent:generation"
TTL_TAG = "sre-agent:ttl"


@dataclass(frozen=True)
class Mark:
    """How one birth is recognised again: by tags, by name, or by client token."""

    deployment: str
    name: str
    generation: int
    token: str
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def tags(self, at_most: int = 50) -> dict[str, str]:
        """The tags of a birth. The user's own come first and can't replace ours; where AWS takes fewer, ours are all."""
        ours = {DEPLOYMENT_TAG: self.deployment, NAME_TAG: self.name, GENERATION_TAG: str(self.generation)}
        both = {**self.extra, **ours}
        return both if len(both) <= at_most else ours

    def tag_list(self) -> list[Any]:
        """The same in the shape most of AWS wants: `[{"Key": …, "Value": …}]`."""
        return [{"Key": key, "Value": value} for key, value in self.tags().items()]


def tags_of(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Turn AWS's list of `{"Key": …, "Value": …}` into a mapping; an answer without tags gives an empty one."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def generation_of(tags: Mapping[str, str]) -> int:
    """The generation that its tags tell; the first where they tell none, or somebody has edited them."""
    told = tags.get(GENERATION_TAG, "")
    return int(told) if told.isdecimal() else 1


@dataclass(frozen=True)
class Owned:
    """One existing resource of a deployment, as listings reveal it."""

    id: str
    name: str
    generation: int = 1
    ttl: str = ""
    """What its tag says of how long the deployment is needed."""
    created: datetime | None = None
    """When it was made, where the listing shows it."""

    @classmethod
    def tagged(cls, id: str, tags: Mapping[str, str], created: datetime | None = None) -> Owned:
        return cls(id, tags.get(NAME_TAG, ""), generation_of(tags), tags.get(TTL_TAG, ""), created)


@dataclass(frozen=True)
class Found[R]:
    """What AWS has: its id, its settings in the same terms as the declaration, and what others may refer to.

    `tags` is None for what can't be tagged and belongs to whoever owns its parent.
    """

    id: str
    seen: R
    outputs: Outputs = NO_OUTPUTS
    tags: Mapping[str, str] | None = None
    broken: str = ""
    """Why it will never do its work, whatever is said to it: it has to be made anew."""

    def owner(self, deployment: str) -> Literal["us", "stranger"]:
        return "us" if self.tags is None or self.tags.get(DEPLOYMENT_TAG) == deployment else "stranger"


@dataclass(frozen=True)
class Ready:
    """It does its work now."""


@dataclass(frozen=True)
class Waiting:
    """Not yet, for a reason a person can read: `gateway is CREATING`."""

    for_: str


type Steps = tuple[str, ...]


@dataclass(frozen=True)
class CfnResource:
    """One resource of a CloudFormation template; `Ref`s inside become `Fn::GetAtt` or `Ref` when rendered.

    `type` None means CloudFormation can't make it: `note` says what to do instead. `attributes` says which GetAtt each of
    our outputs is ("Ref": the logical id itself; "${Attribute}" inside a text: that text with it; "": always empty).
    `also` holds companions that AWS counts as resources of their own.
    """

    type: str | None
    properties: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""
    also: Mapping[str, CfnResource] = field(default_factory=lambda: MappingProxyType({}))


def cfn(type_: str, attributes: Mapping[str, str] | None = None, **properties: Any) -> CfnResource:
    """A template resource, without the properties that are empty."""
    return CfnResource(type_, {key: value for key, value in properties.items() if value not in (None, (), "")}, attributes or {})


type Failures = Mapping[tuple[str, str], Callable[[Any], Problem]]


class Resource(Protocol):
    """One AWS resource type in AWS's own terms. Fields are what is wanted; the class knows how to find, read and delete any of its kind.

    `create` makes exactly one call, the birth. Everything that can be said twice is said in `configure`.
    AWS's errors propagate from all of these; `aws/attempt.py` turns them into Problems.
    """

    KIND: ClassVar[str]
    """The CloudFormation type, also what a journal record says."""
    FIXED: ClassVar[frozenset[str]]
    """Fields that can't change in place: a difference means REPLACE."""
    UNSEEN: ClassVar[Mapping[str, str]]
    """Fields that AWS never shows, each with why comparing it is not needed."""
    SETTLES: ClassVar[timedelta]
    """How long AWS may hide what was just made."""
    BESIDE: ClassVar[bool]
    """Whether a replacement stands beside the old one until the end (else the old one goes first)."""
    TOKEN: ClassVar[bool]
    """Whether the birth carries a client token, so that sending it again is safe."""
    UNIQUE: ClassVar[bool]
    """Whether AWS refuses a second one of the same name, so that asking again is safe and answers whether there is one."""
    PROPAGATES: ClassVar[frozenset[str]]
    """Error codes that what was just made (a role, a security group) causes until AWS has spread it."""
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]]
    """The (operation, error code) with which AWS refuses a deletion while something holds it, or a birth while its name is not free."""
    LOSES: ClassVar[str]
    """What a delete or replace loses: `data`, `address` or nothing."""
    PARENT: ClassVar[str]
    """The KIND of what it lies in, which the id's first part (before the `/`) names. What has no tags belongs to its parent's owner."""
    NAME_FIELD: ClassVar[str]
    """For what has no tags and may lie in a parent of the user's: the field that begins with the deployment's id."""
    DELETE_BEFORE: ClassVar[frozenset[str]]
    """The KINDs that it uses, and that therefore are deleted after it. Its PARENT is one of them and need not be named."""
    CONFIGURED_BY: ClassVar[str]
    """The setting (`section.field`) with which the user names an existing one, for a kind in which others lie."""
    REGIONAL: ClassVar[bool]
    """Whether it lives in one region; else every region of the account shows it."""
    LISTS_KIND: ClassVar[bool]
    """Whether this class lists, reads and deletes all of its KIND. Where several classes declare one KIND, one does."""
    FAILURES: ClassVar[Failures]

    @property
    def name(self) -> str: ...

    def natural_id(self, aws: Aws) -> str:
        """The id of whatever has its name now, ours or not, or the id it would have; empty where names say nothing."""
        ...

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        """Everything of this kind that carries the deployment's tag (or lies under what does)."""
        ...

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        """What the deployment made inside a parent that the user named: known by names or keys that bear its id."""
        ...

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        """The ids of deployments that this kind's listing shows; needed where AWS's tagging API does not know the kind."""
        ...

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        """The resource as AWS shows it now, or None when it is not there (or is going)."""
        ...

    def create(self, aws: Aws, mark: Mark) -> str:
        """The birth: one call; answers the id."""
        ...

    def configure(self, aws: Aws, id: str) -> None: ...
    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem: ...
    @classmethod
    def delete(cls, aws: Aws, id: str) -> None: ...
    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        """What has made AWS refuse with a code of `BLOCKERS`: something that lets go by itself, or that somebody must see to.

        None where there is nothing to add to what AWS has said.
        """
        ...

    def console(self) -> Steps: ...
    def template(self) -> CfnResource: ...


class Defaults:
    """What most resource types answer; a type says only what differs."""

    FIXED: ClassVar[frozenset[str]] = frozenset()
    UNSEEN: ClassVar[Mapping[str, str]] = MappingProxyType({})
    SETTLES: ClassVar[timedelta] = timedelta(seconds=10)
    BESIDE: ClassVar[bool] = False
    TOKEN: ClassVar[bool] = False
    UNIQUE: ClassVar[bool] = False
    PROPAGATES: ClassVar[frozenset[str]] = frozenset()
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    LOSES: ClassVar[str] = ""
    PARENT: ClassVar[str] = ""
    NAME_FIELD: ClassVar[str] = ""
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset()
    CONFIGURED_BY: ClassVar[str] = ""
    REGIONAL: ClassVar[bool] = True
    LISTS_KIND: ClassVar[bool] = True
    FAILURES: ClassVar[Failures] = MappingProxyType({})

    def natural_id(self, aws: Aws) -> str:
        return ""

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        return ()

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return ()

    def configure(self, aws: Aws, id: str) -> None:
        """Nothing is left to say after the birth."""

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        return Ready()

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return None
