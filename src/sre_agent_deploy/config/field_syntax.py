"""Syntax that AWS accepts in each kind of field: a pattern, its explanation and a valid example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config import Fault, FieldPath, format_path
from sre_core import duration, reboot_window


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """A pattern with the words that explain it."""

    code: str
    pattern: str
    says: str  # completes "It must be ..."
    example: str
    found: str = ""  # where the right value is found
    aws_docs: str | None = None

    def faults(self, field: str | FieldPath, value: str) -> Iterator[Fault]:
        """Yield a fault if `value` is not empty and does not match."""
        if not value or re.fullmatch(self.pattern, value):
            return
        path: FieldPath = (field,) if isinstance(field, str) else field
        yield Fault(
            code=self.code,
            path=path,
            what=f"{format_path(path)} can't have this value.",
            why=f"It must be {self.says}.",
            do=(f"Write it like this: {self.example}", *((f"Find yours in the AWS Console: {self.found}.",) if self.found else ())),
            correction=self.example,
            aws_docs=self.aws_docs,
        )


_PARTITION = r"aws[a-z0-9-]*"

ACCOUNT_ID = Syntax(
    code="CONFIG-ACCOUNT-ID",
    pattern=r"[0-9]{12}",
    says="exactly 12 digits, without spaces or hyphens",
    example="123456789012",
    found="account menu at the top right > Account ID",
    aws_docs="https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html",
)
ROLE = Syntax(
    code="CONFIG-ROLE",
    pattern=rf"[\w+=,.@-]{{1,64}}|arn:{_PARTITION}:iam::[0-9]{{12}}:role/[\w+=,.@/-]{{1,576}}",
    says="the name of an IAM role, or its ARN",
    example="arn:aws:iam::123456789012:role/sre-gateway",
    found="IAM > Roles > (role) > ARN",
    aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
)
BOUNDARY = Syntax(
    code="CONFIG-BOUNDARY",
    pattern=rf"arn:{_PARTITION}:iam::([0-9]{{12}}|aws):policy/[\w+=,.@/-]{{1,640}}",
    says="the ARN of a managed policy",
    example="arn:aws:iam::123456789012:policy/workload-boundary",
    found="IAM > Policies > (policy) > ARN",
    aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
)
VPC_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"vpc-([0-9a-f]{8}|[0-9a-f]{17})",
    says="`vpc-` and 8 or 17 hexadecimal digits",
    example="vpc-0a1b2c3d4e5f60718",
    found="VPC > Your VPCs > VPC ID",
)
SUBNET_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"subnet-([0-9a-f]{8}|[0-9a-f]{17})",
    says="`subnet-` and 8 or 17 hexadecimal digits",
    example="subnet-0a1b2c3d4e5f60718",
    found="VPC > Subnets > Subnet ID",
)
SECURITY_GROUP_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"sg-([0-9a-f]{8}|[0-9a-f]{17})",
    says="`sg-` and 8 or 17 hexadecimal digits: the group's ID, not its name",
    example="sg-0a1b2c3d4e5f60718",
    found="EC2 > Security Groups > Security group ID",
)
AVAILABILITY_ZONE = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"[a-z]{2}(-[a-z]+)+-[0-9]+[a-z]",
    says="the name of an Availability Zone: the region and a letter. A Local Zone or Wavelength Zone is none",
    example="us-east-1b",
    found="VPC > Subnets > Availability Zone",
)
AMI_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"ami-([0-9a-f]{8}|[0-9a-f]{17})",
    says="`ami-` and 8 or 17 hexadecimal digits",
    example="ami-0a1b2c3d4e5f60718",
    found="EC2 > AMIs > AMI ID",
)
HOSTED_ZONE_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"Z[0-9A-Z]{1,31}",
    says="`Z` and capital letters and digits, without the `/hostedzone/` before it",
    example="Z0123456789ABCDEFGHIJ",
    found="Route 53 > Hosted zones > Hosted zone ID",
)
USER_POOL_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"[a-z0-9-]{5,30}_[0-9a-zA-Z]{1,24}",
    says="a region, an underscore and letters or digits: the user pool's ID, not its name",
    example="us-east-1_a1B2c3D4e",
    found="Cognito > User pools > User pool ID",
)
CLIENT_ID = Syntax(
    code="CONFIG-RESOURCE-ID",
    pattern=r"[\w+]{1,128}",
    says="the letters and digits of an app client's ID, not its name",
    example="1h57kf5cpq17m0eml12EXAMPLE",
    found="Cognito > User pools > Applications > App clients > Client ID",
)
GATEWAY_NAME = Syntax(
    code="CONFIG-GATEWAY-NAME",
    pattern=r"([0-9a-zA-Z][-]?){1,48}",
    says="1-48 letters, digits and single hyphens, beginning with a letter or digit",
    example="sre-gateway",
    aws_docs="https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html",
)
PROVIDER_ARN = Syntax(
    code="CONFIG-PROVIDER-ARN",
    pattern=rf"arn:{_PARTITION}:(bedrock-agentcore|acps):[a-z0-9-]+:[0-9]{{12}}:token-vault/[^/\s]+/apikeycredentialprovider/[a-zA-Z0-9_-]{{1,128}}",
    says="the ARN of an API key credential provider",
    example="arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre",
    found="Bedrock AgentCore > Identity > (provider) > ARN",
)
ECR_IMAGE = Syntax(
    code="CONFIG-IMAGE",
    pattern=r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9]+([._/-][a-z0-9]+)*(:[\w.-]{1,128}|@sha256:[0-9a-f]{64})",
    says="the URI of an image in Amazon ECR, with its tag or digest",
    example="123456789012.dkr.ecr.us-east-1.amazonaws.com/sre-agent:1.0",
    found="Amazon ECR > Repositories > (repository) > Copy URI",
    aws_docs="https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push.html",
)
DOMAIN_NAME = Syntax(
    code="CONFIG-DOMAIN-NAME",
    pattern=r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    says="a full domain name in lower case, without https://, port or path",
    example="sre.example.com",
)
KEY_NAME = Syntax(
    code="CONFIG-KEY-NAME",
    pattern=r"[\x20-\x7e]{1,255}",
    says="the name of an EC2 key pair: up to 255 ASCII characters",
    example="ops-key",
    found="EC2 > Key pairs",
)
PEM_PATH = Syntax(
    code="CONFIG-PATH",
    pattern=r"(?!-----)[^\n\x00]{1,4096}",
    says="the path of a PEM file, not its content",
    example="/etc/letsencrypt/live/sre.example.com/fullchain.pem",
)
DEPLOYMENT_NAME = Syntax(
    code="CONFIG-NAME",
    pattern=r"(?=.{1,20}$)[a-z0-9]+(-[a-z0-9]+)*",
    says="1-20 lower-case letters and digits, with single hyphens between them: AWS resources carry it in their names",
    example="sre",
)
INSTANCE_TYPE = Syntax(
    code="CONFIG-INSTANCE-TYPE",
    pattern=r"[a-z][a-z0-9-]*\.[a-z0-9-]+",
    says="an EC2 instance type: a family, a dot and a size",
    example="t3.xlarge",
    found="EC2 > Instance types",
    aws_docs="https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html",
)
COGNITO_DOMAIN = Syntax(
    code="CONFIG-COGNITO-DOMAIN",
    pattern=r"(?!.*(aws|amazon|cognito))[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    says="a prefix of 1-63 lower-case letters, digits and hyphens, without the words aws, amazon and cognito; not the whole domain",
    example="sre-login-4711",
    found="Cognito > User pools > Branding > Domain",
    aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html",
)
CUSTOM_DOMAIN = Syntax(
    code="CONFIG-CUSTOM-DOMAIN",
    # CreateUserPoolDomain takes 63 characters. Its parent must have an address, so it is below a domain of the owner.
    pattern=r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?){2,}",
    says="a name below a domain of yours, in lower case, of at most 63 characters and without https://",
    example="auth.example.com",
    aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html",
)
ACM_CERTIFICATE = Syntax(
    code="CONFIG-CUSTOM-DOMAIN",
    pattern=r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[a-zA-Z0-9-]+",
    says="the ARN of a certificate of AWS Certificate Manager in us-east-1: CloudFront takes it from nowhere else, whatever aws.region is",
    example="arn:aws:acm:us-east-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    found="Certificate Manager (N. Virginia) > Certificates",
    aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html",
)
EMAIL = Syntax(
    code="CONFIG-EMAIL",
    # AWS Budgets documents none; this is what Cost Anomaly Detection, its neighbour, takes for a subscriber.
    pattern=r"(?=.{6,302}$)[a-zA-Z0-9.!#$%&'*+=?^_{|}~-]+@[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+",
    says="one e-mail address, without a name around it",
    example="team@example.com",
    aws_docs="https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Subscriber.html",
)
ALERT_URL = Syntax(
    code="CONFIG-ALERT-URL",
    pattern=r"https://[^\s/@?#]+(/[^\s#]*)?",
    says="an address with https://, without user and password: SNS sends messages to no other",
    example="https://hooks.example.com/sre",
    aws_docs="https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html",
)
KMS_KEY = Syntax(
    code="CONFIG-KMS-KEY",
    pattern=rf"arn:{_PARTITION}:kms:[a-z0-9-]+:[0-9]{{12}}:key/[a-zA-Z0-9-]{{1,256}}",
    says="the ARN of a KMS key, not an alias",
    example="arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    found="KMS > Customer managed keys > (key) > ARN",
    aws_docs="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
)
ACME_DIRECTORY = Syntax(
    code="CONFIG-ACME-DIRECTORY",
    pattern=r"https://[^\s/@?#]+(/[^\s?#]*)?",
    says="the address of an ACME directory with https://, without user, password and query",
    example="https://ca.example.com/acme/acme/directory",
)
ORIGIN = Syntax(
    code="CONFIG-CORS-ORIGIN",
    # S3 takes one * in an origin. A * alone would let every web page read.
    pattern=r"https?://(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?",
    says="the origin of a web page: https://, a host and perhaps a port, without a path; *. may stand for any subdomain",
    example="https://docs.example.com",
    aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html",
)
RECORDING = Syntax(
    code="CONFIG-RECORDING",
    pattern=r"crash-loop|memory-leak|healthy|[^\x00]*[/.][^\x00]*",
    says="crash-loop, memory-leak or healthy, or the path of a folder (with a / in it)",
    example="crash-loop",
)
LOG_GROUP = Syntax(
    code="CONFIG-LOG-GROUP",
    pattern=r"[\.\-_/#A-Za-z0-9]{1,512}",
    says="the name of a log group: 1-512 letters, digits and . - _ / #",
    example="/aws/lambda/checkout",
    found="CloudWatch > Log groups",
)
EKS_CLUSTER = Syntax(
    code="CONFIG-EKS-CLUSTER",
    pattern=r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}",
    says="the name of a cluster: 1-100 letters, digits, hyphens and underscores",
    example="prod",
    found="EKS > Clusters",
)
AMP_WORKSPACE = Syntax(
    code="CONFIG-AMP-WORKSPACE",
    pattern=r"https://aps-workspaces\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/workspaces/ws-[0-9a-f-]{36}/?",
    says="the address of a workspace, without /api/v1 behind it",
    example="https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-12345678-1234-1234-1234-123456789012",
    found="Amazon Prometheus > Workspaces > (workspace) > Endpoint - query URL, up to the workspace's ID",
)
INDEX = Syntax(
    code="CONFIG-INDEX",
    pattern=r"[a-z0-9.*][a-z0-9._*,-]{0,254}",
    says="the name of an index, or several with commas, in lower-case letters, digits and . _ - with * for any part",
    example="logs-*",
)
REPOSITORY = Syntax(
    code="CONFIG-REPOSITORY",
    pattern=r"(https|ssh)://[^\s?#-][^\s?#]*|[\w.-]+@[\w.-]+:[^\s]+|/[^\s]*",
    says="an https or ssh address, USER@HOST:PATH, or a path; a token has a field of its own",
    example="https://git.example.com/team/runbooks.git",
)
SOURCE_NAME = Syntax(
    code="CONFIG-SOURCE-NAME",
    pattern=r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?",
    says="1-30 lower-case letters, digits and hyphens, and begin and end with a letter or digit",
    example="prod",
)
SOURCE_URL = Syntax(
    code="CONFIG-SOURCE-URL",
    pattern=r"https?://[^\s/@?#]+(/[^\s?#]*)?",
    says="an address with http:// or https://, without user, password and query: those have fields of their own",
    example="https://prometheus.example.com",
)
TRACES = Syntax(
    code="CONFIG-TRACES",
    pattern=r"xray|https://[^\s/@?#]+/[^\s?#]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?/[^\s?#]+",
    says="xray, or the https:// address of a receiver with its path, http:// only on the machine itself",
    example="https://collector.example.com/v1/traces",
)
TRAIL_LOG_GROUP = Syntax(
    code="CONFIG-LOG-GROUP",
    pattern=r"/[._/#A-Za-z0-9-]{1,511}|[._#A-Za-z0-9-]{1,512}",
    says="the name of a log group, which is no ARN; one with a / must begin with it",
    example="aws-cloudtrail-logs-123456789012-0a1b2c3d",
    found="CloudWatch > Logs > Log groups",
    aws_docs="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
)
SOURCE_PATH = Syntax(
    code="CONFIG-SOURCE-PATH",
    pattern=r"/[^\x00\n]*",
    says="a whole path that begins with /: the services run with another home and another folder than you",
    example="/var/log/shop",
)
NAMESPACE = Syntax(
    code="CONFIG-NAMESPACE",
    pattern=r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    says="the name of a namespace: 1-63 lower-case letters, digits and hyphens",
    example="shop",
)
DURATION = Syntax(
    code="CONFIG-DURATION",
    pattern=duration.PATTERN,
    says="a whole number and a unit: s, m, h or d",
    example="24h",
)
DAY_TIME = Syntax(
    code="CONFIG-BACKUPS",
    pattern=r"([01][0-9]|2[0-3]):[0-5][0-9]",
    says="a time of the day in UTC, with two digits for hours and minutes",
    example="02:30",
)
REBOOT_WINDOW = Syntax(
    code="CONFIG-REBOOT-WINDOW",
    pattern=reboot_window.PATTERN,
    says="a day (Mon to Sun) and two times in UTC, or two times alone for each day",
    example="Sun 03:00-04:00",
)
