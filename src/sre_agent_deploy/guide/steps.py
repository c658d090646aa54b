"""The Console guide: its steps as values, in chapters, and its renderings as Markdown and as one page (requirement 3.1; pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.guide.places import AccountValues, deep_link, find_place
from sre_agent_deploy.later import ACCOUNT, LaterText
from sre_agent_deploy.report.render import render_page
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, NAME_TAG, Mark
from sre_agent_deploy.resources.route53_record import mark_record
from sre_agent_deploy.resources.s3_object import S3Object
from sre_core import bedrock

REF = re.compile(r"[<⟦]([a-z_0-9]+)\.([a-z_0-9]+)[>⟧]")
"""A value inside a text that is known later: `<name.output>`."""
_FIELD = re.compile(r"([A-Z][^:;{}]{1,70}): (.+)")


UPLOAD = "File to upload"


@dataclass(frozen=True)
class Piece:
    """A part of a text: plain, or a value that is known later (`ref`), as a person reads it until then."""

    text: str
    ref: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a step: an action, a field with its value (`label`), or a text to paste, which is in `file`."""

    value: tuple[Piece, ...]
    label: str = ""
    file: str = ""

    @property
    def text(self) -> str:
        """The value as plain text."""
        return "".join(piece.text for piece in self.value)


@dataclass(frozen=True)
class Step:
    """One step: where to click, what to enter, what it looks like when it is right, and how to verify it."""

    id: str
    title: str
    lines: tuple[Line, ...]
    link: str = ""
    right: str = ""
    verify: str = ""
    named: str = ""
    notes: tuple[str, ...] = ()
    """The values that AWS chooses here and later steps need, as `name.output`."""


@dataclass(frozen=True)
class File:
    """A file that a person uploads or pastes. `complete` is False while it has values in it that AWS has not chosen yet."""

    name: str
    body: bytes | tuple[Piece, ...]

    @property
    def complete(self) -> bool:
        return isinstance(self.body, bytes) or not any(piece.ref for piece in self.body)

    def content(self, known: Mapping[str, str] = {}) -> bytes:
        """Return the content, with the values that are known by now."""
        return self.body if isinstance(self.body, bytes) else fill_in(self.body, known).encode()


@dataclass(frozen=True)
class Guide:
    """The whole guide of one deployment: its steps, and the files that a person needs besides."""

    deployment: str
    region: str
    steps: tuple[Step, ...]
    files: tuple[File, ...]


def write_guide(blueprint: Blueprint, values: AccountValues, config: Config) -> Guide:
    """Write the guide of a blueprint. A value that AWS chooses on the way is named by the step that shows it."""
    reading = _Reading(blueprint, values)
    resources = tuple(reading.step(number, item, config.aws.region) for number, item in enumerate(blueprint, 1))
    steps = (*reading.chapters(_before(config)), *resources, *reading.chapters(_after()))
    return Guide(reading.plain(blueprint.deployment), config.aws.region, steps, tuple(reading.files))


class _Reading:
    def __init__(self, blueprint: Blueprint, values: AccountValues) -> None:
        self.blueprint, self.values = blueprint, values
        self.numbers = {item.name: number for number, item in enumerate(blueprint, 1)}
        self.files: list[File] = []
        texts = "\n".join(text for item in blueprint for text in (*item.resource.console(), *_body(item)))
        self.needed = dict.fromkeys((match[1], match[2]) for match in REF.finditer(texts))

    def step(self, number: int, item: Item, region: str) -> Step:
        """Read the step of one resource, and the files that belong to it."""
        title = f"{number}. {item.name} ({item.resource.KIND})"
        link, right = find_place(item.resource.KIND, region)
        notes = tuple(f"{of}.{output}" for of, output in self.needed if of == item.name)
        if item.named:
            return Step(item.name, title, (), link, right, named=item.named, notes=notes)
        prefix = f"{number:02}-{item.name}"
        lines = tuple(line for text in item.resource.console() for line in self.lines(text, prefix))
        tagged = (Line(self.pieces(self.tags(item)), "Tags"),) if item.resource.MOST_TAGS else ()
        verify = f"sre-agent-deploy plan --target {item.name}"
        return Step(item.name, title, (*lines, *self._upload(item, prefix), *tagged), link, right, verify, notes=notes)

    def tags(self, item: Item) -> str:
        """List the tags that a resource must have, those of the user's configuration too."""
        mark = Mark(self.blueprint.deployment, item.name, 1, token="", extra=self.blueprint.tags)
        return ", ".join(f"{key} = {value}" for key, value in mark.tags(item.resource.MOST_TAGS).items())

    def chapters(self, chapters: Iterable[Step]) -> Iterator[Step]:
        """Fill the account's values into fixed chapters."""
        for chapter in chapters:
            notes = tuple(f"{of}.{output}" for of, output in self.needed if of == ACCOUNT and output != "partition")
            yield Step(
                chapter.id,
                chapter.title,
                tuple(Line(self.pieces(line.text), line.label) for line in chapter.lines),
                chapter.link,
                chapter.right,
                chapter.verify,
                notes=notes if chapter.id == "begin" else (),
            )

    def lines(self, text: str, prefix: str) -> Iterator[Line]:
        """Turn one text of a resource's `console` into lines of the guide.

        A text with line breaks becomes a file to paste, `Label: value; Label: value` one field each, any other text one line.
        """
        if "\n" in text:
            suffix = "json" if text.startswith("{") else "sh" if text.startswith("#!") else "txt"
            name = f"{prefix}-{sum(file.name.startswith(prefix) for file in self.files) + 1}.{suffix}"
            yield Line(self.pieces(text), file=self._keep(name, text))
            return
        parts = text.split("; ")
        fields = [_FIELD.fullmatch(part) for part in parts]
        if all(fields) and "aws " not in text:
            yield from (Line(self.pieces(match[2]), match[1]) for match in fields if match)
        else:
            yield Line(self.pieces(text))

    def pieces(self, text: str) -> tuple[Piece, ...]:
        """Split a text at the values that are known later."""
        pieces: list[Piece] = []
        text = mark_record(text, self.blueprint.deployment, self.blueprint.tags)
        last = 0
        for match in REF.finditer(text):
            if match[1] in self.numbers or match[1] == ACCOUNT:
                pieces += [Piece(text[last : match.start()]), Piece(self._name(match[1], match[2]), f"{match[1]}.{match[2]}")]
                last = match.end()
        return tuple(piece for piece in (*pieces, Piece(text[last:])) if piece.text)

    def plain(self, text: str) -> str:
        """Return a text as a person reads it."""
        return "".join(piece.text for piece in self.pieces(text))

    def _name(self, of: str, output: str) -> str:
        return self.values[output].shown if of == ACCOUNT else f"«{output} from step {self.numbers[of]}»"

    def _upload(self, item: Item, prefix: str) -> Iterator[Line]:
        """Read the file of an object in S3."""
        for body in _body(item):
            key = str(item.resource.key) if isinstance(item.resource, S3Object) else ""
            yield Line((Piece(self._keep(f"{prefix}.{key.rpartition('.')[2]}", body)),), UPLOAD)
        if isinstance(item.resource, S3Object) and isinstance(item.resource.content.body, bytes):
            name = f"{prefix}.{str(item.resource.key).rpartition('.')[2]}"
            self.files.append(File(name, item.resource.content.body))
            yield Line((Piece(name),), UPLOAD)

    def _keep(self, name: str, text: str) -> str:
        self.files.append(File(name, self.pieces(text)))
        return name


def _body(item: Item) -> tuple[str, ...]:
    """Return the text of an object in S3; nothing for anything else."""
    body: bytes | LaterText | None = item.resource.content.body if isinstance(item.resource, S3Object) else None
    return () if body is None or isinstance(body, bytes) or item.named else (str(body),)


def _lines(*texts: str) -> tuple[Line, ...]:
    return tuple(Line((Piece(text),)) for text in texts)


def _before(config: Config) -> Iterator[Step]:
    """Yield the chapters before the resources, with letters where these have numbers."""
    yield from (replace(chapter, title=f"{letter}. {chapter.title}") for letter, chapter in zip("ABCD", _prepare(config), strict=False))


def _prepare(config: Config) -> Iterator[Step]:
    yield _sign_in(config)
    if not (config.aws.creates_network or (config.aws.vpc_id and config.aws.subnet_id)):
        yield _choose_network(config.aws.region)
    if config.assistant.models:
        yield _allow_models(config)
    if config.deployment.domain_name:
        yield _have_domain(config)


def _sign_in(config: Config) -> Step:
    region = config.aws.region
    return Step(
        "begin",
        "Sign in and choose the region",
        _lines(
            f"Sign in to the account of the deployment{f' ({config.aws.account_id})' if config.aws.account_id else ''}.",
            f"Choose the region {region} at the top right. Every step but IAM, Route 53 and Billing is in it.",
            "Which region is right: docs/how-to/region-and-model.md",
            "Note the account id (top right), and below the values that only your account knows: they appear in the later steps.",
        ),
        deep_link("console/home?region={region}", region),
        f"The top right shows {region} and the account.",
        "aws sts get-caller-identity",
    )


def _choose_network(region: str) -> Step:
    return Step(
        "network",
        "Choose or make a VPC with a public subnet",
        _lines(
            "Most accounts have a default VPC with public subnets: VPC > Your VPCs, column Default VPC: Yes. Then make nothing.",
            "Else: VPC > Create VPC > VPC and more; one Availability Zone, one public subnet, no private subnet, no NAT gateway.",
            "Actions > Edit VPC settings: Enable DNS resolution and Enable DNS hostnames.",
            "The subnet's route table must have a route 0.0.0.0/0 to an internet gateway.",
            "More about it, and how the command makes all this: docs/how-to/network.md",
            "Note the VPC's id, its IPv4 CIDR and the subnet's id: <account.vpc_id>, <account.vpc_cidr>, <account.subnet_id>",
        ),
        deep_link("vpcconsole/home?region={region}#vpcs:", region),
        "The subnet's route table shows 0.0.0.0/0 with a target that begins with igw-.",
        "aws ec2 describe-vpcs --filters Name=is-default,Values=true",
    )


def _allow_models(config: Config) -> Step:
    return Step(
        "models",
        "Allow the language model",
        _lines(
            "Bedrock > Model catalog > open each of these, and use it once in the playground, which accepts its Marketplace terms:",
            *config.assistant.models,
            "Anthropic's models ask once for each account for the use case.",
            "It can be done later: until then the rules answer.",
            "Which model is right: docs/how-to/region-and-model.md",
        ),
        deep_link("bedrock/home?region={region}#/model-catalog", config.aws.region),
        "Each of them answers in the playground.",
        f"aws bedrock get-foundation-model-availability --model-id {bedrock.model_of(config.assistant.models[0])}",
    )


def _have_domain(config: Config) -> Step:
    domain = config.deployment.domain_name
    return Step(
        "domain",
        "Have the domain and its certificate",
        _lines(
            f"The DNS of {domain} must be yours to change. To register a domain, or to delegate a part of one: docs/how-to/domain.md",
            *_CERTIFICATES[config.tls.source],
        ),
        right="The checks of DNS and certificate say no more than that the A record is not there yet.",
        verify="sre-agent-deploy validate --account",
    )


_CERTIFICATES: Mapping[str, tuple[str, ...]] = {
    "files": (
        "Its certificate and key must be in the files that deployment.ssl_cert_path and ssl_key_path name: docs/how-to/certificates.md",
    ),
    "letsencrypt": ("The machine orders its certificate when it boots, and renews it: docs/how-to/certificates.md",),
    "local_ca": (),
}


def _after() -> Iterator[Step]:
    yield Step(
        "adopt",
        "Y. Compare, and let the command know what you made",
        _lines(
            "`sre-agent-deploy plan` compares every field with the configuration: it says keep for each step, or which field differs.",
            "`sre-agent-deploy guide --interactive` does the same one step at a time, and records in the state what is right.",
        ),
        right="The plan has nothing to do.",
        verify="sre-agent-deploy plan",
    )
    yield Step(
        "verify",
        "Z. Verify the deployment",
        _lines(
            "Every check runs against the real endpoints; the report names each hop, and what to do where one fails.",
            "To look at the machine itself, by Session Manager or with a key pair: docs/how-to/machine-access.md",
        ),
        right="The report says: verified.",
        verify="sre-agent-deploy verify --report report.html",
    )


def name_step(guide: Guide, id: str) -> Step | None:
    """Return a step by its id; None if the guide has none of that id."""
    return next((step for step in guide.steps if step.id == id), None)


def fill_in(pieces: Iterable[Piece], known: Mapping[str, str]) -> str:
    """Return a text with the values that are known by now."""
    return "".join(known.get(piece.ref, piece.text) for piece in pieces)


def markdown(guide: Guide) -> str:
    """Render the steps for a person."""
    head = [
        f"# Deployment {guide.deployment} in the AWS Console",
        "",
        "Work from top to bottom. Give every resource that takes tags these, so that it is recognised, verified and cleaned up later:",
        "",
        f"- `{DEPLOYMENT_TAG}` = `{guide.deployment}`",
        f"- `{NAME_TAG}` = the name in the step's title, `{GENERATION_TAG}` = `1`",
        "",
        "Then `sre-agent-deploy plan` shows what differs from the configuration, and `sre-agent-deploy verify` proves that it works.",
        "`sre-agent-deploy guide --out FOLDER` writes the files to upload, and this guide as a page with check boxes.",
        "",
    ]
    return "\n".join([*head, *(line for step in guide.steps for line in _describe(step))])


def _describe(step: Step) -> list[str]:
    lines = [f"## {step.title}", ""]
    if step.named:
        return [*lines, f"Exists already: `{step.named}`. Nothing to do.", ""]
    lines += [f"Open: <{step.link}>", ""] if step.link else []
    lines += [rendered for line in step.lines for rendered in _list_line(line)]
    lines += [f"- Note for later steps: {', '.join(note.partition('.')[2] for note in step.notes)}"] if step.notes else []
    lines += ["", f"Right when: {step.right}"] if step.right else []
    return [*lines, *((f"Verify: `{step.verify}`",) if step.verify else ()), ""]


def _list_line(line: Line) -> list[str]:
    if line.file:
        # What must be pasted keeps its line breaks.
        return ["", f"  Paste ({line.file}):", "  ```", *(f"  {text}" for text in line.text.splitlines()), "  ```"]
    return [f"- {f'{line.label}: ' if line.label else ''}{line.text}"]


def page(guide: Guide) -> str:
    """Render the page: check boxes and values that it remembers, a button to copy each value, and how much is done."""
    return render_page(
        "guide.html", title=f"{guide.deployment} in the AWS Console", guide=guide, file_names=[file.name for file in guide.files]
    )
