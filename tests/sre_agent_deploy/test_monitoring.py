"""A monitored deployment: each of its resources is found and repaired, and each alarm is raised by data and read from its topic."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import ssl
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from ruamel.yaml import YAML

from fixtures.engine import Engine
from sre_agent.usage import Usage
from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.alarms import ALARMS, TOPIC
from sre_agent_deploy.aws.errors import kind_of
from sre_agent_deploy.commands.alarms import prove_delivery, read_alarms, warn_of_unconfirmed
from sre_agent_deploy.commands.audit import read_trail
from sre_agent_deploy.commands.readiness import find_trail_fault
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.config.consistency import trail_faults
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance.logs import package_url, render_agent_config
from sre_agent_deploy.monitoring import MODELS, QUESTIONS, REQUESTS, TRAIL_LOG, declare_monitoring
from sre_agent_deploy.plan import Action
from sre_agent_deploy.resources.sns_topic import create_test_queue
from sre_core import clock, metrics
from sre_core.machine import Machine

from .resources.life import until

WRONG_SECRET = secrets.token_urlsafe(24)
HOOK, TEAM = "https://hooks.example.com/sre", "team@example.com"
MODEL = {"reasoner": "openai", "model": "scripted-1", "url": "http://127.0.0.1:9/v1"}


@pytest.fixture
def monitored(engine: Engine) -> Engine:
    """A deployment that is watched."""
    watched = {"enabled": "always", "traces": "xray", "outside_check": True, "cloudtrail": True}
    engine.sections = {
        "monitoring": watched, "alerts": {"email": TEAM, "url": HOOK}, "assistant": MODEL, "backups": {"at": "02:30"}
    }  # fmt: skip
    return engine


class Inbox:
    """A queue that is subscribed to the deployment's topic."""

    def __init__(self, engine: Engine) -> None:
        self.sqs, name = engine.client("sqs"), f"{engine.name}-inbox"
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        engine.client("sns").subscribe(TopicArn=engine.id_of(TOPIC), Protocol="sqs", Endpoint=arn)

    def read(self) -> list[dict[str, Any]]:
        """Every message of an alarm that arrived since the last look."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in found]


def log_requests(engine: Engine, *statuses: str, seconds: float = 0.1, minutes_ago: int = 0) -> None:
    """Write lines of the front door's log, as the machine ships them."""
    common = {"client": "192.0.2.9", "path": "/", "seconds": seconds, "service": "logs"}
    ship(engine, metrics.FRONT_DOOR, [json.dumps({**common, "status": status}) for status in statuses], minutes_ago)


def ship(engine: Engine, log: str, lines: list[str], minutes_ago: int = 0) -> None:
    """Put lines into one of the deployment's log groups."""
    logs, group = engine.client("logs"), metrics.log_group(engine.id, log)
    at, stream = int((clock.now() - timedelta(minutes=minutes_ago)).timestamp() * 1000), secrets.token_hex(4)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": at, "message": line} for line in lines])


def used(**facts: Any) -> str:
    """One line of the assistant's log of usage for a model."""
    return json.dumps({"event": metrics.MODEL_USED, "model": "m-1", "input_tokens": 900, "output_tokens": 100, **facts})


def put(engine: Engine, metric: str, *values: float, every: int = 300, **dimensions: str) -> None:
    """Put one value for each of the last periods, the newest last."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    moments: list[datetime] = [clock.now() - timedelta(seconds=every * age) for age in reversed(range(len(values)))]
    data = [{"MetricName": metric, "Value": value, "Timestamp": at, "Dimensions": named} for value, at in zip(values, moments, strict=True)]
    namespace = "AWS/EC2" if metric.startswith("StatusCheck") else metrics.namespace(engine.id)
    engine.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def await_no_answer(engine: Engine) -> None:
    """Wait until the local AWS, which asks the address of a machine that runs nothing, has raised the alarm by itself."""
    assert until(lambda: state_of(engine, "outside") == "ALARM")
    asked = engine.client("route53").get_health_check_status(HealthCheckId=engine.id_of("outside_check"))
    assert asked["HealthCheckObservations"][0]["StatusReport"]["Status"].startswith("Failure")


def refuse_everywhere(engine: Engine) -> None:
    """Have 50 requests refused: at the front door, by the gateway and by the token endpoint. Of the last two CloudTrail reports, later."""
    log_requests(engine, *["401"] * 29, "403")
    gateway = engine.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=engine.id_of("gateway"))
    asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
    pool = engine.id_of("user_pool")
    form = {"grant_type": "client_credentials", "client_id": "absent", "client_secret": WRONG_SECRET}
    with httpx2.Client(verify=ssl.create_default_context(cafile=engine.embedded.ca_file)) as http:
        endpoint = http.get(f"{engine.embedded.endpoint}/{pool}/.well-known/openid-configuration").json()["token_endpoint"]
        answers = [http.post(gateway["gatewayUrl"], json=asked, headers={"authorization": "Bearer garbage"}) for _ in range(17)]
        answers += [http.post(endpoint, data=form) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {401, 400}
    assert until(lambda: state_of(engine, "refusals") == "ALARM")


def raise_again(engine: Engine, name: str) -> None:
    """Have an alarm evaluated once more, on the same data."""
    engine.client("cloudwatch").set_alarm_state(AlarmName=f"{engine.id}-{name}", StateValue="OK", StateReason="looked at once more")
    assert state_of(engine, name) == "ALARM"


def state_of(engine: Engine, name: str) -> str:
    return str(engine.client("cloudwatch").describe_alarms(AlarmNames=[f"{engine.id}-{name}"])["MetricAlarms"][0]["StateValue"])


def test_every_alarm_is_raised_and_sent(monitored: Engine) -> None:
    """Real data raise each one, and its message says what to do first. Drift is repaired, and nothing is left in the end."""
    monitored.deploy()
    await_no_answer(monitored)
    inbox, machine = Inbox(monitored), monitored.id_of("instance")
    raised = {
        "outside": lambda: raise_again(monitored, "outside"),
        "slow": lambda: [log_requests(monitored, "200", seconds=45.5, minutes_ago=age) for age in (10, 5, 0)],
        "errors": lambda: log_requests(monitored, *["502"] * 5, "200"),
        "refusals": lambda: refuse_everywhere(monitored),
        "certificate": lambda: put(monitored, metrics.CERTIFICATE_DAYS, 13),
        "backup": lambda: put(monitored, metrics.BACKUPS, 0, 0, every=86_400),
        "money": lambda: ship(monitored, metrics.USAGE, [used(dollars=12.5), used(), used(dollars=7.5)]),
        "disk": lambda: put(monitored, metrics.DISK_USED, 91, 92, 93, InstanceId=machine, path="/"),
        "memory": lambda: put(monitored, metrics.MEMORY_USED, 97, 98, 99, InstanceId=machine),
        "system": lambda: put(monitored, "StatusCheckFailed_System", 1, 1, every=60, InstanceId=machine),
        "instance": lambda: put(monitored, "StatusCheckFailed_Instance", 1, 1, 1, every=60, InstanceId=machine),
    }
    assert raised.keys() == ALARMS.keys()
    for name, raise_it in raised.items():
        raise_it()
        (message,) = [each for each in inbox.read() if each["NewStateValue"] == "ALARM"]
        assert message["AlarmName"] == f"{monitored.id}-{name}"
        assert ALARMS[name].do[0] in message["AlarmDescription"]
        assert f"sre-agent-deploy explain ALARM-{name.upper()}" in message["AlarmDescription"]
    put(monitored, metrics.CERTIFICATE_DAYS, 80)
    put(monitored, metrics.DISK_USED, 20, InstanceId=machine, path="/")
    assert {(each["AlarmName"], each["NewStateValue"]) for each in inbox.read()} == {(f"{monitored.id}-disk", "OK")}
    _judge_usage(monitored)
    _judge_dashboard(monitored)
    _judge_commands(monitored)
    _judge_machine(monitored)
    _judge_gateway(monitored)
    _judge_trail(monitored)
    _judge_drift(monitored)
    _judge_end(monitored)


def _judge_usage(monitored: Engine) -> None:
    """The assistant's usage log becomes metrics by outcome and by model. Tokens without a price have no known cost."""
    usage = Usage(
        waiting=3, outcome="answered", calls=28, failed_calls=1, models=({"model": "m-2", "input_tokens": 5, "output_tokens": 7},)
    )
    ship(monitored, metrics.USAGE, [json.dumps(line) for line in usage.lines(2.5)])
    assert _sums(monitored, metrics.INVESTIGATIONS) == {"answered": 1}
    assert _sums(monitored, metrics.INPUT_TOKENS) == {"m-1": 2700, "m-2": 5}
    assert _sums(monitored, metrics.OUTPUT_TOKENS) == {"m-1": 300, "m-2": 7}
    assert _sums(monitored, metrics.MODEL_USD) == {"m-1": 20, "": 20}
    single = (metrics.INVESTIGATION_SECONDS, metrics.WAITING, metrics.TOOL_CALLS, metrics.TOOL_FAILURES)
    assert [_sums(monitored, metric) for metric in single] == [{"": 2.5}, {"": 3}, {"": 28}, {"": 1}]


def _sums(monitored: Engine, metric: str) -> dict[str, float]:
    """Return the sums of a metric by the value of its dimension."""
    cloudwatch, namespace, now = monitored.client("cloudwatch"), metrics.namespace(monitored.id), clock.now()
    found = cloudwatch.list_metrics(Namespace=namespace, MetricName=metric)["Metrics"]
    period = {"StartTime": now - timedelta(days=1), "EndTime": now + timedelta(days=1)}

    def read(dimensions: list[dict[str, str]]) -> float:
        stat = {"Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}, "Period": 86400, "Stat": "Sum"}
        (answer,) = cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "a", "MetricStat": stat}], **period)["MetricDataResults"]
        return sum(answer["Values"])

    return {"".join(each["Value"] for each in one["Dimensions"]): read(one["Dimensions"]) for one in found}


def _judge_dashboard(monitored: Engine) -> None:
    """Every metric from a log is on it, and its tables of services are queries that this log answers."""
    body = monitored.client("cloudwatch").get_dashboard(DashboardName=monitored.id)["DashboardBody"]
    filters = monitored.client("logs").describe_metric_filters()["metricFilters"]
    made = {
        metric["metricName"] for each in filters for metric in each["metricTransformations"] if monitored.id in metric["metricNamespace"]
    }
    assert len(made) == len({count.metric for count in (*REQUESTS, *QUESTIONS, *MODELS)})
    assert not [metric for metric in made if metric not in body]
    queries = [widget["properties"]["query"] for widget in json.loads(body)["widgets"] if widget["type"] == "log"]
    requests, errors = (_query(monitored, query) for query in queries)
    assert requests == [{"service": "logs", "requests": "39", "p95_seconds": "45.5"}]
    assert errors == [{"service": "logs", "errors": "5"}]


def _query(monitored: Engine, query: str) -> list[dict[str, str]]:
    """Answer the query of a dashboard, which begins with its log group."""
    logs, now = monitored.client("logs"), int(clock.now().timestamp())
    source, _, commands = query.removeprefix("SOURCE '").partition("' | ")
    asked = {"logGroupName": source, "queryString": commands, "startTime": now - 3600, "endTime": now + 60}
    query_id = logs.start_query(**asked)["queryId"]
    while (answer := logs.get_query_results(queryId=query_id))["status"] == "Running":
        pass
    return [{field["field"]: field["value"] for field in row if field["field"] != "@ptr"} for row in answer["results"]]


def _judge_commands(monitored: Engine) -> None:
    """`alarms` says what is raised and who has not confirmed; `alarms test` reads a message, and leaves no queue behind."""
    aws, topic, sns, seen = monitored.aws, monitored.id_of(TOPIC), monitored.client("sns"), Warned()
    watched = read_alarms(aws, monitored.id, topic)
    memory = next(alarm for alarm in watched.alarms if alarm.name.endswith("-memory"))
    assert (memory.state, memory.problem) == ("ALARM", ALARMS["memory"])
    assert set(watched.unconfirmed) == {HOOK, TEAM}
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=TEAM, ReturnSubscriptionArn=True)["SubscriptionArn"]
    sns.confirm_subscription(TopicArn=topic, Token=arn.rpartition(":")[2])
    warn_of_unconfirmed(aws, topic, seen)
    assert [HOOK in line and "sre-agent-deploy deploy" in line for line in seen.lines] == [True]
    assert prove_delivery(aws, monitored.id, topic) is None
    assert not monitored.client("sqs").list_queues(QueueNamePrefix=monitored.id).get("QueueUrls")
    queues = [each for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] if each["Protocol"] == "sqs"]
    assert len(queues) == 1  # the inbox of this test


class Warned(User):
    """A user who keeps what must be seen in any case."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def warn(self, line: str) -> None:
        self.lines.append(line)


def _judge_machine(monitored: Engine) -> None:
    """The machine ships into the deployment's log groups and metrics, by what its alarms read, and may write nowhere else."""
    ec2, machine_id, id = monitored.client("ec2"), monitored.id_of("instance"), monitored.id
    shown = ec2.describe_instance_attribute(InstanceId=machine_id, Attribute="userData")["UserData"]["Value"]
    files = YAML(typ="safe").load(base64.b64decode(shown))["write_files"]
    machine = Machine.parse(files[0]["content"])
    assert machine.monitoring
    config = json.loads(render_agent_config(machine.monitoring, ["logs", "runbooks"]))
    collected = config["logs"]["logs_collected"]
    entries = [*collected["files"]["collect_list"], *collected["journald"]["collect_list"]]
    groups = {group["logGroupName"] for group in monitored.client("logs").describe_log_groups(logGroupNamePrefix=id)["logGroups"]}
    assert groups - {metrics.log_group(id, metrics.TRAIL)} == {metrics.log_group(id, name) for name in metrics.LOG_GROUPS}
    groups -= {metrics.log_group(id, metrics.TRAIL)}
    assert {entry["log_group_name"] for entry in entries} == groups
    alarms = monitored.client("cloudwatch").describe_alarms(AlarmNamePrefix=id)["MetricAlarms"]
    of_agent = {
        alarm["MetricName"]: {each["Name"] for each in alarm["Dimensions"]} for alarm in alarms if "used_percent" in alarm["MetricName"]
    }
    put = config["metrics"]
    assert of_agent.keys() == {f"{kind}_{measured['measurement'][0]}" for kind, measured in put["metrics_collected"].items()}
    assert of_agent[metrics.DISK_USED] == set(put["aggregation_dimensions"][0])
    assert of_agent[metrics.MEMORY_USED] == set(put["append_dimensions"])
    role = monitored.id_of("instance_role")
    policy = monitored.client("iam").get_role_policy(RoleName=role, PolicyName=_policy_name(monitored, role))["PolicyDocument"]
    allowed = {statement["Sid"]: statement for statement in policy["Statement"]}
    arn = f"arn:aws:logs:{monitored.aws.region}:{monitored.aws.account_id}:log-group"
    assert set(allowed["WriteLogs"]["Resource"]) == {f"{arn}:{group}:*" for group in groups}
    assert allowed["WriteLogs"]["Action"] == ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    assert allowed["SendTraces"]["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    receiver = config["traces"]["traces_collected"]["otlp"]["http_endpoint"]
    assert {service.environment["SRE_TRACES"] for service in machine.services} == {f"http://{receiver}/v1/traces"}
    assert allowed["PutMetrics"]["Condition"] == {"StringEquals": {"cloudwatch:namespace": put["namespace"]}}


def _judge_gateway(monitored: Engine) -> None:
    """Requests to the gateway arrive in its log group, in the fields that AgentCore documents, and without the token."""
    control = monitored.client("bedrock-agentcore-control")
    gateway = control.get_gateway(gatewayIdentifier=monitored.id_of("gateway"))
    token = _get_token(monitored)
    asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
    with httpx2.Client(verify=ssl.create_default_context(cafile=monitored.embedded.ca_file)) as http:
        refused = http.post(gateway["gatewayUrl"], json=asked, headers={"authorization": "Bearer garbage"})
        answered = http.post(gateway["gatewayUrl"], json=asked, headers={"authorization": f"Bearer {token}"})
    assert (refused.status_code, answered.status_code) == (401, 200)
    logs, group = monitored.client("logs"), metrics.gateway_log_group(monitored.id)
    lines = [json.loads(event["message"]) for event in logs.filter_log_events(logGroupName=group)["events"]]
    fields = {"resource_arn", "event_timestamp", "body", "account_id", "request_id", "trace_id", "span_id"}
    assert all(line.keys() == fields and line["resource_arn"] == gateway["gatewayArn"] for line in lines)
    denied, started, received, ended = lines[-4:]
    assert denied["body"] == {"isError": True, "log": "Invalid Bearer token", "id": "7"}
    assert denied["request_id"] == refused.headers["x-amzn-requestid"]
    assert started["body"]["requestBody"] == "{jsonrpc=2.0, id=7, method=tools/list, params={}}"
    assert started["body"]["log"] == "Started processing request with requestId: 7"
    assert received["body"]["log"] == "Received request for tools/list method"
    assert ended["body"]["log"] == "Successfully processed request with requestId: 7"
    assert ended["body"]["responseBody"].startswith("{jsonrpc=2.0, id=7, result={tools=[")
    assert token not in json.dumps(lines)
    [kept] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert kept["retentionInDays"] == 30


def _judge_trail(monitored: Engine) -> None:
    """Each refusal inside AWS is listed once, also where CloudTrail delivers it twice; neither token nor secret is in an event."""
    state, begin = monitored.state, clock.now() - timedelta(hours=1)

    def read() -> list[dict[str, Any]]:
        return [entry.facts for entry in read_trail(monitored.aws, state, begin)]

    assert until(lambda: len(read()) == 21)  # 20 of the alarm, 1 of the gateway's log
    logs, group = monitored.client("logs"), metrics.log_group(monitored.id, metrics.TRAIL)
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    lines = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    again = [{"timestamp": line["timestamp"], "message": line["message"]} for line in lines[:5]]
    logs.put_log_events(logGroupName=group, logStreamName=stream["logStreamName"], logEvents=again)
    found = read()
    assert Counter((each["service"]["name"], each["status_detail"], each["status_code"]) for each in found) == {
        ("gateway", "invalid_token", "401"): 18,
        ("cognito-oauth2", "token_refused", "400"): 3,
    }
    assert {each["src_endpoint"]["ip"] for each in found} == {"127.0.0.1"}
    assert len({each["metadata"]["correlation_uid"] for each in found}) == 21
    assert not [line for line in lines if WRONG_SECRET in line["message"] or "garbage" in line["message"]]
    # What readiness says of it.
    assert find_trail_fault(monitored.aws, monitored.id_of(TRAIL_LOG)) == ""
    _judge_files(monitored, [json.loads(line["message"])["eventID"] for line in lines])


def _judge_files(monitored: Engine, event_ids: list[str]) -> None:
    """The same events are in the files of the trail's bucket."""
    s3, bucket = monitored.client("s3"), monitored.id_of("trail_bucket")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    bodies = [json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) for key in keys]
    assert {event["eventID"] for body in bodies for event in body["Records"]} == set(event_ids)
    assert all(key.startswith(f"AWSLogs/{monitored.aws.account_id}/CloudTrail/{monitored.aws.region}/") for key in keys)


def _get_token(monitored: Engine) -> str:
    """Get a token as the assistant does."""
    pool, _, client = monitored.id_of("gateway_client").partition("/")
    shown = monitored.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    trust = ssl.create_default_context(cafile=monitored.embedded.ca_file)
    discovery = httpx2.get(f"{monitored.embedded.endpoint}/{pool}/.well-known/openid-configuration", verify=trust).json()
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": shown["ClientSecret"]}
    return str(httpx2.post(discovery["token_endpoint"], data=form, verify=trust).json()["access_token"])


def _policy_name(monitored: Engine, role: str) -> str:
    (name,) = monitored.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    return str(name)


def test_the_package_of_the_agent() -> None:
    """It is AWS's own, of the machine's region, system and processor."""
    assert package_url("eu-west-1", ubuntu=True, machine="aarch64") == (
        "https://amazoncloudwatch-agent-eu-west-1.s3.eu-west-1.amazonaws.com/ubuntu/arm64/latest/amazon-cloudwatch-agent.deb"
    )
    assert package_url("cn-north-1", ubuntu=False, machine="x86_64").startswith(
        "https://amazoncloudwatch-agent-cn-north-1.s3.cn-north-1.amazonaws.com.cn/amazon_linux/amd64/"
    )


def _judge_drift(monitored: Engine) -> None:
    """A change by hand is found without the state file, and repaired."""
    id, cloudwatch, logs = monitored.id, monitored.client("cloudwatch"), monitored.client("logs")
    cloudwatch.delete_alarms(AlarmNames=[f"{id}-slow"])
    cloudwatch.put_dashboard(DashboardName=id, DashboardBody='{"widgets": []}')
    logs.delete_retention_policy(logGroupName=metrics.log_group(id, metrics.SECURITY))
    logs.put_metric_filter(
        logGroupName=metrics.log_group(id, metrics.FRONT_DOOR),
        filterName=metrics.SERVER_ERRORS,
        filterPattern="",
        metricTransformations=[{"metricName": "Other", "metricNamespace": "Other", "metricValue": "1"}],
    )
    sns, topic = monitored.client("sns"), monitored.id_of(TOPIC)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue="{}")
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="stranger@example.com", ReturnSubscriptionArn=True)["SubscriptionArn"]
    sns.confirm_subscription(TopicArn=topic, Token=arn.rpartition(":")[2])
    monitored.forget()
    names = ("dashboard", "log_security", "metric_servererrors", TOPIC)
    assert monitored.changes() == {**dict.fromkeys(names, Action.UPDATE), "alarm_slow": Action.CREATE}
    monitored.deploy()
    recipients = {each["Endpoint"] for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]} - {""}
    assert {each for each in recipients if not each.startswith("arn:")} == {TEAM, HOOK}


def _judge_end(monitored: Engine) -> None:
    """Nothing of it is left, not even the log groups, when monitoring is taken back."""
    monitored.sections = {}
    monitored.deploy()
    id = monitored.id
    assert not monitored.client("cloudwatch").describe_alarms(AlarmNamePrefix=id)["MetricAlarms"]
    assert not monitored.client("cloudwatch").list_dashboards(DashboardNamePrefix=id)["DashboardEntries"]
    for prefix in (id, metrics.gateway_log_group(id)):
        assert not monitored.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    logs = monitored.client("logs")
    assert not [each for each in logs.describe_delivery_sources()["deliverySources"] if id in each["name"]]
    assert not [each for each in logs.describe_deliveries()["deliveries"] if id in each["deliverySourceName"]]
    assert not [check for check in monitored.client("route53").list_health_checks()["HealthChecks"] if id in check["CallerReference"]]
    assert not [trail for trail in monitored.client("cloudtrail").list_trails()["Trails"] if id in trail["Name"]]
    assert not [topic for topic in monitored.client("sns").list_topics()["Topics"] if id in topic["TopicArn"]]


@pytest.mark.parametrize(
    ("mode", "enabled", "alerts", "watched"),
    [
        ("production", "auto", {"email": TEAM}, True),
        ("production", "auto", {"url": HOOK}, True),
        ("production", "auto", {}, False),
        ("production", "never", {"email": TEAM}, False),
        ("local", "auto", {"email": TEAM}, False),
        ("local", "always", {}, True),
    ],
)
def test_who_is_watched(mode: Any, enabled: str, alerts: dict[str, str], watched: bool) -> None:
    """By default a production deployment with an address for its alarms; a local one costs nothing and is watched only on request."""
    config = Config.model_validate({"mode": mode, "alerts": alerts, "monitoring": {"enabled": enabled}})
    assert config.is_monitored(mode) is watched


def test_a_trail_that_nobody_watches() -> None:
    """A trail in a deployment without alarms is named as a setting without effect; with them it is not."""
    config = Config.model_validate({"mode": "local", "monitoring": {"cloudtrail": True}})
    assert [(fault.code, fault.warning) for fault in trail_faults(config.monitoring, config.is_monitored("local"))] == [
        ("CONFIG-NO-EFFECT", True)
    ]
    assert not list(trail_faults(config.monitoring, True))


def test_bodies_of_requests_are_not_kept_where_nobody_wants_them() -> None:
    """Without the gateway's logs neither their group nor a delivery is declared; the rest is."""

    def declared(**monitoring: Any) -> set[str]:
        config = Config.model_validate({"name": "x", "monitoring": {"enabled": "always", **monitoring}})
        return {item.name for item in declare_monitoring(config, describe_account(config), "sre-0123456789")}

    parts = {"log_gateway", "gateway_log_source", "gateway_log_destination", "gateway_log_delivery"}
    assert declared() - declared(gateway_logs=False) == parts


def test_a_test_of_the_alarms_that_is_killed(monitored: Engine) -> None:
    """The queue that it leaves is used by the next test, and is deleted with the topic: a cleanup leaves nothing."""
    monitored.parts = (TOPIC,)
    monitored.deploy()
    url, arn = create_test_queue(monitored.aws, monitored.id_of(TOPIC))
    assert create_test_queue(monitored.aws, monitored.id_of(TOPIC)) == (url, arn)
    assert arn == monitored.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert not monitored.cleanup().problems
    assert url not in monitored.client("sqs").list_queues().get("QueueUrls", [])


@pytest.mark.parametrize("code", ["QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"])
def test_a_queue_that_was_deleted_a_moment_ago(code: str) -> None:
    """SQS refuses its name for a minute, so a second test waits."""
    assert kind_of(code, 400) == "busy"
