"""Certificates from files: taken when they are good, and every fault at once when not."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from sre_agent_deploy.tls.chain import Chain
from sre_agent_deploy.tls.files import FOLDERS, CertificateFiles, find_certificate_files, load_certificate_files
from sre_core.problem import Problem

from .certificates import NOW, Party, authority, leaf, write

ROOT = authority("root")
INTERMEDIATE = authority("intermediate", ROOT)
HOST = "sre.example.com"


def load(
    folder: Path, party: Party, *above: Party, key: str = "", ca: str = "", host: str = HOST
) -> CertificateFiles | tuple[Problem, ...]:
    certificate_path = write(folder, "fullchain.pem", "".join(each.pem for each in (party, *above)))
    key_path = write(folder, "privkey.pem", key or party.key_pem())
    return load_certificate_files(certificate_path, key_path, ca_path=write(folder, "ca.pem", ca) if ca else "", hosts=(host,), now=NOW)


def codes(answer: CertificateFiles | tuple[Problem, ...]) -> list[str]:
    assert isinstance(answer, tuple)
    return [problem.code for problem in answer]


def test_files_that_fit(tmp_path: Path) -> None:
    """They are served as they are; a new certificate in them is another one."""
    good = leaf(INTERMEDIATE, HOST)
    files = load(tmp_path, good, INTERMEDIATE, ca=ROOT.pem)
    assert isinstance(files, CertificateFiles)
    assert files.renews
    issued = files.issue((HOST,))
    assert Chain.parse(issued.chain).leaf == good.certificate
    assert issued.private_key.reveal() == good.key_pem()
    assert "PRIVATE KEY" not in f"{files} {files.console((HOST,))}"
    renewed = load(tmp_path, leaf(INTERMEDIATE, HOST), INTERMEDIATE)
    assert isinstance(renewed, CertificateFiles)
    assert renewed.identity != files.identity


def test_files_in_their_last_month(tmp_path: Path) -> None:
    """They are taken, and known not to get fresher by being stored again."""
    files = load(tmp_path, leaf(ROOT, HOST, life=timedelta(days=29), starts=timedelta(days=-61)))
    assert isinstance(files, CertificateFiles)
    assert not files.renews


def test_a_self_signed_certificate(tmp_path: Path) -> None:
    """It is its own authority."""
    alone = leaf(None, HOST)
    assert isinstance(load(tmp_path, alone, ca=alone.pem), CertificateFiles)


@pytest.mark.parametrize(
    ("life", "starts", "code"),
    [(timedelta(days=-1), timedelta(days=-90), "TLS-EXPIRED"), (timedelta(days=90), timedelta(days=1), "TLS-NOT-YET-VALID")],
)
def test_files_out_of_time(tmp_path: Path, life: timedelta, starts: timedelta, code: str) -> None:
    """A certificate that has ended, or has not begun, is refused."""
    assert codes(load(tmp_path, leaf(ROOT, HOST, life=life, starts=starts))) == [code]


def test_everything_wrong_with_files(tmp_path: Path) -> None:
    """Key, name, order, authority and date are reported together."""
    old = leaf(INTERMEDIATE, "old.example.com", life=timedelta(days=-3), starts=timedelta(days=-90))
    found = codes(load(tmp_path, old, ROOT, key=ROOT.key_pem(), ca=authority("another").pem))
    assert found == ["TLS-KEY-MISMATCH", "TLS-NAME-MISSING", "TLS-CHAIN-BROKEN", "TLS-EXPIRED", "TLS-CHAIN-BROKEN"]


@pytest.mark.parametrize("key", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "encrypted"])
def test_a_key_that_nobody_can_use(tmp_path: Path, key: str) -> None:
    """An encrypted key needs a person at each start, so it is refused like a damaged one, with the command that helps."""
    good = leaf(ROOT, HOST)
    (problem,) = answer = load(tmp_path, good, key=good.key_pem("passphrase") if key == "encrypted" else key)
    assert codes(answer) == ["TLS-KEY-UNUSABLE"]
    assert isinstance(problem, Problem)
    assert "openssl pkey" in problem.do[0]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Each file is reported, with the field that names it and its path."""
    answer = load_certificate_files(
        str(tmp_path / "a.pem"), str(tmp_path / "b.pem"), ca_path=str(tmp_path / "c.pem"), hosts=(HOST,), now=NOW
    )
    assert isinstance(answer, tuple)
    fields = ["deployment.ssl_cert_path", "deployment.ssl_key_path", "deployment.ssl_ca_path"]
    assert all(field in problem.what for field, problem in zip(fields, answer, strict=True))
    assert {problem.code for problem in answer} == {"TLS-FILE-UNREADABLE"}
    assert str(answer[0].where) == str(tmp_path / "a.pem")


def test_files_that_are_no_pem(tmp_path: Path) -> None:
    """Binary files and texts without a certificate have different problems."""
    binary = tmp_path / "der"
    binary.write_bytes(os.urandom(64) + b"\xff")
    text = write(tmp_path, "text", "no certificate")
    assert codes(load_certificate_files(str(binary), text, hosts=(HOST,), now=NOW)) == ["TLS-FILE-UNREADABLE", "TLS-KEY-UNUSABLE"]
    assert codes(load_certificate_files(text, str(binary), hosts=(HOST,), now=NOW)) == ["TLS-FILE-DAMAGED", "TLS-FILE-UNREADABLE"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_in_a_usual_folder(tmp_path: Path, folder: str) -> None:
    """With no path named, they are found where certbot and administrators put them; a named one is never replaced."""
    place = tmp_path / folder.format(domain=HOST).lstrip("/")
    place.mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        (place / name).touch()
    assert find_certificate_files(HOST, "", "", root=str(tmp_path)) == (f"{place}/fullchain.pem", f"{place}/privkey.pem")
    assert find_certificate_files(HOST, "own.pem", "", root=str(tmp_path)) == ("own.pem", "")


def test_files_in_no_folder(tmp_path: Path) -> None:
    """The first usual folder is named, so that the message about it says what is looked for."""
    assert find_certificate_files(HOST, "", "", root=str(tmp_path))[0].endswith(f"/etc/letsencrypt/live/{HOST}/fullchain.pem")
