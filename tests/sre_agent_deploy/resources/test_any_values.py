"""Any declaration within AWS's limits is created exactly so, and nothing is left to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fixtures.embedded import served
from fixtures.sample import THOROUGH, sample
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.graph import Item
from sre_agent_deploy.plan import Action, Change, decide_change

from . import any_access as access
from . import any_network as network
from . import any_service as service
from .any_values import TAGS, Choices, Choose, declarations
from .life import until
from .parents import Parents, finish, make_parents
from .samples import kinds as every_kind

EXAMPLES = 500 if THOROUGH else 100
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def nothing_else(parents: Parents) -> Choices:
    """Choose nothing: what it refers to is all that it has."""
    return {}


CHOICES: Mapping[str, Choose] = {
    "AccessEntry": access.access_entry,
    "AddressAssociation": nothing_else,
    "AgentRuntime": access.runtime,
    "Alarm": service.alarm,
    "AliasRecord": service.alias_record,
    "ApiKeyCredentialProvider": access.provider,
    "AppClient": access.app_client,
    "Budget": service.budget,
    "Certificate": access.certificate,
    "ClientSecret": access.client_secret,
    "CustomDomain": access.custom_domain,
    "Dashboard": service.dashboard,
    "Delivery": nothing_else,
    "DeliveryDestination": service.delivery_destination,
    "DeliverySource": service.delivery_source,
    "DnsRecord": service.dns_record,
    "DynamoDbTable": service.table,
    "Ec2Instance": network.instance,
    "ElasticIp": nothing_else,
    "Gateway": access.gateway,
    "GatewayTarget": access.target,
    "GeneratedSecret": access.generated_secret,
    "HealthCheck": service.health_check,
    "IamRole": access.role,
    "InstanceProfile": access.instance_profile,
    "InternetGateway": network.internet_gateway,
    "LogGroup": service.log_group,
    "MachineAddress": nothing_else,
    "MetricFilter": service.metric_filter,
    "ResourceServer": access.resource_server,
    "RouteTable": network.route_table,
    "RuntimeEndpoint": access.endpoint,
    "S3Bucket": service.bucket,
    "S3Object": service.stored_object,
    "SecurityGroup": network.security_group,
    "SnsTopic": service.topic,
    "StoredSecret": access.stored_secret,
    "Subnet": network.subnet,
    "Trail": service.trail,
    "UserPool": access.user_pool,
    "UserPoolDomain": access.pool_domain,
    "Vpc": network.vpc,
    "VpcEndpoint": network.vpc_endpoint,
}

AT_A_TIME = 6
"""A hundred of each of all types take minutes of processor time: `make test` tries so many types, others with each commit."""


def kinds() -> list[type[Any]]:
    """List the types that this run tries."""
    return sample(every_kind(), AT_A_TIME)


@pytest.fixture(scope="session")
def parents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parents]:
    """Create the resources that others refer to, in an AWS without delays: other tests prove the waiting."""
    with served(tmp_path_factory.mktemp("at-once"), "--no-boot", "--at-once") as aws:
        yield make_parents(aws, tmp_path_factory.mktemp("parents"))


def test_every_type_has_choices() -> None:
    """A type that is added says what its fields may be."""
    assert {kind.__name__ for kind in every_kind()} == CHOICES.keys()


@pytest.mark.property(3)
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=not THOROUGH, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_values_of_a_resource(parents: Parents, kind: type[Any], data: st.DataObject) -> None:
    """**Feature: aws-ec2-production-deployment, Property 3: AWS Resource Configuration**

    For any AWS resource creation, the deployment process should configure IAM roles, security groups, S3 buckets, and Cognito
    with exact specifications that allow required access and deny unauthorized access.

    For any values that AWS accepts, of every resource type: AWS then has exactly these and the tags, a plan finds nothing to change,
    and what is deleted is gone.
    """
    wanted = data.draw(declarations(kind, parents, CHOICES[kind.__name__]))
    aws, mark = parents.aws, parents.mark(wanted.name, data.draw(TAGS))
    id = wanted.create(aws, mark)
    try:
        found = inventory.read_resource(finish(aws, wanted, id, mark), kind, id, wanted.name, mark.deployment)
        change = decide_change(Item(wanted), wanted, found, None, mark.deployment, tags=mark.extra)
        assert isinstance(change, Change), change
        assert [str(each) for each in change.differences] == []
        assert change.action is Action.KEEP
    finally:
        kind.delete(aws, id)
        assert until(lambda: kind.read(aws, id, wanted.name) is None)
