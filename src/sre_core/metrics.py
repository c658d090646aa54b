"""Names of a deployment's metrics and log groups: those who write them, and the alarms that read them, share these.

Every deployment has a namespace of its own, so metrics need no dimension that names the deployment. A machine's own metrics have the
dimension `InstanceId`.
"""

from __future__ import annotations

# From the front door's access log, by metric filters. They have no dimensions.
REQUESTS = "Requests"
SERVER_ERRORS = "ServerErrors"
UNAUTHORIZED = "Unauthorized"
REQUEST_SECONDS = "RequestSeconds"
# From the CloudWatch agent, which chooses these names.
DISK_USED = "disk_used_percent"
MEMORY_USED = "mem_used_percent"
# From the assistant's log of usage, by metric filters: two lines with these events for each question.
FINISHED, MODEL_USED = "investigation.finished", "model.used"
INVESTIGATIONS = "Investigations"
"""One for each question, with the dimension `Outcome`: the verdict of its report, `failed`, `busy` or `cancelled`."""
INVESTIGATION_SECONDS = "InvestigationSeconds"
WAITING = "WaitingQuestions"
TOOL_CALLS = "ToolCalls"
TOOL_FAILURES = "ToolFailures"
INPUT_TOKENS, OUTPUT_TOKENS = "InputTokens", "OutputTokens"
"""With the dimension `Model`."""
MODEL_USD = "ModelDollars"
"""With the dimension `Model`, and once more without any, for the alarm. A model without a known price has none."""
# From Route 53, in its own namespace and in us-east-1, with the dimension `HealthCheckId`: 1 while the front door answers, else 0.
HEALTH_CHECK_STATUS = "HealthCheckStatus"
CERTIFICATE_DAYS = "CertificateDaysLeft"
"""Whole days until the front door's certificate expires; negative after that. No dimensions, the unit is None, once a day or more often."""
BACKUPS = "Backups"
"""1 for each scheduled backup that was made, 0 for one that failed. No dimensions, the unit is None."""

SERVICES = "services"
FRONT_DOOR = "front-door"
BOOT = "boot"
SECURITY = "security"
USAGE = "usage"
USAGE_FILE = "usage.log"
"""The file below a service's folder for logs (systemd's `$LOGS_DIRECTORY`) in which the assistant writes down what questions used."""
USAGE_VARIABLE, USAGE_PRINTED = "USAGE_LOG", "stdout"
"""The variable by which the assistant prints those lines instead: on AgentCore Runtime its output is its log."""
GATEWAY = "gateway"
"""What AgentCore's gateway logs of each request: the only group that no machine writes."""
TRAIL = "trail"
"""What CloudTrail reports, minutes late: the requests to the gateway, the tokens of Cognito, and what changed the account."""
RUNTIME = "runtime"
"""The log of the endpoint of AgentCore Runtime that callers reach: AgentCore names the group by the runtime's id."""
LOG_GROUPS = {
    SERVICES: "what the services log",
    FRONT_DOOR: "every request to the front door",
    BOOT: "what cloud-init and the bootstrap of a machine print",
    SECURITY: "security events: every refused access",
    USAGE: "what each question used: outcome, seconds, calls of tools, tokens and money",
}


def namespace(deployment: str) -> str:
    """Return the namespace of a deployment's metrics."""
    return f"SREAgent/{deployment}"


def log_group(deployment: str, name: str) -> str:
    """Name one of a deployment's log groups. Ids of resources in a log group begin with its name and a slash, so it has none."""
    return f"{deployment}-{name}"


def gateway_log_group(deployment: str) -> str:
    """Name the log group of the gateway. AgentCore delivers only into groups whose names begin like this."""
    return f"/aws/vendedlogs/{deployment}-{GATEWAY}"
