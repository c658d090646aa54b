"""Where runbooks are read from: a git repository, an S3 bucket or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from sre_agent_deploy.config.fault import Fault, Mode, required
from sre_agent_deploy.config.field_syntax import REPOSITORY, SOURCE_PATH
from sre_agent_deploy.config.gateway import bucket_faults
from sre_agent_deploy.config.section import setting
from sre_agent_deploy.config.sources import NAME, REGION, Source, aws_faults


class RunbookSource(Source):
    """Runbooks: of a git repository, an S3 bucket, or a folder."""

    SECRETS: ClassVar[tuple[str, ...]] = ("token", "key", "known_hosts")

    source: Literal["git", "s3", "folder"] = setting(
        "git", "git: a repository. s3: a bucket. folder: a folder where the services run.", example="git"
    )
    name: str = setting("", NAME, example="team-runbooks")
    url: str = setting("", "Of git: its https or ssh address, or a path.", example="https://git.example.com/team/runbooks.git")
    branch: str = setting("", "Of git: the branch; empty takes the repository's own.", example="main")
    username: str = setting("", "Of git over https: the user of the token; empty takes x-access-token.", example="oauth2")
    token: str = setting("", "Of git over https: a reference to a token.", example="env:GIT_TOKEN")
    key: str = setting("", "Of git over ssh: a reference to a private key.", example="file:~/.ssh/runbooks")
    known_hosts: str = setting("", "Of git over ssh: a reference to a known_hosts file.", example="file:~/.ssh/known_hosts")
    path: str = setting(
        "", "Of folder: the folder. Of git: a folder in the repository; empty takes all of it.", example="/var/lib/runbooks"
    )
    bucket: str = setting("", "Of s3: the bucket.", example="team-runbooks")
    prefix: str = setting("", "Of s3: the beginning of the keys.", example="runbooks/")
    region: str = setting("", REGION, example="eu-west-1")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each setting that this kind of source needs or refuses."""
        yield from super().faults(mode)
        match self.source:
            case "git":
                yield from self._repository_faults()
            case "s3":
                yield from aws_faults(self.region, mode, "folder")
                yield from self._bucket_faults()
            case "folder":
                if not self.path:
                    yield required("path", "/var/lib/runbooks", "Runbooks are read from a folder.")
                yield from SOURCE_PATH.faults("path", self.path)

    def _repository_faults(self) -> Iterator[Fault]:
        if not self.url:
            yield required("url", REPOSITORY.example, "Runbooks are read from a repository.")
        yield from REPOSITORY.faults("url", self.url)
        if self.key and not self.known_hosts:
            yield required("known_hosts", "file:~/.ssh/known_hosts", "Without it any server could answer for the repository.")

    def _bucket_faults(self) -> Iterator[Fault]:
        if not self.bucket:
            yield required("bucket", "team-runbooks", "Runbooks are read from a bucket.")
        yield from bucket_faults("bucket", self.bucket, "runbooks are then not read from S3")
