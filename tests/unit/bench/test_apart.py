"""Folders of a measurement are kept apart where that can be done, and are there where it cannot."""

from __future__ import annotations

from pathlib import Path

from bench.apart import keep_apart


def test_a_folder_that_is_kept_apart_takes_folders_and_files(tmp_path: Path) -> None:
    keep_apart(tmp_path)
    keep_apart(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("d")
    assert (tmp_path / "a" / "b" / "c").read_text() == "d"
