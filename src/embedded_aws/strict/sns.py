"""Amazon SNS: subscriptions that must be confirmed, and no message that leaves this machine."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch

_CONFIRMED_BY_PEOPLE = ("email", "email-json", "http", "https")
_PENDING = "PendingConfirmation"


def require_confirmation() -> None:
    """Show a subscription by e-mail or HTTP as pending until it is confirmed; moto shows it as confirmed at once.

    AWS sends a token there. The local AWS sends nothing anywhere; its token is the last part of the subscription's ARN, which
    Subscribe shows with ReturnSubscriptionArn.
    https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
    """
    from moto.core.responses import ActionResult
    from moto.sns.exceptions import SNSInvalidParameter
    from moto.sns.models import SNSBackend
    from moto.sns.responses import SNSResponse

    @patch(SNSBackend, "subscribe")
    def subscribe(original: Any, self: Any, topic_arn: str, endpoint: str, protocol: str) -> Any:
        known = {id(each) for each in self.subscriptions.values()}
        subscription = original(self, topic_arn, endpoint, protocol)
        if id(subscription) not in known:
            subscription.attributes[_PENDING] = protocol in _CONFIRMED_BY_PEOPLE
        return subscription

    @patch(SNSResponse, "subscribe")
    def answer_subscribe(original: Any, self: Any) -> Any:
        result = original(self)
        arn = result.result["SubscriptionArn"]
        pending = is_pending(self.backend.subscriptions[arn])
        whole = str(self._get_param("ReturnSubscriptionArn", "")).lower() == "true"
        return ActionResult({"SubscriptionArn": "pending confirmation" if pending and not whole else arn})

    @patch(SNSResponse, "list_subscriptions_by_topic")
    def list_subscriptions_by_topic(original: Any, self: Any) -> Any:
        result = original(self)
        shown = [_show(each) for each in result.result["Subscriptions"]]
        return ActionResult({**result.result, "Subscriptions": shown})

    @patch(SNSResponse, "confirm_subscription")
    def confirm_subscription(original: Any, self: Any) -> Any:
        topic, token = self._get_param("TopicArn"), self._get_param("Token")
        for arn, subscription in self.backend.subscriptions.items():
            if arn == f"{topic}:{token}":
                subscription.attributes[_PENDING] = False
                return ActionResult({"SubscriptionArn": arn})
        raise SNSInvalidParameter("Invalid parameter: Token")

    @patch(SNSBackend, "unsubscribe")
    def unsubscribe(original: Any, self: Any, subscription_arn: str) -> None:
        found = self.subscriptions.get(subscription_arn)
        if found is not None and is_pending(found):
            raise SNSInvalidParameter("Invalid parameter: This subscription has not been confirmed")
        original(self, subscription_arn)


def send_nothing_outside() -> None:
    """Deliver messages to queues and functions only: the local AWS would send to a real address from a developer's machine."""
    from moto.sns.models import Subscription

    @patch(Subscription, "publish")
    def publish(original: Any, self: Any, message: str, message_id: str, *args: Any, **kwargs: Any) -> None:
        if self.protocol in ("sqs", "lambda"):
            original(self, message, message_id, *args, **kwargs)


def is_pending(subscription: Any) -> bool:
    return bool(subscription.attributes.get(_PENDING))


def _show(subscription: Any) -> dict[str, str]:
    arn = _PENDING if is_pending(subscription) else subscription.arn
    return {
        "SubscriptionArn": arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }
