"""The people of a Cognito user pool, their groups and the pool's own attributes: read for a backup, put back from one.

What Cognito never shows is not here: passwords, secrets of authenticator apps, refresh tokens and remembered devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_core import clock

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

# Cognito chooses it for each user, and accepts no other value.
_ITS_OWN = ("sub", "identities")
EXTERNAL = "EXTERNAL_PROVIDER"
NEVER_SIGNED_IN = "FORCE_CHANGE_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class Person:
    """One user of a pool. `sub` is not restored: Cognito gives a new one."""

    username: str
    attributes: Mapping[str, str]
    sub: str = ""
    enabled: bool = True
    status: str = ""
    created: str = ""
    modified: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group of a pool."""

    name: str
    description: str = ""
    precedence: int | None = None
    role_arn: str = ""
    created: str = ""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Everybody in a pool."""

    people: tuple[Person, ...] = ()
    groups: tuple[Group, ...] = ()
    custom_attributes: tuple[Mapping[str, Any], ...] = field(default=())
    """Their definitions, as Cognito shows them."""

    def person(self, username: str) -> Person | None:
        return next((each for each in self.people if each.username == username), None)


def read_directory(aws: Aws, pool_id: str) -> Directory:
    """Read everybody in a pool."""
    client = aws.client("cognito-idp")
    groups = [group for page in client.get_paginator("list_groups").paginate(UserPoolId=pool_id) for group in page["Groups"]]
    members = {group["GroupName"]: _list_members(aws, pool_id, group["GroupName"]) for group in groups}
    users = [user for page in client.get_paginator("list_users").paginate(UserPoolId=pool_id) for user in page["Users"]]
    schema: Any = client.describe_user_pool(UserPoolId=pool_id)["UserPool"].get("SchemaAttributes", [])
    return Directory(
        people=tuple(_person(user, members) for user in users),
        groups=tuple(map(_group, groups)),
        custom_attributes=tuple(each for each in schema if each["Name"].startswith("custom:")),
    )


def _list_members(aws: Aws, pool_id: str, group: str) -> frozenset[str]:
    pages = aws.client("cognito-idp").get_paginator("list_users_in_group").paginate(UserPoolId=pool_id, GroupName=group)
    return frozenset(user["Username"] for page in pages for user in page["Users"])


def _person(user: Any, members: Mapping[str, frozenset[str]]) -> Person:
    attributes = {each["Name"]: each.get("Value", "") for each in user.get("Attributes", [])}
    return Person(
        username=user["Username"],
        attributes={name: value for name, value in attributes.items() if name not in _ITS_OWN},
        sub=attributes.get("sub", ""),
        enabled=user["Enabled"],
        status=user["UserStatus"],
        created=clock.stamp(user["UserCreateDate"]),
        modified=clock.stamp(user["UserLastModifiedDate"]),
        groups=tuple(sorted(name for name, usernames in members.items() if user["Username"] in usernames)),
    )


def _group(group: Any) -> Group:
    return Group(
        name=group["GroupName"],
        description=group.get("Description", ""),
        precedence=group.get("Precedence"),
        role_arn=group.get("RoleArn", ""),
        created=clock.stamp(group["CreationDate"]),
    )


def add_attributes(aws: Aws, pool_id: str, definitions: tuple[Mapping[str, Any], ...]) -> None:
    """Define attributes of the pool's own. Their names are given without `custom:`."""
    attributes: Any = [{**each, "Name": each["Name"].removeprefix("custom:")} for each in definitions]
    aws.client("cognito-idp").add_custom_attributes(UserPoolId=pool_id, CustomAttributes=attributes)


def create_group(aws: Aws, pool_id: str, group: Group) -> None:
    """Create a group as it was. One that exists already stays as it is: an answer may have been lost."""
    given: Any = {"Description": group.description, "Precedence": group.precedence, "RoleArn": group.role_arn}
    known = {key: value for key, value in given.items() if value not in ("", None)}
    or_none(lambda: aws.client("cognito-idp").create_group(UserPoolId=pool_id, GroupName=group.name, **known), ("GroupExistsException",))


def create_person(aws: Aws, pool_id: str, person: Person) -> None:
    """Create a user without a message; one that exists already stays as it is.

    Cognito makes up an unknown password, so a new one must be sent later.
    """
    attributes = _list_attributes(person)
    or_none(
        lambda: aws.client("cognito-idp").admin_create_user(
            UserPoolId=pool_id, Username=person.username, UserAttributes=attributes, MessageAction="SUPPRESS"
        ),
        ("UsernameExistsException",),
    )


def update_person(aws: Aws, pool_id: str, person: Person) -> None:
    """Set the attributes of a user that exists."""
    if person.attributes:
        aws.client("cognito-idp").admin_update_user_attributes(
            UserPoolId=pool_id, Username=person.username, UserAttributes=_list_attributes(person)
        )


def admit_person(aws: Aws, pool_id: str, username: str, *, enabled: bool) -> None:
    """Let a user sign in, or not."""
    client = aws.client("cognito-idp")
    if enabled:
        client.admin_enable_user(UserPoolId=pool_id, Username=username)
    else:
        client.admin_disable_user(UserPoolId=pool_id, Username=username)


def add_to_group(aws: Aws, pool_id: str, username: str, group: str) -> None:
    """Make a user a member of a group; one that is a member already stays one."""
    aws.client("cognito-idp").admin_add_user_to_group(UserPoolId=pool_id, Username=username, GroupName=group)


def _list_attributes(person: Person) -> Any:
    return [{"Name": name, "Value": value} for name, value in sorted(person.attributes.items())]
