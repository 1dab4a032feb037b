"""What others wrote is shown on the terminal and never obeyed."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.screen import Painted, Screen, wrapped
from tests.instance import ROOT

HOSTILE = "a\x1b]0;owned\x07\x9b2J\r\u202eb"
SHOWN = "a\\x1b]0;owned\\x07\\x9b2J\\x0d\\u202eb"


def test_every_way_out_of_the_client(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=False)
    screen.say(HOSTILE)
    screen.warn(HOSTILE)
    screen.answer({}, HOSTILE, f"{HOSTILE}\nanother line", Painted("ours\nof two lines"))
    with pytest.raises(SystemExit):
        screen.fail("code", f"{HOSTILE}\nWhat to do.", 1)
    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\n{SHOWN}\\x0aanother line\nours\nof two lines\n"
    assert err == f"{SHOWN}\nWarning: {SHOWN}\nError: {SHOWN}\nWhat to do.\n"


def test_json_says_the_same_and_is_not_obeyed_either(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=True)
    screen.answer({HOSTILE: "\ud800"})
    with pytest.raises(SystemExit):
        screen.fail("code", HOSTILE, 1)
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {HOSTILE: "\ud800"}
    assert json.loads(second)["error"]["message"] == HOSTILE
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", first + second)


def test_nothing_is_written_past_the_screen() -> None:
    """Who writes to the terminal by another way passes it through `shown`."""
    ways = re.compile(r"\b(?:click\.(?:echo|secho|echo_via_pager)|print)\(|sys\.std(?:out|err)\.write")
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "client").rglob("*.py")
        if ways.search(path.read_text()) and "shown(" not in path.read_text()
    }
    assert found == set()


def test_sentences_are_broken_between_words_and_commands_stay_whole() -> None:
    line = "  up: the disk is not there. To set it up again: hypertask connect /media/stick/tasks --sync. Or wait."
    assert wrapped(line, 50) == [
        "  up: the disk is not there. To set it up again:",
        "    hypertask connect /media/stick/tasks --sync.",
        "    Or wait.",
    ]
    assert wrapped("short", 50) == ["short"]
    assert wrapped("x" * 60, 50) == ["x" * 60]


@given(st.lists(st.text(st.sampled_from("ab漢"), min_size=1, max_size=8), min_size=1), st.integers(20, 60))
def test_no_word_is_lost_where_a_sentence_is_broken(words: list[str], width: int) -> None:
    assert " ".join(wrapped(" ".join(words), width)).split() == words
