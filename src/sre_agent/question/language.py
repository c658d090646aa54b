"""The language of a question. English is understood; of others only enough is known to say which one it is."""

from __future__ import annotations

import unicodedata

from sre_agent.question.common_words import COMMON
from sre_agent.question.wording import split_words

_ENGLISH_WORDS = """
a an and any are as at be been by can could did do does for from get give had has have how i if in is it its just last list many
me my no not now of off on or our out please right see should show since so some tell than that the their them there they this to
up us was we were what when where which who whom why will with would you your
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_FOREIGN = {
    "German": "was ist los warum wie viele welche welcher der die das ein eine und nicht mit den dem im zu wer hat gibt es sind läuft "
    "bitte seit geht funktioniert kaputt auf für zeige mir dienst",
    "French": "quel quelle quels pourquoi est le la les un une des du ne pas combien qui que dans avec sur ce cette il y a sont depuis "
    "comment montre moi problème",
    "Spanish": "qué que por cuál cuántos cuantos está esta están el los las una del no con cómo como hay desde quién muestra me pasa "
    "servicio",
    "Italian": "che cosa perché perche quanti quale è il lo gli le una del non con come ci sono dal chi mostra mi succede",
    "Portuguese": "o que por porque quantos qual está não nao os as uma do da com como há desde quem mostra acontece",
    "Dutch": "wat is er waarom hoeveel welke het een en niet met wie zijn sinds hoe laat zien mis",
}
OTHER = "another language"
_WORDS = {language: frozenset(words.split()) for language, words in _FOREIGN.items()}
_SCRIPTS = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "a language in Cyrillic script",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "Hindi",
    "THAI": "Thai",
}


def find_foreign_language(text: str) -> str:
    """Return the name of the language of a text that is not English; empty for English and for an unknown language."""
    return _of_script(text) or _of_words(text)


def _of_script(text: str) -> str:
    letters = [unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()]
    foreign = [_SCRIPTS[script] for script in letters if script in _SCRIPTS]
    return max(foreign, key=foreign.count) if len(foreign) * 3 > len(letters) else ""


def _of_words(text: str) -> str:
    lowered = "".join(letter if letter.isalpha() else " " for letter in text.lower())
    words = lowered.split()
    english = sum(word in _ENGLISH for word in split_words(text.lower()))
    scores = {language: sum(word in known for word in words) for language, known in _WORDS.items()}
    best = max(scores, key=lambda language: scores[language])
    if scores[best] >= 2 and scores[best] > english:
        return best
    foreign = sum(not word.isascii() for word in words)
    return OTHER if foreign and not (_ENGLISH | COMMON).intersection(words) else ""
