"""What `task export` writes is read, with its warts; what is wrong is named with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.formats.faults import ExportError
from client.formats.taskwarrior_export import documents_of, read

A = "aaaaaaaa-0000-4000-8000-000000000001"
B = "aaaaaaaa-0000-4000-8000-000000000002"
EXPORT = (Path(__file__).parent / "taskwarrior_export.json").read_bytes()


def task(uuid: str = A, **attributes: Any) -> dict[str, Any]:
    return {"uuid": uuid, **attributes}


def only(raw: bytes) -> dict[str, Any]:
    [document] = documents_of(raw).values()
    return document


def problems_of(raw: bytes) -> list[str]:
    with pytest.raises(ExportError) as caught:
        documents_of(raw)
    return str(caught.value).split("\n")


# --- forms of the file -------------------------------------------------------------------------------------

ONE, TWO = json.dumps(task(A, description="a, [b] {c}")), json.dumps(task(B, description='"]'))


@pytest.mark.parametrize(
    "text",
    [
        f"[\n{ONE},\n{TWO}\n]\n",  # json.array=on, as 2.4.3 and later write it
        f"[{ONE},\n{TWO}]\n",
        f"{ONE}\n{TWO}\n",  # json.array=off
        f"{ONE},\n{TWO}\n",  # 2.3 and older
        f"{ONE},\n{TWO},\n",
        f"{ONE}\r\n{TWO}\r\n",
        f"\n\n{ONE}\n\n{TWO}",
        f"{ONE}{TWO}",
        json.dumps([json.loads(ONE), json.loads(TWO)], indent=2),
    ],
)
def test_forms(text: str) -> None:
    documents = documents_of(text.encode())
    assert [d["description"] for d in documents.values()] == ["a, [b] {c}", '"]']
    assert documents_of(text.encode("utf-8-sig")) == documents
    assert documents_of(text.encode("utf-16")) == documents


def test_the_real_export_line_by_line() -> None:
    lines = "\n".join(json.dumps(t, ensure_ascii=False) for t in json.loads(EXPORT))
    assert documents_of(lines.encode()) == documents_of(EXPORT)


@pytest.mark.parametrize("text", ["[]", "[\n]\n", " [ ] "])
def test_no_tasks_is_an_export_too(text: str) -> None:
    assert documents_of(text.encode()) == {}


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.text(st.characters(exclude_categories=["Cs"])),
            max_size=3,
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_whatever_stands_in_strings(attributes: list[dict[str, str]], array: bool) -> None:
    tasks = [{**more, "n": i} for i, more in enumerate(attributes)]
    lines = [json.dumps(t, ensure_ascii=False) for t in tasks]
    text = "[\n" + ",\n".join(lines) + "\n]\n" if array else "\n".join(lines) + "\n"
    if text.strip():
        problems: list[Any] = []
        assert [entry.task for entry in read(text.encode(), problems)] == tasks
        assert not problems


def test_the_same_task_twice_is_one() -> None:
    assert len(documents_of(f"[{ONE},{ONE}]".encode())) == 1


# --- what real exports hold that is not JSON ----------------------------------------------------------------


def test_raw_control_characters() -> None:
    assert (
        only(b'[\n{"uuid":"%s","description":"esc\x1b bell\x07 \x7f"}\n]' % A.encode())["description"]
        == "esc\x1b bell\x07 \x7f"
    )


def test_emoji_as_surrogates_of_three_bytes() -> None:
    # Taskwarrior 2.6.2 after `task import` of "\ud83d\ude00", byte for byte.
    raw = b'[\n{"uuid":"%s","description":"caf\xc3\xa9 \xed\xa0\xbd\xed\xb8\x80"}\n]' % A.encode()
    assert only(raw)["description"] == "café 😀"


def test_words_without_quotes() -> None:
    # An attribute that was declared numeric when it held text.
    raw = (
        b'[\n{"uuid":"%s","a":H,"b":nan,"c":-inf,"d":NaN,"e":Infinity,"f":3.500000,"g":-0.0000001,"h":"x:y","i":007},\n'
        % A.encode()
    )
    raw += TWO.encode() + b"\n]\n"
    documents = list(documents_of(raw).values())
    assert [documents[0][name] for name in "abcdefghi"] == [
        "H",
        "nan",
        "-inf",
        "NaN",
        "Infinity",
        3.5,
        -1e-7,
        "x:y",
        "007",
    ]
    assert len(documents) == 2


def test_numbers_as_taskwarrior_prints_large_ones() -> None:
    raw = b'[{"uuid":"%s","estimate":12345678901234567168.000000}]' % A.encode()
    assert only(raw)["estimate"] == 12345678901234567168.0


# --- what cannot be imported -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "there is nothing in it; make it with: task export > tasks.json"),
        (b" \n", "there is nothing in it; make it with: task export > tasks.json"),
        (b"[\n{}\n]", 'line 2, entry 1: it has no "uuid"; `task import` gives it one, then export again'),
        (b'[\n{"uuid":"x"}]', "line 2, entry 1: its \"uuid\" is not a UUID: 'x'"),
        (b"[\n5\n]", "line 2, entry 1: a task is a JSON object, not 5"),
        (b"[[1,\n2]]", "line 1, entry 1: a task is a JSON object, not [1,"),
        (b"<html>\n", "line 1, entry 1: a task is a JSON object, not <html>"),
        (b'[{"uuid":"%s"}' % A.encode(), 'line 1: it ends before the closing "]": is it cut off?'),
        (b'[{"uuid":"%s"}] x' % A.encode(), "line 1: after the end of the array comes x"),
        (
            b'{"uuid":"%s","a":1,"a":2}' % A.encode(),
            'line 1, entry 1: The key "a" occurs twice in one object. (at /a)',
        ),
        (
            b'{"uuid":"%s","a":[9007199254740993]}' % A.encode(),
            "line 1, entry 1: Number out of range: 9007199254740993. (at /a/0)",
        ),
        (
            b'{"uuid":"%s","a":"\\ud800"}' % A.encode(),
            "line 1, entry 1: U+D800 stands alone; it is half of a character. (at /a)",
        ),
    ],
)
def test_each_problem_is_named(raw: bytes, problem: str) -> None:
    assert problems_of(raw) == [problem]


def test_all_problems_are_named_at_once() -> None:
    lines = ["[", ONE + ",", '{"uuid":5},', '{"uuid":"x,', TWO + ",", '{"a"b},', "]"]
    found = problems_of("\n".join(lines).encode())
    assert [line.split(":")[0] for line in found] == ["line 3, entry 2", "line 4, entry 3", "line 6, entry 5"]


def test_bytes_that_are_no_text() -> None:
    [problem] = problems_of(ONE.encode() + b'\n{"uuid":"%s","description":"\xff"}' % B.encode())
    assert problem.startswith("line 2: byte 0xff is not UTF-8")
    [problem] = problems_of(b'{"uuid":"%s","description":"\xed\xa0\xbd"}' % B.encode())
    assert problem.startswith("line 1: byte 0xed is not UTF-8")


def test_two_states_of_one_task() -> None:
    [problem] = problems_of(f"{json.dumps(task(A, x=1))}\n{json.dumps(task(A.upper(), x=2))}".encode())
    assert problem == f"line 2, entry 2: task {A} is also entry 1, and they are not the same"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_does_not_exhaust_the_reader(opening: bytes) -> None:
    assert "nested" in problems_of(opening * 100_000)[0]


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:\\u0d8 \n1a-').map(str.encode))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    try:
        documents = documents_of(raw)
    except ExportError as error:
        assert error.problems
    else:
        assert isinstance(documents, dict)


def test_damage_anywhere_in_a_real_export_is_read_or_refused() -> None:
    for place in range(0, len(EXPORT), 97):
        for damaged in (EXPORT[:place], EXPORT[:place] + EXPORT[place + 1 :], EXPORT[:place] + b'"' + EXPORT[place:]):
            try:
                assert len(documents_of(damaged)) <= len(json.loads(EXPORT))
            except ExportError as error:
                assert error.problems
