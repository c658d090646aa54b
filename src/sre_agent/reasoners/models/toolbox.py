"""The tools that a model may use: the gateway's own, by a fixed list. Each observation gets an id, by which a claim cites it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pydantic_ai

from sre_agent.evidence import Answer, Argument, Evidence, EvidenceLog, Excerpt
from sre_agent.reading import objects
from sre_agent.reasoners.instructions import is_instruction
from sre_agent.reasoners.privacy import Privacy
from sre_agent.tools import Tool, Tools
from sre_agent.watching import Watch

MOST_OBSERVATIONS = 20  # items of one answer that a model gets; it can ask for less
LONGEST_ARGUMENT = 200
LONGEST_DESCRIPTION = 600

# The tools that each specialist may call, on every gateway: all of them only read.
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "kubernetes": ("get_pod_status", "get_deployment_status", "get_cluster_events", "get_resource_usage", "get_node_status"),
    "logs": ("search_logs", "get_error_logs", "analyze_log_patterns", "get_recent_logs", "count_log_events"),
    "metrics": (
        "get_performance_metrics",
        "get_error_rates",
        "get_resource_metrics",
        "get_availability_metrics",
        "analyze_trends",
    ),
    "runbooks": (
        "search_runbooks",
        "get_incident_playbook",
        "get_troubleshooting_guide",
        "get_escalation_procedures",
        "get_common_resolutions",
    ),
}


@dataclass
class Desk:
    """The parts that the agents of one question share: tools, evidence, what they must not see, and the only namespace to look at, if
    the question names one."""

    tools: Tools
    log: EvidenceLog
    privacy: Privacy
    watch: Watch | None = None
    namespace: str = ""
    _fence: str = field(default_factory=lambda: secrets.token_hex(4))

    def tools_of(self, specialist: str) -> list[pydantic_ai.Tool[None]]:
        """Return the tools of a specialist, with the gateway's own descriptions and schemas."""
        offered = self.tools.offered()
        return [self._wrap(operation, offered[operation]) for operation in OPERATIONS[specialist] if operation in offered]

    def specialist_of_tool(self) -> dict[str, str]:
        """Return the specialist of each tool by the tool's full name."""
        offered = self.tools.offered()
        return {offered[name].name: owner for owner, names in OPERATIONS.items() for name in names if name in offered}

    def show(self, records: list[Evidence]) -> str:
        """Show observations to a model. The fence has a random name, so that no text can close it."""
        return "\n".join(
            f'<observation-{self._fence} id="{record.id}" tool="{record.tool}">\n{self.privacy.hide_in(record.excerpt)}\n'
            f"</observation-{self._fence}>"
            for record in records
        )

    def _wrap(self, operation: str, tool: Tool) -> pydantic_ai.Tool[None]:
        schema = {name: self._clean_schema(value) for name, value in tool.schema.items()}
        return pydantic_ai.Tool.from_schema(self._caller(operation, tool), operation, self._clean_text(tool.description), schema)

    def _clean_text(self, description: str) -> str:
        """Hide secrets in a description; one that instructs its reader is left out."""
        return "" if is_instruction(description) else self.privacy.hide_in(description)[:LONGEST_DESCRIPTION]

    def _clean_schema(self, value: object) -> object:
        """Clean every text of a schema, at any depth: a description of an argument is read as well as that of the tool."""
        if isinstance(value, Mapping):
            return {name: self._clean_schema(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._clean_schema(one) for one in value]
        return self._clean_text(value) if isinstance(value, str) else value

    def _caller(self, operation: str, tool: Tool) -> Callable[..., Awaitable[str]]:
        async def call(**arguments: object) -> str:
            known = _clean(arguments, tool)
            if self.namespace and known.get("namespace", self.namespace) != self.namespace:
                return f"Refused: the question is about namespace {self.namespace} only."
            return self._observe(await self.tools.call(operation, **known))

        return call

    def _observe(self, answer: Answer) -> str:
        if answer.failure:
            return f"The tool failed: {self.privacy.hide_in(answer.failure)}"
        items = objects(answer.data, "items")
        if not items:
            items = ({"answer": answer.data},)
        shown = [json.dumps(item, ensure_ascii=False) for item in items[:MOST_OBSERVATIONS]]
        records = [self.log[self.log.record(Excerpt(answer, text))] for text in shown]
        more = f"\n{len(items) - MOST_OBSERVATIONS} more items are not shown: ask for less." if len(items) > MOST_OBSERVATIONS else ""
        return self.show(records) + more


def _clean(arguments: Mapping[str, object], tool: Tool) -> dict[str, Argument]:
    """Keep the arguments that the tool knows; a long text is cut."""
    known = {name: value for name, value in arguments.items() if name in tool.parameters and isinstance(value, str | int | float | bool)}
    return {name: value[:LONGEST_ARGUMENT] if isinstance(value, str) else value for name, value in known.items()}
