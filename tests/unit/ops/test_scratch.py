"""Where the tests keep what they write."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import scratch


def test_it_is_a_folder_with_room(tmp_path: Path) -> None:
    assert scratch.place(tmp_path, needed=1) == tmp_path
    assert scratch.place(tmp_path, needed=2**60) is None
    assert scratch.place(tmp_path / "missing", needed=1) is None


@pytest.mark.parametrize(("flag", "taken"), [(0, True), (os.ST_NOEXEC, False)])
def test_one_from_which_no_program_may_run_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: int, taken: bool
) -> None:
    found = SimpleNamespace(f_flag=flag, f_bavail=2**30, f_frsize=2**12)
    monkeypatch.setattr(os, "statvfs", lambda folder: found)
    assert (scratch.place(tmp_path, needed=1) is not None) is taken


def test_a_container_has_what_its_limit_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "memory.max": "1000",
        "memory.current": "900",
        "memory.stat": "file 7\ninactive_file 50\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(scratch, "_GROUPS", ((str(tmp_path), "memory.max", "memory.current"),))
    assert scratch.place(tmp_path, needed=150) == tmp_path
    assert scratch.place(tmp_path, needed=151) is None
    (tmp_path / "memory.max").write_text("max\n")
    assert scratch.place(tmp_path, needed=151) == tmp_path
