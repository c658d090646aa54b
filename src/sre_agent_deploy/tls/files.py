"""Load the user's own certificate from PEM files, and check it before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sre_agent_deploy.tls import expiry
from sre_agent_deploy.tls.chain import Chain, Issued, find_faults, is_self_signed, issued_by
from sre_core.problem import Problem, Where
from sre_core.secret import Secret


@dataclass(frozen=True)
class CertificateFiles:
    """A chain and its key, as they were when the files were read."""

    certificate_path: str
    key_path: str
    chain: str
    private_key: Secret
    identity: str
    not_before: datetime
    not_after: datetime
    renews: bool

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        """Return the certificate of the files. `load_certificate_files` has checked that it is valid for the hosts."""
        return Issued(self.chain, self.private_key)

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Tell how to enter the certificate by hand."""
        return (f"key certificate, value: the text of {self.certificate_path}", f"key private_key, value: the text of {self.key_path}")


FOLDERS = ("/etc/letsencrypt/live/{domain}", "/opt/ssl/{domain}", "/opt/ssl")
"""Where certbot and administrators put a certificate; tried in this order when the configuration names no files."""


def find_certificate_files(domain: str, certificate_path: str, key_path: str, *, root: str = "") -> tuple[str, str]:
    """Return the files that the configuration names, else those in a usual folder; the first folder's where there are none."""
    if certificate_path or key_path or not domain:
        return certificate_path, key_path
    pairs = [(f"{folder}/fullchain.pem", f"{folder}/privkey.pem") for folder in (root + each.format(domain=domain) for each in FOLDERS)]
    return next((pair for pair in pairs if all(Path(file).exists() for file in pair)), pairs[0])


def name_certificate_files(certificate_path: str, key_path: str) -> CertificateFiles:
    """Name files that are not on this machine: enough for a guide, but nothing can be issued from them."""
    never = datetime.max.replace(tzinfo=UTC)
    return CertificateFiles(certificate_path, key_path, "", Secret(""), "", never, never, renews=True)


@dataclass(frozen=True)
class _Key:
    pem: Secret
    public_key: PublicKeyTypes


def load_certificate_files(
    certificate_path: str, key_path: str, *, ca_path: str = "", hosts: tuple[str, ...], now: datetime
) -> CertificateFiles | tuple[Problem, ...]:
    """Load the certificate of these files, or list everything that is wrong with them for `hosts` at `now`.

    `ca_path` names the certificate of a private authority: the chain must lead to it.
    A certificate that only expires soon is accepted; `expiry.judge_expiry` warns of it.
    """
    chain = load_chain(certificate_path, "deployment.ssl_cert_path")
    key = _key(key_path)
    authority = load_chain(ca_path, "deployment.ssl_ca_path") if ca_path else None
    found = [part for part in (chain, key, authority) if isinstance(part, Problem)]
    if isinstance(chain, Chain):
        public_key = key.public_key if isinstance(key, _Key) else None
        found += judge_chain(chain, public_key, authority if isinstance(authority, Chain) else None, hosts, now)
    if found or not isinstance(chain, Chain) or not isinstance(key, _Key):
        return tuple(found)
    served = chain.without_root()
    return CertificateFiles(
        certificate_path=certificate_path,
        key_path=key_path,
        chain=served.pem(),
        private_key=key.pem,
        identity=served.identity,
        not_before=served.not_before,
        not_after=served.not_after,
        renews=not expiry.needs_renewal(served.leaf.not_valid_before_utc, served.not_after, now),
    )


def load_chain(path: str, field: str) -> Chain | Problem:
    """Load the certificates in a PEM file that this field of the configuration names."""
    text = _read_text(path, field)
    if isinstance(text, Problem):
        return text
    try:
        return Chain.parse(text)
    except ValueError as error:
        return Problem(
            code="TLS-FILE-DAMAGED",
            what=f"{field} holds no certificate that can be read.",
            why=f"{error}",
            do=(f"Put a chain in PEM form there (-----BEGIN CERTIFICATE-----), or correct {field}.", "Run the same command again."),
            where=Where(path),
        )


def _key(path: str) -> _Key | Problem:
    text = _read_text(path, "deployment.ssl_key_path")
    if isinstance(text, Problem):
        return text
    try:
        return _Key(Secret(text), load_pem_private_key(text.encode(), password=None).public_key())
    except TypeError:
        return _unusable_key(path, "It is encrypted, and a service that starts on its own can't ask for the passphrase.")
    except ValueError:
        return _unusable_key(path, "It is no private key in PEM form, or a damaged one.")


def _read_text(path: str, field: str) -> str | Problem:
    try:
        return Path(path).expanduser().read_text(encoding="ascii")
    except UnicodeDecodeError:
        why = "It is not PEM text; perhaps it is DER or PKCS#12."
    except OSError as error:
        why = f"{error.strerror}."
    return Problem(
        code="TLS-FILE-UNREADABLE",
        what=f"The file that {field} names could not be read.",
        why=why,
        do=(f"Correct {field}, or let the user who runs this command read the file.", "Run the same command again."),
        where=Where(path),
    )


def _unusable_key(path: str, why: str) -> Problem:
    return Problem(
        code="TLS-KEY-UNUSABLE",
        what="The private key can't be used.",
        why=why,
        do=(
            "Write it as plain PEM: openssl pkey -in KEY -out plain.pem, and name that file in deployment.ssl_key_path.",
            "Run the same command again.",
        ),
        where=Where(path),
    )


def judge_chain(
    chain: Chain, public_key: PublicKeyTypes | None, authority: Chain | None, hosts: tuple[str, ...], now: datetime
) -> tuple[Problem, ...]:
    """List everything that keeps clients from trusting this chain for `hosts` at `now`. `authority` is a private one (pure)."""
    found = [*find_faults(chain, public_key, hosts), *_validity_problems(chain, now)]
    if authority and not _leads_to(chain, authority):
        found.append(_other_authority())
    if not authority and is_self_signed(chain.leaf):
        found.append(_self_signed(chain))
    return tuple(found)


def _validity_problems(chain: Chain, now: datetime) -> list[Problem]:
    subject = ", ".join(chain.names) or chain.leaf.subject.rfc4514_string()
    problem = expiry.judge_expiry(subject, chain.not_before, chain.not_after, now, "files")
    return [problem] if problem and problem.code != "TLS-EXPIRES-SOON" else []


def _leads_to(chain: Chain, authority: Chain) -> bool:
    last = chain.certificates[-1]
    return any(last == root or issued_by(last, root) for root in authority.certificates)


def _self_signed(chain: Chain) -> Problem:
    return Problem(
        code="TLS-SELF-SIGNED",
        what=f"The certificate {chain.leaf.subject.rfc4514_string()} is signed by itself.",
        why="No authority vouches for it, so neither browsers nor the AgentCore Gateway trust it.",
        do=(
            "Use a certificate of a public authority, or of your own authority with ssl_ca_path.",
            "For a trial with this one, name it itself in deployment.ssl_ca_path.",
        ),
    )


def _other_authority() -> Problem:
    return Problem(
        code="TLS-CHAIN-BROKEN",
        what="The certificate chain does not lead to the certificate authority in deployment.ssl_ca_path.",
        why="No certificate in that file signed the last one of the chain: an intermediate is missing, or the file has another authority.",
        do=("Append the missing intermediate to the chain, or name the authority that issued it.", "Run the same command again."),
    )
