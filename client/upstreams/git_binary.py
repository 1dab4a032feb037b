"""Git as a program: the calls that the driver makes, and what their failures mean. No work tree is ever used."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from client.sync.upstream import NotAnUpstreamError, RefusedAccessError, UpstreamUnreachableError

SEEN: Final = "refs/hypertask/seen"
"""The upstream's branch as it was fetched last."""
NEXT: Final = "refs/hypertask/next"
MAIN: Final = "main"
SECONDS: Final = 120.0

_BEHIND: Final = ("[rejected]", "non-fast-forward", "fetch first", "cannot lock ref", "failed to update ref")
_CHECKED_OUT: Final = "refusing to update checked out branch"
_NO_ACCESS: Final = ("Permission denied", "Authentication failed", "could not read Username", "returned error: 403")
_NO_REPOSITORY: Final = ("does not appear to be a git repository", "does not exist", "not found")
_NO_BRANCH: Final = "couldn't find remote ref"


class Git:
    """A bare repository of our own at `mirror`, and the one at `url` that it speaks to."""

    def __init__(self, mirror: Path, url: str) -> None:
        self._mirror = mirror
        self._url = url
        self._branch: str | None = None

    async def make(self) -> None:
        """The mirror, if it is missing. Raises UpstreamError."""
        if shutil.which("git") is None:
            raise NotAnUpstreamError("git is not installed. Install it, and try again.")
        if not (self._mirror / "HEAD").exists():
            self._mirror.parent.mkdir(parents=True, exist_ok=True)
            await self._run("init", "-q", "--bare", str(self._mirror), bare=True)

    async def fetch(self) -> str | None:
        """The upstream's newest commit; None: its branch has none yet. Raises UpstreamError."""
        await self.make()
        branch = await self.branch()
        source = f"+refs/heads/{branch}:{SEEN}"
        code, _, error = await self._call("fetch", "-q", "--no-tags", "--no-write-fetch-head", self._url, source)
        if code != 0 and _NO_BRANCH in error:
            return None
        self._check(code, error)
        return (await self._run("rev-parse", SEEN)).decode().strip()

    async def branch(self) -> str:
        """That which HEAD names there. Without it, but with a `main`, that one: earlier releases wrote to `main`,
        whatever HEAD named."""
        if self._branch is None:
            code, out, error = await self._call("ls-remote", "--symref", self._url, "HEAD", f"refs/heads/{MAIN}")
            self._check(code, error)
            lines = out.decode().splitlines()
            head = next((line for line in lines if line.startswith("ref: refs/heads/")), None)
            if head is not None:
                self._branch = head.removeprefix("ref: refs/heads/").partition("\t")[0]
            else:
                self._branch = MAIN if lines else await self._unborn()
        return self._branch

    async def _unborn(self) -> str:
        """The branch that the HEAD of an empty repository names: whoever clones it sees that branch and no other.
        `ls-remote` does not tell it, a clone does; one from a server that does not tell it either has `main`."""
        with tempfile.TemporaryDirectory(dir=self._mirror.parent) as place:
            empty = f"{place}/empty"
            clone = ("-c", f"init.defaultBranch={MAIN}", "clone", "-q", "--bare", self._url, empty)
            code, _, error = await self._call(*clone, bare=True)
            self._check(code, error)
            return (
                (await self._run(f"--git-dir={empty}", "symbolic-ref", "--short", "HEAD", bare=True)).decode().strip()
            )

    async def newest(self) -> str:
        """The hash that the upstream's branch has now, asked for without fetching; "" without one."""
        code, out, error = await self._call("ls-remote", self._url, f"refs/heads/{await self.branch()}")
        self._check(code, error)
        return out.decode().partition("\t")[0].strip()

    async def changed(self, before: str | None, now: str) -> dict[str, str | None] | None:
        """Path -> blob, None if it went, of what changed between two commits; of all without `before`. None: `before`
        is no ancestor of `now`."""
        if before is None:
            rows = (await self._run("ls-tree", "-r", "-z", now)).decode().split("\0")
            return {row.partition("\t")[2]: row.split()[2] for row in rows if row}
        code, _, _ = await self._call("merge-base", "--is-ancestor", before, now)
        if code != 0:
            return None
        raw = await self._run("diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", before, now)
        fields = raw.decode().split("\0")
        blobs: dict[str, str | None] = {}
        for place in range(0, len(fields) - 1, 2):
            # :100644 100644 <old> <new> M
            _, _, _, blob, letter = fields[place].split()
            blobs[fields[place + 1]] = None if letter == "D" else blob
        return blobs

    async def names(self, commit: str) -> list[str]:
        """The names at the top of the tree."""
        return (await self._run("ls-tree", "--name-only", "-z", commit)).decode().split("\0")

    async def read(self, objects: Sequence[str]) -> dict[str, bytes]:
        """The content of `<blob>` or `<commit>:<path>`; what is missing is left out."""
        if not objects:
            return {}
        out = await self._run("cat-file", "--batch", text="".join(f"{name}\n" for name in objects).encode())
        contents: dict[str, bytes] = {}
        place = 0
        for name in objects:
            end = out.index(b"\n", place)
            header = out[place:end].split()
            place = end + 1
            if header[-1] == b"missing":
                continue
            size = int(header[2])
            contents[name] = out[place : place + size]
            place += size + 1
        return contents

    async def commit(self, onto: str | None, files: Mapping[str, bytes | None], message: str, author: str) -> None:
        """A commit with these files on `onto`, as NEXT."""
        text = message.encode()
        parts = [b"reset %s\n" % NEXT.encode()] if onto is None else []
        parts.append(
            b"commit %s\ncommitter %s now\ndata %d\n%s\n" % (NEXT.encode(), author.encode(), len(text), text)
        )
        if onto is not None:
            parts.append(b"from %s\n" % onto.encode())
        for path, content in files.items():
            if content is None:
                parts.append(b"D %s\n" % path.encode())
            else:
                parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content))
        await self._run("fast-import", "--quiet", "--force", "--date-format=now", text=b"".join(parts))

    async def push(self) -> bool:
        """NEXT becomes the upstream's branch. False: somebody was faster. Raises UpstreamError."""
        target = f"{NEXT}:refs/heads/{await self.branch()}"
        code, _, error = await self._call("push", "-q", self._url, target)
        if code != 0 and _CHECKED_OUT in error:
            raise NotAnUpstreamError(
                f"{self._url} has the branch {await self.branch()} checked out, so nothing may be pushed there. Make "
                "a bare repository of it: git clone --bare"
            )
        if code != 0 and any(word in error for word in _BEHIND):
            return False
        self._check(code, error)
        return True

    def _check(self, code: int, error: str) -> None:
        if code == 0:
            return
        reason = error.strip().rpartition("\n")[2] or f"git ended with {code}"
        if any(word in error for word in _NO_ACCESS):
            raise RefusedAccessError(f"{self._url} refused access: {reason}. Does `git ls-remote` work there?")
        if any(word in error for word in _NO_REPOSITORY):
            raise NotAnUpstreamError(f"there is no repository at {self._url}. To make one: git init --bare DIRECTORY")
        raise UpstreamUnreachableError(f"git did not reach {self._url}: {reason}")

    async def _run(self, *arguments: str, text: bytes | None = None, bare: bool = False) -> bytes:
        code, out, error = await self._call(*arguments, text=text, bare=bare)
        if code != 0:
            reason = error.strip().rpartition("\n")[2]
            raise NotAnUpstreamError(
                f"git {arguments[0]} failed: {reason}. If it fails again, delete {self._mirror}; it is rebuilt."
            )
        return out

    async def _call(self, *arguments: str, text: bytes | None = None, bare: bool = False) -> tuple[int, bytes, str]:
        place = [] if bare else [f"--git-dir={self._mirror}"]
        # Nobody is there to answer a question; messages are read by us.
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")},
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10"),
            "LC_ALL": "C",
        }
        process = await asyncio.create_subprocess_exec(
            "git",
            "-c",
            "gc.auto=0",
            *place,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        try:
            async with asyncio.timeout(SECONDS):
                out, error = await process.communicate(text or b"")
        except TimeoutError:
            raise UpstreamUnreachableError(
                f"git {arguments[0]} took longer than {SECONDS:.0f} s for {self._url}"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out, error.decode("utf-8", "replace")
