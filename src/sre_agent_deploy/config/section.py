"""Base class of all sections of config.yaml, and the results of validation, setup and verification under the mission's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sre_agent_deploy.config.fault import Fault, Mode


def setting(default: object, text: str, *, example: str = "", console: str = "") -> Any:  # Any, as pydantic's own Field
    """A field with what the template, the JSON Schema and the messages say about it.

    `console` is the path in the AWS Console where its value is found.
    """
    return Field(
        default=default,
        description=text,
        examples=[example] if example else None,
        json_schema_extra={"x-console": console} if console else None,
    )


class Section(BaseModel):
    """A part of the configuration. A field left empty means: the deployer creates it, or AWS's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Each broken rule of this section, all of them."""
        yield from ()

    def default_mode(self) -> Mode:
        """The mode that rules are for when nobody names one."""
        return "production"

    def validate(self, mode: Mode | None = None) -> ValidationResult:  # type: ignore[override]  # the mission's name; pydantic's is deprecated
        """Whether this can be deployed in `mode` (by default its own, else production): every error, warning and suggestion."""
        found = tuple(self.faults(mode or self.default_mode()))
        return ValidationResult(
            is_valid=all(fault.warning for fault in found),
            errors=tuple(f"{fault.what} {fault.why}" for fault in found if not fault.warning),
            warnings=tuple(f"{fault.what} {fault.why}" for fault in found if fault.warning),
            suggestions=tuple(fault.do[0] for fault in found),
        )


class Result(BaseModel):
    """A finished answer: it does not change, and it is complete or refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidationResult(Result):
    """Whether a configuration can be used; only errors make it invalid."""

    is_valid: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


class SetupResult(Result):
    """How one component's setup ended, and what to do next."""

    success: bool
    component: str
    message: str
    details: Mapping[str, object] = {}
    next_steps: tuple[str, ...] = ()


class VerificationReport(Result):
    """What was proven about a deployment, and when."""

    timestamp: datetime
    overall_status: str
    component_results: tuple[SetupResult, ...] = ()
    connectivity_tests: Mapping[str, bool] = {}
    recommendations: tuple[str, ...] = ()
