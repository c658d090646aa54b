"""What botocore raises where AWS has refused nothing: nobody is signed in, no answer came, or the call makes no sense."""

from __future__ import annotations

from sre_core.problem import Problem


def no_answers() -> tuple[type[Exception], ...]:
    """What botocore raises where no answer came, or none that is AWS's (a proxy's page, say), or not all of it."""
    from botocore.exceptions import ChecksumError, ConnectionError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
    from botocore.parsers import ResponseParserError

    return (HTTPClientError, ConnectionError, ResponseParserError, IncompleteReadError, ChecksumError, FlexibleChecksumError)


def _nobody_signed_in() -> tuple[type[Exception], ...]:
    """What botocore raises where it finds no credentials, can't renew them, or can't read where they should be."""
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
        # Some ways to sign in need a library more; the words say which.
        exceptions.MissingDependencyException,
    )


def unanswered(error: Exception) -> Problem:
    """The Problem of what botocore raised, with its words."""
    if isinstance(error, _nobody_signed_in()):
        return no_credentials(str(error))
    return _unreachable(error) if isinstance(error, no_answers()) else _invalid(error)


def no_credentials(detail: str) -> Problem:
    """AWS does not accept who we say we are."""
    return Problem(
        code="AWS-CREDENTIALS",
        what=f"There are no valid AWS credentials. {detail}",
        why="The environment, the profile or the instance role gave none, or they have expired.",
        do=(
            "Run `aws sts get-caller-identity` and sign in until it answers (for example `aws sso login`).",
            "If it answers, see under AWS Account > AWS Regions whether this account has the region switched on.",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )


def _unreachable(error: Exception) -> Problem:
    return _silent(error) if "//127.0.0.1:" in _endpoint(error) else _out_of_reach(error)


def _endpoint(error: Exception) -> str:
    """Where botocore wanted to go; it keeps the values of its messages as `kwargs`."""
    return str(getattr(error, "kwargs", {}).get("endpoint_url", ""))


def _silent(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"The AWS of this machine does not answer: {error}",
        why="It was stopped or killed, or the machine has no memory left for it.",
        do=(
            "Run the same command again: where it does not run any more, local mode starts another.",
            "What was in one that is gone is gone with it; the new one is empty, and everything is made again.",
        ),
    )


def _out_of_reach(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"AWS could not be reached: {error}",
        why="The name did not resolve, the connection was refused or cut, or TLS failed on the way.",
        do=(
            "Check the network: DNS, proxy (HTTPS_PROXY) and firewall must let this machine reach the endpoint above on 443.",
            "Check that aws.region is spelled right.",
            "Run the same command again; it continues where it stopped.",
        ),
    )


def _invalid(error: Exception) -> Problem:
    return Problem(
        code="AWS-CALL-INVALID",
        what=f"A call to AWS could not be made: {error}",
        why=f"botocore refused it before sending ({type(error).__name__}).",
        do=("Check the values in the configuration that the message names.", "If they are right, report this as a fault of this tool."),
    )
