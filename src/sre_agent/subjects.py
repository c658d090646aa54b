"""The subject of a question: which of the objects that exist it is about, or the name that none of them has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sre_agent.evidence import Answer
from sre_agent.lookups import directory
from sre_agent.lookups.directory import Directory, find_unknown
from sre_agent.lookups.lookup import Subject, View
from sre_agent.lookups.registry import LOOKUPS
from sre_agent.question.common_words import COMMON
from sre_agent.question.intent import CAPABILITIES
from sre_agent.question.names import Mention, correct_name, match_left_out, match_names, nearest_names
from sre_agent.question.wording import split_words
from sre_agent.reading import objects, text
from sre_agent.request import Request

FEW_NAMES = 12  # that a sentence can list
FEW_WORDS = 3  # a question this short that is no sentence may be only a name
# A question for a cause ends in what it is about: "what is wrong with the ledger". Elsewhere a word may name a thing of the business.
_ABOUT = r"\b(?:with|in|of|for|to|about|by|at) (?:the |our |my )?(?:service |pod |app )?"
# Behind these, also in the middle: "look into the ledger and tell me".
_SURELY_ABOUT = r"\b(?:with|into) (?:the |our |my )?(?:service |pod |app )?"
_QUESTION = re.compile(
    r"(and |so )?(why|what|how|is|are|do|does|did|can|explain)\b|.*\b(why|what is (wrong|up|going on)|find out|look into)\b"
)
_QUOTE = re.compile(r"[\"\u201c]")
_ELSE = re.compile(r"\belse\b")
_NODE_ACTION = re.compile(r"\b(cordon|uncordon|drain|nodes?|machine|host)\b")


@dataclass(frozen=True)
class Unknown:
    """A name that no object has, with the nearest names, and all names where they are few."""

    name: str
    nearest: tuple[str, ...]
    known: tuple[str, ...]
    answers: tuple[Answer, ...] = ()
    complete: bool = True
    only_a_note: bool = False
    headline: str = ""

    @property
    def note(self) -> str:
        """The sentence for an answer that is given all the same, about everything."""
        reason = f"Nothing is named {self.name}" if self.complete else f"Not all names could be read, and none that was is {self.name}"
        return f"{reason}{_say_nearest(self.name, self.known)}: this is about everything."


async def find_subject(view: View, request: Request) -> Subject | Unknown | None:
    """Find what a question is about: what its option names, else its words, else the question before."""
    lookup = LOOKUPS.get(view.intent.kind)
    if request.service:
        return await _find_named(view, request.service)
    if lookup and lookup.about == "words":
        return None
    about_node = bool(lookup and lookup.about == "node") or (view.intent.kind == "action" and bool(_NODE_ACTION.search(view.words)))
    if about_node:
        return await _find_node(view) if _may_name(view) else None
    if not _may_name(view) or _is_alert(view):
        return _subject_before(view, request)
    found = await _find_service(view)
    return found or _subject_before(view, request)


def is_left_out(view: View, subject: Subject, request: Request) -> bool:
    """Return True when the question is about everything but this: it says so, or it asks what else there is beside the subject before."""
    if request.service:
        return False
    named = match_names(view.words, [subject.name])
    return bool(match_left_out(view.words, [subject.name]) if named else _ELSE.search(view.words))


def note_others(view: View) -> tuple[str, ...]:
    """Say which names of the question a look-up leaves out: it is about the first."""
    if view.subject is None or view.subject.kind != "service":
        return ()
    known = {text(item, "name") for answer in view.answers for item in objects(answer.data, "items")} - {""}
    others = [name for name in match_names(view.words, known | {view.name}) if name != view.name]
    return (f"This is about {view.name} only: ask about {' and '.join(others)} by itself.",) if others else ()


def note_unknown(view: View) -> tuple[str, ...]:
    """Say which names of the question nothing has, where it is about something else: what it was read as, or the nearest names."""
    if view.subject is None or view.subject.kind != "service" or (view.intent.kind == "logs" and _QUOTE.search(view.prompt)):
        return ()
    items = [item for answer in view.answers for item in objects(answer.data, "items")]
    names = sorted({text(item, "name") for item in items} - {""})
    known = {*names, *(text(item, name) for item in items for name in ("namespace", "node"))}
    unknown = [one for one in view.intent.mentions if not match_names(one.text, known) and one.text not in view.name]
    slips = (word for word in split_words(view.words) if word not in COMMON and not match_names(word, known))
    read = [word for word in dict.fromkeys(slips) if correct_name(word, names) == view.name]
    sure = [one.text for one in unknown if one.text not in read and (one.explicit or one.stated or _ends_in(view, one))]
    notes = [f"Nothing is named {word}: this is read as {view.name}." for word in read]
    return (*notes, *(f"Nothing is named {name}{_say_nearest(name, names)}: this is about {view.name}." for name in sure))[:2]


def _say_nearest(name: str, names: Sequence[str]) -> str:
    """Say which names are nearest to one that nothing has; all, where none is near and they are few."""
    if nearest := nearest_names(name, names):
        return f" (nearest: {', '.join(nearest)})"
    return f" (there are: {', '.join(names)})" if len(names) <= FEW_NAMES else f" (nearest: {', '.join(nearest_names(name, names, 0.0))})"


async def find_empty_namespace(view: View, request: Request) -> Unknown | None:
    """Return the namespace of the option if nothing runs in it, with those in which something does."""
    name = request.namespace
    if name in ("", "all"):
        return None
    inside = await directory.read_namespaces(view, name)
    if inside.objects or not inside.complete:
        return None
    names = await directory.read_namespaces(view, "all")
    return Unknown(
        name, names.nearest(name), tuple(sorted(names.objects)), names.answers, headline=f"There is nothing in a namespace named {name}"
    )


def kind_of_answer(view: View, request: Request) -> str:
    """Return the kind of answer. Only a name was written: then its health is asked for."""
    if view.intent.kind == CAPABILITIES and view.subject and len(split_words(view.words)) <= FEW_WORDS:
        return "health"
    return view.intent.kind


def _may_name(view: View) -> bool:
    """Return True when the question has a word that may be a name. Nonsense of many words is not searched for names."""
    if view.intent.kind == CAPABILITIES and len(split_words(view.words)) > FEW_WORDS:
        return False
    return bool(view.intent.mentions) or any(word not in COMMON and not word[0].isdigit() for word in split_words(view.words))


def _is_alert(view: View) -> bool:
    """Return True for the words of an alert without a name in them: the reasoner finds the service among all that it sees."""
    named = any(mention.explicit or mention.stated or _ends_in(view, mention) for mention in view.intent.mentions)
    return view.intent.kind == "diagnosis" and not named and not _QUESTION.match(view.words)


def _ends_in(view: View, mention: Mention) -> bool:
    name = re.escape(mention.text)
    return bool(re.search(rf"{_ABOUT}{name}$|{_SURELY_ABOUT}{name} (and|so|but|then|what|who|why|how|please)\b", view.words))


def _subject_before(view: View, request: Request) -> Subject | None:
    before = request.before
    if before is None or not before.subject or not view.intent.continues:
        return None
    return Subject(before.subject, "service", before.namespace)


async def _find_named(view: View, name: str) -> Subject | Unknown | None:
    names = await directory.read_services(view)
    return names.find(name) or _unknown(Mention(name, True), names, view)


async def _find_node(view: View) -> Subject | Unknown | None:
    names = await directory.read_nodes(view)
    found = next(
        (subject for name, subject in names.objects.items() if name in view.words or name.partition(".")[0] in split_words(view.words)),
        None,
    )
    shaped = find_unknown(tuple(mention for mention in view.intent.mentions if mention.explicit))
    return found or (_unknown(shaped, names, view) if shaped else None)


async def _find_service(view: View) -> Subject | Unknown | None:
    """Find a service or workload; a name with the shape of a pod's is looked for among pods as well."""
    names = await directory.read_services(view)
    mentions = tuple(mention for mention in view.intent.mentions if mention.text != view.scope.namespace)
    shaped = [mention for mention in mentions if mention.explicit and mention.text not in names.objects]
    if shaped:
        pods = await directory.read_pods(view)
        if found := next((pods.objects[mention.text] for mention in shaped if mention.text in pods.objects), None):
            return found
    if found := names.find(_without_namespace(view)):
        return found
    unknown = find_unknown(mentions)
    slips = [word for word in split_words(view.words) if word not in COMMON]
    if not (unknown and unknown.explicit) and (corrected := next(filter(None, (correct_name(word, names.objects) for word in slips)), "")):
        return names.objects[corrected]
    return _unknown(unknown, names, view) if unknown else None


def _without_namespace(view: View) -> str:
    namespace = view.scope.namespace
    return re.sub(rf"\b(in )?(the )?(namespace )?{re.escape(namespace)}( namespace)?\b", " ", view.words) if namespace else view.words


def _unknown(mention: Mention, names: Directory, view: View) -> Unknown | None:
    """Return an unknown name. Where not all names could be read, or nothing but a guess says that it is one, it is no answer."""
    quoted = re.search(rf"[\"“]{re.escape(mention.text)}[\"”]", view.prompt, re.I)
    if view.intent.kind == CAPABILITIES or (view.intent.kind == "logs" and quoted):
        return None  # what is quoted is a text of the logs
    guessed = not mention.explicit and view.intent.kind == "diagnosis" and not _ends_in(view, mention)
    if guessed and not mention.stated and not _QUESTION.match(view.words):
        return None
    return Unknown(
        name=mention.text,
        nearest=names.nearest(mention.text),
        known=tuple(sorted(names.objects)),
        answers=names.answers,
        complete=names.complete,
        only_a_note=guessed or not names.complete,
    )
