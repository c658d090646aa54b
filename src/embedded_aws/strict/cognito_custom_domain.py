"""Custom domains of Amazon Cognito: their certificate, their parent's address, and the time until CloudFront serves them."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

from embedded_aws.pace import PACE
from embedded_aws.strict.patching import patch
from sre_core import clock

_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?){2,}")


def validate_custom_domains() -> None:
    """Require a name below a domain, a certificate of us-east-1 that is issued for it, a parent with an address, and one for each pool.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html
    The parent's address is looked up in the hosted zone of this AWS that contains it; of a parent outside of all, nothing is known here.
    """
    from moto.cognitoidp.exceptions import InvalidParameterException
    from moto.cognitoidp.models import CognitoIdpBackend

    @patch(CognitoIdpBackend, "create_user_pool_domain")
    def create_user_pool_domain(original: Any, self: Any, user_pool_id: str, domain: str, custom_domain_config: Any = None) -> Any:
        certificate = (custom_domain_config or {}).get("CertificateArn", "")
        if custom_domain_config and (fault := _find_fault(self, user_pool_id, domain, certificate)):
            raise InvalidParameterException(fault)
        made = original(self, user_pool_id, domain, custom_domain_config)
        made.since, made.becoming = clock.now(), "CREATING"
        return made

    @patch(CognitoIdpBackend, "update_user_pool_domain")
    def update_user_pool_domain(original: Any, self: Any, domain: str, custom_domain_config: Any) -> Any:
        certificate = (custom_domain_config or {}).get("CertificateArn", "")
        if fault := _find_certificate_fault(self.account_id, domain, certificate):
            raise InvalidParameterException(fault)
        changed = original(self, domain, custom_domain_config)
        changed.since, changed.becoming = clock.now(), "UPDATING"
        return changed


def show_custom_domain_status() -> None:
    """Show the status, the certificate, and a distribution that does not change with the certificate; moto shows none of them.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DomainDescriptionType.html
    """
    from moto.cognitoidp.models import CognitoIdpUserPoolDomain

    @patch(CognitoIdpUserPoolDomain, "_distribution_name")
    def _distribution_name(original: Any, self: Any) -> Any:
        if not self.custom_domain_config:
            return original(self)
        return f"d{hashlib.sha256(self.domain.encode()).hexdigest()[:13]}.cloudfront.net"

    @patch(CognitoIdpUserPoolDomain, "to_json")
    def to_json(original: Any, self: Any, extended: bool = True) -> Any:
        shown = original(self, extended)
        if extended and self.custom_domain_config:
            shown |= {"Status": status_of(self), "CustomDomainConfig": self.custom_domain_config}
        return shown


def status_of(domain: Any) -> str:
    """Return the status of a domain."""
    changing = domain.custom_domain_config and clock.now() - domain.since < timedelta(seconds=PACE.custom_domain)
    return str(domain.becoming) if changing else "ACTIVE"


def _find_fault(backend: Any, pool_id: str, domain: str, certificate: str) -> str:
    if not _NAME.fullmatch(domain):
        return f"Custom domain is not a valid subdomain: {domain}"
    parent = domain.partition(".")[2]
    if not _resolves(backend.account_id, parent):
        return (
            "Custom domain is not a valid subdomain: Was not able to resolve a root domain, please ensure an A record exists for the root "
            f"domain ({parent})."
        )
    if any(each.user_pool_id == pool_id and each.custom_domain_config for each in backend.user_pool_domains.values()):
        return "User pool already has a custom domain configured."
    return _find_certificate_fault(backend.account_id, domain, certificate)


def _find_certificate_fault(account_id: str, domain: str, certificate: str) -> str:
    from moto.acm.models import acm_backends

    found = acm_backends[account_id]["us-east-1"]._certificates.get(certificate)
    if found:
        found.check()  # moto issues what was requested when it is looked at
    names = {found.common_name, *found.sans} if found else set()
    if not found or found.status != "ISSUED" or not names & {domain, f"*.{domain.partition('.')[2]}"}:
        return (
            "Invalid request provided: The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or "
            f"doesn't include the custom domain {domain}."
        )
    return ""


def _resolves(account_id: str, name: str) -> bool:
    from moto.route53.models import route53_backends

    zones = [zone for zone in route53_backends[account_id]["aws"].zones.values() if f".{name}.".endswith(f".{zone.name.rstrip('.')}.")]
    if not zones:
        return True
    nearest = max(zones, key=lambda zone: len(zone.name))
    return any(record.name.rstrip(".") == name and record.type == "A" for record in nearest.rrsets)
