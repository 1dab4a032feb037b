from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client.sync.engine.records import Ancestor
from client.sync.engine.versions import Agreed, FileVersion, ancestors, arrived, contained, is_edited, numbered
from shared.core.documents import ContentHash
from shared.core.version_vectors import Source, Version, includes

ME = Source("me")
HASHES = st.sampled_from([None, *map(ContentHash, "xyz")])
VERSIONS: st.SearchStrategy[Version] = st.dictionaries(
    st.sampled_from([Source("a"), Source("b"), ME]), st.integers(1, 4), max_size=3
)
AGREED = st.lists(st.builds(Agreed, HASHES, VERSIONS), max_size=3)


@given(HASHES, VERSIONS, AGREED)
def test_a_file_as_it_was_known_has_the_version_that_was_known(
    here: ContentHash | None, version: Version, agreed: list[Agreed]
) -> None:
    known = FileVersion(here, version)
    assert not is_edited(known, here, agreed)
    assert contained(known, agreed) == version


@given(HASHES, AGREED)
def test_what_was_agreed_on_is_contained(here: ContentHash | None, agreed: list[Agreed]) -> None:
    version = contained(None, agreed)
    assert all(includes(version, one.version) for one in agreed)
    edited = is_edited(None, here, agreed)
    assert edited == (any(one.hash != here for one in agreed) if agreed else here is not None)


@given(VERSIONS, st.integers(5, 9))
def test_an_edit_contains_what_it_was_made_on_and_more(version: Version, number: int) -> None:
    after = numbered(version, ME, number)
    assert includes(after, version)
    assert not includes(version, after)


@given(HASHES, VERSIONS, HASHES, VERSIONS, HASHES)
def test_after_an_arrival_the_file_contains_both_and_an_edit_in_it_has_no_number_yet(
    had: ContentHash | None, mine: Version, came: ContentHash | None, theirs: Version, then: ContentHash | None
) -> None:
    after = arrived(FileVersion(had, mine), FileVersion(came, theirs), then)
    assert includes(after.version, mine)
    assert includes(after.version, theirs)
    assert is_edited(after, then, []) == (then not in {had, came})


@given(VERSIONS, HASHES, st.lists(st.builds(Ancestor, VERSIONS, st.none(), HASHES), max_size=6))
def test_an_ancestor_is_contained_in_the_state_and_comes_once(
    version: Version, content: ContentHash | None, earlier: list[Ancestor]
) -> None:
    found = ancestors(version, content, earlier)
    assert all(one.version and includes(version, one.version) and one.hash != content for one in found)
    assert len({(one.hash, tuple(sorted(one.version.items()))) for one in found}) == len(found)
