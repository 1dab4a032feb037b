"""Which branch of a repository is written to: the one that a clone of it shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from client.upstreams.git_binary import Git


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


async def wrote(place: Path, work: Path) -> str:
    """The branch that a device writes its first commit to."""
    device = Git(work / "mirror.git", str(place))
    head = await device.fetch()
    await device.commit(head, {"a.json": b"{}\n"}, "sync", "p <p@p.invalid>")
    assert await device.push()
    return await device.branch()


@pytest.mark.parametrize("branch", ["main", "master", "trunk"])
async def test_an_empty_repository_gets_the_branch_that_its_head_names(tmp_path: Path, branch: str) -> None:
    bare = tmp_path / "tasks.git"
    git("init", "-q", "--bare", "-b", branch, str(bare))
    assert await wrote(bare, tmp_path / "one") == branch
    git("clone", "-q", str(bare), str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "a.json").read_text() == "{}\n"
    assert await wrote(bare, tmp_path / "two") == branch


async def test_a_repository_that_an_earlier_release_wrote_to_stays_at_its_branch(tmp_path: Path) -> None:
    """It wrote to `main`, whatever HEAD named: the tasks are there."""
    bare, work = tmp_path / "tasks.git", tmp_path / "work"
    git("init", "-q", "--bare", "-b", "master", str(bare))
    git("init", "-q", "-b", "main", str(work))
    (work / "a.json").write_text("{}\n")
    author = ("-c", "user.name=p", "-c", "user.email=p@p.invalid")
    git("-C", str(work), "add", ".")
    git("-C", str(work), *author, "commit", "-q", "-m", "sync")
    git("-C", str(work), "push", "-q", str(bare), "main")
    device = Git(tmp_path / "one" / "mirror.git", str(bare))
    assert await device.fetch() == git("-C", str(work), "rev-parse", "HEAD")
    assert await device.branch() == "main"
