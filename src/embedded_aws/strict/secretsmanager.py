"""Names in Secrets Manager."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch


def keep_names_during_recovery() -> None:
    """Keep the name of a secret that is scheduled for deletion in use until its recovery window ends.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
    """
    from moto.secretsmanager.exceptions import InvalidRequestException
    from moto.secretsmanager.models import SecretsManagerBackend

    @patch(SecretsManagerBackend, "create_secret")
    def create_secret(original: Any, self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        taken = self.secrets.get(name)
        if taken and taken.is_deleted():
            raise InvalidRequestException("You can't create this secret because a secret with this name is already scheduled for deletion.")
        return original(self, name, *args, **kwargs)
