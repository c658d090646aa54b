"""Read the files that a configuration was in before: each setting with its comments, and where it belongs now.

The originals are kept beside the migrated file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.backup.keep import rewrite
from sre_agent_deploy.config import document
from sre_agent_deploy.config.document import Entry, Malformed, Piece, Plain, find_pieces, parse, to_plain
from sre_agent_deploy.config.edit import Field, find_comments, read_values, replace_tabs
from sre_agent_deploy.config.environment import SecretReference, comment_beside, read_dotenv
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.text_file import Original, read_text
from sre_core import clock
from sre_core.problem import Problem, Refused, Where
from sre_core.redaction import CERTAIN_SECRET, POSSIBLE_SECRET, is_secret_name


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """`name` with its value; `above` are the comment lines before it, `beside` the comment behind it."""

    source: str
    name: str
    value: Plain
    above: tuple[str, ...] = ()
    beside: str = ""
    written: str = ""
    """The lines as they are in the file, comments included."""
    quote: str = ""
    """The quotes that the user wrote around the value."""


@dataclass(frozen=True)
class OldFile:
    """The content of an old file: its settings in order, and the comments behind the last of them."""

    source: str
    settings: tuple[Setting, ...]
    below: tuple[str, ...] = ()


def read_yaml(source: str, text: str) -> OldFile | Problem:
    """Read the top-level keys of a YAML or JSON file."""
    text = replace_tabs(text)
    tree = parse(text)
    if isinstance(tree, Malformed):
        return unreadable(source, tree.mark.line, "It is not valid YAML.")
    if not isinstance(tree, document.Mapping):
        return unreadable(source, 1, "It holds no `key: value` lines.")
    pieces = find_pieces(text)
    top = [piece for piece in pieces if len(piece.path) == 1]
    settings, done = [], 0
    for entry, piece in zip(tree.entries, top, strict=True):
        end = _find_line_end(text, piece.value.end)
        settings.append(_build_setting(source, entry, piece, text[done:end], _split_comments(text, pieces, done, end, piece)))
        done = end
    return OldFile(source, tuple(settings), tuple(_split_comments(text, pieces, done, len(text), None)[0]))


def read_dotenv_file(source: str, text: str) -> OldFile | Problem:
    """Read the NAME=value lines of a `.env` file, or of a file that scripts read with `source`."""
    settings: list[Setting] = []
    above: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            above.extend([line.strip()] if line.strip() else [])
            continue
        variables, faults = read_dotenv(line)
        if faults:
            return unreadable(source, number, faults[0].why)
        ((name, value),) = variables.items()
        beside = comment_beside(line)
        settings.append(Setting(source=source, name=name, value=value, above=tuple(above), beside=beside, written=line.strip()))
        above = []
    return OldFile(source, tuple(settings), tuple(above))


def _build_setting(source: str, entry: Entry, piece: Piece, written: str, notes: tuple[list[str], str]) -> Setting:
    value = to_plain(entry.value)
    return Setting(
        source=source,
        name=entry.key,
        value="" if value is None else value,
        above=tuple(notes[0]),
        beside=notes[1],
        written=written.strip("\n"),
        quote=piece.quote if piece.quote in ("'", '"') else "",
    )


def _split_comments(text: str, pieces: tuple[Piece, ...], start: int, end: int, piece: Piece | None) -> tuple[list[str], str]:
    """Split the comments of one range into those above or within the value, and the one behind it."""
    above, beside = [], ""
    for span in find_comments(text, pieces):
        if start <= span.start < end:
            if piece and span.start >= piece.value.end:
                beside = text[span.start : span.end]
            else:
                above.append(text[span.start : span.end])
    return above, beside


def _find_line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def walk_texts(value: Plain) -> Iterator[str]:
    """Yield every text in a value."""
    match value:
        case str(text):
            yield text
        case list(items):
            for item in items:
                yield from walk_texts(item)
        case dict(entries):
            for item in entries.values():
                yield from walk_texts(item)


def unreadable(source: str, line: int, why: str) -> Problem:
    """Build the problem of a line that can't be read, without an excerpt: old files hold secrets."""
    return Problem(
        code="MIGRATE-UNREADABLE",
        what=f"{source} can't be read.",
        why=why,
        do=("Correct that line, or leave the file out: sre-agent-deploy migrate OTHER-FILE ...", "Nothing was changed."),
        where=Where(source, line),
    )


@dataclass(frozen=True)
class Moved:
    """A setting that became `field`, with this value."""

    setting: Setting
    field: Field
    value: str


@dataclass(frozen=True)
class SecretFound:
    """A secret, which is never copied. `proposal` is what to write or do instead."""

    setting: Setting
    proposal: str


@dataclass(frozen=True)
class Commented:
    """A setting that has no place in this format and is kept as a comment. `why` gives the reason."""

    setting: Setting
    why: str


type Fate = Moved | SecretFound | Commented

# Names in capitals without the prefix COGNITO_, which some files have and some have not.
_PLACES: Mapping[str, Field] = {
    "ACCOUNTID": ("aws", "account_id"),
    "AWSACCOUNTID": ("aws", "account_id"),
    "REGION": ("aws", "region"),
    "AWSREGION": ("aws", "region"),
    "AWSDEFAULTREGION": ("aws", "region"),
    "ROLENAME": ("aws", "role_name"),
    "ENDPOINTURL": ("aws", "endpoint_url"),
    "USERPOOLID": ("credentials", "user_pool_id"),
    "POOLID": ("credentials", "user_pool_id"),
    "CLIENTID": ("credentials", "client_id"),
    "DOMAIN": ("credentials", "cognito_domain"),
    "GATEWAYNAME": ("gateway", "gateway_name"),
    "GATEWAYDESCRIPTION": ("gateway", "description"),
    "S3BUCKET": ("gateway", "s3_bucket"),
    "S3PATHPREFIX": ("gateway", "s3_path_prefix"),
    "PROVIDERARN": ("gateway", "provider_arn"),
    "LLMPROVIDER": ("assistant", "reasoner"),
}
GONE: Mapping[str, str] = {
    "ENDPOINTURL": "it names AWS's own endpoint, which is found from the region now",
    "CREDENTIALPROVIDERENDPOINTURL": "AWS's endpoints are found from the region now",
    "TARGETDESCRIPTION": "each target describes itself by its OpenAPI document now",
    "CREDENTIALPROVIDERNAME": "the deployer names what it creates; an existing one is gateway.provider_arn",
    "AGENTS": "an assistant's tools are those that the gateway lists",
    "GLOBALTOOLS": "an assistant's tools are those that the gateway lists",
    "GATEWAY": "the gateway's address is in the connection file that a deployment writes",
    "DEBUG": "set SRE_LOG=debug in the environment instead",
}
PROPOSALS: Mapping[str, str] = {
    "CLIENTSECRET": "credentials.client_secret: env:COGNITO_CLIENT_SECRET, or aws-secretsmanager:NAME",
    "BACKENDAPIKEY": "nothing: each deployment makes its own key and keeps it in AWS Secrets Manager",
    "ANTHROPICAPIKEY": "assistant.api_key: env:ANTHROPIC_API_KEY, where assistant.reasoner is anthropic",
    "GATEWAYACCESSTOKEN": "nothing: the assistant gets its tokens itself",
}


def decide_fate(setting: Setting) -> Fate:
    """Decide what becomes of one old setting."""
    name = setting.name.upper().replace("_", "").replace("-", "").removeprefix("COGNITO")
    if proposal := _propose_for_secret(setting, name):
        return SecretFound(setting, proposal)
    field = _PLACES.get(name)
    if field is None or not isinstance(setting.value, str):
        return Commented(setting, GONE.get(name, "this format has no such setting"))
    if field == ("aws", "endpoint_url") and re.search(r"\.amazonaws\.com(\.cn)?/?$", setting.value):
        return Commented(setting, GONE[name])
    value = setting.value
    if field == ("credentials", "cognito_domain"):
        # The old file has the whole domain; only its prefix is a setting.
        value = value.removeprefix("https://").removesuffix("/").partition(".auth.")[0]
    return Moved(setting, field, value.lower() if field == ("assistant", "reasoner") else value)


def _propose_for_secret(setting: Setting, name: str) -> str:
    """Propose what to do with a secret; empty if it is none."""
    texts = [text for text in walk_texts(setting.value) if text]
    if not texts or all(map(SecretReference.parse, texts)):
        return ""
    named = is_secret_name(setting.name) or name in PROPOSALS
    if not named and not any(CERTAIN_SECRET.search(text) or (name not in _PLACES and POSSIBLE_SECRET.search(text)) for text in texts):
        return ""
    if isinstance(setting.value, dict | list) and not named:
        return ""  # one secret within a section: the section is kept as a comment, and that value is hidden in it
    variable = re.sub(r"[^A-Za-z0-9_]", "_", setting.name).upper()
    return PROPOSALS.get(name, f"env:{variable}, or aws-secretsmanager:sre/{setting.name.lower().replace('_', '-')}")


# The paths of the sample, seen from its root and from its own folders.
_SAMPLE_FILES = (
    "gateway/config.yaml",
    "gateway/.env",
    "sre_agent/.env",
    "sre_agent/config/agent_config.yaml",
    "agent_config.yaml",
    "deployment/.cognito_config",
    ".cognito_config",
)
_OF_THE_SAMPLE = frozenset({"agents", "global_tools"})


def find_old_files(folder: Path) -> tuple[Path, ...]:
    """Find the old files below a folder, and its own config.yaml and .env if the first is not in our format."""
    own = folder / "config.yaml"
    text = read_text(own) if own.is_file() else ""
    flat = isinstance(text, str) and bool(text.strip()) and not is_ours(text)
    here = [own, *([folder / ".env"] if (folder / ".env").is_file() else [])] if flat else []
    return (*here, *(folder / place for place in _SAMPLE_FILES if (folder / place).is_file()))


def read_old(path: Path) -> OldFile | Problem:
    """Read the settings of one old file."""
    if not path.exists():
        return _missing(path)
    text = read_text(path)
    if isinstance(text, Problem):
        return text
    as_yaml = path.suffix in {".yaml", ".yml", ".json"} or text.lstrip().startswith("{")
    return read_yaml(str(path), text) if as_yaml else read_dotenv_file(str(path), text)


def _missing(path: Path) -> Problem:
    return Problem(
        code="MIGRATE-FILE-MISSING",
        what=f"There is no file or folder {path}. Nothing was migrated.",
        why="`migrate` takes the files that are to be brought to the current config.yaml, or the folder of the sample.",
        do=("Correct the path: `sre-agent-deploy migrate PATH`.", f"See what is there: ls -l {path.parent}"),
    )


def is_ours(text: str) -> bool:
    """Say whether a text is a config.yaml of this tool, of any version. A text that can't be read counts as ours and is not touched."""
    values = read_values(text)
    if isinstance(values, Malformed) or not isinstance(values, Mapping):
        return True
    return not _OF_THE_SAMPLE & values.keys() and (not values or bool(values.keys() & Config.model_fields.keys()))


def replace_original(original: Original, text: str, state_file: Path) -> list[str]:
    """Write the migrated text, keep the original beside it and in a backup, and return their paths."""
    kept = [str(_copy_original(original))] if original.body is not None else []
    backup = rewrite(original, text, state_file)
    return [*kept, *([str(backup.path)] if backup else [])]


def _copy_original(original: Original) -> Path:
    """Copy the original so that only its owner can read it: it is complete, and may hold secrets."""
    time = clock.stamp().replace("-", "").replace(":", "")
    path = original.path.with_name(f"{original.path.name}.before-migration-{time}")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(original.body or b"")
    except OSError as error:
        raise Refused(_not_kept(path, error)) from error
    return path


def _not_kept(path: Path, error: OSError) -> Problem:
    return Problem(
        code="FILE-REFUSED",
        what="Nothing was migrated.",
        why=f"The original could not be copied to {path}: {error.strerror or type(error).__name__}.",
        do=(f"Check owner and free space: ls -ld {path.parent}; df -h {path.parent}",),
    )
