"""An AWS that refuses everything: real HTTP, each service's own protocol, and any error that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from embedded_aws import refusals
from embedded_aws.http_messages import Response
from embedded_aws.refusals import Protocol
from sre_agent_deploy.aws import Aws, Endpoint
from sre_core.secret import Secret

from .table import Row

_PROTOCOLS = {"ec2": Protocol.EC2, "query": Protocol.QUERY, "json": Protocol.JSON, "rest-json": Protocol.REST_JSON}
# S3 returns the region of a bucket, and botocore repeats the request there once.
_BUCKET_REGION = ("x-amz-bucket-region", "eu-west-1")


@dataclass
class Refusing:
    """The deployer's own clients, and the one error that they all get."""

    aws: Aws
    answer: Response

    def with_(self, service: str, row: Row) -> str:
        """Refuse every call to the service with this error from now on, and return the request id of the refusals."""
        model = self.aws.client(service).meta.service_model
        # Of the XML services S3 has its own form of an error; Route 53 has that of the query services.
        protocol = Protocol.S3 if service == "s3" else _PROTOCOLS.get(model.resolved_protocol, Protocol.QUERY)
        self.answer = refusals.answer(protocol, row.status, row.code, "AWS's own words")
        return next(value for name, value in self.answer.headers if name in ("x-amzn-requestid", "x-amz-request-id"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self.server.refusing.answer  # type: ignore[attr-defined]
        self.send_response(answer.status)
        for name, value in (*answer.headers, _BUCKET_REGION, ("content-length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body if self.command != "HEAD" else b"")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _refuse  # noqa: N815  # http.server's names

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def refusing() -> Iterator[Refusing]:
    """Run such an AWS during a test."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}", "", "AKIDEXAMPLE", Secret("unused"))
        aws = Aws(region="us-east-1", account_id="123456789012", endpoint=endpoint)
        server.refusing = Refusing(aws, Response(500, b"", ()))  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.refusing  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
