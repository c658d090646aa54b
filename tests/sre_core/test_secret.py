"""A secret can be used, and shows nowhere by accident."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from sre_core.secret import Secret, conceal

TEXT = "hunter2-hunter2"


def test_it_shows_as_stars() -> None:
    """In every form: printed, formatted or in a container."""
    secret = Secret(TEXT)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>40}", f"{[secret]} { ({'key': secret}) }", "%s" % secret]  # noqa: UP031
    assert all("***" in text and TEXT not in text for text in shown)
    assert secret.reveal() == TEXT


@pytest.mark.parametrize("serialised", [json.dumps, pickle.dumps, copy.deepcopy])
def test_it_can_not_be_serialised(serialised: object) -> None:
    """A journal, a report or a message to another process can't hold it by mistake."""
    assert callable(serialised)
    with pytest.raises(TypeError):
        serialised({"key": Secret(TEXT)})


def test_it_compares_by_value() -> None:
    """Two of the same text are one in a set; another text, or the text itself, is not the same."""
    assert Secret(TEXT) == Secret(TEXT)
    assert len({Secret(TEXT), Secret(TEXT)}) == 1
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert not Secret("")


def test_it_is_taken_out_of_other_texts() -> None:
    """Whole, and line by line where it has several; what is too short to be a secret stays."""
    key = "-----BEGIN KEY-----\nMIGHAgEAMBMG\n-----END KEY-----"
    said = conceal("password hunter2-hunter2, key MIGHAgEAMBMG, on port 443", [Secret(TEXT), Secret(key), Secret("443")])
    assert said == "password ***, key ***, on port 443"
