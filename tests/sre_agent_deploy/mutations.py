"""One change by hand for each setting that a plan compares: plain boto3, as a person with the AWS CLI makes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from fixtures.access_logs import accept_logs
from fixtures.engine import Engine
from sre_agent_deploy.resources.s3_bucket_settings import expire_files, expire_versions

from .resources.life import until

type Change = Callable[[Engine], object]

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
DEFAULT_SUBNETS = {"Name": "default-for-az", "Values": ["true"]}
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}]}
ENTRY = "access_entry_drift"
OWNED_BY_OTHERS = {"Key": "sre-agent:resource", "Value": "another"}


def _ec2(method: str, name: str, **wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        key = "InstanceId" if name == "instance" else "GroupId"
        return getattr(engine.client("ec2"), method)(**{key: engine.id_of(name)}, **wanted)

    return change


def _bucket(method: str, **wanted: Any) -> Change:
    return lambda engine: getattr(engine.client("s3"), method)(Bucket=engine.id_of("bucket"), **wanted)


def _logged_elsewhere(engine: Engine) -> object:
    """Send the bucket's access log to another bucket of the account."""
    s3, logs = engine.client("s3"), f"{engine.name}-access-logs"
    if logs not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=logs)
        s3.put_bucket_policy(Bucket=logs, Policy=json.dumps(accept_logs(logs)))
    target = {"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": ""}}
    return s3.put_bucket_logging(Bucket=engine.id_of("bucket"), BucketLoggingStatus=target)


def _object(**wanted: Any) -> Change:
    """Overwrite an object as a person does: without our tags too, if no tags are named."""

    def change(engine: Engine) -> object:
        bucket, _, key = engine.id_of("openapi_logs").partition("/")
        seen = engine.client("s3").get_object(Bucket=bucket, Key=key)
        tags = engine.client("s3").get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        tagging = "&".join(f"{tag['Key']}={tag['Value']}" for tag in tags)
        settings = {"Body": seen["Body"].read(), "ContentType": seen["ContentType"], "Metadata": seen["Metadata"], "Tagging": tagging}
        return engine.client("s3").put_object(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256", **(settings | wanted))

    return change


def _role(method: str, **wanted: Any) -> Change:
    return lambda engine: getattr(engine.client("iam"), method)(RoleName=engine.id_of("gateway_role"), **wanted)


def _trust(part: str, value: Any) -> Change:
    """Change one part of the statement by which the gateway may assume its role."""

    def change(engine: Engine) -> object:
        role = engine.client("iam").get_role(RoleName=engine.id_of("gateway_role"))["Role"]
        document = role["AssumeRolePolicyDocument"]
        document["Statement"][0].pop(part)
        document["Statement"][0] |= {part: value} if value else {}
        return engine.client("iam").update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(document))

    return change


def _statement(part: str, value: Any) -> Change:
    """Change one part of the first statement of an inline policy."""

    def change(engine: Engine) -> object:
        name = engine.id_of("instance_role")
        document = engine.client("iam").get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
        document["Statement"][0][part] = value
        return engine.client("iam").put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(document))

    return change


def _pool(**wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        idp, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
        seen = idp.describe_user_pool(UserPoolId=pool)["UserPool"]
        kept = {
            key: seen[key] for key in ("Policies", "AdminCreateUserConfig", "AccountRecoverySetting", "UserPoolTags", "MfaConfiguration")
        }
        return idp.update_user_pool(UserPoolId=pool, **(kept | wanted))

    return change


def _password(**wanted: Any) -> Change:
    usual = {"MinimumLength": 14, "TemporaryPasswordValidityDays": 1}
    kinds = {f"Require{kind}": True for kind in ("Lowercase", "Numbers", "Symbols", "Uppercase")}
    return _pool(Policies={"PasswordPolicy": usual | kinds | wanted})


def _client(**wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        pool, _, client = engine.id_of("caller_client").partition("/")
        idp = engine.client("cognito-idp")
        seen = idp.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
        takes = idp.meta.service_model.operation_model("UpdateUserPoolClient").input_shape.members
        return idp.update_user_pool_client(**({key: value for key, value in seen.items() if key in takes} | wanted))

    return change


def _agentcore(what: str, change: Callable[[dict[str, Any]], object]) -> Change:
    """Update a gateway or a target with what AWS shows of it and one thing changed."""

    def apply(engine: Engine) -> object:
        aws = engine.client("bedrock-agentcore-control")
        if what == "Gateway":
            which = {"gatewayIdentifier": engine.id_of("gateway")}
        else:
            gateway, _, target = engine.id_of("target_logs").partition("/")
            which = {"gatewayIdentifier": gateway, "targetId": target}
        suffix = "gateway" if what == "Gateway" else "gateway_target"
        seen = getattr(aws, f"get_{suffix}")(**which)
        takes = aws.meta.service_model.operation_model(f"Update{what}").input_shape.members
        settings = {key: value for key, value in seen.items() if key in takes} | which
        change(settings)
        getattr(aws, f"update_{suffix}")(**settings)
        return until(lambda: getattr(aws, f"get_{suffix}")(**which)["status"] != "UPDATING")

    return apply


def _gateway(change: Callable[[dict[str, Any]], object]) -> Change:
    return _agentcore("Gateway", change)


def _jwt(key: str, value: Any) -> Change:
    return _gateway(lambda gateway: gateway["authorizerConfiguration"]["customJWTAuthorizer"].update({key: value}))


def _open_to_everyone(gateway: dict[str, Any]) -> None:
    gateway["authorizerType"] = "NONE"
    del gateway["authorizerConfiguration"]


def _target(change: Callable[[dict[str, Any]], object]) -> Change:
    return _agentcore("GatewayTarget", change)


def _key(**wanted: str) -> Change:
    def change(target: dict[str, Any]) -> None:
        target["credentialProviderConfigurations"][0]["credentialProvider"]["apiKeyCredentialProvider"].update(wanted)

    return _target(change)


def _other_provider(engine: Engine) -> object:
    aws = engine.client("bedrock-agentcore-control")
    name = f"{engine.name}-other"
    try:
        arn = aws.create_api_key_credential_provider(name=name, apiKey="k")["credentialProviderArn"]
    except aws.exceptions.ConflictException:
        arn = aws.get_api_key_credential_provider(name=name)["credentialProviderArn"]
    return _key(providerArn=arn)(engine)


def _provider(json_key: str) -> Change:
    """Let the provider hand out the key of another secret."""

    def change(engine: Engine) -> object:
        secret = engine.client("secretsmanager").create_secret(Name=f"{engine.name}-{json_key}", SecretString=json.dumps({json_key: "k"}))
        settings = {"secretId": secret["ARN"], "jsonKey": json_key}
        return engine.client("bedrock-agentcore-control").update_api_key_credential_provider(
            name=engine.id_of("credential_provider"), apiKeySecretSource="EXTERNAL", apiKeySecretConfig=settings
        )

    return change


def _secret(method: str, name: str, **wanted: Any) -> Change:
    return lambda engine: getattr(engine.client("secretsmanager"), method)(SecretId=engine.id_of(name), **wanted)


def _budget(**wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        budgets, account = engine.client("budgets"), engine.embedded.account_id
        seen = budgets.describe_budget(AccountId=account, BudgetName=engine.id_of("budget"))["Budget"]
        kept = {key: seen[key] for key in ("BudgetName", "BudgetType", "TimeUnit", "BudgetLimit", "CostFilters")}
        return budgets.update_budget(AccountId=account, NewBudget=kept | wanted)

    return change


def _record(**wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        zone, _, domain = engine.id_of("dns_record").partition("/")
        dns = engine.client("route53")
        seen = dns.list_resource_record_sets(HostedZoneId=zone, StartRecordName=domain, StartRecordType="A")["ResourceRecordSets"][0]
        changes = [{"Action": "UPSERT", "ResourceRecordSet": seen | wanted}]
        return dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    return change


def _ec2_tag(name: str, key: str, value: str) -> Change:
    return lambda engine: engine.client("ec2").create_tags(Resources=[engine.id_of(name)], Tags=[{"Key": key, "Value": value}])


def _vpc_attribute(**wanted: Any) -> Change:
    return lambda engine: engine.client("ec2").modify_vpc_attribute(VpcId=engine.id_of("vpc"), **wanted)


def _delete_route(engine: Engine) -> object:
    return engine.client("ec2").delete_route(RouteTableId=engine.id_of("route_table"), DestinationCidrBlock="0.0.0.0/0")


def _vpc_endpoint(name: str, **wanted: Any) -> Change:
    return lambda engine: engine.client("ec2").modify_vpc_endpoint(VpcEndpointId=engine.id_of(name), **wanted)


def _endpoint_elsewhere(name: str, key: str) -> Change:
    """Take the parts of its own from an endpoint."""

    def change(engine: Engine) -> object:
        [seen] = engine.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[engine.id_of(name)])["VpcEndpoints"]
        ids = [group["GroupId"] for group in seen["Groups"]] if key == "SecurityGroupIds" else seen[key]
        return engine.client("ec2").modify_vpc_endpoint(VpcEndpointId=engine.id_of(name), **{f"Remove{key}": ids})

    return change


def _delete_ipv6_route(engine: Engine) -> object:
    return engine.client("ec2").delete_route(RouteTableId=engine.id_of("route_table"), DestinationIpv6CidrBlock="::/0")


def _give_no_ipv6(engine: Engine) -> object:
    return engine.client("ec2").modify_subnet_attribute(SubnetId=engine.id_of("subnet_a"), AssignIpv6AddressOnCreation={"Value": False})


def _primary_interface(engine: Engine) -> Any:
    found = engine.client("ec2").describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    return found["NetworkInterfaces"][0]


def _take_ipv6_address(engine: Engine) -> object:
    interface = _primary_interface(engine)
    addresses = [each["Ipv6Address"] for each in interface["Ipv6Addresses"]]
    return engine.client("ec2").unassign_ipv6_addresses(NetworkInterfaceId=interface["NetworkInterfaceId"], Ipv6Addresses=addresses)


def _give_ipv6_address(engine: Engine, _: Any) -> object:
    """Give back the address that was taken, to which a DNS record leads."""
    record = engine.state.current("instance") if engine.state else None
    assert record
    interface, address = _primary_interface(engine)["NetworkInterfaceId"], record.outputs["ipv6_address"]
    return engine.client("ec2").assign_ipv6_addresses(NetworkInterfaceId=interface, Ipv6Addresses=[address])


def _give_addresses(engine: Engine) -> object:
    return engine.client("ec2").modify_subnet_attribute(SubnetId=engine.id_of("subnet_a"), MapPublicIpOnLaunch={"Value": True})


def _use_main_table(engine: Engine) -> object:
    """Take the subnet's own route table away, so that the main one of the VPC applies."""
    [table] = engine.client("ec2").describe_route_tables(RouteTableIds=[engine.id_of("route_table")])["RouteTables"]
    return engine.client("ec2").disassociate_route_table(AssociationId=table["Associations"][0]["RouteTableAssociationId"])


def _ec2_tags(name: str) -> Change:
    return lambda engine: engine.client("ec2").create_tags(Resources=[engine.id_of(name)], Tags=[OWNED_BY_OTHERS])


def _agentcore_tags(kind: str) -> Change:
    def change(engine: Engine) -> object:
        aws = engine.client("bedrock-agentcore-control")
        if kind == "gateway":
            arn = aws.get_gateway(gatewayIdentifier=engine.id_of("gateway"))["gatewayArn"]
        else:
            arn = aws.get_api_key_credential_provider(name=engine.id_of("credential_provider"))["credentialProviderArn"]
        return aws.tag_resource(resourceArn=arn, tags={"team": "another"})

    return change


def _pool_tags(engine: Engine) -> object:
    idp = engine.client("cognito-idp")
    arn = idp.describe_user_pool(UserPoolId=engine.id_of("user_pool"))["UserPool"]["Arn"]
    return idp.untag_resource(ResourceArn=arn, TagKeys=["team"])


def _entry(method: str, **wanted: Any) -> Change:
    def change(engine: Engine) -> object:
        cluster, _, principal = engine.id_of(ENTRY).partition("/")
        return getattr(engine.client("eks"), method)(clusterName=cluster, principalArn=principal, **wanted)

    return change


def _entry_tags(engine: Engine) -> object:
    cluster, _, principal = engine.id_of(ENTRY).partition("/")
    eks = engine.client("eks")
    arn = eks.describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"]["accessEntryArn"]
    return eks.untag_resource(resourceArn=arn, tagKeys=["team"])


def _budget_tags(engine: Engine) -> object:
    arn = f"arn:aws:budgets::{engine.embedded.account_id}:budget/{engine.id_of('budget')}"
    return engine.client("budgets").tag_resource(ResourceARN=arn, ResourceTags=[OWNED_BY_OTHERS])


def _object_tags(engine: Engine) -> object:
    bucket, _, key = engine.id_of("openapi_logs").partition("/")
    return engine.client("s3").delete_object_tagging(Bucket=bucket, Key=key)


def _bucket_tags(engine: Engine) -> object:
    tags = engine.client("s3").get_bucket_tagging(Bucket=engine.id_of("bucket"))["TagSet"]
    changed = [tag for tag in tags if tag["Key"] != "team"]
    return engine.client("s3").put_bucket_tagging(Bucket=engine.id_of("bucket"), Tagging={"TagSet": changed})


def _heritage(engine: Engine) -> object:
    zone, _, domain = engine.id_of("dns_record").partition("/")
    value = f'"heritage=sre-agent&sre-agent%3Adeployment-id={engine.id}&sre-agent%3Aresource=another&sre-agent%3Ageneration=1"'
    record = {"Name": f"_sre-agent.{domain}", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": value}]}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
    return engine.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def _public_acl(engine: Engine) -> object:
    """Two settings at once, because one forbids the other; the ownership alone has its own change."""
    _bucket("put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})(engine)
    return _bucket("put_bucket_acl", ACL="public-read")(engine)


def _scopes(engine: Engine) -> object:
    pool, _, identifier = engine.id_of("resource_server").partition("/")
    idp = engine.client("cognito-idp")
    seen = idp.describe_resource_server(UserPoolId=pool, Identifier=identifier)["ResourceServer"]
    scopes = [*seen["Scopes"], {"ScopeName": "admin", "ScopeDescription": "everything"}]
    return idp.update_resource_server(UserPoolId=pool, Identifier=identifier, Name=identifier, Scopes=scopes)


def _other_role_in_profile(engine: Engine) -> object:
    iam, profile = engine.client("iam"), engine.id_of("instance_profile")
    iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=engine.id_of("instance_role"))
    return iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=engine.id_of("gateway_role"))


def _disassociate(engine: Engine) -> object:
    """Give the address to another instance."""
    ec2 = engine.client("ec2")
    image = ec2.describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]["ImageId"]
    other = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return ec2.associate_address(AllocationId=engine.id_of("address"), InstanceId=other, AllowReassociation=True)


def _delete_volume(*, with_instance: bool) -> Change:
    def change(engine: Engine) -> object:
        mapping = [{"DeviceName": _root(engine)["DeviceName"], "Ebs": {"DeleteOnTermination": with_instance}}]
        return engine.client("ec2").modify_instance_attribute(InstanceId=engine.id_of("instance"), BlockDeviceMappings=mapping)

    return change


def _other_role(engine: Engine) -> object:
    """Give the gateway a role with the same trust."""
    iam, name = engine.client("iam"), f"{engine.name}-other"
    trust = iam.get_role(RoleName=engine.id_of("gateway_role"))["Role"]["AssumeRolePolicyDocument"]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return _gateway(lambda gateway: gateway.update(roleArn=arn))(engine)


def _other_schema(engine: Engine) -> object:
    """Let a target read a copy of its document, which has none of our tags."""
    bucket, _, key = engine.id_of("openapi_logs").partition("/")
    engine.client("s3").copy_object(Bucket=bucket, Key="copy.json", CopySource={"Bucket": bucket, "Key": key}, TaggingDirective="REPLACE")
    uri = {"s3": {"uri": f"s3://{bucket}/copy.json"}}
    return _target(lambda target: target["targetConfiguration"]["mcp"].update(openApiSchema=uri))(engine)


def _notify_another(engine: Engine) -> object:
    return engine.client("budgets").create_notification(
        AccountId=engine.embedded.account_id,
        BudgetName=engine.id_of("budget"),
        Notification={"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 10.0},
        Subscribers=[{"SubscriptionType": "EMAIL", "Address": "another@example.com"}],
    )


def _modify_volume(**wanted: Any) -> Change:
    return lambda engine: engine.client("ec2").modify_volume(VolumeId=_root(engine)["Ebs"]["VolumeId"], **wanted)


def _root(engine: Engine) -> Any:
    found = engine.client("ec2").describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    return found["BlockDeviceMappings"][0]


def _other_group(engine: Engine) -> object:
    found = engine.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]
    return engine.client("ec2").modify_instance_attribute(InstanceId=engine.id_of("instance"), Groups=[found["GroupId"]])


def _permission(**wanted: Any) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]} | wanted]


# By type and setting: the resource that is changed, and how. Several ways where a setting has several parts.
_OF_ALARM = (
    "AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "MetricName", "Namespace",
    "Statistic", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData",
)  # fmt: skip


def _alarm(name: str = "alarm_errors", **wanted: Any) -> tuple[str, tuple[Change, ...]]:
    def change(engine: Engine) -> object:
        cloudwatch = engine.client("cloudwatch")
        [seen] = cloudwatch.describe_alarms(AlarmNames=[engine.id_of(name)])["MetricAlarms"]
        return cloudwatch.put_metric_alarm(**{key: seen[key] for key in _OF_ALARM if key in seen} | wanted)

    return name, (change,)


def _untag_in_cloudwatch(name: str, resource: str) -> tuple[str, tuple[Change, ...]]:
    def change(engine: Engine) -> object:
        region = engine.aws.region if resource.startswith("alarm:") else ""
        arn = f"arn:aws:cloudwatch:{region}:{engine.aws.account_id}:{resource}{engine.id_of(name)}"
        return engine.client("cloudwatch").untag_resource(ResourceARN=arn, TagKeys=["team"])

    return name, (change,)


def _log_group(method: str, **wanted: Any) -> tuple[str, tuple[Change, ...]]:
    return "log_security", (lambda engine: getattr(engine.client("logs"), method)(logGroupName=engine.id_of("log_security"), **wanted),)


def _trail(method: str, **wanted: Any) -> tuple[str, tuple[Change, ...]]:
    return "trail", (lambda engine: getattr(engine.client("cloudtrail"), method)(Name=engine.id_of("trail"), **wanted),)


def _untag_trail(engine: Engine) -> object:
    cloudtrail = engine.client("cloudtrail")
    arn = cloudtrail.get_trail(Name=engine.id_of("trail"))["Trail"]["TrailARN"]
    return cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "team"}])


def _trail_bucket(change: Callable[[Any, str], object]) -> tuple[str, tuple[Change, ...]]:
    """Change the bucket of the trail."""
    return "trail_bucket", (lambda engine: change(engine.client("s3"), engine.id_of("trail_bucket")),)


def _let_no_trail_write(s3: Any, bucket: str) -> object:
    document = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    document["Statement"] = document["Statement"][:1]
    return s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def _select(gateway: str = "", **fields: str) -> list[dict[str, Any]]:
    of_gateway = {"eventCategory": "Data", "resources.type": "AWS::BedrockAgentCore::Gateway", "resources.ARN": gateway}
    chosen = [of_gateway, {"eventCategory": "Management", **fields}]
    return [{"FieldSelectors": [{"Field": name, "Equals": [value]} for name, value in each.items()]} for each in chosen]


def _other_selectors(engine: Engine) -> object:
    """Keep what reads the account as well."""
    arn = engine.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=engine.id_of("gateway"))["gatewayArn"]
    return engine.client("cloudtrail").put_event_selectors(TrailName=engine.id_of("trail"), AdvancedEventSelectors=_select(arn))


def _another_gateway(engine: Engine) -> object:
    arn = f"arn:aws:bedrock-agentcore:{engine.aws.region}:{engine.aws.account_id}:gateway/other-abcdefghij"
    selectors = _select(arn, readOnly="false")
    return engine.client("cloudtrail").put_event_selectors(TrailName=engine.id_of("trail"), AdvancedEventSelectors=selectors)


def _encrypt_trail(engine: Engine) -> object:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    key = engine.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return engine.client("cloudtrail").update_trail(Name=engine.id_of("trail"), KmsKeyId=key)


def _table(method: str, **wanted: Any) -> Change:
    return lambda engine: getattr(engine.client("dynamodb"), method)(TableName=engine.id_of("session_table"), **wanted)


def _recovery(*, on: bool) -> dict[str, Any]:
    return {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": on}}


def _table_arn(engine: Engine) -> str:
    return str(engine.client("dynamodb").describe_table(TableName=engine.id_of("session_table"))["Table"]["TableArn"])


def _let_another_account_read(engine: Engine) -> object:
    arn = _table_arn(engine)
    reads = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, "Action": "dynamodb:Query", "Resource": arn}
    document = {"Version": "2012-10-17", "Statement": [reads]}
    return engine.client("dynamodb").put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))


def _untag_table(engine: Engine) -> object:
    return engine.client("dynamodb").untag_resource(ResourceArn=_table_arn(engine), TagKeys=["team"])


def _untag_log_group(engine: Engine) -> object:
    arn = f"arn:aws:logs:{engine.aws.region}:{engine.aws.account_id}:log-group:{engine.id_of('log_security')}"
    return engine.client("logs").untag_resource(resourceArn=arn, tagKeys=["team"])


def _filter(pattern: str = "", **wanted: str) -> tuple[str, tuple[Change, ...]]:
    def change(engine: Engine) -> object:
        logs, (group, _, name) = engine.client("logs"), engine.id_of("metric_servererrors").partition("/")
        [seen] = logs.describe_metric_filters(logGroupName=group, filterNamePrefix=name)["metricFilters"]
        metric = seen["metricTransformations"][0] | wanted
        kept = pattern or seen["filterPattern"]
        return logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern=kept, metricTransformations=[metric])

    return "metric_servererrors", (change,)


def _topic(method: str, **wanted: Any) -> tuple[str, tuple[Change, ...]]:
    key = "ResourceArn" if method == "untag_resource" else "TopicArn"
    return "alerts_topic", (lambda engine: getattr(engine.client("sns"), method)(**{key: engine.id_of("alerts_topic")}, **wanted),)


def _refuse_budgets(engine: Engine) -> object:
    sns, topic = engine.client("sns"), engine.id_of("alerts_topic")
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    policy["Statement"] = [each for each in policy["Statement"] if each.get("Sid") != "AllowBudgets"]
    return sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))


def _subscribe_another(engine: Engine) -> object:
    sns, topic = engine.client("sns"), engine.id_of("alerts_topic")
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="other@example.com", ReturnSubscriptionArn=True)["SubscriptionArn"]
    return sns.confirm_subscription(TopicArn=topic, Token=arn.rpartition(":")[2])


def _check(**wanted: Any) -> tuple[str, tuple[Change, ...]]:
    """Change the health check that asks from outside."""
    return "outside_check", (
        lambda engine: engine.client("route53").update_health_check(HealthCheckId=engine.id_of("outside_check"), **wanted),
    )


def _untag_check(engine: Engine) -> object:
    check = {"ResourceType": "healthcheck", "ResourceId": engine.id_of("outside_check")}
    return engine.client("route53").change_tags_for_resource(**check, RemoveTagKeys=["team"])


def _untag_delivery(name: str, kind: str) -> tuple[str, tuple[Change, ...]]:
    def change(engine: Engine) -> object:
        arn = f"arn:aws:logs:{engine.aws.region}:{engine.aws.account_id}:{kind}:{engine.id_of(name)}"
        return engine.client("logs").untag_resource(resourceArn=arn, tagKeys=["team"])

    return name, (change,)


def _deliver_elsewhere(engine: Engine) -> object:
    """Let the gateway's logs go into another log group."""
    group = f"arn:aws:logs:{engine.aws.region}:{engine.aws.account_id}:log-group:{engine.id_of('log_services')}"
    settings = {"outputFormat": "json", "deliveryDestinationConfiguration": {"destinationResourceArn": group}}
    return engine.client("logs").put_delivery_destination(name=engine.id_of("gateway_log_destination"), **settings)


_KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
MONITORING: Mapping[tuple[str, str], tuple[str, tuple[Change, ...]]] = {
    ("Alarm", "alarm_description"): _alarm(AlarmDescription="by hand"),
    ("Alarm", "metric_namespace"): _alarm(Namespace="Other"),
    ("Alarm", "metric_name"): _alarm(MetricName="Other"),
    ("Alarm", "dimensions"): _alarm(Dimensions=[{"Name": "path", "Value": "/"}]),
    ("Alarm", "statistic"): _alarm(Statistic="Average"),
    ("Alarm", "period"): _alarm(Period=60),
    ("Alarm", "evaluation_periods"): _alarm(EvaluationPeriods=9),
    ("Alarm", "datapoints_to_alarm"): _alarm("alarm_refusals", DatapointsToAlarm=2),
    ("Alarm", "alarm_threshold"): _alarm(Threshold=5000),
    ("Alarm", "comparison"): _alarm(ComparisonOperator="LessThanThreshold"),
    ("Alarm", "missing_data"): _alarm(TreatMissingData="ignore"),
    ("Alarm", "alarm_actions"): _alarm(AlarmActions=[]),
    ("Alarm", "ok_actions"): _alarm(OKActions=[]),
    ("Alarm", "insufficient_data_actions"): _alarm(InsufficientDataActions=["arn:aws:sns:us-east-1:123456789012:other"]),
    ("Alarm", "actions_enabled"): _alarm(ActionsEnabled=False),
    ("Alarm", "tags"): _untag_in_cloudwatch("alarm_errors", "alarm:"),
    ("Dashboard", "dashboard_body"): (
        "dashboard",
        (lambda engine: engine.client("cloudwatch").put_dashboard(DashboardName=engine.id_of("dashboard"), DashboardBody="{}"),),
    ),
    ("Dashboard", "tags"): _untag_in_cloudwatch("dashboard", "dashboard/"),
    ("HealthCheck", "domain"): _check(FullyQualifiedDomainName="other.drift.example"),
    ("HealthCheck", "port"): _check(Port=8443),
    ("HealthCheck", "resource_path"): _check(ResourcePath="/other"),
    ("HealthCheck", "enable_sni"): _check(EnableSNI=False),
    ("HealthCheck", "failure_threshold"): _check(FailureThreshold=10),
    ("HealthCheck", "inverted"): _check(Inverted=True),
    ("HealthCheck", "disabled"): _check(Disabled=True),
    ("HealthCheck", "tags"): ("outside_check", (_untag_check,)),
    ("DeliverySource", "tags"): _untag_delivery("gateway_log_source", "delivery-source"),
    ("DeliveryDestination", "destination_arn"): ("gateway_log_destination", (_deliver_elsewhere,)),
    ("DeliveryDestination", "tags"): _untag_delivery("gateway_log_destination", "delivery-destination"),
    ("Delivery", "tags"): _untag_delivery("gateway_log_delivery", "delivery"),
    ("Trail", "gateway_arn"): ("trail", (_another_gateway,)),
    ("Trail", "selectors"): ("trail", (_other_selectors,)),
    ("Trail", "kms_key"): ("trail", (_encrypt_trail,)),
    ("Trail", "log_file_validation"): _trail("update_trail", EnableLogFileValidation=False),
    ("Trail", "multi_region"): _trail("update_trail", IsMultiRegionTrail=True, IncludeGlobalServiceEvents=True),
    ("Trail", "global_events"): _trail("update_trail", IncludeGlobalServiceEvents=True),
    ("Trail", "logging"): _trail("stop_logging"),
    ("Trail", "tags"): ("trail", (_untag_trail,)),
    ("S3Bucket", "trail_arn"): _trail_bucket(_let_no_trail_write),
    ("S3Bucket", "expire_days"): _trail_bucket(
        lambda s3, bucket: s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [expire_files(7)]})
    ),
    ("DynamoDbTable", "ttl_attribute"): (
        "session_table",
        (_table("update_time_to_live", TimeToLiveSpecification={"AttributeName": "expires", "Enabled": False}),),
    ),
    ("DynamoDbTable", "billing_mode"): (
        "session_table",
        (_table("update_table", BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}),),
    ),
    ("DynamoDbTable", "kms_key"): (
        "session_table",
        (_table("update_table", SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": _KEY}),),
    ),
    ("DynamoDbTable", "deletion_protection"): ("session_table", (_table("update_table", DeletionProtectionEnabled=True),)),
    ("DynamoDbTable", "point_in_time_recovery"): ("session_table", (_table("update_continuous_backups", **_recovery(on=True)),)),
    ("DynamoDbTable", "stream"): (
        "session_table",
        (_table("update_table", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}),),
    ),
    ("DynamoDbTable", "resource_policy"): ("session_table", (_let_another_account_read,)),
    ("DynamoDbTable", "tags"): ("session_table", (_untag_table,)),
    ("LogGroup", "retention_days"): _log_group("put_retention_policy", retentionInDays=1),
    ("LogGroup", "kms_key"): _log_group("associate_kms_key", kmsKeyId=_KEY),
    ("LogGroup", "tags"): ("log_security", (_untag_log_group,)),
    ("MetricFilter", "filter_pattern"): _filter('{ $.status = "4*" }'),
    ("MetricFilter", "metric_namespace"): _filter(metricNamespace="Other"),
    ("MetricFilter", "metric_name"): _filter(metricName="Other"),
    ("MetricFilter", "metric_value"): _filter(metricValue="2"),
    ("MetricFilter", "dimensions"): _filter(dimensions={"Client": "$.client"}),
    ("SnsTopic", "display_name"): _topic("set_topic_attributes", AttributeName="DisplayName", AttributeValue="by hand"),
    ("SnsTopic", "kms_key"): _topic("set_topic_attributes", AttributeName="KmsMasterKeyId", AttributeValue=_KEY),
    ("SnsTopic", "policy"): _topic("set_topic_attributes", AttributeName="Policy", AttributeValue=json.dumps(POLICY)),
    ("SnsTopic", "budgets"): ("alerts_topic", (_refuse_budgets,)),
    ("SnsTopic", "recipients"): ("alerts_topic", (_subscribe_another,)),
    ("SnsTopic", "tags"): _topic("untag_resource", TagKeys=["team"]),
}


def _runtime(change: Callable[[dict[str, Any]], object]) -> tuple[str, tuple[Change, ...]]:
    """Update the runtime with what AWS shows of it and one thing changed."""

    def apply(engine: Engine) -> object:
        aws, which = engine.client("bedrock-agentcore-control"), {"agentRuntimeId": engine.id_of("runtime")}
        seen = aws.get_agent_runtime(**which)
        takes = aws.meta.service_model.operation_model("UpdateAgentRuntime").input_shape.members
        settings = {key: value for key, value in seen.items() if key in takes}
        change(settings)
        aws.update_agent_runtime(**settings)
        return until(lambda: aws.get_agent_runtime(**which)["status"] != "UPDATING")

    return "runtime", (apply,)


def _runtime_jwt(key: str, value: Any) -> tuple[str, tuple[Change, ...]]:
    return _runtime(lambda runtime: runtime["authorizerConfiguration"]["customJWTAuthorizer"].update({key: value}))


def _runtime_code(**wanted: Any) -> tuple[str, tuple[Change, ...]]:
    return _runtime(lambda runtime: runtime["agentRuntimeArtifact"]["codeConfiguration"].update(wanted))


def _other_package(*, bucket: str = "", key: str = "") -> tuple[str, tuple[Change, ...]]:
    """Let the runtime run a copy of its package, in another bucket or under another key."""

    def apply(engine: Engine) -> object:
        ours, _, name = engine.id_of("runtime_package").partition("/")
        s3, where = engine.client("s3"), {"bucket": f"{engine.name}-{bucket}" if bucket else ours, "prefix": key or name}
        if bucket:
            s3.create_bucket(Bucket=where["bucket"])
        s3.copy_object(Bucket=where["bucket"], Key=where["prefix"], CopySource={"Bucket": ours, "Key": name}, TaggingDirective="REPLACE")
        return _runtime_code(code={"s3": where})[1][0](engine)

    return "runtime", (apply,)


def _other_runtime_role(engine: Engine) -> object:
    """Give the runtime a role with the same trust."""
    iam, name = engine.client("iam"), f"{engine.name}-other-runtime"
    trust = iam.get_role(RoleName=engine.id_of("runtime_role"))["Role"]["AssumeRolePolicyDocument"]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return _runtime(lambda runtime: runtime.update(roleArn=arn))[1][0](engine)


def _move_into_vpc(engine: Engine) -> object:
    """Give the runtime network interfaces in the account's default VPC."""
    ec2 = engine.client("ec2")
    [subnet] = ec2.describe_subnets(Filters=[{"Name": "availability-zone-id", "Values": ["use1-az1"]}, DEFAULT_SUBNETS])["Subnets"]
    groups = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    )
    vpc = {"securityGroups": [groups["SecurityGroups"][0]["GroupId"]], "subnets": [subnet["SubnetId"]]}
    return _runtime(lambda runtime: runtime.update(networkConfiguration={"networkMode": "VPC", "networkModeConfig": vpc}))[1][0](engine)


def _untag_runtime(engine: Engine) -> object:
    aws = engine.client("bedrock-agentcore-control")
    arn = aws.get_agent_runtime(agentRuntimeId=engine.id_of("runtime"))["agentRuntimeArn"]
    return aws.untag_resource(resourceArn=arn, tagKeys=["team"])


def _endpoint(**wanted: str) -> tuple[str, tuple[Change, ...]]:
    def apply(engine: Engine) -> object:
        runtime, _, name = engine.id_of("runtime_endpoint").partition("/")
        aws, which = engine.client("bedrock-agentcore-control"), {"agentRuntimeId": runtime, "endpointName": name}
        aws.update_agent_runtime_endpoint(**which, **wanted)
        return until(lambda: aws.get_agent_runtime_endpoint(**which)["status"] != "UPDATING")

    return "runtime_endpoint", (apply,)


def _other_version(engine: Engine) -> object:
    """Let callers reach another version of the runtime."""
    aws, (runtime, _, name) = engine.client("bedrock-agentcore-control"), engine.id_of("runtime_endpoint").partition("/")
    live = aws.get_agent_runtime_endpoint(agentRuntimeId=runtime, endpointName=name)["liveVersion"]
    if live == "1":
        # Another version with the same settings, so that only the endpoint differs afterwards.
        _runtime(lambda _: None)[1][0](engine)
    return _endpoint(agentRuntimeVersion="2" if live == "1" else "1")[1][0](engine)


RUNTIME: Mapping[tuple[str, str], tuple[str, tuple[Change, ...]]] = {
    ("AgentRuntime", "description"): _runtime(lambda runtime: runtime.update(description="by hand")),
    ("AgentRuntime", "role_arn"): ("runtime", (_other_runtime_role,)),
    ("AgentRuntime", "bucket_name"): _other_package(bucket="packages"),
    ("AgentRuntime", "artifact"): _other_package(key="copy.zip"),
    ("AgentRuntime", "discovery_url"): _runtime_jwt("discoveryUrl", "https://example.com/.well-known/openid-configuration"),
    ("AgentRuntime", "allowed_clients"): _runtime_jwt("allowedClients", ["another"]),
    ("AgentRuntime", "allowed_scopes"): _runtime_jwt("allowedScopes", ["another"]),
    ("AgentRuntime", "allowed_audience"): _runtime_jwt("allowedAudience", ["another"]),
    ("AgentRuntime", "environment"): _runtime(lambda runtime: runtime["environmentVariables"].update(SRE_REASONER="by hand")),
    ("AgentRuntime", "headers"): _runtime(lambda runtime: runtime.pop("requestHeaderConfiguration")),
    ("AgentRuntime", "entry_point"): _runtime_code(entryPoint=["other.py"]),
    ("AgentRuntime", "python"): _runtime_code(runtime="PYTHON_3_13"),
    ("AgentRuntime", "network"): ("runtime", (_move_into_vpc,)),
    ("AgentRuntime", "server_protocol"): _runtime(lambda runtime: runtime.update(protocolConfiguration={"serverProtocol": "MCP"})),
    ("AgentRuntime", "tags"): ("runtime", (_untag_runtime,)),
    ("RuntimeEndpoint", "version"): ("runtime_endpoint", (_other_version,)),
    ("RuntimeEndpoint", "description"): _endpoint(description="by hand"),
}
MUTATIONS: Mapping[tuple[str, str], tuple[str, tuple[Change, ...]]] = {
    **MONITORING,
    **RUNTIME,
    ("Gateway", "description"): ("gateway", (_gateway(lambda gateway: gateway.update(description="changed")),)),
    ("Gateway", "role_arn"): ("gateway", (_other_role,)),
    ("Gateway", "debug"): ("gateway", (_gateway(lambda gateway: gateway.update(exceptionLevel="DEBUG")),)),
    ("Gateway", "authorizer"): ("gateway", (_gateway(_open_to_everyone),)),
    ("Gateway", "allowed_clients"): ("gateway", (_jwt("allowedClients", ["another"]),)),
    ("Gateway", "allowed_scopes"): ("gateway", (_jwt("allowedScopes", ["another"]),)),
    ("Gateway", "allowed_audience"): ("gateway", (_jwt("allowedAudience", ["another"]),)),
    ("Gateway", "discovery_url"): (
        "gateway",
        (_jwt("discoveryUrl", "https://example.com/.well-known/openid-configuration"),),
    ),
    ("Gateway", "tags"): ("gateway", (_agentcore_tags("gateway"),)),
    ("GatewayTarget", "target_name"): ("target_logs", (_target(lambda target: target.update(name="another")),)),
    ("GatewayTarget", "description"): ("target_logs", (_target(lambda target: target.update(description="changed")),)),
    ("GatewayTarget", "header"): ("target_logs", (_key(credentialParameterName="X-Other"),)),
    ("GatewayTarget", "passed_headers"): (
        "target_logs",
        (_target(lambda target: target.update(metadataConfiguration={"allowedRequestHeaders": ["x-other"]})),),
    ),
    ("GatewayTarget", "prefix"): ("target_logs", (_key(credentialPrefix="Bearer"),)),
    ("GatewayTarget", "schema_uri"): ("target_logs", (_other_schema,)),
    ("GatewayTarget", "ca_uri"): ("target_logs", (_target(lambda target: target.pop("certificateConfigurations")),)),
    ("GatewayTarget", "provider_arn"): ("target_logs", (_other_provider,)),
    ("ApiKeyCredentialProvider", "secret_arn"): ("credential_provider", (_provider("api_key"),)),
    ("ApiKeyCredentialProvider", "json_key"): ("credential_provider", (_provider("other"),)),
    ("ApiKeyCredentialProvider", "tags"): ("credential_provider", (_agentcore_tags("provider"),)),
    ("AccessEntry", "kubernetes_groups"): (ENTRY, (_entry("update_access_entry", kubernetesGroups=["others"]),)),
    ("AccessEntry", "access_policies"): (
        ENTRY,
        (
            _entry(
                "associate_access_policy",
                policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                accessScope={"type": "cluster"},
            ),
        ),
    ),
    ("AccessEntry", "tags"): (ENTRY, (_entry_tags,)),
    ("Budget", "limit_amount"): ("budget", (_budget(BudgetLimit={"Amount": "9999", "Unit": "USD"}),)),
    ("Budget", "limit_unit"): ("budget", (_budget(BudgetLimit={"Amount": "50", "Unit": "EUR"}),)),
    ("Budget", "time_unit"): ("budget", (_budget(TimeUnit="ANNUALLY"),)),
    ("Budget", "tag_key_value"): ("budget", (_budget(CostFilters={"Service": ["Amazon EC2"]}),)),
    ("Budget", "notifications"): ("budget", (_notify_another,)),
    ("Budget", "tags"): ("budget", (_budget_tags,)),
    ("AppClient", "client_name"): ("caller_client", (_client(ClientName="changed"),)),
    ("AppClient", "scopes"): ("caller_client", (_client(AllowedOAuthScopes=["openid"]),)),
    ("AppClient", "token_minutes"): ("caller_client", (_client(AccessTokenValidity=1440),)),
    ("AppClient", "flows"): ("caller_client", (_client(AllowedOAuthFlows=["client_credentials", "code"]),)),
    ("AppClient", "auth_flows"): ("caller_client", (_client(ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]),)),
    ("AppClient", "callback_urls"): (
        "caller_client",
        (_client(CallbackURLs=["https://example.com/"]), _client(LogoutURLs=["https://example.com/"])),
    ),
    ("AppClient", "identity_providers"): ("caller_client", (_client(SupportedIdentityProviders=["COGNITO"]),)),
    ("AppClient", "revocation"): ("caller_client", (_client(EnableTokenRevocation=False),)),
    ("AppClient", "user_existence_errors"): ("caller_client", (_client(PreventUserExistenceErrors="LEGACY"),)),
    ("ResourceServer", "scopes"): ("resource_server", (_scopes,)),
    ("UserPool", "pool_name"): ("user_pool", (_pool(PoolName="changed"),)),
    ("UserPool", "mfa"): (
        "user_pool",
        (
            lambda engine: engine.client("cognito-idp").set_user_pool_mfa_config(
                UserPoolId=engine.id_of("user_pool"), MfaConfiguration="OFF"
            ),
        ),
    ),
    ("UserPool", "password_length"): ("user_pool", (_password(MinimumLength=6),)),
    ("UserPool", "password_kinds"): ("user_pool", (_password(RequireSymbols=False),)),
    ("UserPool", "temporary_days"): ("user_pool", (_password(TemporaryPasswordValidityDays=365),)),
    ("UserPool", "self_registration"): ("user_pool", (_pool(AdminCreateUserConfig={"AllowAdminCreateUserOnly": False}),)),
    ("UserPool", "recovery"): (
        "user_pool",
        (_pool(AccountRecoverySetting={"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_phone_number"}]}),),
    ),
    ("UserPool", "triggers"): (
        "user_pool",
        (_pool(LambdaConfig={"PreTokenGeneration": "arn:aws:lambda:us-east-1:123456789012:function:f"}),),
    ),
    ("UserPool", "deletion_protection"): ("user_pool", (_pool(DeletionProtection="ACTIVE"),)),
    ("UserPool", "tags"): ("user_pool", (_pool_tags,)),
    ("AddressAssociation", "instance_id"): ("address_association", (_disassociate,)),
    ("MachineAddress", "tags"): ("address", (_ec2_tags("address"),)),
    ("MachineAddress", "instance_id"): ("address", (_ec2_tag("address", "sre-agent:instance", "i-0123456789abcdef0"),)),
    ("Ec2Instance", "operating_system"): ("instance", (_ec2_tag("instance", "sre-agent:operating-system", "ubuntu-22.04"),)),
    ("Vpc", "dns_support"): ("vpc", (_vpc_attribute(EnableDnsSupport={"Value": False}),)),
    ("Vpc", "dns_hostnames"): ("vpc", (_vpc_attribute(EnableDnsHostnames={"Value": False}),)),
    ("Vpc", "tags"): ("vpc", (_ec2_tags("vpc"),)),
    ("InternetGateway", "tags"): ("internet_gateway", (_ec2_tags("internet_gateway"),)),
    ("RouteTable", "internet_gateway_id"): ("route_table", (_delete_route,)),
    ("RouteTable", "ipv6_internet_gateway_id"): ("route_table", (_delete_ipv6_route,)),
    ("RouteTable", "tags"): ("route_table", (_ec2_tags("route_table"),)),
    ("Subnet", "route_table_id"): ("subnet_a", (_use_main_table,)),
    ("Subnet", "map_public_ip_on_launch"): ("subnet_a", (_give_addresses,)),
    ("Subnet", "assign_ipv6_address_on_creation"): ("subnet_a", (_give_no_ipv6,)),
    ("Ec2Instance", "ipv6"): ("instance", (_take_ipv6_address,)),
    ("Subnet", "tags"): ("subnet_a", (_ec2_tags("subnet_a"),)),
    ("VpcEndpoint", "statements"): ("endpoint_logs", (_vpc_endpoint("endpoint_logs", PolicyDocument=json.dumps(POLICY)),)),
    ("VpcEndpoint", "route_table_ids"): ("endpoint_s3", (_endpoint_elsewhere("endpoint_s3", "RouteTableIds"),)),
    ("VpcEndpoint", "subnet_ids"): ("endpoint_logs", (_endpoint_elsewhere("endpoint_logs", "SubnetIds"),)),
    ("VpcEndpoint", "security_group_ids"): ("endpoint_logs", (_endpoint_elsewhere("endpoint_logs", "SecurityGroupIds"),)),
    ("VpcEndpoint", "private_dns"): ("endpoint_logs", (_vpc_endpoint("endpoint_logs", PrivateDnsEnabled=False),)),
    ("VpcEndpoint", "tags"): ("endpoint_logs", (_ec2_tags("endpoint_logs"),)),
    ("Ec2Instance", "instead_of"): ("instance", (_ec2_tag("instance", "sre-agent:instead-of", "m6i.xlarge in subnet-1"),)),
    ("Ec2Instance", "instance_state"): (
        "instance",
        (lambda engine: engine.client("ec2").stop_instances(InstanceIds=[engine.id_of("instance")]),),
    ),
    ("Ec2Instance", "http_tokens"): ("instance", (_ec2("modify_instance_metadata_options", "instance", HttpTokens="optional"),)),
    ("Ec2Instance", "http_endpoint"): ("instance", (_ec2("modify_instance_metadata_options", "instance", HttpEndpoint="disabled"),)),
    ("Ec2Instance", "hop_limit"): ("instance", (_ec2("modify_instance_metadata_options", "instance", HttpPutResponseHopLimit=4),)),
    ("Ec2Instance", "metadata_tags"): (
        "instance",
        (_ec2("modify_instance_metadata_options", "instance", InstanceMetadataTags="enabled"),),
    ),
    ("Ec2Instance", "volume_type"): ("instance", (_modify_volume(VolumeType="gp2"),)),
    ("Ec2Instance", "termination_protection"): (
        "instance",
        (_ec2("modify_instance_attribute", "instance", DisableApiTermination={"Value": True}),),
    ),
    ("Ec2Instance", "stop_protection"): ("instance", (_ec2("modify_instance_attribute", "instance", DisableApiStop={"Value": True}),)),
    ("Ec2Instance", "keeps_volume"): ("instance", (_delete_volume(with_instance=False),)),
    ("Ec2Instance", "tags"): ("instance", (_ec2_tags("instance"),)),
    ("Ec2Instance", "instance_type"): ("instance", (_ec2("modify_instance_attribute", "instance", InstanceType={"Value": "t3.nano"}),)),
    ("Ec2Instance", "user_data"): (
        "instance",
        (_ec2("modify_instance_attribute", "instance", Attribute="userData", Value="IyEvYmluL3No"),),
    ),
    ("Ec2Instance", "volume_gb"): ("instance", (_modify_volume(Size=400),)),
    ("Ec2Instance", "security_group_id"): ("instance", (_other_group,)),
    ("Ec2Instance", "status_uri"): (
        "instance",
        (
            lambda engine: engine.client("ec2").create_tags(
                Resources=[engine.id_of("instance")], Tags=[{"Key": "sre-agent:status-uri", "Value": "s3://elsewhere/"}]
            ),
        ),
    ),
    ("SecurityGroup", "ingress"): (
        "security_group",
        (
            _ec2("authorize_security_group_ingress", "security_group", IpPermissions=_permission()),
            _ec2("authorize_security_group_ingress", "security_group", IpPermissions=_permission(IpProtocol="udp")),
        ),
    ),
    ("SecurityGroup", "egress"): (
        "security_group",
        (
            _ec2("authorize_security_group_egress", "security_group", IpPermissions=_permission()),
            _ec2(
                "revoke_security_group_egress",
                "security_group",
                IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            ),
        ),
    ),
    ("SecurityGroup", "tags"): ("security_group", (_ec2_tags("security_group"),)),
    ("InstanceProfile", "role_name"): ("instance_profile", (_other_role_in_profile,)),
    ("InstanceProfile", "tags"): (
        "instance_profile",
        (
            lambda engine: engine.client("iam").tag_instance_profile(
                InstanceProfileName=engine.id_of("instance_profile"), Tags=[OWNED_BY_OTHERS]
            ),
        ),
    ),
    ("IamRole", "service"): ("gateway_role", (_trust("Principal", {"AWS": "*"}), _trust("Principal", {"Service": "ec2.amazonaws.com"}))),
    ("IamRole", "trust_conditions"): ("gateway_role", (_trust("Condition", {}),)),
    ("IamRole", "statements"): (
        "instance_role",
        (
            _statement("Effect", "Deny"),
            _statement("Action", ["s3:GetObject", "s3:DeleteObject"]),
            _statement("Resource", ["*"]),
            _statement("Condition", {"Bool": {"aws:SecureTransport": "false"}}),
            lambda engine: engine.client("iam").put_role_policy(
                RoleName=engine.id_of("instance_role"), PolicyName="more", PolicyDocument=json.dumps(ANYTHING)
            ),
        ),
    ),
    ("IamRole", "managed_policies"): (
        "gateway_role",
        (_role("attach_role_policy", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),),
    ),
    ("IamRole", "session_seconds"): ("gateway_role", (_role("update_role", MaxSessionDuration=43200),)),
    ("IamRole", "description"): ("gateway_role", (_role("update_role", Description="changed", MaxSessionDuration=3600),)),
    ("IamRole", "permissions_boundary"): (
        "gateway_role",
        (_role("put_role_permissions_boundary", PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess"),),
    ),
    ("IamRole", "tags"): ("gateway_role", (_role("untag_role", TagKeys=["team"]),)),
    ("DnsRecord", "address"): ("dns_record", (_record(ResourceRecords=[{"Value": "192.0.2.1"}]),)),
    ("DnsRecord", "ipv6_address"): ("dns_record", (_record(Type="AAAA", ResourceRecords=[{"Value": "2001:db8::1"}]),)),
    ("DnsRecord", "ttl"): ("dns_record", (_record(TTL=86400),)),
    ("DnsRecord", "tags"): ("dns_record", (_heritage,)),
    ("S3Bucket", "tls_only"): ("bucket", (_bucket("delete_bucket_policy"), _bucket("put_bucket_policy", Policy=json.dumps(POLICY)))),
    ("S3Bucket", "closed"): ("bucket", (_bucket("delete_public_access_block"),)),
    ("S3Bucket", "ownership"): (
        "bucket",
        (_bucket("put_bucket_ownership_controls", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}),),
    ),
    ("S3Bucket", "acl"): ("bucket", (_public_acl,)),
    ("S3Bucket", "encryption"): (
        "bucket",
        (
            _bucket(
                "put_bucket_encryption",
                ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]},
            ),
        ),
    ),
    ("S3Bucket", "versioning"): ("bucket", (_bucket("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),)),
    ("S3Bucket", "lifecycle"): (
        "bucket",
        (
            _bucket(
                "put_bucket_lifecycle_configuration",
                LifecycleConfiguration={"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]},
            ),
        ),
    ),
    ("S3Bucket", "old_version_days"): (
        "bucket",
        (_bucket("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [expire_versions(7)]}),),
    ),
    ("S3Bucket", "cors_origins"): (
        "bucket",
        (_bucket("put_bucket_cors", CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}),),
    ),
    ("S3Bucket", "access_log"): ("bucket", (_logged_elsewhere,)),
    ("S3Bucket", "tags"): ("bucket", (_bucket_tags,)),
    ("S3Object", "content"): ("openapi_logs", (_object(Body=b"changed"),)),
    ("S3Object", "content_type"): ("openapi_logs", (_object(ContentType="text/plain"),)),
    ("S3Object", "storage_class"): ("openapi_logs", (_object(StorageClass="ONEZONE_IA"),)),
    ("S3Object", "tags"): ("openapi_logs", (_object_tags, _object(Tagging=""))),
    ("GeneratedSecret", "description"): ("backend_key", (_secret("update_secret", "backend_key", Description="changed"),)),
    ("GeneratedSecret", "value"): (
        "backend_key",
        (_secret("put_secret_value", "backend_key", SecretString='{"api_key": "changed"}'),),
    ),
    ("GeneratedSecret", "json_key"): (
        "backend_key",
        (_secret("put_secret_value", "backend_key", SecretString='{"another": "changed"}'),),
    ),
    ("GeneratedSecret", "tags"): ("backend_key", (_secret("untag_resource", "backend_key", TagKeys=["team"]),)),
    ("GeneratedSecret", "ttl"): (
        "backend_key",
        (_secret("tag_resource", "backend_key", Tags=[{"Key": "sre-agent:ttl", "Value": "1h"}]),),
    ),
    ("GeneratedSecret", "state_location"): (
        "backend_key",
        (_secret("tag_resource", "backend_key", Tags=[{"Key": "sre-agent:state", "Value": "s3://elsewhere/state"}]),),
    ),
    ("ClientSecret", "client_id"): (
        "caller_client_secret",
        (_secret("put_secret_value", "caller_client_secret", SecretString='{"client_id": "another"}'),),
    ),
    ("ClientSecret", "client_secret"): (
        "caller_client_secret",
        (_secret("put_secret_value", "caller_client_secret", SecretString='{"client_secret": "another"}'),),
    ),
    ("ClientSecret", "tags"): ("caller_client_secret", (_secret("untag_resource", "caller_client_secret", TagKeys=["team"]),)),
    **{
        ("Certificate", setting): (
            "certificate",
            (_secret("put_secret_value", "certificate", SecretString='{"certificate": "damaged"}'),),
        )
        for setting in ("hosts", "issued_by", "fresh")
    },
    ("Certificate", "tags"): ("certificate", (_secret("untag_resource", "certificate", TagKeys=["team"]),)),
    **{
        (kind, "policy"): (name, (_secret("put_resource_policy", name, ResourcePolicy=json.dumps(ANYTHING)),))
        for kind, name in (("GeneratedSecret", "backend_key"), ("ClientSecret", "caller_client_secret"), ("Certificate", "certificate"))
    },
    **{
        (kind, "kms_key"): (name, (_secret("update_secret", name, KmsKeyId="alias/own"),))
        for kind, name in (("GeneratedSecret", "backend_key"), ("ClientSecret", "caller_client_secret"), ("Certificate", "certificate"))
    },
}

# Settings that AWS changes together with another one.
ALSO: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Gateway", "authorizer"): ("allowed_clients", "discovery_url"),
    ("S3Bucket", "acl"): ("ownership",),
    ("Trail", "multi_region"): ("global_events",),
    ("SnsTopic", "policy"): ("budgets",),
    ("ApiKeyCredentialProvider", "json_key"): ("secret_arn",),
    ("GeneratedSecret", "json_key"): ("value",),
    ("ClientSecret", "client_id"): ("client_secret",),
    ("ClientSecret", "client_secret"): ("client_id",),
    ("Certificate", "hosts"): ("issued_by", "fresh"),
    ("Certificate", "issued_by"): ("hosts", "fresh"),
    ("Certificate", "fresh"): ("hosts", "issued_by"),
}
ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("CustomDomain", "certificate_arn"): "tests/sre_agent_deploy/test_custom_domain.py changes it, in a deployment of the login alone",
    ("AliasRecord", "address"): "tests/sre_agent_deploy/test_custom_domain.py changes it, in a deployment of the login alone",
    ("AliasRecord", "tags"): "they lie in the same TXT record as those of a DnsRecord, and are read by the same code",
    ("HealthCheck", "address"): "this deployment has a domain, and Route 53 lets nobody add an address",
    ("AgentRuntime", "extensions"): "the local AWS refuses a runtime with hooks, files or machines of others, because it has none of them",
    ("Gateway", "extensions"): "the local AWS refuses a gateway with functions or policies of others, because it would not call them",
    ("ElasticIp", "tags"): "this deployment has a hosted zone, so its address is a MachineAddress, of the same AWS type",
    ("InternetGateway", "vpc_id"): "EC2 detaches none while an instance has a public address; resources/test_ec2_network.py does it",
    ("Vpc", "ipv6"): "EC2 takes addresses from no VPC whose subnet has some; engine/test_created_network.py gives them to one without",
    ("Subnet", "ipv6_number"): "EC2 takes them from no subnet whose machine has one; engine/test_created_network.py gives them to one",
    **dict.fromkeys(
        (("Trail", "bucket_name"), ("Trail", "log_group_arn"), ("Trail", "role_arn")),
        "resources/test_cloudtrail_trail.py points a trail at others, which must let CloudTrail write",
    ),
    ("AliasRecord", "ipv6_address"): "it has none: what is read of it is always empty",
    ("Ec2Instance", "profile_arn"): "the local AWS always shows the profile with which an instance was launched",
    **{
        (kind, "rotates"): "the local AWS has no functions, and so none that could rotate a secret"
        for kind in ("GeneratedSecret", "ClientSecret", "Certificate")
    },
    **{
        ("StoredSecret", setting): "this deployment has no secret of a source of its own; the calls are those of ClientSecret"
        for setting in ("values", "tags", "policy", "kms_key", "rotates")
    },
}
LIFTS: Mapping[tuple[str, str], Change] = {
    ("UserPool", "deletion_protection"): _pool(DeletionProtection="INACTIVE"),
    ("DynamoDbTable", "kms_key"): _table("update_table", SSESpecification={"Enabled": False}),
    ("DynamoDbTable", "deletion_protection"): _table("update_table", DeletionProtectionEnabled=False),
    ("DynamoDbTable", "point_in_time_recovery"): _table("update_continuous_backups", **_recovery(on=False)),
    ("IamRole", "permissions_boundary"): _role("delete_role_permissions_boundary"),
    ("Ec2Instance", "keeps_volume"): _delete_volume(with_instance=True),
    **{
        (kind, "kms_key"): _secret("update_secret", name, KmsKeyId="")
        for kind, name in (("GeneratedSecret", "backend_key"), ("ClientSecret", "caller_client_secret"), ("Certificate", "certificate"))
    },
    ("Ec2Instance", "termination_protection"): _ec2("modify_instance_attribute", "instance", DisableApiTermination={"Value": False}),
    ("Ec2Instance", "stop_protection"): _ec2("modify_instance_attribute", "instance", DisableApiStop={"Value": False}),
}


def _give_back(**wanted: Any) -> Callable[[Engine, Any], object]:
    return lambda engine, instance: engine.client("ec2").modify_instance_attribute(
        InstanceId=engine.id_of("instance"), **{key: value(instance) for key, value in wanted.items()}
    )


# Changes for which a deployment replaces the instance: they are taken back by hand, and test_apply.py replaces instances.
TAKEN_BACK: Mapping[tuple[str, str], Callable[[Engine, Any], object]] = {
    ("Ec2Instance", "user_data"): _give_back(
        Attribute=lambda instance: "userData", Value=lambda instance: base64.b64encode(instance.user_data.encode()).decode()
    ),
    ("Ec2Instance", "instance_type"): _give_back(InstanceType=lambda instance: {"Value": instance.instance_type}),
    ("Ec2Instance", "volume_gb"): lambda engine, instance: _modify_volume(Size=instance.volume_gb)(engine),
    ("Ec2Instance", "ipv6"): _give_ipv6_address,
    ("Ec2Instance", "security_group_id"): _give_back(Groups=lambda instance: [instance.security_group_id]),
    ("MachineAddress", "instance_id"): lambda engine, address: _ec2_tag("address", "sre-agent:instance", address.instance_id)(engine),
    ("Ec2Instance", "operating_system"): lambda engine, instance: _ec2_tag(
        "instance", "sre-agent:operating-system", instance.operating_system
    )(engine),
    ("Ec2Instance", "status_uri"): lambda engine, instance: engine.client("ec2").create_tags(
        Resources=[engine.id_of("instance")], Tags=[{"Key": "sre-agent:status-uri", "Value": instance.status_uri}]
    ),
}
