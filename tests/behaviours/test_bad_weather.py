"""AWS throttles, breaks, loses answers, spreads roles slowly and shows late what it has: a deployment ends as on a good day."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from behaviours.lanes import Lane, lane
from fixtures import sample

SEED = sample.seed()
WEATHER = [
    {"kind": "throttle", "probability": 0.02},
    {"kind": "server_error", "probability": 0.02},
    {"kind": "server_error", "probability": 0.02, "committed": True},
    {"kind": "cut", "probability": 0.02},
    {"kind": "cut", "probability": 0.02, "committed": True},
    {"kind": "propagation", "seconds": 2},
    {"kind": "lag", "seconds": 2},
]
ONE_OF_EACH = {"buckets": 1, "pools": 1, "clients": 2, "roles": 3, "profiles": 1, "instances": 1, "addresses": 1}
ONE_OF_EACH |= {"gateways": 1, "targets": 4, "providers": 1, "secrets": 4}
NOTHING = dict.fromkeys(ONE_OF_EACH, 0)


def test_a_deployment_in_bad_weather(tmp_path: Path, tried: Callable[[str, int], None]) -> None:
    """Every repeatable call was repeated, and only those: one of each resource, nothing left to do, and nothing after cleanup."""
    rules = tmp_path / "weather.json"
    rules.write_text(json.dumps({"seed": SEED, "rules": WEATHER}))
    with lane(tmp_path / "lane", "--faults", str(rules)) as here:
        # One look at a bucket is a dozen reads: at this rate three looks of four meet an error.
        folder = here.fresh(retries={"shown": "30s", "transient": "3m"})
        deployed = here.engine.deploy(folder)
        assert deployed.code == 0, f"seed {SEED}: {deployed.said}"
        assert _shown(here, ONE_OF_EACH) == ONE_OF_EACH, f"seed {SEED}"
        again = here.engine.deploy(folder)
        assert (again.code, again.calls) == (0, ()), f"seed {SEED}: {again.said}"
        cleaned = here.engine.cleanup(folder)
        assert cleaned.code == 0, f"seed {SEED}: {cleaned.said}"
        assert _shown(here, NOTHING) == NOTHING, f"seed {SEED}"
    tried("deployments in bad weather", 1)


def _shown(here: Lane, wanted: dict[str, int]) -> dict[str, int]:
    """Count the resources of these kinds, once AWS's reads have caught up."""
    deadline = time.monotonic() + 120
    while True:
        shown: dict[str, int] = {}
        # The faults meet this test's own reads too.
        with contextlib.suppress(BotoCoreError, ClientError):
            counted = here.counted()
            shown = {kind: counted[kind] for kind in wanted}
        if shown == wanted or time.monotonic() > deadline:
            return shown
        time.sleep(0.5)
