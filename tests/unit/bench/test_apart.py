"""Folders of a measurement are kept apart where that can be done, and are there where it cannot."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import apart
from bench.apart import TRIES, fast_folder, keep_apart


def test_a_folder_that_is_kept_apart_takes_folders_and_files(tmp_path: Path) -> None:
    keep_apart(tmp_path)
    keep_apart(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("d")
    assert (tmp_path / "a" / "b" / "c").read_text() == "d"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such mark")
def test_the_mark_is_added_to_those_that_the_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    said: list[tuple[Path, int, int]] = []

    def ioctl(descriptor: int, request: int, value: bytes) -> bytes:
        said.append((Path(f"/proc/self/fd/{descriptor}").readlink(), request, *struct.unpack("l", value)))
        return struct.pack("l", 0x80)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    monkeypatch.setattr(apart, "_seconds_a_file", lambda folder: 0.0)
    fast_folder(tmp_path / "run")
    place = tmp_path / "run"
    assert said == [(place, apart._GET_FLAGS, 0), (place, apart._SET_FLAGS, 0x80 | apart._TOP_DIRECTORY)]


@pytest.mark.parametrize(("seconds", "chosen"), [([1, 2e-5, 1], 1), ([3, 2, *([4] * (TRIES - 2))], 1)])
def test_the_first_fast_folder_is_taken_or_else_the_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: list[float], chosen: int
) -> None:
    left = iter(seconds)
    monkeypatch.setattr(apart, "_seconds_a_file", lambda folder: next(left))
    assert fast_folder(tmp_path / "run") == tmp_path / "run" / str(chosen)


def test_a_folder_is_tried_with_files(tmp_path: Path) -> None:
    folder = fast_folder(tmp_path / "run")
    assert folder.parent == tmp_path / "run" and [path.name for path in folder.iterdir()] == [".tried"]


@pytest.mark.parametrize(("inodes", "fresh"), [(range(40, 72), True), (range(0, 512, 16), False), ([5], False)])
def test_a_group_that_gives_one_inode_of_each_block_is_slow(inodes: Sequence[int], fresh: bool) -> None:
    """Its first files are made fast, and after some hundred of them none is."""
    assert apart._are_neighbours(inodes) is fresh
