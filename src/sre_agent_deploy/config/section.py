"""Base class of all sections of config.yaml, and the results of validation, setup and verification under the mission's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

from sre_agent_deploy.config import Fault, Mode


def setting(default: object, text: str, *, example: str = "", console: str = "") -> Any:  # Any, as pydantic's own Field
    """Declare a field with its texts for the template, the JSON Schema and the messages.

    `console` is the path in the AWS Console where its value is found.
    """
    return Field(
        default=default,
        description=text,
        examples=[example] if example else None,
        json_schema_extra={"x-console": console} if console else None,
    )


class Section(BaseModel):
    """A part of the configuration. For an empty field the deployer creates the resource, or AWS's default applies."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each broken rule of this section."""
        yield from ()

    def default_mode(self) -> Mode:
        """Return the mode whose rules apply when the caller names none."""
        return "production"

    def validate(self, mode: Mode | None = None) -> ValidationResult:  # type: ignore[override]  # the mission's name; pydantic's is deprecated
        """Validate this for `mode` (by default its own, else production): list every error, warning and suggestion."""
        found = tuple(self.faults(mode or self.default_mode()))
        return ValidationResult(
            is_valid=all(fault.warning for fault in found),
            errors=tuple(f"{fault.what} {fault.why}" for fault in found if not fault.warning),
            warnings=tuple(f"{fault.what} {fault.why}" for fault in found if fault.warning),
            suggestions=tuple(fault.do[0] for fault in found),
        )


def item_model(annotation: Any) -> type[Section] | None:
    """Return the section that a field is, or whose list it is; None for any other field."""
    found = get_args(annotation)[0] if get_origin(annotation) is tuple else annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None


class Result(BaseModel):
    """A result that can't be changed, and has all of its fields and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidationResult(Result):
    """The result of validating a configuration; only errors make it invalid."""

    is_valid: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


class SetupResult(Result):
    """The result of setting up one component, and the next steps."""

    success: bool
    component: str
    message: str
    details: Mapping[str, object] = {}
    next_steps: tuple[str, ...] = ()


class VerificationReport(Result):
    """The result of verifying a deployment, with its time."""

    timestamp: datetime
    overall_status: str
    component_results: tuple[SetupResult, ...] = ()
    connectivity_tests: Mapping[str, bool] = {}
    """Each hop as the machine sees it that verifies."""
    connectivity_from_assistant: Mapping[str, bool] = {}
    """Each hop as the assistant sees it: from the instance, or from AgentCore Runtime."""
    recommendations: tuple[str, ...] = ()
