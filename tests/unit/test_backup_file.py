"""Laws of the file of a backup."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backup_file import BackupReader, BackupWriter, Frame, Header, InvalidBackupError

HEADER = Header("0.1.0", 1, 1_700_000_000.5, ("one", "two"))
FRAMES = st.lists(st.tuples(st.sampled_from(["space", "documents", "users"]), st.binary(max_size=40)), max_size=8)


def written(frames: list[tuple[str, bytes]], header: Header = HEADER) -> bytes:
    file = io.BytesIO()
    writer = BackupWriter(file, header)
    for name, payload in frames:
        if name == "space":
            writer.space(payload.hex())
        else:
            writer.row(name, payload)
    writer.finish()
    return file.getvalue()


def verified(raw: bytes) -> dict[str, int]:
    return BackupReader(io.BytesIO(raw)).verify()


@given(FRAMES)
def test_law_what_was_written_is_read_in_its_order(frames: list[tuple[str, bytes]]) -> None:
    reader = BackupReader(io.BytesIO(written(frames)))
    assert reader.header == HEADER
    wanted = [Frame(name, payload.hex().encode() if name == "space" else payload) for name, payload in frames]
    assert list(reader.frames()) == wanted


@given(FRAMES, st.data())
def test_law_what_was_cut_off_is_refused(frames: list[tuple[str, bytes]], data: st.DataObject) -> None:
    raw = written(frames)
    with pytest.raises(InvalidBackupError):
        verified(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(FRAMES, st.data())
def test_law_a_byte_that_was_changed_is_noticed(frames: list[tuple[str, bytes]], data: st.DataObject) -> None:
    raw = bytearray(written(frames))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        found = list(BackupReader(io.BytesIO(bytes(raw))).frames())
    except InvalidBackupError:
        return
    assert found == list(BackupReader(io.BytesIO(written(frames))).frames()), (
        "only a bit that says nothing may change"
    )


@pytest.mark.parametrize("raw", [b"", b"nothing of the kind", b'{"kind": "space"}\n' * 100])
def test_what_is_no_backup_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidBackupError):
        verified(raw)


def test_one_of_a_later_format_is_refused() -> None:
    file = io.BytesIO()
    writer = BackupWriter(file, HEADER)
    writer.finish()
    later = file.getvalue()
    assert verified(later) == {}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InvalidBackupError, match="its format is 1"):
        patch.setattr("shared.backup_file.FORMAT", 2)
        verified(later)


def test_nothing_may_come_after_the_end() -> None:
    with pytest.raises(InvalidBackupError, match="after its end"):
        verified(written([]) + written([]))
