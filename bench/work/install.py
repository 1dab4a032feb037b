"""Fetches the other systems with pip and npm, as these are configured, into a folder outside version control."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bench.work.columns import NotHereError
from bench.work.processes import ran
from tests.instance import ROOT

PINNED = ROOT / "bench" / "peers"
PEERS = ROOT / ".hypertask" / "peers"
SECONDS = 600


def of_python(name: str) -> Path:
    """The folder of the commands of an environment with what `bench/peers/NAME.txt` has. Raises NotHereError."""
    folder = PEERS / name
    pinned = PINNED / f"{name}.txt"
    if not _is_current(folder, pinned):
        ran([sys.executable, "-m", "venv", "--clear", str(folder)], ROOT, seconds=SECONDS)
        ran([str(folder / "bin" / "pip"), "install", "-q", "-r", str(pinned)], ROOT, seconds=SECONDS)
        _is_now_current(folder, pinned)
    return folder / "bin"


def node() -> Path:
    """A folder with `node_modules` and the drivers of bench/peers beside them. Raises NotHereError."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotHereError("node and npm are not on PATH: install Node.js 20 or newer")
    folder = PEERS / "node"
    pinned = PINNED / "package.json"
    if not _is_current(folder, pinned):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(pinned, folder)
        quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        ran(["npm", "install", *quiet], folder, seconds=SECONDS)
        _is_now_current(folder, pinned)
    for driver in PINNED.glob("*.mjs"):
        shutil.copy(driver, folder)
    return folder


def _is_current(folder: Path, pinned: Path) -> bool:
    mark = folder / f"installed-{pinned.name}"
    return mark.exists() and mark.read_bytes() == pinned.read_bytes()


def _is_now_current(folder: Path, pinned: Path) -> None:
    shutil.copy(pinned, folder / f"installed-{pinned.name}")
