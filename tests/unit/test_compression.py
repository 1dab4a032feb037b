from __future__ import annotations

import gzip
import random

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from api.http.codings import CODINGS, BrokenError, Decoder, compress
from api.http.compression import accepted, tag_of, tags_in


def decoded(coding: str, chunks: list[bytes], piece: int = 64) -> bytes:
    decoder = Decoder(coding, piece=piece)
    out = [part for chunk in chunks for part in decoder.feed(chunk)]
    decoder.close()
    assert all(len(part) <= piece for part in out)
    return b"".join(out)


@given(st.sampled_from(CODINGS), st.lists(st.binary(max_size=500), min_size=1), st.integers(1, 40))
def test_what_was_compressed_comes_back(coding: str, members: list[bytes], cut: int) -> None:
    data = b"".join(compress(coding, member) for member in members)
    chunks = [data[i : i + cut] for i in range(0, len(data), cut)]
    assert decoded(coding, chunks) == b"".join(members)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_comes_out_in_pieces(coding: str) -> None:
    bomb = compress(coding, bytes(50_000_000))
    pieces = Decoder(coding).feed(bomb)
    assert len(next(pieces)) <= 64 * 1024


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_cut_short_or_damaged_is_refused(coding: str) -> None:
    data = compress(coding, random.Random(1).randbytes(1000))
    for chunks in ([data[:-1]], [data[:3]], [], [b"{}"], [data, b"more"]):
        with pytest.raises(BrokenError):
            decoded(coding, chunks)


@pytest.mark.parametrize("coding", CODINGS)
def test_members_of_which_there_are_too_many_are_refused(coding: str) -> None:
    empty = compress(coding, b"")
    assert decoded(coding, [empty * 100]) == b""
    with pytest.raises(BrokenError, match="members"):
        decoded(coding, [empty * 500])
    some = compress(coding, random.Random(1).randbytes(2000))
    assert len(decoded(coding, [some * 500], piece=10**6)) == 10**6, "there may be more of those that hold something"


def test_a_window_that_is_too_large_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.checksum_flag: 1}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(random.Random(1).randbytes(9_000_000)) + compressor.flush()
    with pytest.raises(BrokenError):
        decoded("zstd", [data], piece=10**7)


def test_the_gzip_of_others_is_read() -> None:
    assert decoded("gzip", [gzip.compress(b"text")]) == b"text"


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0.1, gzip;q=0.9", "gzip"),
        ("GZIP ; q=1.0", "gzip"),
        ("br, *", "identity"),
        ("gzip;q=x", "identity"),
    ],
)
def test_the_answers_coding_is_what_was_asked_for(header: str | None, coding: str) -> None:
    assert accepted(header) == coding


@pytest.mark.parametrize("coding", ["identity", *CODINGS])
def test_a_tag_is_known_again_in_any_coding(coding: str) -> None:
    assert tags_in(f'"x", W/{tag_of("e-1", coding)}') == {"x", "e-1"}
    assert tags_in(None) == set()
