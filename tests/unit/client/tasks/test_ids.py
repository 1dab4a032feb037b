"""The laws of client.tasks.ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.ids import ALPHABET, LENGTH, NoSuchTaskError, derived_id, id_of, shortest, with_prefix
from shared.core.documents import DocumentId

ids = st.sets(st.text("ab2", min_size=1, max_size=6).map(DocumentId), min_size=1, max_size=12)


@given(st.integers(0, len(ALPHABET) ** LENGTH - 1), st.integers(0, len(ALPHABET) ** LENGTH - 1))
def test_every_number_has_an_id_of_its_own(a: int, b: int) -> None:
    assert len(id_of(a)) == LENGTH and set(id_of(a)) <= set(ALPHABET)
    assert (id_of(a) == id_of(b)) == (a == b)


def test_an_id_derived_stays() -> None:
    assert derived_id("occurrence", "p", "2026-01-01T00:00:00Z") == "87ndrmsagrcxry2h"
    assert derived_id("ab", "c") != derived_id("a", "bc")


@given(ids)
def test_what_is_shown_is_enough_to_type(known: set[DocumentId]) -> None:
    for least in (1, 3):
        for document, prefix in shortest(known, least).items():
            assert with_prefix(prefix, known) == document
            assert prefix == document or len(prefix) >= least
            if len(prefix) > least:  # one character less would not be
                assert len([other for other in known if other.startswith(prefix[:-1])]) > 1


@given(ids, st.text("ab2", max_size=3))
def test_a_prefix_that_means_none_or_several_is_refused(known: set[DocumentId], prefix: str) -> None:
    fitting = {document for document in known if prefix and document.startswith(prefix)}
    if len(fitting) == 1 or prefix in fitting:
        assert with_prefix(prefix, known) in fitting
    else:
        with pytest.raises(NoSuchTaskError, match="one character more" if fitting else "hypertask list"):
            with_prefix(prefix, known)
