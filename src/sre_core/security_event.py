"""Log refused access as one line that a log pipeline can alert on (requirement 2.5)."""

from __future__ import annotations

import json
import sys
from typing import TextIO

from sre_core import clock


def log_denied(*, service: str, reason: str, method: str, path: str, client: str, stream: TextIO | None = None, **facts: str) -> None:
    """Write one `security.access_denied` event as a JSON line to stderr (the journal, in production).

    `reason` is a fixed word such as `missing_token`, `expired_token`, `wrong_client`, `bad_api_key`.
    Never pass a token, a key or a query string: `path` is cut at its `?`.
    """
    event = {
        "event": "security.access_denied",
        "time": clock.stamp(),
        "service": service,
        "reason": reason,
        "method": method,
        "path": path.partition("?")[0][:200],
        "client": client,
        **facts,
    }
    print(json.dumps(event), file=stream or sys.stderr, flush=True)
