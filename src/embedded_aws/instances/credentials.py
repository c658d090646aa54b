"""Prepare what a service reads when it starts: credential files, and its environment."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded_aws.instances.progress import StepFailed
from embedded_aws.world import World
from sre_core import atomic_file
from sre_core.machine import STAGES, Machine, MachineService, SecretRef
from sre_core.secret import Secret


@dataclass(frozen=True)
class Credentials:
    """The paths of the files, and the values that no output may show."""

    folder: Path
    certificate_file: Path
    key_file: Path
    secrets: tuple[Secret, ...]

    def of(self, service: str) -> Path:
        """Return `$CREDENTIALS_DIRECTORY` of one service; it holds the credentials of that service only."""
        return self.folder / service


def write_credentials(world: World, machine: Machine, folder: Path) -> Credentials:
    """Write every credential that machine.json refers to. Raises StepFailed for the first secret that can't be used."""
    for service in machine.services:
        _private_folder(folder / service.name)
    secrets = keep_credentials(world, machine, folder)
    _private_folder(folder / "front-door")
    certificate_file, key_file = folder / "front-door/certificate.pem", folder / "front-door/key.pem"
    key = write_certificate(world, machine.front_door.certificate, certificate_file, key_file)
    return Credentials(folder, certificate_file, key_file, (*secrets, key))


def keep_credentials(world: World, machine: Machine, folder: Path) -> tuple[Secret, ...]:
    """Write the credentials that Secrets Manager has other values of than the files. Raises StepFailed where one can't be used."""
    found = {
        folder / service.name / name: _values(world, reference, f"the credential {name} of {service.name}")
        for service in machine.services
        for name, reference in service.credentials.items()
    }
    for file, values in found.items():
        text = Secret("\n".join(value.reveal() for value in values))
        if not file.exists() or Secret(file.read_text(encoding="utf-8")) != text:
            _write(file, text)
    return tuple(value for values in found.values() for value in values)


def write_certificate(world: World, reference: SecretRef, certificate_file: Path, key_file: Path) -> Secret:
    """Write the front door's certificate and its key, and return the key. Raises StepFailed where the secret can't be used."""
    certificate, key = _certificate(world, reference)
    _write(certificate_file, certificate)
    _write(key_file, key)
    return key


def _values(world: World, reference: SecretRef, purpose: str) -> tuple[Secret, ...]:
    """Return the value of a reference; of one that overlaps each value that counts now, the first to use first."""
    stages = world.secret_stages(reference.secret_arn)
    texts = [stages[stage] for stage in (STAGES if reference.overlaps else STAGES[:1]) if stage in stages]
    if not texts:
        raise StepFailed(f"The secret {reference.secret_arn} ({purpose}) does not exist or has no value.")
    return tuple(dict.fromkeys(_value(text, reference, purpose) for text in texts))


def _value(text: str, reference: SecretRef, purpose: str) -> Secret:
    if not reference.json_key:
        return Secret(text)
    value = _json_object(text, reference, purpose).get(reference.json_key)
    if not isinstance(value, str) or not value:
        raise StepFailed(f"The secret {reference.secret_arn} ({purpose}) has no text under the key {reference.json_key}.")
    return Secret(value)


def _certificate(world: World, reference: SecretRef) -> tuple[Secret, Secret]:
    purpose = "the certificate"
    document = _json_object(_values(world, SecretRef(reference.secret_arn), purpose)[0].reveal(), reference, purpose)
    certificate, key = document.get("certificate"), document.get("private_key")
    if not isinstance(certificate, str) or not isinstance(key, str):
        raise StepFailed(f"The secret {reference.secret_arn} ({purpose}) must have the keys certificate and private_key.")
    return Secret(certificate), Secret(key)


def _json_object(text: str, reference: SecretRef, purpose: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        # The text itself is not shown: it may be the secret.
        raise StepFailed(f"The secret {reference.secret_arn} ({purpose}) is not a JSON object.")
    return document


def _private_folder(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _write(file: Path, secret: Secret) -> None:
    atomic_file.write(file, secret.reveal().encode(), mode=0o600)


# Where Linux distributions and macOS keep the certificate authorities that the system trusts, as one file.
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def aws_environment(world: World, trusted: Path) -> dict[str, str]:
    """Return what the AWS clients of an instance need besides credentials: the local AWS as Bedrock and DynamoDB."""
    return {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": world.endpoint,
        "AWS_ENDPOINT_URL_DYNAMODB": world.endpoint,
        "AWS_CA_BUNDLE": str(trusted),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def role_environment(world: World, profile_arn: str, instance_id: str, trusted: Path) -> dict[str, str]:
    """Return what the AWS clients of an instance need, with the credentials of the instance's role.

    They last as long as the instance may: it has no metadata service that could renew them.
    """
    found, role = aws_environment(world, trusted), world.role_of_profile(profile_arn)
    if role is None:
        return found
    given = world.credentials_for_role(role, instance_id)
    return {
        **found,
        "AWS_ACCESS_KEY_ID": given.access_key_id,
        "AWS_SECRET_ACCESS_KEY": given.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": given.session_token.reveal(),
    }


def service_environment(
    service: MachineService, *, release: Path, credentials: Path, trusted: Path, home: Path, aws: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of one service; AWS variables, proxies and profiles of this computer are not in it."""
    state = home / "state" / service.name
    if service.keeps_state:
        _private_folder(state)
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        **({"STATE_DIRECTORY": str(state)} if service.keeps_state else {}),
        **aws,
        **service.environment,
        "PYTHONPATH": str(release),
        "CREDENTIALS_DIRECTORY": str(credentials),
        "SSL_CERT_FILE": str(trusted),
    }


def write_trusted(ca_file: Path, bundle: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the authorities that services trust: those of the system and of the local AWS."""
    candidates = (environment.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES)
    system = next((Path(name) for name in candidates if name and Path(name).is_file()), None)
    parts = [source.read_text(encoding="utf-8").rstrip() for source in (system, ca_file) if source]
    bundle.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return bundle
