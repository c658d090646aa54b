"""If another account has the bucket's name, the advice offers free names, each of which was checked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sre_agent_deploy import blueprint
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.bucket import BucketUsable
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.secret import Secret


class Strangers(ThreadingHTTPServer):
    """Answers HEAD as S3 does: 403 for buckets of other accounts, 404 for free names."""

    owned: frozenset[str] = frozenset()


class Answers(BaseHTTPRequestHandler):
    server: Strangers

    def do_HEAD(self) -> None:
        self.send_response(403 if self.path.strip("/") in self.server.owned else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def s3() -> Iterator[Strangers]:
    server = Strangers(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_free_names_are_offered(s3: Strangers) -> None:
    """The advice has only names that S3 reports as free at this moment."""
    endpoint = Endpoint(f"http://127.0.0.1:{s3.server_port}", access_key_id="AKIATEST", secret_access_key=Secret("test"))
    world = Context(Config(), Aws(region="us-east-1", account_id="123456789012", endpoint=endpoint), datetime.now(UTC))
    wanted = blueprint.bucket(world.config, world.deployment).resource
    assert isinstance(wanted, S3Bucket)
    also_taken, *free = wanted.alternatives()
    s3.owned = frozenset({wanted.bucket_name, also_taken})

    [finding] = run_checks([BucketUsable()], world)
    assert finding.status == "failed"
    assert finding.problem
    assert finding.problem.code == "S3-NAME-TAKEN"
    assert ", ".join(free) in finding.problem.do[0]
    assert also_taken not in finding.problem.do[0]
    assert "s3:ListBucket" in finding.problem.do[1]
