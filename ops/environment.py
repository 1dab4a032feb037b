"""The checkout's virtual environment: made once, taken up again while what it was made from is the same.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SAY_EVERY_SECONDS = 3.0


class EnvironmentNotMadeError(Exception):
    """The text says why, and what to do."""


def ensure(checkout: Path, extras: Sequence[str]) -> Path:
    """The Python of a `.venv` that has this checkout and at least these extras installed.

    Several calls at the same time wait for each other. One that was interrupted is completed by the next.
    """
    venv = checkout / ".venv"
    python = venv / "bin" / "python"
    with _alone(checkout):
        present = _read_stamp(venv)
        if present.get("made_from") == _made_from(checkout) and python.exists():
            if set(extras) <= set(present["extras"]):
                return python
            extras = sorted({*extras, *present["extras"]})
        started = time.monotonic()
        _say(f"Installing hypertask[{','.join(extras)}] into {venv} (once; it takes a minute or two) ...")
        _stamp(venv).unlink(missing_ok=True)
        _make(venv, python)
        _install(checkout, python, extras)
        _stamp(venv).write_text(json.dumps({"made_from": _made_from(checkout), "extras": sorted(extras)}))
        _say(f"Installed in {time.monotonic() - started:.0f} s.")
    return python


def environ() -> dict[str, str]:
    """The environment without what would lead a Python of the virtual environment astray."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"}
    }


def _make(venv: Path, python: Path) -> None:
    """Makes it, or repairs what is there: a foreign one is used as it is if it can be."""
    if _works(python):
        if _run([python, "-m", "pip", "--version"], quiet=True) == 0:
            return
        if _run([python, "-m", "ensurepip", "--default-pip"], quiet=True) == 0:
            return
    if _run([sys.executable, "-m", "venv", "--clear", venv]) != 0:
        version = ".".join(map(str, sys.version_info[:2]))
        raise EnvironmentNotMadeError(
            f"{sys.executable} could not make a virtual environment in {venv} (see above). On Debian and "
            f"Ubuntu the module is a package of its own: apt-get install python{version}-venv"
        )


def _works(python: Path) -> bool:
    check = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    return python.exists() and _run([python, "-c", check], quiet=True) == 0


def _install(checkout: Path, python: Path, extras: Sequence[str]) -> None:
    constraints = checkout / "constraints.txt"
    # As an address: pip splits these variables at white space, which a path may contain. Both names are
    # needed for the build's own dependencies: older versions of pip read the first, newer ones the second.
    address = constraints.as_uri()
    env = environ() | {"PIP_CONSTRAINT": address, "PIP_BUILD_CONSTRAINT": address, "PIP_USER": "0"}
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    package = f"{checkout}[{','.join(extras)}]"
    if _run_pip([*pip, "install", "--progress-bar", "off", "--editable", package], env) != 0:
        raise EnvironmentNotMadeError(
            "Installing failed (see above). The package index must be within reach, and the platform one "
            "that the wheels exist for. Then run this again; or use Docker: docker compose up"
        )


def _made_from(checkout: Path) -> dict[str, str]:
    digest = hashlib.sha256()
    for name in ("constraints.txt", "pyproject.toml"):
        digest.update((checkout / name).read_bytes())
    return {
        "files": digest.hexdigest(),
        "checkout": str(checkout),  # scripts and the editable install hold its path
        "python": ".".join(map(str, sys.version_info[:2])),
    }


def _stamp(venv: Path) -> Path:
    return venv / "made-from.json"


def _read_stamp(venv: Path) -> dict[str, Any]:
    try:
        stamp = json.loads(_stamp(venv).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


@contextmanager
def _alone(checkout: Path) -> Iterator[None]:
    """Locks the folder itself, so that no lock file is left in it."""
    descriptor = os.open(checkout, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another start is installing; waiting for it ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run(command: Sequence[str | Path], *, env: dict[str, str] | None = None, quiet: bool = False) -> int:
    """The exit status. Whatever it prints goes to stderr: stdout belongs to the caller's result."""
    return subprocess.run(
        [str(part) for part in command],
        env=environ() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if quiet else sys.stderr.fileno(),
        stderr=subprocess.DEVNULL if quiet else None,
        check=False,
    ).returncode


def _run_pip(command: Sequence[str | Path], env: dict[str, str]) -> int:
    """The exit status. What it prints is shown as progress, and the end of it if it fails."""
    command = [str(part) for part in command]
    progress, printed = Progress(_say), []
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            progress.read(line, time.monotonic())
    if process.returncode != 0:
        _say("".join(printed[-20:]))
    return process.returncode


class Progress:
    """Says now and then how far pip is, by the lines that it prints."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._packages = 0
        self._said_at = -SAY_EVERY_SECONDS

    def read(self, line: str, now: float) -> None:
        """`now`: seconds of a clock that only goes forwards."""
        word, _, rest = line.strip().partition(" ")
        if word == "Collecting":
            self._packages += 1
            if now - self._said_at >= SAY_EVERY_SECONDS:
                self._said_at = now
                self._say(f"  package {self._packages}: {rest.split(' (from')[0]}")
        elif line.startswith("Installing collected packages"):
            self._say(f"  all {self._packages} packages are here; unpacking them ...")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
