"""Order the front door's certificate from an ACME authority, and renew it. It runs on the machine, without root.

It runs when the certificate's secret changes, and from a timer, and makes one attempt at most: authorities limit failed ones.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from requests.adapters import HTTPAdapter

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.steps import BootReport, StepFailed
from sre_agent_deploy.tls import acme, expiry
from sre_agent_deploy.tls.acme import AcmeSettings
from sre_agent_deploy.tls.chain import Chain
from sre_core import clock, log, private_ca
from sre_core.machine import Machine
from sre_core.secret import Secret

_LONGEST = timedelta(minutes=5)
_KINDS: Mapping[str, type[challenges.KeyAuthorizationChallenge]] = {"http-01": challenges.HTTP01, "dns-01": challenges.DNS01}

type Parts = dict[str, Secret]


def keep_ordered(aws: MachineAws, arn: str, layout: Layout, report: BootReport, instance_id: str) -> bool:
    """Order the certificate that the secret asks for, or renew it; True if another one is stored now.

    Raises StepFailed, after it was reported, with the authority's problem document as its output.
    """
    stored, now = _read_parts(aws, arn), clock.now()
    settings = acme.read_settings(stored)
    if settings is None:
        return False
    account = Account(settings, _account_key(stored), layout)
    if not _is_due(stored, account, instance_id, now):
        return False
    with report.step(acme.REPORT):
        ordered = account.order(tuple(stored["hosts"].reveal().split()), aws)
        # Read again: the deployer may have changed something else meanwhile.
        parts = {key: text.reveal() for key, text in {**_read_parts(aws, arn), **ordered}.items()}
        aws.write_secret(arn, json.dumps(parts))
    return True


def _is_due(stored: Parts, account: Account, instance_id: str, now: datetime) -> bool:
    """Decide on an order. A first one waits until the deployer asks: before that, the authority can't reach this machine by its name."""
    if because := acme.explain_due(stored, now):
        log.get().warning("certificate.order_due", because=because, asked=acme.asks(stored, instance_id))
        return acme.asks(stored, instance_id)
    return account.is_renewal_due(stored["certificate"].reveal(), now)


class Account:
    """An account at an ACME authority, which is created at its first use."""

    def __init__(self, settings: AcmeSettings, key: ec.EllipticCurvePrivateKey, layout: Layout) -> None:
        self._settings, self._layout = settings, layout
        self._private_key, self._key = key, JWKEC(key=key)

    def is_renewal_due(self, pem: str, now: datetime) -> bool:
        """Say if the authority suggests a renewal by now (RFC 9773); where it suggests nothing, if a third of the lifetime is left."""
        chain = Chain.parse(pem)
        fallback = expiry.needs_renewal(chain.leaf.not_valid_before_utc, chain.not_after, now)
        try:
            with _explaining(self._settings):
                suggested, _ = self._open().renewal_time(private_ca.pem(chain.leaf).encode())
        except (errors.ARIError, StepFailed) as silent:
            log.get().warning("certificate.no_renewal_info", because=str(silent))
            return fallback
        return suggested <= now if suggested else fallback

    def order(self, hosts: tuple[str, ...], aws: MachineAws) -> Parts:
        """Order a certificate for a new key, and return what is to be stored. Raises StepFailed with the authority's text."""
        key = private_ca.new_key()
        with _explaining(self._settings):
            authority = self._open()
            self._register(authority)
            order = authority.new_order(_request(hosts, key))
            for authorization in order.authorizations:
                if authorization.body.status != messages.STATUS_VALID:
                    self._prove(authority, order, authorization, aws)
            # The library compares this with the local time.
            finished = authority.finalize_order(order, datetime.now() + _LONGEST)
        return {
            "certificate": Secret(finished.fullchain_pem),
            "private_key": Secret(private_ca.key_pem(key)),
            acme.ACCOUNT_KEY: Secret(private_ca.key_pem(self._private_key)),
            acme.ORDERED_FROM: Secret(self._settings.directory),
        }

    def _open(self) -> client.ClientV2:
        net = client.ClientNetwork(self._key, alg=ES256, user_agent="sre-agent", timeout=30)
        if self._settings.directory_ca:
            net.session.mount("https://", _Trusting(self._settings.directory_ca))
        return client.ClientV2(client.ClientV2.get_directory(self._settings.directory, net), net)

    def _register(self, authority: client.ClientV2) -> None:
        wanted = messages.NewRegistration.from_data(email=self._settings.email or None, terms_of_service_agreed=True)
        try:
            authority.new_account(wanted)
        except errors.ConflictError as known:
            # The key has an account already; its address may have changed.
            account = messages.RegistrationResource(body=messages.Registration(contact=wanted.contact), uri=known.location)
            authority.net.account = account
            authority.update_registration(account)

    def _prove(
        self, authority: client.ClientV2, order: messages.OrderResource, authorization: messages.AuthorizationResource, aws: MachineAws
    ) -> None:
        """Answer the challenge for one host, and wait until the authority has seen the answer."""
        kind, host = _KINDS[self._settings.challenge], authorization.body.identifier.value
        offered = next((each for each in authorization.body.challenges if isinstance(each.chall, kind)), None)
        if offered is None:
            raise StepFailed(f"{self._settings.directory} does not accept {self._settings.challenge} for {host}.")
        response, validation = offered.response_and_validation(self._key)
        with self._publish(host, offered.chall, validation, aws):
            authority.answer_challenge(offered, response)
            authority.poll_authorizations(order, datetime.now() + _LONGEST)

    @contextmanager
    def _publish(self, host: str, chall: Any, validation: str, aws: MachineAws) -> Iterator[None]:
        """Publish the proof for as long as the authority looks: by the front door on port 80, or as a TXT record."""
        zone, record = self._settings.hosted_zone_id, acme.challenge_record(host)
        file = self._layout.challenges / str(chall.encode("token"))
        if self._settings.challenge == "dns-01":
            publish, remove = (partial(aws.change_txt_record, action, zone, record, validation) for action in ("UPSERT", "DELETE"))
        else:
            publish, remove = partial(_write_readable, file, validation), partial(file.unlink, missing_ok=True)
        publish()
        try:
            yield
        finally:
            remove()


def _write_readable(file: Path, text: str) -> None:
    """Write a file that the front door can read: nginx is in the group of this folder."""
    file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")
    file.chmod(0o640)


class _Trusting(HTTPAdapter):
    """Trusts a private authority besides the public ones."""

    def __init__(self, pem: str) -> None:
        self._context = ssl.create_default_context(cadata=pem)
        super().__init__()

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, ssl_context=self._context, **named)


def _request(hosts: tuple[str, ...], key: ec.EllipticCurvePrivateKey) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    # Without a common name: authorities take the names from the extension, and one has at most 64 characters.
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _account_key(stored: Parts) -> ec.EllipticCurvePrivateKey:
    """Return the key of the account that the secret has; a new one where there is none."""
    if acme.ACCOUNT_KEY not in stored:
        return private_ca.new_key()
    key = load_pem_private_key(stored[acme.ACCOUNT_KEY].reveal().encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StepFailed(f"The secret's {acme.ACCOUNT_KEY} is not the key that this machine has made.")
    return key


def _read_parts(aws: MachineAws, arn: str) -> Parts:
    try:
        return {key: Secret(str(value)) for key, value in json.loads(aws.read_secret(arn)).items()}
    except (ValueError, AttributeError) as unusable:
        raise StepFailed("The secret of the certificate is not a JSON object.") from unusable


@contextmanager
def _explaining(settings: AcmeSettings) -> Iterator[None]:
    """Raise StepFailed with the authority's own text, as the list of its problem documents."""
    where = settings.directory
    try:
        yield
    except errors.ValidationError as failed:
        found = [each.error for authorization in failed.failed_authzrs for each in authorization.body.challenges if each.error]
        raise _refused(where, *found) from failed
    except errors.IssuanceError as failed:
        raise _refused(where, failed.error) from failed
    except messages.Error as failed:
        raise _refused(where, failed) from failed
    except requests.RequestException as failed:
        raise StepFailed(f"{where} could not be reached.", _document("unreachable", str(failed))) from failed
    except errors.TimeoutError as failed:
        raise StepFailed(f"{where} did not decide in time.", _document("slow", f"no answer within {_LONGEST}")) from failed
    except (errors.Error, JoseError) as failed:
        if isinstance(failed, errors.ARIError):
            raise
        raise StepFailed(f"{where} did not answer as ACME says.", _document("unusual", str(failed))) from failed


def _refused(where: str, *problems: messages.Error) -> StepFailed:
    words = "; ".join(f"{each.detail or each.description}" for each in problems)
    return StepFailed(f"{where} refused the order: {words}", json.dumps([each.to_json() for each in problems]))


def _document(kind: str, detail: str) -> str:
    return json.dumps([{"type": kind, "detail": detail}])


def main(machine_file: str, release: str, instance_id: str, run_folder: str = "") -> int:
    """Order or renew once; 1 if that failed. `run_folder` is for machines that are not laid out as usual."""
    # It is no root, so systemd passes it the file; an absolute path is read as it is.
    file = Path(os.environ.get("CREDENTIALS_DIRECTORY", ""), machine_file)
    machine = Machine.parse(file.read_text(encoding="utf-8"))
    layout = Layout(Path(release), run=Path(run_folder)) if run_folder else Layout(Path(release))
    aws = MachineAws(machine.region)
    report = BootReport(aws, f"{machine.status_uri}{instance_id}/")
    try:
        if keep_ordered(aws, machine.front_door.certificate.secret_arn, layout, report, instance_id):
            log.get().warning("certificate.ordered", domain=machine.front_door.domain)
    except StepFailed as failed:
        log.get().error("certificate.not_ordered", because=failed.what, output=failed.output)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
