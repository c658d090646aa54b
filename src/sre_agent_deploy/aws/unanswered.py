"""The Problems of botocore's own exceptions: there are no credentials, no answer came, or the call is invalid."""

from __future__ import annotations

from sre_core.problem import Problem


def no_answers() -> tuple[type[Exception], ...]:
    """List botocore's exceptions for no answer, an incomplete one, or one that is not AWS's (a proxy's page)."""
    from botocore.exceptions import ChecksumError, ConnectionError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
    from botocore.parsers import ResponseParserError

    return (HTTPClientError, ConnectionError, ResponseParserError, IncompleteReadError, ChecksumError, FlexibleChecksumError)


def _no_credentials_found() -> tuple[type[Exception], ...]:
    """List botocore's exceptions for credentials that it can't find, renew or read."""
    from botocore import exceptions

    return (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.UnknownCredentialError,
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
        exceptions.RefreshWithMFAUnsupportedError,
        exceptions.NoAuthTokenError,
        exceptions.TokenRetrievalError,
        exceptions.UnknownTokenProviderError,
        exceptions.SSOError,
        exceptions.LoginError,
        exceptions.ProfileNotFound,
        exceptions.ConfigNotFound,
        exceptions.ConfigParseError,
        exceptions.InvalidConfigError,
        # Some ways to sign in need another library; the message names it.
        exceptions.MissingDependencyException,
    )


def unanswered(error: Exception) -> Problem:
    """Build the Problem of an exception of botocore, with its message."""
    if isinstance(error, _no_credentials_found()):
        return no_credentials(str(error))
    return _unreachable(error) if isinstance(error, no_answers()) else _invalid(error)


def no_credentials(detail: str) -> Problem:
    """AWS does not accept the credentials, or there are none."""
    return Problem(
        code="AWS-CREDENTIALS",
        what=f"There are no valid AWS credentials. {detail}",
        why="The environment, the profile or the instance role gave none, or they have expired.",
        do=(
            "Run `aws sts get-caller-identity` and sign in until it answers (for example `aws sso login`).",
            "If it answers, see whether the region is enabled for this account: AWS Account > AWS Regions.",
            "With several profiles, name one: `export AWS_PROFILE=NAME`. Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )


def _unreachable(error: Exception) -> Problem:
    return _local_aws_down(error) if "//127.0.0.1:" in _endpoint(error) else _amazon_unreachable(error)


def _endpoint(error: Exception) -> str:
    """Return the endpoint that botocore called; it keeps the values of its messages as `kwargs`."""
    return str(getattr(error, "kwargs", {}).get("endpoint_url", ""))


def _local_aws_down(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"The local AWS does not answer: {error}",
        why="It was stopped or killed, or this machine has no memory left for it.",
        do=(
            "See whether it runs: `sre-agent-deploy status`; free memory: `free -h`.",
            "Run the same command again: local mode starts a new local AWS where none runs. It is empty, so everything is created again.",
        ),
    )


def _amazon_unreachable(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"AWS could not be reached: {error}",
        why="The name did not resolve, the connection was refused or cut, or TLS failed on the way.",
        do=(
            "Check the network: DNS, proxy (HTTPS_PROXY) and firewall must let this machine reach the endpoint above on 443.",
            "Check the spelling of aws.region.",
            "Then run the same command again: it continues where it stopped.",
        ),
    )


def _invalid(error: Exception) -> Problem:
    return Problem(
        code="AWS-CALL-INVALID",
        what=f"A call to AWS could not be made: {error}",
        why=f"botocore refused it before sending ({type(error).__name__}).",
        do=(
            "Correct the value in the configuration that the message names. Check it: `sre-agent-deploy validate`.",
            "If the values are right, update the libraries: `pip install --upgrade boto3 botocore`.",
            "If it fails again, report this as a fault of sre-agent-deploy, with the whole message.",
        ),
    )
