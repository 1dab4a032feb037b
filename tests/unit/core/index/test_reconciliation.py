from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.core.documents import ContentHash, DocumentId, Epoch, HashMap, Position, SequenceNumber
from shared.core.index.hash_map import BucketedMap, key_of
from shared.core.index.reconciliation import LIST_AT_MOST, NOTHING, Tree, sum_of

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "reconciliation.json").read_text())
POSITION = Position(Epoch("e"), SequenceNumber(1))
DIGITS = "0123456789abcdef"

documents = st.integers(0, 500).map(lambda n: DocumentId(f"d{n}"))
hashes = st.sampled_from("0123").map(lambda c: ContentHash(c * 32))
maps = st.dictionaries(documents, hashes, max_size=120)


def tree(content: HashMap, divided: int = 0) -> Tree:
    map_ = BucketedMap.of(POSITION, content)
    for _ in range(divided):
        map_ = map_.divided()
    return Tree(map_)


def differences(mine: HashMap, post: Callable[[dict[str, str]], dict[str, Any]]) -> tuple[set[str], int]:
    """The client of docs/reconciliation.md; and the number of rounds."""

    keys = {identity: key_of(identity) for identity in mine}

    def inside(prefix: str) -> HashMap:
        return {i: h for i, h in mine.items() if keys[i].startswith(prefix)}

    def fingerprint(prefix: str) -> str:
        return sum_of(inside(prefix)).fingerprint

    differ: set[str] = set()
    ask, rounds = {""}, 0
    while ask:
        rounds += 1
        answer = post({prefix: fingerprint(prefix) for prefix in ask})
        for prefix, theirs in answer["documents"].items():
            here = inside(prefix)
            differ |= {i for i in here.keys() | theirs.keys() if here.get(i) != theirs.get(i)}
        divided = {prefix[:-1] for prefix in answer["ranges"]}
        ask = set()
        for prefix in (p + digit for p in divided for digit in DIGITS):
            if prefix not in answer["ranges"]:
                differ |= inside(prefix).keys()
            elif answer["ranges"][prefix] != fingerprint(prefix):
                ask.add(prefix)
    return differ, rounds


def server(content: HashMap) -> Callable[[dict[str, str]], dict[str, Any]]:
    there = tree(content)

    def post(asked: dict[str, str]) -> dict[str, Any]:
        found = there.compare(asked)
        return {"ranges": found.divided, "documents": found.listed}

    return post


def truly(a: HashMap, b: HashMap) -> set[str]:
    return {i for i in a.keys() | b.keys() if a.get(i) != b.get(i)}


@given(maps, maps)
@example({}, {})
def test_the_difference_is_found_exactly(mine: HashMap, theirs: HashMap) -> None:
    assert differences(mine, server(theirs))[0] == truly(mine, theirs)


@given(maps, st.dictionaries(documents, hashes, max_size=5), st.sets(documents, max_size=5))
def test_a_small_difference_is_found_exactly(mine: HashMap, changed: HashMap, gone: set[DocumentId]) -> None:
    theirs = {i: h for i, h in (mine | changed).items() if i not in gone}
    assert differences(mine, server(theirs))[0] == truly(mine, theirs)


@given(maps, maps)
def test_equal_maps_and_only_they_have_equal_fingerprints(a: HashMap, b: HashMap) -> None:
    assert (sum_of(a).fingerprint == sum_of(b).fingerprint) == (a == b)


@given(maps, st.text("0123456789abcdef", max_size=5), st.integers(0, 2))
def test_a_range_is_the_sum_of_its_parts(content: HashMap, prefix: str, divided: int) -> None:
    here = tree(content, divided)
    whole = {i: h for i, h in content.items() if key_of(i).startswith(prefix)}
    assert here.documents(prefix) == whole
    total = NOTHING
    for digit in DIGITS:
        total += here.sum(prefix + digit)
    assert here.sum(prefix) == total == sum_of(whole)


@given(maps, maps)
def test_sums_that_were_kept_are_right(before: HashMap, after: HashMap) -> None:
    old = tree(before)
    changes: dict[DocumentId, ContentHash | None] = {**dict.fromkeys(before), **after}
    patched, _ = BucketedMap.of(POSITION, before).patched(POSITION, changes)
    assert Tree(patched, old.sums).sum("") == sum_of(after)


def test_rounds_and_answers_grow_with_the_difference_and_not_with_the_size() -> None:
    chance = random.Random(1)
    costs = []
    for size in (1_000, 5_000, 20_000):
        theirs = {DocumentId(f"d{n}"): ContentHash(f"{n:032x}") for n in range(size)}
        mine = dict(theirs)
        for identity in chance.sample(sorted(theirs), 3):
            mine[identity] = ContentHash("f" * 32)
        named = 0

        there = server(theirs)

        def post(asked: dict[str, str], there: Callable[[dict[str, str]], dict[str, Any]] = there) -> dict[str, Any]:
            nonlocal named
            found = there(asked)
            named += len(found["ranges"]) + sum(map(len, found["documents"].values()))
            return found

        differ, rounds = differences(mine, post)
        assert differ == truly(mine, theirs)
        costs.append((rounds, named))
    assert all(rounds <= most for (rounds, _), most in zip(costs, (3, 4, 5), strict=True)), costs
    assert all(named <= 3 * rounds * 16 + 3 * LIST_AT_MOST for rounds, named in costs), costs


@pytest.mark.parametrize("vector", VECTORS["fingerprints"], ids=lambda vector: vector["name"])
def test_fingerprints_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    here = tree(vector["hashes"])
    assert {prefix: here.sum(prefix).fingerprint for prefix in vector["ranges"]} == vector["ranges"]


@pytest.mark.parametrize("vector", VECTORS["exchanges"], ids=lambda vector: vector["name"])
def test_exchanges_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    post = server(vector["server"])
    for step in vector["steps"]:
        assert post(step["ranges"]) == step["answer"]
    assert differences(vector["client"], post)[0] == set(vector["differ"])
