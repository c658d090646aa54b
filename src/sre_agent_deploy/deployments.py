"""Which deployments an account and region show, without any state file: by tags, and by the names and paths of what no tag finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from sre_agent_deploy.account.facts import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine.inventory import Named, find_all
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources import kinds, tag_list
from sre_agent_deploy.sweep import Seen
from sre_core.problem import Problem

type Listing = Callable[[Aws], Iterable[str]]


@dataclass(frozen=True)
class Shown:
    """The ids of deployments that listings show, and the listings that were refused: what only they would show is not here."""

    ids: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def shown(aws: Aws) -> Shown:
    """Ask every listing that may show a deployment. What is shown may be gone already: the tagging API lags behind."""
    listings = (_tagged, *(kind.deployments for kind in kinds.ORDER))
    answers = [attempt(partial(_ids, listing, aws), progress=aws.progress) for listing in listings]
    refused = [answer.problem if isinstance(answer, Lost) else answer for answer in answers if isinstance(answer, Lost | Problem)]
    found = frozenset[str]().union(*(answer for answer in answers if isinstance(answer, frozenset)))
    return Shown(tuple(sorted(found)), tuple(refused))


def seen(aws: Aws, deployment: str, named: Named, at_work: str) -> Seen | None:
    """One of them with everything that it has; None where nothing is left of it."""
    found = find_all(aws, deployment, None, named)
    blind = [problem.what for problem in found.problems if not found.doomed or _matters(problem)]
    return Seen(deployment, found.doomed, next(iter(blind), ""), at_work) if found.doomed or blind else None


def _matters(problem: Problem) -> bool:
    """Whether what could not be seen might keep the rest: not a volume that is left as it is, nor the bills of an account."""
    return problem.code != "CLEANUP-VOLUME-KEPT" and problem.context.get("operation") != "DescribeBudgets"


def _ids(listing: Listing, aws: Aws) -> frozenset[str]:
    """The deployment ids among the names that a listing gives: one that this tool never gives is not this tool's."""
    return frozenset(name for name in listing(aws) if re.fullmatch(DEPLOYMENT_ID_PATTERN, name))


def _tagged(aws: Aws) -> Iterable[str]:
    """Secrets, buckets, instances, volumes, security groups."""
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": DEPLOYMENT_TAG}])
    return (tag_list.as_dict(found["Tags"]).get(DEPLOYMENT_TAG, "") for page in pages for found in page["ResourceTagMappingList"])
