"""The identity of the caller, and roles that can be assumed."""

from __future__ import annotations

from typing import Any

from embedded_aws import iam_state, policy
from embedded_aws.policy import AccessRequest, Verdict
from embedded_aws.strict.patching import patch, replace
from embedded_aws.strict.s3 import CALLER_ARN


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
    from moto.sts.exceptions import STSClientError
    from moto.sts.models import STSBackend

    @patch(STSBackend, "assume_role")
    def assume_role(original: Any, self: Any, region_name: str, role_session_name: str, role_arn: str, **more: Any) -> Any:
        if not iam_state.role_exists(self.account_id, role_arn):
            raise STSClientError("AccessDenied", f"You are not authorized to perform: sts:AssumeRole on resource: {role_arn}")
        return original(self, region_name=region_name, role_session_name=role_session_name, role_arn=role_arn, **more)


def require_trusting_roles() -> None:
    """Refuse to give a caller the session of a role that does not trust it.

    The account root may assume each role: here it is the person who tries things out. Services assume theirs in other ways.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    from moto.sts.exceptions import STSClientError
    from moto.sts.responses import TokenResponse

    @patch(TokenResponse, "assume_role")
    def assume_role(original: Any, self: Any) -> Any:
        role_arn, caller = self._get_param("RoleArn"), CALLER_ARN.get()
        trust = iam_state.trust_policy(self.current_account, role_arn)
        if trust is not None and not _trusts(trust, self.current_account, caller, self._get_param("ExternalId")):
            message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise STSClientError("AccessDenied", message)
        return original(self)


def _trusts(trust: iam_state.Policy, account_id: str, caller: str, external_id: str | None) -> bool:
    """Say if a trust policy lets a caller assume the role."""
    if caller.endswith(":root"):
        return True
    keys = {"aws:principalarn": iam_state.principal_arn(account_id, caller), "aws:principalaccount": account_id}
    keys |= {"sts:externalid": external_id} if external_id else {}
    return policy.evaluate(trust, AccessRequest(caller, "sts:AssumeRole", "", keys)) is Verdict.ALLOWED
