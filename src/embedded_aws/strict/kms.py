"""AWS KMS: https://docs.aws.amazon.com/kms/latest/APIReference/."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch

_BY_ID_ALONE = ("disable_key", "enable_key", "cancel_key_deletion", "schedule_key_deletion", "update_key_description")


def accept_arns_of_keys() -> None:
    """Accept a key's ARN wherever AWS does; moto finds the keys of these operations by their ids alone, and fails."""
    from moto.kms.models import KmsBackend

    for name in _BY_ID_ALONE:

        @patch(KmsBackend, name)
        def with_id(original: Any, self: Any, key_id: str, *args: Any, **kwargs: Any) -> Any:
            return original(self, self.get_key_id(key_id), *args, **kwargs)


def spare_key_pairs() -> None:
    """Give a symmetric key, which uses none, a pair that is made at once: moto makes an RSA pair for each, such as EC2's for volumes."""
    from moto.kms import models

    @patch(models, "generate_private_key")
    def generate_private_key(original: Any, key_spec: str) -> Any:
        return original("ECC_NIST_P256" if key_spec == "SYMMETRIC_DEFAULT" else key_spec)
