"""Logs as events: a past-tense name, values as keys, context bound once. They go to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def get(**context: object) -> FilteringBoundLogger:
    """Make a logger with `context` bound. Lines are JSON; `SRE_LOG=debug|info|warning` sets the level (default warning)."""
    import logging

    import structlog

    level = getattr(logging, os.environ.get("SRE_LOG", "warning").upper(), logging.WARNING)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    ).bind(**context)
    return logger
