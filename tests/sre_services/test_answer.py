"""Answers: compact, capped, and honest about what was cut."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from sre_services.answer import CAP_BYTES, LONGEST_LIST, LONGEST_TEXT, Answer, Camel, clip_text, render_answer, to_json_value
from sre_services.cursor import reading_from

NOW = datetime(2026, 11, 22, 14, 0, 0, 120_000, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Thing(Camel):
    restart_count: int = 0
    exit_code: int | None = None
    last_state: str = ""
    seen_at: datetime | None = None


@given(st.lists(st.text(max_size=3_000), max_size=120), st.text(max_size=3_000))
def test_an_answer_of_any_size(texts: list[str], note: str) -> None:
    """It never exceeds the cap; what is kept is the beginning, and total counts all."""
    body = render_answer(Answer(as_of=NOW, items=texts, note=note[:1500])).body
    found = json.loads(bytes(body))
    assert len(bytes(body)) <= CAP_BYTES
    assert found["total"] == len(texts)
    assert found["truncated"] == (len(found["items"]) < len(texts))
    assert found["items"] == [to_json_value(text) for text in texts][: len(found["items"])]
    assert ("more" in found) == found["truncated"]


def test_a_truncated_answer_says_how_to_go_on() -> None:
    """It counts what it returned and hands that to the way to continue."""
    answer = Answer(as_of=NOW, items=["x" * 1_000] * 50, more=lambda kept: f"skip {kept}")
    found = json.loads(bytes(render_answer(answer).body))
    assert found["more"] == f"skip {found['returned']}"
    assert 10 < found["returned"] == len(found["items"]) < 20


def test_absent_fields() -> None:
    """They are left out; 0 and false are there, and so are empty parts of a summary."""
    assert to_json_value(Thing()) == {"restartCount": 0}
    assert to_json_value({"not_ready": []}) == {"not_ready": []}


def test_names_and_times() -> None:
    """Kubernetes' names are spelled as in its API; times are UTC, with milliseconds where the source has them."""
    assert to_json_value(Thing(exit_code=137, last_state="x", seen_at=NOW)) == {
        "restartCount": 0,
        "exitCode": 137,
        "lastState": "x",
        "seenAt": "2026-11-22T14:00:00.120Z",
    }


def test_a_long_text() -> None:
    """Its beginning is kept, with the number of characters that were cut."""
    assert to_json_value("a" * (LONGEST_TEXT + 7)) == "a" * LONGEST_TEXT + "… [+7 characters]"


def test_a_long_list() -> None:
    """A list inside an item or a summary is cut too, and says by how many."""
    names = [str(number) for number in range(LONGEST_LIST + 3)]
    assert to_json_value({"not_ready": names}) == {"not_ready": [*names[:LONGEST_LIST], "… [+3 more]"]}


def test_numbers() -> None:
    """Four digits are enough, and whole numbers stay whole."""
    assert [to_json_value(number) for number in (0.123456, 12.34567, 1234.5678, 2.0, True)] == [0.1235, 12.35, 1235, 2, True]


@settings(max_examples=100)
@given(st.lists(st.text(max_size=2_500), max_size=120, unique=True), st.booleans())
def test_a_list_of_any_length_is_read_to_its_end(texts: list[str], changing: bool) -> None:
    """From cursor to cursor, each item is returned once, also where new ones come first meanwhile; each page is counted over all."""
    found, text, added = list[str](), "", list[str]()
    for number in range(200):
        with reading_from(text):
            page = json.loads(bytes(render_answer(Answer(as_of=NOW, items=[*added, *texts])).body))
        assert page["total"] == len(added) + len(texts)
        found += page["items"]
        text = page.get("cursor", "")
        if not text:
            break
        added = [f"new {number}", *added] if changing else added
    assert found == [to_json_value(text) for text in texts]


def test_a_cursor_past_the_end() -> None:
    """It is no error: the list is then read."""
    with reading_from("50-00000000-0-0000"):
        page = json.loads(bytes(render_answer(Answer(as_of=NOW, items=["one", "two"])).body))
    assert (page["items"], page["note"], page["truncated"]) == ([], "This is the end of the list.", False)


def test_an_item_that_is_too_large() -> None:
    """It is left out and counted, and the next page continues after it."""
    large = {str(number): "x" * 1_000 for number in range(30)}
    with reading_from(""):
        page = json.loads(bytes(render_answer(Answer(as_of=NOW, items=[large, "two"])).body))
    assert (page["items"], page["returned"], page["truncated"]) == ([], 0, True)
    with reading_from(page["cursor"]):
        assert json.loads(bytes(render_answer(Answer(as_of=NOW, items=[large, "two"])).body))["items"] == ["two"]


def test_a_secret_at_the_end_of_what_is_shown() -> None:
    """It is hidden before it is cut, since a part of it is no secret to any pattern."""
    token = f"eyJ{'a' * 40}.{'b' * 40}.{'c' * 40}"
    assert "aaa" not in clip_text(f"{'x' * 380} {token}", 400)
    assert to_json_value({token: 1}) == {"***": 1}
