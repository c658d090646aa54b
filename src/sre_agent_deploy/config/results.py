"""What validating, setting up and verifying answer, under the mission's names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict


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
