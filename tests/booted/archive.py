"""Debian's archive of packages, for a machine that has no way to the internet: a proxy on this computer's loopback."""

from __future__ import annotations

import contextlib
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "http://deb.debian.org/"
# What apt asks with to get only what has changed, or the rest of a file.
_PASSED_ON = ("If-Modified-Since", "Range", "If-Range")


@contextlib.contextmanager
def archive_of_debian() -> Iterator[int]:
    """Yield the port of a proxy that leads to the archive and nowhere else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self.path.startswith(HOST):
            self.send_error(403)
            return
        headers = {name: value for name in _PASSED_ON if (value := self.headers[name])}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.path, headers=headers), timeout=60)
        except urllib.error.HTTPError as other:
            answer = other
        except OSError as absent:
            self.send_error(502, str(absent))
            return
        with answer:
            self.send_response(answer.status)
            for name in ("Content-Length", "Content-Range", "Last-Modified"):
                if value := answer.headers[name]:
                    self.send_header(name, value)
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
