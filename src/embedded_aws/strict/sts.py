"""The identity of the caller, and roles that can be assumed."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch, replace


def identify_account_root() -> None:
    """Answer GetCallerIdentity with the account root for the key of this start; moto answers with a made-up user.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    from moto.iam.models import iam_backends
    from moto.sts.models import STSBackend

    @patch(STSBackend, "get_caller_identity")
    def get_caller_identity(original: Any, self: Any, access_key_id: str, region: str) -> Any:
        a_user = iam_backends[self.account_id][self.partition].get_user_from_access_key_id(access_key_id)
        if a_user or self.get_assumed_role_from_access_key(access_key_id):
            return original(self, access_key_id, region)
        return self.account_id, f"arn:{self.partition}:iam::{self.account_id}:root", self.account_id


def refuse_example_tokens() -> None:
    """Refuse GetSessionToken and GetFederationToken: moto returns the published example key of AWS, which must never sign here.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_getsessiontoken.html
    """
    from moto.sts.exceptions import STSClientError
    from moto.sts.responses import TokenResponse

    def refused(_self: Any) -> Any:
        raise STSClientError("AccessDenied", "Session credentials cannot be called with the root account here: use AssumeRole.")

    replace(TokenResponse, "get_session_token", refused)
    replace(TokenResponse, "get_federation_token", refused)


def require_existing_roles() -> None:
    """Refuse to assume a role that this account does not have; moto creates a session for any name.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    from moto.iam.models import iam_backends
    from moto.sts.exceptions import STSClientError
    from moto.sts.models import STSBackend

    @patch(STSBackend, "assume_role")
    def assume_role(original: Any, self: Any, region_name: str, role_session_name: str, role_arn: str, **more: Any) -> Any:
        if all(role.arn != role_arn for role in iam_backends[self.account_id][self.partition].get_roles()):
            raise STSClientError("AccessDenied", f"You are not authorized to perform: sts:AssumeRole on resource: {role_arn}")
        return original(self, region_name=region_name, role_session_name=role_session_name, role_arn=role_arn, **more)
