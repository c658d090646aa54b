"""Tags of user pools, by which alone a pool is found again."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import put


def complete() -> None:
    """TagResource, UntagResource and ListTagsForResource, which moto lacks; DescribeUserPool shows the same tags.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_TagResource.html
    """
    from moto.cognitoidp.responses import CognitoIdpResponse
    from moto.core.responses import ActionResult, EmptyResult

    def tag_resource(self: Any) -> Any:
        _tags(self).update(self._get_param("Tags"))
        return EmptyResult()

    def untag_resource(self: Any) -> Any:
        for key in self._get_param("TagKeys"):
            _tags(self).pop(key, None)
        return EmptyResult()

    def list_tags_for_resource(self: Any) -> Any:
        return ActionResult({"Tags": _tags(self)})

    for operation in (tag_resource, untag_resource, list_tags_for_resource):
        put(CognitoIdpResponse, operation.__name__, operation)


def _tags(response: Any) -> dict[str, str]:
    pool = response.backend.describe_user_pool(response._get_param("ResourceArn").rpartition("/")[2])
    tags: dict[str, str] = pool.extended_config.setdefault("UserPoolTags", {})
    return tags
