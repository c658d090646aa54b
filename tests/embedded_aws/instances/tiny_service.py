"""A service of the tests: standard library only, so that it starts at once. It is packed into releases as `tiny`."""

import http.server
import json
import os
import socket
import socketserver
import sys
import time
from pathlib import Path


def credential(name: str) -> Path:
    return Path(os.environ["CREDENTIALS_DIRECTORY"]) / name


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "tiny/9"
    name = sys.argv[1]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            return self.say({"status": "ok", "service": self.name, "pid": os.getpid()})
        if path == "/environment":
            return self.say({"environment": dict(os.environ), "cwd": str(Path.cwd())})
        if path.startswith("/credential/"):
            file = credential(Path(path).name)
            return self.say({"credential": file.read_text(), "mode": file.stat().st_mode & 0o777})
        if path == "/stream":
            return self.stream()
        if path == "/die":
            os._exit(3)
        if path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self.say({"service": self.name, "method": self.command, "path": self.path, "headers": self.headers.items()})

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.say({"service": self.name, "method": self.command, "path": self.path, "length": len(body), "headers": self.headers.items()})

    do_DELETE = do_PUT = do_POST  # noqa: N815  # the names that http.server calls

    def do_HEAD(self) -> None:
        self.say({"a": "body that HEAD leaves out"})

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for number in range(1000):
                text = b"data: %d\n\n" % number
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            print("stream.abandoned", file=sys.stderr, flush=True)
            self.close_connection = True

    def say(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Powered-By", "tiny")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    socket_path = sys.argv[sys.argv.index("--socket") + 1]
    if Handler.name == "broken":
        print("could not start with", credential("api-key").read_text(), file=sys.stderr)
        sys.exit(7)
    Path(socket_path).unlink(missing_ok=True)
    Server(socket_path, Handler).serve_forever()
