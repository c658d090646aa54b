"""The protocol of a resource type, the mark by which a created resource is recognised, and what AWS shows of it."""

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
STATE_TAG = "sre-agent:state"
VERSION_TAG = "sre-agent:version"
BACKUP_TAG = "sre-agent:backed-up"
# What AWS itself, this program and its local AWS keep on a resource besides the tags of its declaration.
_RESERVED_TAGS = ("aws:", "awsApplication", "sre-agent:", "embedded-aws:")


@dataclass(frozen=True)
class Mark:
    """The tags, name or client token by which one created resource is recognised."""

    deployment: str
    name: str
    generation: int
    token: str
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def tags(self, at_most: int = 50) -> dict[str, str]:
        """Build the tags of a create call. The user's own can't replace ours; if AWS takes too few for both, only ours are sent."""
        ours = {DEPLOYMENT_TAG: self.deployment, NAME_TAG: self.name, GENERATION_TAG: str(self.generation)}
        both = {**self.extra, **ours}
        return both if len(both) <= at_most else ours

    def tag_list(self) -> list[Any]:
        """Build the same tags in the shape that most of AWS wants: `[{"Key": …, "Value": …}]`."""
        return [{"Key": key, "Value": value} for key, value in self.tags().items()]


def tags_of(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Turn AWS's list of `{"Key": …, "Value": …}` into a mapping; an answer without tags gives an empty one."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


@dataclass(frozen=True)
class TagChanges:
    """The tags that AWS has otherwise than declared: those to set, and the keys of those to remove."""

    set: Mapping[str, str]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.set or self.remove)

    def tag_list(self) -> list[Any]:
        """Build the tags to set in the shape that most of AWS wants: `[{"Key": …, "Value": …}]`."""
        return [{"Key": key, "Value": value} for key, value in self.set.items()]

    def merge(self, seen: Mapping[str, str]) -> dict[str, str]:
        """Return all tags that are left of `seen` after the changes, for a call that replaces them all."""
        return {key: value for key, value in seen.items() if key not in self.remove} | dict(self.set)


def compare_tags(declared: Mapping[str, str], seen: Mapping[str, str]) -> TagChanges:
    """Compare the tags that a resource should have with those that it has.

    What is not declared is removed, but for the tags that AWS and this program keep there. Of the ttl and state tags only those of
    one resource count, which has them as fields.
    """
    wanted = {key: value for key, value in declared.items() if key not in (TTL_TAG, STATE_TAG)}
    differing = {key: value for key, value in wanted.items() if seen.get(key) != value}
    return TagChanges(differing, tuple(sorted(key for key in seen if key not in wanted and not key.startswith(_RESERVED_TAGS))))


def generation_of(tags: Mapping[str, str]) -> int:
    """Read the generation from a resource's tags; 1 if they have none, or one that was edited."""
    generation = tags.get(GENERATION_TAG, "")
    return int(generation) if generation.isdecimal() else 1


@dataclass(frozen=True)
class Owned:
    """One existing resource of a deployment, as listings reveal it."""

    id: str
    name: str
    generation: int = 1
    ttl: str = ""
    """The value of its ttl tag: how long the deployment is needed."""
    created: datetime | None = None
    """When it was created, if the listing shows it."""
    state: str = ""
    """The value of its state tag: where the deployment's state is."""

    @classmethod
    def tagged(cls, id: str, tags: Mapping[str, str], created: datetime | None = None) -> Owned:
        return cls(id, tags.get(NAME_TAG, ""), generation_of(tags), tags.get(TTL_TAG, ""), created, tags.get(STATE_TAG, ""))


@dataclass(frozen=True)
class Found[R]:
    """A resource as AWS has it: its id, its settings in the same terms as the declaration, and what others may refer to.

    `tags` is None for what can't be tagged: its owner is its parent's.
    """

    id: str
    seen: R
    outputs: Outputs = NO_OUTPUTS
    tags: Mapping[str, str] | None = None
    broken: str = ""
    """Why no configuration can make it work, so that it must be replaced; empty if it can."""

    def owner(self, deployment: str) -> Literal["us", "stranger"]:
        return "us" if self.tags is None or self.tags.get(DEPLOYMENT_TAG) == deployment else "stranger"


@dataclass(frozen=True)
class Ready:
    """The resource works."""


@dataclass(frozen=True)
class Waiting:
    """The resource does not work yet; the reason is for a person: `gateway is CREATING`."""

    for_: str


type Steps = tuple[str, ...]


@dataclass(frozen=True)
class CfnResource:
    """One resource of a CloudFormation template; `Ref`s inside become `Fn::GetAtt` or `Ref` when rendered.

    `type` None means that CloudFormation can't create it: `note` says what to do instead. `attributes` says which GetAtt each of
    our outputs is ("Ref": the logical id itself; "${Attribute}" inside a text: that text with it; "": always empty).
    `also` holds companions that AWS counts as resources of their own.
    """

    type: str | None
    properties: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""
    also: Mapping[str, CfnResource] = field(default_factory=lambda: MappingProxyType({}))


def cfn(type_: str, attributes: Mapping[str, str] | None = None, **properties: Any) -> CfnResource:
    """Build a template resource, without the properties that are empty."""
    return CfnResource(type_, {key: value for key, value in properties.items() if value not in (None, (), "")}, attributes or {})


type Failures = Mapping[tuple[str, str], Callable[[Any], Problem]]


class Resource(Protocol):
    """One AWS resource type in AWS's own terms. The fields are the expected settings; the class finds, reads and deletes any of its kind.

    `create` makes exactly one call. Every call that can be repeated belongs into `configure`.
    AWS's errors propagate from all of these; `aws/attempt.py` turns them into Problems.
    """

    KIND: ClassVar[str]
    """The CloudFormation type; journal records have it, too."""
    FIXED: ClassVar[frozenset[str]]
    """The fields that can't change in place: a difference means REPLACE."""
    UNSEEN: ClassVar[Mapping[str, str]]
    """The fields that AWS never shows, each with the reason why it need not be compared."""
    UNCHANGEABLE: ClassVar[frozenset[str]]
    """The fields that AWS lets no user change: a resource with another value is another resource. They are compared all the same."""
    PROTECTIONS: ClassVar[Mapping[str, str]]
    """The fields with which a user protects the resource, each and what it does: a plan shows them, no deployment switches them off."""
    NOT_COMPARED: ClassVar[Mapping[str, str]]
    """Settings of AWS that are no fields here, each with the reason why it is not compared."""
    SETTLES: ClassVar[timedelta]
    """How long AWS may hide a resource that was just created."""
    BESIDE: ClassVar[bool]
    """True if a replacement and the old resource exist side by side until the end; else the old one is deleted first."""
    KEPT_FOR_ROLLBACK: ClassVar[bool]
    """True if the one that was replaced may stay for a while after its replacement works, so that a rollback returns to it."""
    TOKEN: ClassVar[bool]
    """True if the create call can be sent again: it has a client token, or the same values give the same resource."""
    UNIQUE: ClassVar[bool]
    """True if AWS refuses a second one of the same name: sending the create call again is safe, and shows if there is one."""
    ADOPTS_SILENTLY: ClassVar[bool]
    """True if AWS may answer the creation of one that exists as if it had created it: its owner is read just before."""
    ID_FROM_AWS: ClassVar[bool]
    """True if AWS chooses its id, so that a deployment can have two that carry the same tags: they are listed at each plan."""
    PROPAGATES: ClassVar[frozenset[str]]
    """The error codes that a new resource (a role, a security group) causes until AWS has propagated it."""
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]]
    """The (operation, error code) with which AWS refuses a deletion while something uses it, or a creation while its name is not free."""
    CHANGES_WITH_UPDATE: ClassVar[frozenset[str]]
    """The outputs that each update changes: until it is done, nothing may be planned with the old ones."""
    RETURNS: ClassVar[frozenset[str]]
    """The fields by which a rollback returns to what AWS still has: texts, such as the version that an endpoint leads to."""
    LOSES: ClassVar[str]
    """What a deletion or replacement loses: `data`, `address` or nothing."""
    PARENT: ClassVar[str]
    """The KIND of what it lies in; the id's first part (before the `/`) is that one's id. Without tags it belongs to its parent's owner."""
    NAME_FIELD: ClassVar[str]
    """For what has no tags and may lie in a parent of the user's: the field that begins with the deployment's id."""
    DELETE_BEFORE: ClassVar[frozenset[str]]
    """The KINDs that it uses, which are created before it and deleted after it. Its PARENT is one of them and need not be named."""
    OWNED_BY_PLACE: ClassVar[bool]
    """True if all that bears the deployment's id in a parent of the deployment's own is its own, also if it was replaced without tags."""
    CONFIGURED_BY: ClassVar[str]
    """The setting (`section.field`) with which the user names an existing one, for a kind in which others lie."""
    REGIONAL: ClassVar[bool]
    """True if it exists in one region; else every region of the account shows it."""
    LISTS_KIND: ClassVar[bool]
    """True if this class lists, reads and deletes all of its KIND. If several classes declare one KIND, one of them does."""
    ELSEWHERE: ClassVar[frozenset[tuple[str, str]]]
    """The (operation, error code) with which AWS refuses a creation for lack of room, so that what `elsewhere` lists is tried."""
    MOST_TAGS: ClassVar[int]
    """How many tags AWS takes; 0 for what can't be tagged. With more of the user's than that, it gets ours alone."""
    TAGS_LATER: ClassVar[bool]
    """True if its create call takes no tags: they are set right after it, and until then something else of it says whose it is."""
    FAILURES: ClassVar[Failures]

    @property
    def name(self) -> str: ...

    def natural_id(self, aws: Aws) -> str:
        """Answer the id of the resource that has its name now, ours or not, or the id that it would have; empty if names are not unique."""
        ...

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        """List everything of this kind that has the deployment's tag, or is in a parent that has it."""
        ...

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        """List what the deployment created inside a parent that the user named: its names or keys contain the deployment's id."""
        ...

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        """List the deployment ids that this kind's listing shows; needed if AWS's tagging API does not know the kind."""
        ...

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        """Read the resource as AWS shows it now; None if it does not exist, or is being deleted."""
        ...

    def create(self, aws: Aws, mark: Mark) -> str:
        """Create it with one call, and answer its id."""
        ...

    def elsewhere(self) -> Mapping[str, Self]:
        """List the declarations that serve as well, by what a person calls them: tried in order where AWS has no room for this one."""
        ...

    def prefer(self, outputs: Outputs) -> Self:
        """Return the declaration of `elsewhere` that these outputs of an existing one show; itself where they show none."""
        ...

    def configure(self, aws: Aws, id: str) -> None:
        """Make every call that can be repeated, until AWS has the expected settings."""
        ...

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        """Set these tags and remove those; its others stay. Needed if `MOST_TAGS` is not 0."""
        ...

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        """Answer if it works now."""
        ...

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        """Delete it. What does not exist any more is no error."""
        ...

    def loses(self, seen: Self) -> str:
        """Say what replacing the one that AWS has loses, where that is not always what `LOSES` says."""
        ...

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        """Look up what made AWS refuse with a code of `BLOCKERS`: something that ends by itself, or that the user must act on.

        None if there is nothing to add to what AWS said.
        """
        ...

    @classmethod
    def witness(cls, aws: Aws, id: str) -> str:
        """Read what AWS has recorded of a resource that does not become ready; empty if nothing."""
        ...

    def console(self) -> Steps:
        """Describe the steps in the AWS Console, with every value."""
        ...

    def template(self) -> CfnResource:
        """Describe it for CloudFormation, with every value."""
        ...


class Defaults:
    """The answers of most resource types; a type overrides what differs."""

    FIXED: ClassVar[frozenset[str]] = frozenset()
    UNSEEN: ClassVar[Mapping[str, str]] = MappingProxyType({})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset()
    PROTECTIONS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    NOT_COMPARED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    SETTLES: ClassVar[timedelta] = timedelta(seconds=10)
    BESIDE: ClassVar[bool] = False
    KEPT_FOR_ROLLBACK: ClassVar[bool] = False
    TOKEN: ClassVar[bool] = False
    UNIQUE: ClassVar[bool] = False
    ADOPTS_SILENTLY: ClassVar[bool] = False
    ID_FROM_AWS: ClassVar[bool] = False
    PROPAGATES: ClassVar[frozenset[str]] = frozenset()
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    CHANGES_WITH_UPDATE: ClassVar[frozenset[str]] = frozenset()
    RETURNS: ClassVar[frozenset[str]] = frozenset()
    LOSES: ClassVar[str] = ""
    PARENT: ClassVar[str] = ""
    NAME_FIELD: ClassVar[str] = ""
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset()
    OWNED_BY_PLACE: ClassVar[bool] = False
    CONFIGURED_BY: ClassVar[str] = ""
    REGIONAL: ClassVar[bool] = True
    LISTS_KIND: ClassVar[bool] = True
    ELSEWHERE: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    MOST_TAGS: ClassVar[int] = 0
    TAGS_LATER: ClassVar[bool] = False
    FAILURES: ClassVar[Failures] = MappingProxyType({})

    def natural_id(self, aws: Aws) -> str:
        return ""

    def elsewhere(self) -> Mapping[str, Self]:
        return {}

    def prefer(self, outputs: Outputs) -> Self:
        return self

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        return ()

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return ()

    def configure(self, aws: Aws, id: str) -> None:
        """Do nothing: the create call has said everything."""

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        """Do nothing: it can't be tagged."""

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        return Ready()

    def loses(self, seen: Self) -> str:
        return self.LOSES

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return None

    @classmethod
    def witness(cls, aws: Aws, id: str) -> str:
        return ""
