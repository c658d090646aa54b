"""Names, versions and errors of Secrets Manager."""

from __future__ import annotations

import json
import time
from typing import Any

from embedded_aws.strict.patching import patch, replace


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


def move_current_version() -> None:
    """Let UpdateSecretVersionStage make another version the current one for later calls too, and count as a change.

    moto then keeps two current ones.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
    """
    from moto.secretsmanager.models import SecretsManagerBackend

    @patch(SecretsManagerBackend, "update_secret_version_stage")
    def update_secret_version_stage(original: Any, self: Any, secret_id: str, version_stage: str, *args: Any, **moves: Any) -> Any:
        answer = original(self, secret_id, version_stage, *args, **moves)
        self.secrets[secret_id].last_changed_date = time.time()
        if version_stage == "AWSCURRENT" and moves.get("move_to_version_id"):
            self.secrets[secret_id].default_version_id = moves["move_to_version_id"]
        return answer


def list_labelled_versions() -> None:
    """List the versions without a staging label only on request, and refuse an absent secret; moto lists all, and fails.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
    """
    from moto.secretsmanager.responses import SecretsManagerResponse

    @patch(SecretsManagerResponse, "list_secret_version_ids")
    def list_secret_version_ids(original: Any, self: Any) -> str:
        secret = self.backend.describe_secret(self._get_param("SecretId", if_none=""))
        listed = json.loads(original(self))
        with_all = self._get_param("IncludeDeprecated", if_none=False)
        versions = [version for version in listed["Versions"] if version["VersionStages"] or with_all]
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": versions})


def answer_absence_with_400() -> None:
    """Answer with HTTP status 400 for a secret that does not exist, as the JSON protocol does; moto answers with 404."""
    from moto.secretsmanager import models
    from moto.secretsmanager.exceptions import (
        ResourceNotFoundException,
        SecretHasNoValueException,
        SecretNotFoundException,
        SecretStageVersionMismatchException,
    )

    class NoSuchVersion(ResourceNotFoundException):
        def __init__(self, message: str) -> None:
            super().__init__(message)
            self.code = 400

    class OtherStage(SecretStageVersionMismatchException):
        def __init__(self) -> None:
            super().__init__()
            self.code = 400

    class NotFound(SecretNotFoundException):
        def __init__(self) -> None:
            super().__init__()
            self.code = 400

    class NoValue(SecretHasNoValueException):
        def __init__(self, version_stage: str) -> None:
            super().__init__(version_stage)
            self.code = 400

    replace(models, "ResourceNotFoundException", NoSuchVersion)
    replace(models, "SecretStageVersionMismatchException", OtherStage)
    replace(models, "SecretNotFoundException", NotFound)
    replace(models, "SecretHasNoValueException", NoValue)
