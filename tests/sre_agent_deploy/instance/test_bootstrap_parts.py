"""The parts of the bootstrap that use AWS, files and health paths, each with the real thing."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fixtures.machines import make_machine
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.bootstrap import install_commands, write_certificate
from sre_agent_deploy.instance.certificates import write_credentials
from sre_agent_deploy.instance.steps import BootReport, StepFailed, is_healthy_on_socket, is_healthy_through_front_door, run, wait_until
from sre_agent_deploy.resources.ec2_boot import STEPS
from sre_core.machine import Machine, SecretRef


@pytest.fixture
def aws(client: Callable[[str], Any]) -> MachineAws:
    """AWS as the machine calls it, without patience."""
    return MachineAws("us-east-1", waits=())


@pytest.fixture
def with_secrets(client: Callable[[str], Any]) -> Machine:
    """The machine, with secrets that exist."""
    secrets = client("secretsmanager")

    def kept(name: str, **values: str) -> str:
        return str(secrets.create_secret(Name=name, SecretString=json.dumps(values))["ARN"])

    return make_machine(
        credentials={
            "backend-api-key": SecretRef(kept("backend", api_key="key-of-the-backends"), "api_key"),
            "gateway-client-secret": SecretRef(kept("client", client_id="c", client_secret="secret-of-the-client"), "client_secret"),
        },
        certificate=SecretRef(kept("certificate", certificate="CERTIFICATE\nCHAIN\n", private_key="PRIVATE-KEY\n")),
    )


def test_what_installs_the_libraries() -> None:
    """A library is taken only with its hash, and only where it need not be built; all that is imported is compiled once."""
    release, python = "/opt/sre-agent/releases/abc", "/opt/sre-agent/venvs/abc/bin/python"
    uv, cache = "/usr/local/bin/uv", ("--quiet", "--cache-dir", "/opt/sre-agent/cache", "--python")
    options = ("--require-hashes", "--only-binary", ":all:", "-r", f"{release}/sre_agent_deploy/instance/requirements.txt")
    unused = "/site-packages/(anthropic|genai_prices|griffe|markdown_it|openai|pydantic_ai|pydantic_graph|pygments|rich)/|/tests/"
    folders = (release, "/opt/sre-agent/venvs/abc/lib")
    assert install_commands(Layout(Path(release))) == (
        (uv, "venv", *cache, sys.executable, "/opt/sre-agent/venvs/abc"),
        (uv, "pip", "install", *cache, python, *options),
        (python, "-m", "compileall", "-q", "-j", "0", "-x", unused, *folders),
    )
    assert ("--no-index", "--find-links", f"{release}/wheels") == install_commands(Layout(Path(release)), bundled=True)[1][-5:-2]
    assert "/site-packages/(markdown_it|openai|pygments|rich)/|/tests/" in install_commands(Layout(Path(release)), "anthropic")[-1]


def test_credentials(aws: MachineAws, with_secrets: Machine, tmp_path: Path) -> None:
    """Each service's credential is a private file of its own, and every value is known to the redaction of reports."""
    layout = Layout(tmp_path / "release", secrets=tmp_path / "etc")
    concealed = (*write_credentials(aws, with_secrets, layout), write_certificate(aws, with_secrets, layout))
    assert layout.credential("kubernetes", "backend-api-key").read_text() == "key-of-the-backends"
    assert layout.credential("assistant", "gateway-client-secret").read_text() == "secret-of-the-client"
    assert layout.certificate.read_text() == "CERTIFICATE\nCHAIN\n"
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "etc").rglob("*") if file.is_file()} == {0o600, 0o400}
    assert {"key-of-the-backends", "secret-of-the-client", "PRIVATE-KEY\n"} <= set(concealed)


def test_a_secret_that_is_absent(aws: MachineAws) -> None:
    """The report has what AWS said."""
    with pytest.raises(StepFailed) as failed:
        aws.secret(SecretRef("arn:aws:secretsmanager:us-east-1:123456789012:secret:none-AbCdEf"))
    assert "ResourceNotFoundException" in failed.value.output


def test_progress(aws: MachineAws, s3: Any) -> None:
    """Each step says that it runs and how it ended; secrets are removed from what and output."""
    progress = BootReport(aws, "s3://bucket/status/")
    progress.conceal("key-of-the-backends", "-----BEGIN\nline-of-a-key\n-----END")
    with progress.step("ready") as facts:
        facts["listeners"] = [{"port": 443}]
    with pytest.raises(StepFailed), progress.step("services"):
        raise StepFailed("It said key-of-the-backends.", "x" * 5000 + "line-of-a-key")
    with pytest.raises(ZeroDivisionError), progress.step("release"):
        raise ZeroDivisionError("key-of-the-backends")
    steps = ("ready", "services", "release")
    said = {step: json.loads(s3.get_object(Bucket="bucket", Key=f"status/{step}.json")["Body"].read()) for step in steps}
    assert said["release"]["state"] == "failed", "a fault of ours is reported too"
    assert said["release"]["what"].endswith("ZeroDivisionError: ***")
    assert "Traceback" in said["release"]["output"]
    assert (said["ready"]["state"], said["ready"]["listeners"]) == ("ok", [{"port": 443}])
    assert (said["services"]["state"], said["services"]["what"]) == ("failed", "It said ***.")
    assert said["services"]["output"].endswith("x***")
    assert len(said["services"]["output"]) == 4000


@pytest.mark.parametrize(("command", "said"), [(("false",), "exit code 1"), (("/no/such/program",), "could not be started")])
def test_a_program_that_fails(command: tuple[str, ...], said: str) -> None:
    """The sentence names the program and how it ended."""
    with pytest.raises(StepFailed, match=said):
        run(*command)


def test_a_program_that_hangs() -> None:
    """It is ended at its deadline, and what it said until then is reported."""
    with pytest.raises(StepFailed, match=r"`sh -c .*` did not end within 1 s") as failed:
        run("sh", "-c", "echo begun; exec sleep 60", longest=1)
    assert failed.value.output == "begun\n"


def test_reports_while_s3_refuses(aws: MachineAws, client: Callable[[str], Any]) -> None:
    """A report is sent again until S3 takes it; the steps go on meanwhile also if it never does."""
    progress = BootReport(MachineAws("us-east-1", waits=(0.2,) * 50), "s3://late/status/")
    threading.Timer(1, lambda: client("s3").create_bucket(Bucket="late")).start()
    with progress.step("services"):
        pass
    assert json.loads(client("s3").get_object(Bucket="late", Key="status/services.json")["Body"].read())["state"] == "ok"
    with BootReport(aws, "s3://never/status/").step("services"):
        pass


def test_a_third_step_that_fails(aws: MachineAws, s3: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """It is reported with the output of the program that failed, after the reports of the steps before."""
    progress = BootReport(aws, "s3://bucket/status/")
    for step in ("release", "credentials"):
        with progress.step(step):
            pass
    with pytest.raises(StepFailed), progress.step("services"):
        run("sh", "-c", "echo no such unit; exit 5")
    said = [json.loads(s3.get_object(Bucket="bucket", Key=f"status/{step}.json")["Body"].read()) for step in STEPS[:3]]
    assert [each["state"] for each in said] == ["ok", "ok", "failed"]
    assert said[2]["output"] == "no such unit\n"
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["reported"] is True


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate with its key behind it in one file, as `load_cert_chain` takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    pem = serialization.Encoding.PEM
    file = tmp_path / f"{key.private_numbers().private_value % 10**9}.pem"
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    file.write_bytes(certificate + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return file


@pytest.fixture
def serve() -> Iterator[Callable[[socketserver.BaseServer], None]]:
    servers: list[socketserver.BaseServer] = []

    def start(server: socketserver.BaseServer) -> None:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_health_on_a_socket(tmp_path: Path, serve: Callable[[socketserver.BaseServer], None]) -> None:
    """Only 200 is well; a service that is not there is not."""
    path = tmp_path / "s"
    assert not is_healthy_on_socket(path, "/health")
    serve(socketserver.UnixStreamServer(str(path), Healthy))
    assert is_healthy_on_socket(path, "/health")
    assert not is_healthy_on_socket(path, "/other")


def test_health_through_the_door(certificate: Path, serve: Callable[[socketserver.BaseServer], None]) -> None:
    """It counts only over TLS with this machine's certificate."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Healthy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serve(server)
    port = server.server_address[1]
    assert is_healthy_through_front_door("127.0.0.1", port, "/health", certificate)
    assert not is_healthy_through_front_door("127.0.0.1", port, "/other", certificate)
    assert not is_healthy_through_front_door("127.0.0.1", port, "/health", another(certificate))


def another(certificate: Path) -> Path:
    """A certificate that differs in its last bytes, the signature."""
    text = certificate.read_text()
    head, end, tail = text.partition("-----END CERTIFICATE-----")
    swapped = head[:-9] + head[-9:-5][::-1] + head[-5:]
    file = certificate.with_name("another.pem")
    file.write_text((swapped if swapped != head else head[:-9] + "AAAA" + head[-5:]) + end + tail)
    return file


def test_waiting(tmp_path: Path) -> None:
    """It looks at least once, and stops at its time."""
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0)
