"""Compressed texts of segments: read by independent decoders, whatever stands before whichever segment."""

from __future__ import annotations

import gzip
import random
import shutil
import subprocess
import zlib

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from api.http import segments
from api.http.codings import CODINGS
from api.http.segments import joined, segment

DICE = random.Random(19)
DIGITS = "".join(DICE.choices("0123456789abcdef", k=20_000)).encode()
MANY = [DIGITS[:5000], b",", b"0" * 5000, b",", b"ab" * 3000, b"", DIGITS * 20, b"}"]
"""Some segments repeat the offsets that a frame begins with."""


def whole(coding: str, texts: list[bytes]) -> bytes:
    return b"".join(joined(coding, texts, [segment(coding, text) for text in texts]))


def read(coding: str, data: bytes) -> bytes:
    """What is in the first member or frame. Nothing may be behind it, as not everybody reads that."""
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS) if coding == "gzip" else zstd.ZstdDecompressor()
    text: bytes = decoder.decompress(data)
    assert decoder.eof and not decoder.unused_data
    return text


TEXTS = st.lists(
    st.one_of(
        st.text("0a", max_size=200),
        st.text('0123456789abcdef,":', max_size=3000),
        st.builds(lambda unit, times: unit * times, st.text("0123ab", min_size=1, max_size=9), st.integers(1, 400)),
    ).map(str.encode),
    max_size=8,
)


@pytest.mark.parametrize("coding", CODINGS)
@given(TEXTS)
def test_law_what_is_read_are_the_texts(coding: str, texts: list[bytes]) -> None:
    assert read(coding, whole(coding, texts)) == b"".join(texts)


@pytest.mark.parametrize("coding", CODINGS)
def test_any_order_of_segments_is_read(coding: str) -> None:
    made = {text: segment(coding, text) for text in MANY}
    for _ in range(20):
        texts = DICE.sample(MANY, len(MANY))
        assert read(coding, b"".join(joined(coding, texts, [made[text] for text in texts]))) == b"".join(texts)


def test_programs_read_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert gzip.decompress(whole("gzip", MANY)) == b"".join(MANY)
    for program, coding in (("gzip", "gzip"), ("zstd", "zstd")):
        if shutil.which(program):
            done = subprocess.run([program, "-dc"], input=whole(coding, MANY), capture_output=True, check=True)
            assert done.stdout == b"".join(MANY)


def test_digits_come_out_about_as_short_as_in_one() -> None:
    texts = [DIGITS[at : at + 5000] for at in range(0, len(DIGITS), 5000)]
    assert len(whole("zstd", texts)) < 1.05 * len(zstd.compress(b"".join(texts), 1)) + 50
    assert len(whole("gzip", texts)) < 1.05 * len(zlib.compress(b"".join(texts), 1)) + 50


def test_a_segment_that_repeats_an_offset_of_before_it_is_found() -> None:
    """Behind others it would be read wrongly; so it would be, if it were not stored."""
    text = b"0" * 300 + b"abcdef"
    blocks = segments._of_frame(text)
    assert blocks is not None and not segments._is_independent(blocks, text)
    head, end = segments._ZSTD_HEAD, segments._ZSTD_END
    assert zstd.decompress(head + blocks + end) == text
    assert not zstd.decompress(head + segments._before(9)[0] + blocks + end).endswith(text)
    assert segment("zstd", text) == segments._header(segments._RAW, len(text)) + text


@pytest.mark.parametrize("bits", range(6, 19))
def test_what_stands_before_a_segment_that_is_tried_leaves_other_offsets(bits: int) -> None:
    text = (b"0" * 40 + b"abcdef").ljust(2 ** (bits - 1), b"x")
    blocks = segments._of_frame(text)
    assert blocks is not None and not segments._is_independent(blocks, text)


def test_what_is_no_ascii_is_stored() -> None:
    text = "é".encode() * 500
    assert segment("zstd", text) == segments._header(segments._RAW, len(text)) + text
