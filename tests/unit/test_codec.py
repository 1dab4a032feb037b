"""The fast paths of shared/codec.py against the reference paths, and the vectors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import assume, example, given
from hypothesis import strategies as st

from api.representations import submissions
from shared import codec
from shared.core.documents import DocumentId
from shared.core.json import canonical as exact
from shared.core.json import strict
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "content_hash.json").read_text())
DEPTH = 64

numbers = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 0.0, 1.0, 1e15, 1e16, 1e20, 1e21, 1e22, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308])
)
hostile = st.sampled_from(
    [":1.0,", ":-0,", "[1e5", "1234567890123456", "\x00", "\x1f", '"', "\\", "\u2028", ":", "\\u003a"]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | hostile
keys = texts | st.sampled_from(["\ue000", "\uffff", "\U0001f600", "\U00010000", "\ufb33", "a"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
@example({"\ue000": 1, "\U0001f600": 2})
@example({"a": [-0.0, 1e16, 1e21, 1.5, {"x": ":1.0,"}]})
def test_the_fast_canonical_form_is_the_exact_one(value: Any) -> None:
    assert codec.canonical(value) == exact.canonical(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_printed_as_ecmascript_does(value: float) -> None:
    assert exact.canonical(value) == rfc8785.dumps(value)


@given(values)
def test_the_canonical_form_says_the_value(value: Any) -> None:
    assert exact.equal(json.loads(exact.canonical(value), parse_int=float), value)


@given(values)
@example([1e17, 2.0**53, -(2.0**63), 999999999999999900000.0, -0.0])
def test_the_canonical_form_is_accepted_and_equal(value: Any) -> None:
    form = exact.canonical(value)
    assume(b"\\u0000" not in form)  # which a key may not hold
    for parse in (codec.parse, strict.parse):
        again = parse(form, max_depth=DEPTH)
        assert exact.equal(again, value)
        assert codec.canonical(again) == exact.canonical(again) == form


@given(
    st.text(alphabet=':[, x"-\n', max_size=3).flatmap(
        lambda sign: st.lists(
            st.sampled_from([sign, "1" * 15, "2" * 16, "3" * 40, "-", ":", '"', "e", "x"]), max_size=8
        )
    )
)
def test_long_numbers_are_found_where_the_pattern_finds_them(parts: list[str]) -> None:
    text = "".join(parts).encode()
    pattern = rb"(?:\A|[:\[,\s])-?\d{16}"
    assert codec._has_long_number(text) == (re.search(pattern, text) is not None)


@given(st.integers(2**53, 10**23).flatmap(lambda n: st.sampled_from([n, -n, int(float(n))])))
@example(2**53)
@example(2**53 + 1)
@example(10**17)
@example(2**63)
@example(2**63 - 1)
@example(10**21)
def test_a_long_integer_is_accepted_if_it_says_a_double(number: int) -> None:
    """Exactly, or as RFC 8785 writes it. What comes back is that double, whatever the spelling."""
    text = b'{"n":%d}' % number
    says = int(float(number)) == number or rfc8785.dumps(float(number)) == b"%d" % number
    for parse in (codec.parse, strict.parse):
        if says:
            value = parse(text, max_depth=DEPTH)["n"]
            assert type(value) is float and value == float(number)
        else:
            with pytest.raises(FaultError) as found:
                parse(text, max_depth=DEPTH)
            assert (found.value.fault.reason, found.value.fault.pointer) == ("number out of range", "/n")


@given(st.floats(2.0**53, 1e22) | st.floats(-1e22, -(2.0**53)))
def test_long_integers_of_a_server_are_doubles(value: float) -> None:
    text = exact.canonical({"a": [value, 2**53 - 1, "1234567890123456789"]})
    assert codec.loads_answer(text) == {"a": [value, 2**53 - 1, "1234567890123456789"]}
    assert type(codec.loads_answer(text)["a"][0]) is float


@given(values, values)
def test_equal_values_are_those_of_equal_form(a: Any, b: Any) -> None:
    assert exact.equal(a, b) == (exact.canonical(a) == exact.canonical(b))


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """JSON as somebody might write it: white space, escapes, keys twice, numbers out of range, or cut off."""

    def string(text: str) -> str:
        way = draw(st.sampled_from(["plain", "ascii", "colons", "all"]))
        plain = json.dumps(text, ensure_ascii=way != "plain")
        if way == "colons":
            return plain.replace(":", draw(st.sampled_from(["\\u003a", "\\u003A"])))
        if way == "all":
            units = text.encode("utf-16-be")
            return '"' + "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)) + '"'
        return plain

    def value(depth: int) -> str:
        kind = draw(st.sampled_from(["object", "array", "string", "number"] if depth < 4 else ["string", "number"]))
        space = draw(st.sampled_from(["", " ", "\n"]))
        if kind == "object":
            names = draw(st.lists(st.sampled_from(["a", "b", ":", "x:y", "\x00", "é", "\U0001f600"]), max_size=4))
            return "{" + ",".join(f"{space}{string(n)}:{space}{value(depth + 1)}" for n in names) + space + "}"
        if kind == "array":
            return "[" + ",".join(value(depth + 1) for _ in range(draw(st.integers(0, 3)))) + "]"
        if kind == "string":
            return string(draw(texts))
        return draw(
            st.sampled_from(
                ["0", "-0", "1.0", "1e400", "9007199254740992", "9007199254740993", "9" * 400, "01", "1.", "NaN"]
            )
            | numbers.map(json.dumps)
        )

    text = value(0)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 20)) == 0 else text


@given(json_texts())
@example('{"x":1,"x":"\\u003a"}')
@example('{"a":{"x":1,"\\u0078":2}}')
def test_the_fast_parser_takes_and_refuses_what_the_strict_one_does(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    assert _outcome(lambda: codec.parse(raw, max_depth=DEPTH)) == _outcome(lambda: strict.parse(raw, max_depth=DEPTH))


def _outcome(parse: Any) -> Any:
    try:
        return exact.canonical(parse())
    except FaultError as error:
        return error.fault


@pytest.mark.parametrize("vector", VECTORS["accept"], ids=lambda v: v["name"])
def test_accepted(vector: dict[str, Any]) -> None:
    value = codec.parse(vector["json"].encode(), max_depth=DEPTH)
    for form in (codec.canonical(value), exact.canonical(value)):
        assert form == vector["canonical"].encode()
    assert codec.content_hash(value) == vector["content_hash"]


@pytest.mark.parametrize("vector", VECTORS["reject"], ids=lambda v: v["name"])
def test_refused(vector: dict[str, Any]) -> None:
    raw = b'{"client_state":' + vector["json"].encode("utf-8", "surrogatepass") + b"}"
    with pytest.raises(FaultError):
        submissions.parse_post_task(raw, DocumentId("a"), Limits())


@pytest.mark.parametrize("depth", [DEPTH, DEPTH + 1, 5000])
def test_depth_is_bounded_and_the_place_is_told(depth: int) -> None:
    raw = b'{"a":[0,' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"]}"
    if depth == DEPTH:
        codec.parse(raw, max_depth=DEPTH)
        return
    with pytest.raises(FaultError) as found:
        codec.parse(raw, max_depth=DEPTH)
    assert found.value.fault.reason == "too deep"
    assert found.value.fault.pointer == "/a/1" + "/0" * (DEPTH - 2)


@pytest.mark.parametrize(
    ("raw", "certain"),
    [
        (b'{"base":"7-12345678901234567890123456789012"}', True),
        (b'{"at":"1234567890123456"}', True),
        (b'{"n":1.0123456789012345678}', True),
        (b'{"n":123456789012345}', True),
        (b'{"n":1234567890123456}', False),
        (b'{"n": -1234567890123456}', False),
        (b"[1,\n1234567890123456]", False),
        (b"1234567890123456", False),
        (b"-1234567890123456", False),
    ],
)
def test_long_numbers_take_the_exact_road_and_digits_in_strings_do_not(raw: bytes, certain: bool) -> None:
    assert (codec.plain_of(raw) is not None) == certain
