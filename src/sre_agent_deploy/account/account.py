"""START HERE: open the AWS of a deployment, and gather what its blueprint needs: what AWS has, and what is built here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sre_agent_deploy.account import AccountFacts, deployment_id, local, network, other_account
from sre_agent_deploy.account.network import Network
from sre_agent_deploy.account.source_secrets import name_source_secrets, read_source_secrets
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.aws.attempt import ask_or_refuse, or_none
from sre_agent_deploy.config.aws import endpoint_faults
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.deployment_tags import taggable
from sre_agent_deploy.instance.interpreter import BUILD, PYTHON
from sre_agent_deploy.instance.interpreter import LOCK as UV_LOCK
from sre_agent_deploy.instance.release_archive import REQUIREMENTS as LOCK
from sre_agent_deploy.instance.release_archive import Archive, build_archive, build_package, find_bundled, find_foreign_binaries
from sre_agent_deploy.later import ACCOUNT, PARTITION, Ref, encode_ref
from sre_agent_deploy.names import has_custom_domain
from sre_agent_deploy.progress import Progress
from sre_agent_deploy.resources.ec2_calls import latest_image
from sre_agent_deploy.tls import acme, files, local_ca
from sre_agent_deploy.tls.acme import AcmeSettings, AcmeSource
from sre_agent_deploy.tls.chain import CertificateSource
from sre_core import clock, release
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class Account:
    """An AWS account and region that can be called. `registry` is set for the local AWS."""

    aws: Aws
    registry: local.Registry | None = None

    def origin(self) -> dict[str, str]:
        """Describe this AWS for the state file, so that another one is noticed; empty values for Amazon's AWS.

        Of the local AWS also the registry file, by which a command with another HOME finds it.
        """
        endpoint = self.aws.endpoint.url if self.aws.endpoint else ""
        found = {"endpoint": endpoint, "start_id": self.registry.start_id if self.registry else ""}
        return found | ({"registry": str(self.registry.path.absolute())} if self.registry else {})

    def ca_files(self) -> tuple[str, ...]:
        """List the certificate authority of an AWS that is not Amazon's."""
        return (self.aws.endpoint.ca_file,) if self.aws.endpoint and self.aws.endpoint.ca_file else ()


def open_local_account(config: Config, *, start: bool) -> Account | Problem | None:
    """Open the local AWS. `start` starts it; otherwise None is returned when it does not run."""
    local.scrub_environment()
    hold = local.hold_local_aws()
    registry = local.start_local_aws(config.aws.region) if start else local.find_running()
    if registry is None or isinstance(registry, Problem):
        hold.close()
        return registry
    return Account(registry.aws(config.aws.region).with_progress(_limits(config)), replace(registry, hold=hold))


def open_production_account(config: Config, environ: Mapping[str, str] = os.environ) -> Account:
    """Open Amazon's AWS, or the endpoint that the configuration or AWS_ENDPOINT_URL names. Raises Refused for a bad URL."""
    url = config.aws.endpoint_url or environ.get("AWS_ENDPOINT_URL", "")
    # The configuration's URL was checked when it was read.
    for fault in endpoint_faults(url):
        raise Refused(Problem(code="CONFIG-ENDPOINT", what="AWS_ENDPOINT_URL can't be used.", why=fault.why, do=fault.do))
    endpoint = Endpoint(url, environ.get("AWS_CA_BUNDLE", "")) if url else None
    return Account(Aws(region=config.aws.region, endpoint=endpoint, progress=_limits(config)))


def _limits(config: Config) -> Progress:
    return Progress(config.retries.limits())


def look_up_account(config: Config, account: Account, image_in_use: str = "") -> AccountFacts:
    """Look up what the blueprint needs: the account, its network, an image, a certificate, and the release to run.

    Raises Refused with everything that prevents it.
    """
    return ask_or_refuse(account.aws, lambda: _look_up(config, account, image_in_use))


def _look_up(config: Config, account: Account, image_in_use: str) -> AccountFacts:
    aws = account.aws
    if config.aws.account_id and aws.account_id != config.aws.account_id:
        raise Refused(other_account(aws.account_id, config.aws.account_id))
    network_found = _find_network(aws, config)
    archive = build_release(config)
    package = build_runtime_package(config)
    certificate, private_ca = _certificate_source(config)
    return AccountFacts(
        account_id=aws.account_id,
        region=aws.region,
        partition=aws.partition,
        vpc_id=network_found.vpc_id,
        vpc_cidr=network_found.vpc_cidr,
        subnet_id=network_found.subnet_id,
        image_id=config.deployment.ami_id or image_in_use or latest_image(aws, config.deployment.operating_system),
        release=archive.bytes,
        release_sha256=archive.sha256,
        openapi={service.name: release.read_openapi(service) for service in release.backends()},
        certificate=certificate,
        private_ca=private_ca,
        source_secrets=read_source_secrets(config, aws),
        package=package.bytes,
        package_sha256=package.sha256,
        zone_name=_find_zone_name(aws, config),
        https_suffix="" if network_found.https_port == "443" else f":{network_found.https_port}",
        zones=network_found.zones,
        zone=_choose_zone(aws, config) or next(iter(network_found.zones), ""),
    )


def _find_zone_name(aws: Aws, config: Config) -> str:
    """Read the name of the hosted zone where a record of the authentication domain may be for us to make."""
    zone = config.deployment.hosted_zone_id
    if not zone or not has_custom_domain(config):
        return ""
    answer = or_none(lambda: aws.client("route53").get_hosted_zone(Id=zone), ("NoSuchHostedZone", "InvalidInput"))
    return answer["HostedZone"]["Name"].rstrip(".") if answer else ""


def describe_account(config: Config) -> AccountFacts:
    """State what the configuration alone says of its account. What only the account knows is an encoded Ref. Makes no call.

    Raises Refused where a private certificate authority's certificate can't be read.
    """
    archive = build_release(config)
    package = build_runtime_package(config)
    certificate, private_ca = _named_certificate(config)
    return AccountFacts(
        account_id=config.aws.account_id or _unknown("account_id"),
        region=config.aws.region,
        partition=encode_ref(PARTITION),
        vpc_id=config.aws.vpc_id or _unknown("vpc_id"),
        vpc_cidr=_unknown("vpc_cidr"),
        subnet_id=config.aws.subnet_id or _unknown("subnet_id"),
        image_id=config.deployment.ami_id or _unknown("image_id"),
        release=archive.bytes,
        release_sha256=archive.sha256,
        openapi={service.name: release.read_openapi(service) for service in release.backends()},
        certificate=certificate,
        private_ca=private_ca,
        source_secrets=name_source_secrets(config),
        package=package.bytes,
        package_sha256=package.sha256,
        zone=config.aws.availability_zone or _unknown("availability_zone"),
        state_location=taggable(config.state.location),
    )


def _unknown(value: str) -> str:
    return encode_ref(Ref(ACCOUNT, value))


def _named_certificate(config: Config) -> tuple[CertificateSource, str]:
    """Read the certificate's files where they are; else name them: they may be on the machine that deploys."""
    try:
        return _certificate_source(config)
    except Refused:
        chosen = config.deployment
        if chosen.ssl_ca_path or config.tls.source != "files":
            raise
        return files.name_certificate_files(
            *files.find_certificate_files(chosen.domain_name, chosen.ssl_cert_path, chosen.ssl_key_path)
        ), ""


def _certificate_source(config: Config) -> tuple[CertificateSource, str]:
    if config.tls.source == "local_ca":
        authority = local_ca.open_local_ca(local_ca.folder())
        return authority, authority.trusted
    chosen = config.deployment
    if config.tls.source == "letsencrypt":
        return _acme_source(config), _read_authority(chosen.ssl_ca_path, "deployment.ssl_ca_path")
    hosts = (chosen.domain_name,) if chosen.domain_name else ()
    certificate, key = _certificate_files(config)
    loaded = files.load_certificate_files(certificate, key, ca_path=chosen.ssl_ca_path, hosts=hosts, now=clock.now())
    if isinstance(loaded, tuple):
        raise Refused(*loaded)
    return loaded, Path(chosen.ssl_ca_path).read_text(encoding="ascii") if chosen.ssl_ca_path else ""


def _acme_source(config: Config) -> AcmeSource:
    chosen = config.tls
    lets_encrypt = acme.LETS_ENCRYPT_STAGING if chosen.staging else acme.LETS_ENCRYPT
    settings = AcmeSettings(
        directory=chosen.directory_url or lets_encrypt,
        email=chosen.email,
        challenge=chosen.challenge,
        hosted_zone_id=config.deployment.hosted_zone_id if chosen.challenge == "dns-01" else "",
        directory_ca=_read_authority(chosen.directory_ca_path, "tls.directory_ca_path"),
    )
    return AcmeSource(settings)


def _read_authority(path: str, field: str) -> str:
    """Read the certificate of a private authority; empty where none is named. Raises Refused where it can't be read."""
    if not path:
        return ""
    chain = files.load_chain(path, field)
    if isinstance(chain, Problem):
        raise Refused(chain)
    return chain.pem()


def _certificate_files(config: Config) -> tuple[str, str]:
    chosen = config.deployment
    return files.find_certificate_files(chosen.domain_name, chosen.ssl_cert_path, chosen.ssl_key_path)


def _choose_zone(aws: Aws, config: Config) -> str:
    """Choose the Availability Zone of a network that is created: a subnet that is there already counts, if the configuration names none."""
    if config.aws.availability_zone or not config.aws.creates_network:
        return config.aws.availability_zone
    others = {each.availability_zone for each in config.deployment.fallbacks}
    return network.find_zone_in_use(aws.client("ec2"), deployment_id(aws.account_id, aws.region, config.name), others)


def _find_network(aws: Aws, config: Config) -> Network:
    vpcs = network.find_vpcs(aws.client("ec2"), config.aws.vpc_id)
    if config.aws.creates_network:
        found = network.summarize_new(aws.region, config, vpcs, network.find_zones(aws.client("ec2")))
        if problem := network.find_problem(found):
            raise Refused(problem)
        return found
    subnets, tables = network.find_subnets(aws.client("ec2"), vpcs), network.find_route_tables(aws.client("ec2"), vpcs)
    found = network.summarize(aws.region, config, vpcs, subnets, tables=tables)
    problem = network.find_problem(found)
    if problem:
        raise Refused(problem)
    return found


LARGEST_PACKAGE = 250_000_000


def build_release(config: Config) -> Archive:
    """Build the release, with what it brings along. Raises Refused if something of that is missing."""
    return build_archive(_recording(config), _bundled(config))


def build_runtime_package(config: Config) -> Archive:
    """Build the assistant's package, where AgentCore Runtime is to run one. Raises Refused if it can't be."""
    chosen = config.assistant
    if not chosen.on_runtime or chosen.image:
        return Archive(b"", "")
    libraries = Path(chosen.libraries) if chosen.libraries else None
    if libraries and not libraries.is_dir():
        raise Refused(_no_libraries(chosen.libraries))
    if libraries and (foreign := find_foreign_binaries(libraries)):
        raise Refused(_not_for_arm64(chosen.libraries, foreign))
    package = build_package(libraries)
    if len(package.bytes) > LARGEST_PACKAGE:
        raise Refused(_package_too_large(len(package.bytes)))
    return package


def _recording(config: Config) -> Path | None:
    """Return the user's own recording, which is added to the release; one that ships is in it already."""
    chosen = Path(config.services.recording)
    return chosen if chosen.is_dir() else None


def _bundled(config: Config) -> tuple[Path, ...]:
    """Find what the release brings along, if a folder of it is named. Raises Refused if something is not in it."""
    folder = config.deployment.libraries
    if not folder:
        return ()
    found = find_bundled(Path(folder), python=config.deployment.operating_system == "ubuntu-22.04")
    if found.missing:
        raise Refused(_not_bundled(folder, found.missing))
    return found.files


def _not_bundled(folder: str, missing: tuple[str, ...]) -> Problem:
    return Problem(
        code="INSTANCE-LIBRARIES-MISSING",
        what=f"The release was not built: {folder} lacks {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}.",
        why="deployment.libraries names a folder that has every library of the machine, as the files that its locks know by their hashes, "
        "and for Ubuntu 22.04 its Python.",
        do=(
            f"Fill it: python3 -m pip download --dest {folder} --python-version 3.12 --only-binary=:all: --require-hashes "
            f"-r {LOCK} -r {UV_LOCK} --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "
            "(aarch64 for an instance type with Graviton)",
            *((_download_python(folder),) if f"Python {PYTHON}" in missing else ()),
            "Then run the same command again. Or leave deployment.libraries empty: the machine gets them from PyPI.",
        ),
    )


def _download_python(folder: str) -> str:
    build = f"cpython-{PYTHON}+{BUILD}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    url = f"https://github.com/astral-sh/python-build-standalone/releases/download/{BUILD}/{build.replace('+', '%2B')}"
    return f"Download Python for Ubuntu 22.04: curl --location --output {folder}/{build} {url}"


def _fill(folder: str) -> str:
    return (
        f"python3 -m pip install --target {folder} --python-version 3.12 --only-binary=:all: -r {LOCK} "
        "--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64"
    )


def _not_for_arm64(folder: str, foreign: tuple[str, ...]) -> Problem:
    return Problem(
        code="RUNTIME-LIBRARIES-NOT-ARM64",
        what=f"The package for AgentCore Runtime was not built: {len(foreign)} binaries in {folder} are not for arm64.",
        why=f"AgentCore Runtime has arm64 processors and could not load {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}.",
        do=(f"Delete the folder and fill it again: {_fill(folder)}", "Then run the same command again."),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-get-started-code-deploy.html",
    )


def _no_libraries(folder: str) -> Problem:
    return Problem(
        code="RUNTIME-LIBRARIES-MISSING",
        what=f"The package for AgentCore Runtime was not built: {folder} is no folder.",
        why="assistant.libraries names the folder with the libraries for arm64 that the package brings along.",
        do=(
            f"Fill it: {_fill(folder)}",
            "Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-get-started-code-deploy.html",
    )


def _package_too_large(size: int) -> Problem:
    return Problem(
        code="RUNTIME-PACKAGE-TOO-LARGE",
        what=f"The package for AgentCore Runtime has {size // 1_000_000} MB.",
        why=f"AgentCore accepts {LARGEST_PACKAGE // 1_000_000} MB.",
        do=(
            "Delete what the assistant does not need from the folder that assistant.libraries names: tests, and files of other programs.",
            "Or set assistant.image to an image of containers/Dockerfile (target runtime), which may be larger.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
    )
