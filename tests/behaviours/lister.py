"""List the contents of an AWS account, unfiltered; shares no code with src, so that it can't be wrong in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

type Client = Callable[[str], Any]


def everything(client: Client) -> dict[str, list[str]]:
    """Every resource of the kinds that a deployment could touch, by id."""
    parts = (storage, login, identity, clusters, compute, agentcore, billing, watching)
    return {kind: ids for part in parts for kind, ids in part(client).items()}


def storage(client: Client) -> dict[str, list[str]]:
    s3 = client("s3")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    objects = [f"{bucket}/{entry['Key']}" for bucket in buckets for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    secrets = client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    tables = sorted(client("dynamodb").list_tables()["TableNames"])
    return {"tables": tables, "buckets": buckets, "objects": objects, "secrets": sorted(secret["Name"] for secret in secrets)}


def login(client: Client) -> dict[str, list[str]]:
    cognito = client("cognito-idp")
    pools = [pool["Id"] for pool in cognito.list_user_pools(MaxResults=60)["UserPools"]]
    clients = [
        entry["ClientId"] for pool in pools for entry in cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    ]
    return {"pools": pools, "clients": clients}


def identity(client: Client) -> dict[str, list[str]]:
    iam = client("iam")
    zones = client("route53").list_hosted_zones()["HostedZones"]
    return {
        # AWS makes service-linked roles by itself when a service is used first, and they stay.
        "roles": sorted(role["RoleName"] for role in iam.list_roles()["Roles"] if not role["Path"].startswith("/aws-service-role/")),
        "profiles": sorted(profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]),
        "policies": sorted(policy["Arn"] for policy in iam.list_policies(Scope="Local")["Policies"]),
        "zones": sorted(zone["Id"] for zone in zones),
        "health checks": sorted(check["Id"] for check in client("route53").list_health_checks()["HealthChecks"]),
    }


def clusters(client: Client) -> dict[str, list[str]]:
    eks, entries = client("eks"), []
    for name in (names := eks.list_clusters()["clusters"]):
        if eks.describe_cluster(name=name)["cluster"].get("accessConfig", {}).get("authenticationMode") in ("API", "API_AND_CONFIG_MAP"):
            entries += [f"{name} {principal}" for principal in eks.list_access_entries(clusterName=name)["accessEntries"]]
    return {"clusters": names, "access entries": entries}


def compute(client: Client) -> dict[str, list[str]]:
    ec2 = client("ec2")
    instances = [instance for entry in ec2.describe_instances()["Reservations"] for instance in entry["Instances"]]
    return {
        "instances": sorted(instance["InstanceId"] for instance in instances if instance["State"]["Name"] != "terminated"),
        "security groups": sorted(group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]),
        "vpcs": sorted(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]),
        "endpoints": sorted(endpoint["VpcEndpointId"] for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]),
        "addresses": sorted(address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]),
        "volumes": sorted(volume["VolumeId"] for volume in ec2.describe_volumes()["Volumes"]),
        "interfaces": sorted(interface["NetworkInterfaceId"] for interface in ec2.describe_network_interfaces()["NetworkInterfaces"]),
        "key pairs": sorted(pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]),
    }


def billing(client: Client) -> dict[str, list[str]]:
    account = client("sts").get_caller_identity()["Account"]
    return {"budgets": [budget["BudgetName"] for budget in client("budgets").describe_budgets(AccountId=account)["Budgets"]]}


def watching(client: Client) -> dict[str, list[str]]:
    cloudwatch = client("cloudwatch")
    return {
        "log groups": sorted(group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]),
        "deliveries": sorted(each["id"] for each in client("logs").describe_deliveries()["deliveries"]),
        "delivery sources": sorted(each["name"] for each in client("logs").describe_delivery_sources()["deliverySources"]),
        "delivery destinations": sorted(each["name"] for each in client("logs").describe_delivery_destinations()["deliveryDestinations"]),
        "trails": sorted(trail["Name"] for trail in client("cloudtrail").list_trails()["Trails"]),
        "topics": sorted(topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]),
        "alarms": sorted(alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]),
        "dashboards": sorted(board["DashboardName"] for board in cloudwatch.list_dashboards()["DashboardEntries"]),
    }


def agentcore(client: Client) -> dict[str, list[str]]:
    control = client("bedrock-agentcore-control")
    gateways = [gateway["gatewayId"] for gateway in control.list_gateways()["items"]]
    targets = [
        f"{gateway}/{target['targetId']}"
        for gateway in gateways
        for target in control.list_gateway_targets(gatewayIdentifier=gateway)["items"]
    ]
    runtimes = [runtime["agentRuntimeId"] for runtime in control.list_agent_runtimes()["agentRuntimes"]]
    endpoints = [
        f"{runtime}/{endpoint['name']} {endpoint['liveVersion']}"
        for runtime in runtimes
        for endpoint in control.list_agent_runtime_endpoints(agentRuntimeId=runtime)["runtimeEndpoints"]
    ]
    providers = control.list_api_key_credential_providers()["credentialProviders"]
    named = sorted(provider["name"] for provider in providers)
    return {"gateways": gateways, "targets": targets, "providers": named, "runtimes": runtimes, "endpoints": endpoints}
