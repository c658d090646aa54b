"""The authorization servers that AgentCore Identity knows by name; the endpoints are those that each vendor publishes.

https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/identity-idps.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from embedded_aws.agentcore.errors import Violation, invalid

_OPENID = "/.well-known/openid-configuration"
# Vendors with a member of their own in the configuration; all others are configured as `includedOauth2ProviderConfig`.
_MEMBERS = {
    "CustomOauth2": "customOauth2ProviderConfig",
    "GoogleOauth2": "googleOauth2ProviderConfig",
    "GithubOauth2": "githubOauth2ProviderConfig",
    "SlackOauth2": "slackOauth2ProviderConfig",
    "SalesforceOauth2": "salesforceOauth2ProviderConfig",
    "MicrosoftOauth2": "microsoftOauth2ProviderConfig",
    "AtlassianOauth2": "atlassianOauth2ProviderConfig",
    "LinkedinOauth2": "linkedinOauth2ProviderConfig",
}
_INCLUDED = "includedOauth2ProviderConfig"
_DISCOVERY_URLS = {
    "GoogleOauth2": f"https://accounts.google.com{_OPENID}",
    "SlackOauth2": f"https://slack.com{_OPENID}",
    "SalesforceOauth2": f"https://login.salesforce.com{_OPENID}",
    "LinkedinOauth2": f"https://www.linkedin.com/oauth{_OPENID}",
}
# Issuer, authorization endpoint, token endpoint.
_ENDPOINTS = {
    "GithubOauth2": ("https://github.com", "https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token"),
    "AtlassianOauth2": ("https://auth.atlassian.com", "https://auth.atlassian.com/authorize", "https://auth.atlassian.com/oauth/token"),
    "XOauth2": ("https://x.com", "https://x.com/i/oauth2/authorize", "https://api.x.com/2/oauth2/token"),
    "FacebookOauth2": (
        "https://www.facebook.com",
        "https://www.facebook.com/dialog/oauth",
        "https://graph.facebook.com/oauth/access_token",
    ),
    "YandexOauth2": ("https://oauth.yandex.com", "https://oauth.yandex.com/authorize", "https://oauth.yandex.com/token"),
    "RedditOauth2": ("https://www.reddit.com", "https://www.reddit.com/api/v1/authorize", "https://www.reddit.com/api/v1/access_token"),
    "ZoomOauth2": ("https://zoom.us", "https://zoom.us/oauth/authorize", "https://zoom.us/oauth/token"),
    "TwitchOauth2": ("https://id.twitch.tv/oauth2", "https://id.twitch.tv/oauth2/authorize", "https://id.twitch.tv/oauth2/token"),
    "SpotifyOauth2": ("https://accounts.spotify.com", "https://accounts.spotify.com/authorize", "https://accounts.spotify.com/api/token"),
    "DropboxOauth2": ("https://www.dropbox.com", "https://www.dropbox.com/oauth2/authorize", "https://api.dropboxapi.com/oauth2/token"),
    "NotionOauth2": ("https://api.notion.com", "https://api.notion.com/v1/oauth/authorize", "https://api.notion.com/v1/oauth/token"),
    "HubspotOauth2": ("https://app.hubspot.com", "https://app.hubspot.com/oauth/authorize", "https://api.hubapi.com/oauth/v1/token"),
}
_METADATA = ("issuer", "authorizationEndpoint", "tokenEndpoint")


def config_member(vendor: str) -> str:
    """Return the member of the configuration that a vendor takes."""
    return _MEMBERS.get(vendor, _INCLUDED)


def find_discovery(vendor: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where a vendor's authorization server is described. Raises ValidationException where the request must say it."""
    if vendor == "CustomOauth2":
        return _custom(config["oauthDiscovery"])
    if vendor == "MicrosoftOauth2":
        tenant = quote(config.get("tenantId", "common"), safe="")
        return {"discoveryUrl": f"https://login.microsoftonline.com/{tenant}/v2.0{_OPENID}"}
    if vendor in _DISCOVERY_URLS:
        return {"discoveryUrl": _DISCOVERY_URLS[vendor]}
    known = dict(zip(_METADATA, _ENDPOINTS.get(vendor, ()), strict=False))
    metadata = known | {name: config[name] for name in _METADATA if name in config}
    for name in _METADATA:
        # Servers of one customer, such as those of Okta or Cognito, have no address that is known beforehand.
        if name not in metadata:
            raise _wrong(f"oauth2ProviderConfigInput.{_INCLUDED}.{name}", f"{name} is required for the vendor {vendor}")
        _refuse_insecure(name, metadata[name])
    return {"authorizationServerMetadata": {**metadata, "responseTypes": ["code"]}}


def _custom(discovery: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, url in discovery.get("authorizationServerMetadata", discovery).items():
        if name in (*_METADATA, "discoveryUrl"):
            _refuse_insecure(name, url)
    return discovery


def _refuse_insecure(name: str, url: str) -> None:
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise _wrong(f"oauth2ProviderConfigInput.{name}", f"{name} must be an https URL")


def _wrong(member: str, message: str) -> Exception:
    return invalid(message, Violation(member, message))
