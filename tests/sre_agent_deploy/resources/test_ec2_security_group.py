"""Security groups: the declared ports and no others."""

from __future__ import annotations

from typing import Any

from fixtures.answered import answered_once
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.create import configure_resource
from sre_agent_deploy.resources.ec2_security_group import Ingress, SecurityGroup

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, refused

HTTPS = Ingress(443, "0.0.0.0/0", "HTTPS")


def group(aws: Aws, deployment: str, *ingress: Ingress) -> SecurityGroup:
    vpcs = aws.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return SecurityGroup(
        name="security_group", group_name=deployment, description="for tests", vpc_id=vpcs[0]["VpcId"], ingress=(*ingress, HTTPS)
    )


def test_a_group_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """Rules for IPv4 and IPv6 are made as declared, in any order in which AWS lists them."""
    anyone_v6 = Ingress(443, "::/0", "HTTPS over IPv6")
    check_life_cycle(aws, group(aws, deployment, anyone_v6, Ingress(80, "0.0.0.0/0", "redirect")), marked("security_group"))


def test_rules_that_differ(aws: Aws, marked: Marked, deployment: str) -> None:
    """Rules come, go and change their description; each time exactly the declared ones are there."""
    declared = group(aws, deployment, Ingress(22, "203.0.113.0/24", "SSH"))
    id = create(aws, declared, marked("security_group"))
    check_repair(aws, declared, id, ingress=(HTTPS,))
    check_repair(aws, declared, id, ingress=(Ingress(443, "0.0.0.0/0", "the web"), Ingress(22, "198.51.100.0/24", "SSH")))
    delete(aws, declared, id, deployment)


def test_rules_that_were_added_by_hand(aws: Aws, marked: Marked, deployment: str) -> None:
    """A range of ports, all protocols, or another group as source: each shows, and is revoked."""
    declared = group(aws, deployment)
    id = create(aws, declared, marked("security_group"))
    anyone: Any = [{"CidrIp": "0.0.0.0/0"}]
    added: Any = [
        {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 9000, "IpRanges": anyone},
        {"IpProtocol": "-1", "IpRanges": anyone},
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": id}]},
    ]
    for permission in added:
        aws.client("ec2").authorize_security_group_ingress(GroupId=id, IpPermissions=[permission])
    (difference,) = drift(aws, declared, id)
    assert difference.field == "ingress"
    assert "tcp 8000-9000" in str(SecurityGroup.read(aws, id, "security_group"))
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_rule_that_gets_another_description(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is the same rule as before: its port was never closed."""
    declared = group(aws, deployment)
    id = create(aws, declared, marked("security_group"))
    renamed = SecurityGroup(**{**vars(declared), "ingress": (Ingress(443, "0.0.0.0/0", "the web"),)})
    before = rule_ids(aws, id)
    configure(aws, renamed, id)
    assert rule_ids(aws, id) == before
    assert drift(aws, renamed, id) == ()
    delete(aws, declared, id, deployment)


def test_rules_that_ec2_does_not_show_yet(aws: Aws, marked: Marked, deployment: str) -> None:
    """A rule that is there and not shown is refused as a duplicate: the rules are read again, and then nothing is left to do."""
    declared = group(aws, deployment)
    id = create(aws, declared, marked("security_group"))
    with answered_once(aws.client("ec2"), "DescribeSecurityGroupRules", 200, SecurityGroupRules=[]):
        assert configure_resource(aws, declared, id) is None
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def rule_ids(aws: Aws, group_id: str) -> set[str]:
    filters: Any = [{"Name": "group-id", "Values": [group_id]}]
    rules = aws.client("ec2").describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    return {rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]}


def test_a_group_name_that_is_taken(aws: Aws, marked: Marked, deployment: str) -> None:
    """The group that has the name is found by it, so that its owner is seen before anything is made."""
    declared = group(aws, deployment)
    assert declared.natural_id(aws) == ""
    id = create(aws, declared, marked("security_group"))
    assert declared.natural_id(aws) == id
    assert refused(aws, declared, marked("security_group")).code == "SECURITY-GROUP-NAME-TAKEN"
    delete(aws, declared, id, deployment)
