"""What holds a resource that AWS refuses to delete, or a name that it refuses to give, where the error code alone says little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.resource import Resource, Waiting
from sre_core.problem import Problem


def told(aws: Aws, kind: type[Resource], id: Callable[[], str], refused: Problem) -> Waiting | Problem:
    """What a refusal is about: something that lets go by itself, something that somebody must see to, or what AWS has said."""
    operation, code = refused.context.get("operation", ""), refused.context.get("aws_code", "")
    if (operation, code) not in kind.HELD:
        return refused
    held = attempt(lambda: kind.held(aws, id(), code), progress=aws.progress)
    if isinstance(held, Waiting):
        return held
    told = refused if held is None or isinstance(held, Lost) else held
    return replace(told, context={**refused.context, **told.context}, request_id=told.request_id or refused.request_id)
