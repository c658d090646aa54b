"""AWS::CloudWatch::Dashboard"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    cfn,
    tags_of,
)
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFound", "ResourceNotFoundException", "DashboardNotFoundError")


@dataclass(frozen=True, kw_only=True)
class Dashboard(Defaults):
    """Shows the alarms and the metrics of the deployment on one page."""

    KIND: ClassVar[str] = "AWS::CloudWatch::Dashboard"
    # Putting a dashboard again replaces it: whose the existing one is has to be read before.
    TOKEN: ClassVar[bool] = True
    ADOPTS_SILENTLY: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"dashboard_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"dashboard_name"})
    MOST_TAGS: ClassVar[int] = 50
    # The page is the same in every region.
    REGIONAL: ClassVar[bool] = False

    name: str
    dashboard_name: str
    dashboard_body: LaterText
    """Its widgets, as JSON."""

    def __post_init__(self) -> None:
        # AWS may show the JSON with other spaces than it got.
        if isinstance(self.dashboard_body, str) and self.dashboard_body.startswith("{"):
            object.__setattr__(self, "dashboard_body", json.dumps(json.loads(self.dashboard_body), sort_keys=True, ensure_ascii=False))

    def natural_id(self, aws: Aws) -> str:
        return self.dashboard_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("cloudwatch").get_paginator("list_dashboards").paginate(DashboardNamePrefix=deployment)
        names = [entry["DashboardName"] for page in pages for entry in page["DashboardEntries"]]
        tagged = [(name, _read_tags(aws, name)) for name in names]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer: Any = or_none(lambda: aws.client("cloudwatch").get_dashboard(DashboardName=id), _GONE)
        if answer is None:
            return None
        return Found(id, cls(name=name, dashboard_name=id, dashboard_body=answer["DashboardBody"]), tags=_read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        body = require_known(self.dashboard_body)
        aws.client("cloudwatch").put_dashboard(DashboardName=self.dashboard_name, DashboardBody=body, Tags=mark.tag_list())
        return self.dashboard_name

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found is None or found.seen != self:
            aws.client("cloudwatch").put_dashboard(DashboardName=id, DashboardBody=require_known(self.dashboard_body))

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        if changes.set:
            aws.client("cloudwatch").tag_resource(ResourceARN=_arn(aws, id), Tags=changes.tag_list())
        if changes.remove:
            aws.client("cloudwatch").untag_resource(ResourceARN=_arn(aws, id), TagKeys=list(changes.remove))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("cloudwatch").delete_dashboards(DashboardNames=[id]), _GONE)

    def console(self) -> Steps:
        return (
            "CloudWatch > Dashboards > Create dashboard",
            f"Dashboard name: {self.dashboard_name}; then Actions > View/edit source, and paste:",
            # With line breaks it is a file to paste.
            json.dumps(json.loads(str(self.dashboard_body)), indent=1, ensure_ascii=False),
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, DashboardName=self.dashboard_name, DashboardBody=self.dashboard_body)

    FAILURES: ClassVar[Failures] = {
        ("PutDashboard", "InvalidParameterInput"): lambda dashboard: Problem(
            code="CLOUDWATCH-DASHBOARD-REFUSED",
            what=f"Dashboard {dashboard.dashboard_name} was not created.",
            why="CloudWatch does not accept one of its widgets.",
            do=("Report this as a fault of sre-agent-deploy: the content of the dashboard does not come from your configuration.",),
        ),
    }


def _arn(aws: Aws, name: str) -> str:
    return f"arn:{aws.partition}:cloudwatch::{aws.account_id}:dashboard/{name}"


def _read_tags(aws: Aws, name: str) -> dict[str, str]:
    answer: Any = or_none(lambda: aws.client("cloudwatch").list_tags_for_resource(ResourceARN=_arn(aws, name)), _GONE)
    return tags_of((answer or {}).get("Tags"))
