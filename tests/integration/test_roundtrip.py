"""Whatever JSON is accepted comes back equal, out of the database too, and is listed under its hash."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import rfc8785
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.instance import Access, Instance
from tests.integration.truth import content_hash

DEPTH = 64
SAFE = 2**53 - 1

# Keys that mean something to a database, to a driver, to BSON, to Python, to JavaScript or to the server.
HOSTILE_KEYS = [
    *("", " ", ".", "..", "a.b", ".a", "a.", "$", "$set", "$where", "$ref", "$id", "$db", "$oid", "$date"),
    *("$numberLong", "$binary", "_id", "id", "0", "-1", "__proto__", "constructor", "__class__", "_deleted"),
    *("space", "seq", "hash", "body", "device", "at", "outcome", "received", "client_state", "base", "\x01"),
    *("\x7f", "\u2028", "\ufeff", "\uffff", "é", "e\u0301", "\U0001f600", "/", "~", "~0", '"', "\\", "\n"),
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.sampled_from(HOSTILE_KEYS) | texts.filter(lambda key: "\0" not in key)
integers = (
    st.integers(-SAFE, SAFE)
    | st.integers(-3, 3)
    | st.sampled_from([SAFE, -SAFE, 2**31, 2**31 - 1, -(2**31), -(2**31) - 1, 2**32, 10**15])
)
floats = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-SAFE, SAFE).map(float)
    | st.sampled_from(
        [
            *(0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 1e15, 1e16, 1e20, 1e21, 1e22, 1e23, 1e-5, 1e-6, 1e-7),
            *(5e-324, 2.2250738585072014e-308, 1.7976931348623157e308),
            *(9007199254740992.0, 9007199254740994.0, 123456789012345680.0),
        ]
    )
)
scalars = st.none() | st.booleans() | integers | floats | texts | st.sampled_from(["\0", "a\0b", "\ud7ff"])
references = st.fixed_dictionaries(
    {"$ref": scalars, "$id": scalars}, optional={"$db": scalars, "more": scalars, "$more": scalars}
)
values = st.recursive(
    scalars | references,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
bodies = st.dictionaries(keys.filter(lambda key: key not in ("id", "_deleted")), values, max_size=8)


@st.composite
def deep(draw: st.DrawFn) -> Any:
    """Objects and arrays inside each other, up to what a member of a document may hold."""
    value: Any = draw(scalars)
    for _ in range(draw(st.integers(1, DEPTH - 1))):
        value = draw(st.sampled_from([[value], [value, 0], {"": value}, {"a.b": value, "$c": 1}]))
    return value


class Space:
    """A space with two devices: one writes, and the other asks, so that its answer is out of the store."""

    def __init__(self, writer: Access, reader: Access) -> None:
        self._writer = httpx.Client(base_url=writer.url, headers=writer.headers, trust_env=False)
        self._reader = httpx.Client(base_url=reader.url, headers=reader.headers, trust_env=False)

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def write(self, document: dict[str, Any], text: str | None = None) -> Any:
        """What the writer is answered."""
        text = text or json.dumps(document)
        answer = self._writer.post(f"/task/{document['id']}", content=b'{"client_state":' + text.encode() + b"}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def read(self, document: str) -> Any:
        """What the reader, who has no such document, is answered."""
        answer = self._reader.post(f"/task/{document}", json={"client_state": None})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def hashes(self) -> Any:
        return self._reader.get("/hashes").raise_for_status().json()

    def check(self, document: dict[str, Any], text: str | None = None) -> None:
        assert_equal(self.write(document, text), {"server_state": document})
        assert_equal(self.read(document["id"]), {"server_state": document})
        assert self.hashes()[document["id"]] == content_hash(document)


def assert_equal(found: Any, expected: Any) -> None:
    """As JSON values: true is not 1, but 1.0 is."""
    assert rfc8785.dumps(found) == rfc8785.dumps(expected)


@pytest.fixture(scope="module")
def space(server: Instance) -> Iterator[Space]:
    writer = server.access(name="writer")
    space = Space(writer, server.access(space=writer.space, name="reader"))
    yield space
    space.close()


def new_id() -> str:
    return f"d-{uuid.uuid4().hex[:12]}"


def hypothesis(examples: int | None = None, *, derandomize: bool = True) -> settings:
    """`examples`: so many; else those of the profile, which are more with --soak."""
    return settings(
        max_examples=settings().max_examples if examples is None else examples,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@given(bodies, st.booleans(), st.sampled_from([None, 1]))
@example({"a": {"$ref": "x", "$id": 1, "$db": None}}, True, None)
@example({"a": {"$ref": "x", "$id": {"$ref": "y", "$id": None, "$db": "z", "w": 1.0}}}, True, None)
@example({"$ref": "x", "$id": 1, "$db": "y"}, True, None)
@hypothesis()
def test_what_is_accepted_comes_back_equal(space: Space, body: Any, ascii_only: bool, indent: int | None) -> None:
    document = {**body, "id": new_id()}
    space.check(document, json.dumps(document, ensure_ascii=ascii_only, indent=indent))


@pytest.mark.soak
@given(bodies | st.dictionaries(keys, deep(), max_size=3), st.booleans(), st.sampled_from([None, 1]))
@hypothesis(10_000, derandomize=False)
def test_what_is_accepted_comes_back_equal_for_long(
    space: Space, body: Any, ascii_only: bool, indent: int | None
) -> None:
    document = {**body, "id": new_id()}
    document.pop("_deleted", None)
    space.check(document, json.dumps(document, ensure_ascii=ascii_only, indent=indent))


@given(deep())
@hypothesis()
def test_deep_nesting_comes_back_equal(space: Space, value: Any) -> None:
    space.check({"id": new_id(), "deep": value})


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"":', "}")], ids=["arrays", "objects"])
def test_nesting_to_the_limit_and_one_more(space: Space, opening: str, closing: str) -> None:
    identity = new_id()
    deepest = f'{{"id":"{identity}","deep":{opening * (DEPTH - 1)}0{closing * (DEPTH - 1)}}}'
    space.check(json.loads(deepest), deepest)
    with pytest.raises(AssertionError, match="invalid-document"):
        space.write({"id": identity}, f'{{"id":"{identity}","deep":{opening * DEPTH}0{closing * DEPTH}}}')


@given(bodies, bodies)
@example({"a": 1}, {"a": 1.0})
@example({"a": True}, {"a": 1})
@example({"a": -0.0}, {"a": 0})
@example({"a": None}, {"a": False})
@example({"$ref": "x", "$id": 1}, {"$db": "y"})
@example({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}})
@hypothesis()
def test_what_two_devices_wrote_is_stored_as_it_is_answered(space: Space, first: Any, second: Any) -> None:
    """Whatever the decision is, the answer, the stored state and the hash map agree on it."""
    identity = new_id()
    space.write({**first, "id": identity})
    answer = space.write({**second, "id": identity})
    assert_equal(space.read(identity), answer)
    assert space.hashes()[identity] == content_hash(answer["server_state"])


@pytest.mark.parametrize("item", ["0,", "1.5,", "{},", '"",'], ids=["integers", "doubles", "objects", "strings"])
def test_a_document_of_the_greatest_size_comes_back_equal(space: Space, item: str) -> None:
    """Values that BSON takes much more room for than JSON."""
    identity = new_id()
    frame = len(f'{{"id":"{identity}","items":[],"pad":""}}')
    count, rest = divmod(1024 * 1024 - frame + 1, len(item))
    text = f'{{"id":"{identity}","items":[{(item * count)[:-1]}],"pad":"{"x" * rest}"}}'
    assert len(text) == 1024 * 1024
    space.check(json.loads(text), text)


def test_many_keys_come_back_equal(space: Space) -> None:
    document: dict[str, Any] = {f"k.{n}$": n for n in range(20_000)}
    space.check({**document, "id": new_id()})


def test_ids_of_every_form_come_back_equal(space: Space) -> None:
    ends = new_id()
    for identity in (
        *("a", "A", "0", "-", "_", "~", "...", f".{ends}", f"{ends}.", "a" * 128, "~-._" * 32),
        *("_id", "id", "null", "constructor", "__proto__", "hashes", "pb67wndxge8293xd", "a.b.c"),
    ):
        space.check({"id": identity, "is": identity})
