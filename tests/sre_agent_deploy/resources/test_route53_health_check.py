"""The health check that asks from outside: whose it is before it has tags, and after a person made it by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import compare_tags, tags_of
from sre_agent_deploy.resources.route53_health_check import HealthCheck

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, drift, read, refused


@pytest.fixture
def check() -> HealthCheck:
    return HealthCheck(name="outside_check", domain="sre.example.com", resource_path="/ping")


def test_a_health_check_from_creation_to_deletion(aws: Aws, marked: Marked, check: HealthCheck) -> None:
    """It is found without a tag, by its caller reference, and goes without a trace; what AWS changes in place is repaired."""
    check_repair(aws, check, create(aws, check, marked("outside_check")), resource_path="/other", port=8443, inverted=True)
    check_life_cycle(aws, check, marked("other"))


def test_a_creation_that_was_sent_twice(aws: Aws, marked: Marked, check: HealthCheck, deployment: str) -> None:
    """The same mark makes one check; its tags follow, and stay its owner's where a person has removed one."""
    mark = marked("outside_check")
    id = check.create(aws, mark)
    assert check.create(aws, mark) == id
    seen = read(aws, check, id)
    changes = compare_tags(replace(mark, extra={"team": "red"}).tags(10), seen.tags or {})
    HealthCheck.set_tags(aws, id, changes)
    tags = tags_of(aws.client("route53").list_tags_for_resource(ResourceType="healthcheck", ResourceId=id)["ResourceTagSet"]["Tags"])
    assert tags == {**mark.tags(), "team": "red"}
    aws.client("route53").change_tags_for_resource(ResourceType="healthcheck", ResourceId=id, RemoveTagKeys=list(mark.tags()))
    assert read(aws, check, id).owner(deployment) == "us"
    HealthCheck.delete(aws, id)
    assert refused(aws, check, mark).context["aws_code"] == "HealthCheckAlreadyExists"


def test_a_health_check_that_was_made_by_hand(aws: Aws, marked: Marked, check: HealthCheck, deployment: str) -> None:
    """Its tags alone say whose it is; without them it is a stranger's."""
    route53 = aws.client("route53")
    by_console = make_by_hand(aws, check, f"{deployment} by hand")
    assert HealthCheck.owned(aws, deployment) == ()
    assert read(aws, check, by_console).owner(deployment) == "stranger"
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=by_console, AddTags=marked("outside_check").tag_list())
    assert [(owned.id, owned.name) for owned in HealthCheck.owned(aws, deployment)] == [(by_console, "outside_check")]
    assert {entry.field for entry in drift(aws, check, by_console)} == {"resource_path"}
    configure(aws, check, by_console)
    assert drift(aws, check, by_console) == ()
    HealthCheck.delete(aws, by_console)


def test_a_check_that_goes_while_tags_are_read(aws: Aws, marked: Marked, check: HealthCheck, deployment: str) -> None:
    """AWS then answers for none of the checks that are asked about at once: ours is found all the same."""
    route53 = aws.client("route53")
    ours, going = (make_by_hand(aws, check, f"{deployment} {name}") for name in ("ours", "going"))
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=ours, AddTags=marked("outside_check").tag_list())

    def delete_once(**_: object) -> None:
        events.unregister(event, delete_once)
        HealthCheck.delete(aws, going)

    events, event = route53.meta.events, "provide-client-params.route-53.ListTagsForResources"
    events.register(event, delete_once)
    assert [owned.id for owned in HealthCheck.owned(aws, deployment)] == [ours]
    HealthCheck.delete(aws, ours)


def make_by_hand(aws: Aws, check: HealthCheck, reference: str) -> str:
    """Make such a check as a person does in the Console, and return its id."""
    settings = {"Type": "HTTPS", "FullyQualifiedDomainName": check.domain, "Port": 443, "ResourcePath": "/", "EnableSNI": True}
    made = aws.client("route53").create_health_check(CallerReference=reference, HealthCheckConfig=settings)  # type: ignore[arg-type]  # its stubs want literals
    return made["HealthCheck"]["Id"]
