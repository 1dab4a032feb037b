"""A Docker engine from Debian's packages that are unpacked, not installed. It is ended by its process id."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from without_registry.scratch import Scratch, Step, StepFailedError

_PACKAGES = ("docker.io", "iptables", "debootstrap")
_PLUGINS = ("docker-compose", "docker-buildx")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_GROUPS = Path("/sys/fs/cgroup")
_BRIDGE = Path("/sys/class/net/docker0")
_NETWORK = "br-[0-9a-f]{12}"
"""What an engine calls the bridge of a network."""
_OTHERS = ("/var/run/docker.sock", "/run/containerd/containerd.sock")
_STARTS_WITHIN_SECONDS = 60.0
_ENDS_WITHIN_SECONDS = 60.0
_APT = ("apt-get", "-qq", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root")


def codename() -> str:
    """Of the Debian that this machine runs."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def sources(scratch: Scratch) -> list[tuple[str, str, str]]:
    """Address, suite and component of what apt is configured with, as far as it is of this Debian."""
    lines = scratch.run(
        "apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"
    )
    targets = dict.fromkeys(tuple(line.split()) for line in lines.splitlines())
    ours = [(one[0], one[1], one[2]) for one in targets if len(one) == 3 and one[1].startswith(codename())]
    if not ours:
        raise StepFailedError(f"apt has no sources of {codename()}: apt-get update")
    return sorted(ours, key=lambda one: one[1] != codename())


def unpack(scratch: Scratch, plugins_suite: str) -> None:
    """Docker with what it needs and this machine lacks. The plugins are Go programs that run on an older Debian as
    well; the older one's compose may be of version 1."""
    if (scratch.engine / "unpacked").exists():
        return
    partial = scratch.packages / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    options = ("-o", f"Dir::Cache::archives={scratch.packages}", "--no-install-recommends")
    scratch.run(*_APT, *options, "--download-only", "install", *_PACKAGES)
    newer = scratch.root / "newer"
    (newer / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (newer / "sources.list").write_text(f"deb [signed-by={keyring}] {sources(scratch)[0][0]} {plugins_suite} main\n")
    settings = {
        "Dir::Etc::SourceList": newer / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": newer / "lists",
        "Dir::State::status": "/dev/null",
    }
    with_newer = [*_APT, *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    scratch.run(*with_newer, "update")
    scratch.run(*with_newer, "download", *_PLUGINS, cwd=scratch.packages)
    for package in sorted(scratch.packages.glob("*.deb")):
        scratch.run("dpkg-deb", "--extract", package, scratch.engine)
    shutil.rmtree(newer)
    _name_programs(scratch)
    (scratch.engine / "unpacked").touch()


def _name_programs(scratch: Scratch) -> None:
    """What installation would have done."""
    plugins = scratch.root / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in scratch.engine.rglob("cli-plugins/docker-*"):
        _link(plugins / plugin.name, plugin)
    scratch.programs.mkdir(exist_ok=True)
    for program in scratch.engine.rglob("xtables-nft-multi"):
        for name in (
            "iptables",
            "iptables-save",
            "iptables-restore",
            "ip6tables",
            "ip6tables-save",
            "ip6tables-restore",
        ):
            _link(scratch.programs / name, program)
    for program in scratch.engine.rglob("tini-static"):
        _link(scratch.programs / "docker-init", program)


def _link(name: Path, target: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def start(scratch: Scratch) -> None:
    """Returns when it answers. Nothing is changed if one that was started here runs."""
    if _answers(scratch):
        return
    for path in _OTHERS:
        if Path(path).exists():
            raise StepFailedError(
                f"Another engine runs on this machine ({path}): the firewall rules of both would mix."
            )
    if "forwarding" not in scratch.state():
        scratch.keep(forwarding=_FORWARDING.read_text().strip(), bridge=_BRIDGE.exists())
    # The engine would forbid all other forwarding if it were it that allowed it.
    _FORWARDING.write_text("1\n")
    log = scratch.root / "dockerd.log"
    command = [
        "dockerd",
        f"--data-root={scratch.root / 'data'}",
        f"--exec-root={scratch.root / 'run'}",
        f"--pidfile={scratch.pidfile}",
        f"--host=unix://{scratch.socket}",
        "--ip-forward=false",
        f"--init-path={scratch.programs / 'docker-init'}",
        "--log-level=warn",
    ]
    with log.open("ab") as out:
        daemon = subprocess.Popen(
            command, env=scratch.environ(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    ends = time.monotonic() + _STARTS_WITHIN_SECONDS
    while not _answers(scratch):
        if daemon.poll() is not None or time.monotonic() > ends:
            raise StepFailedError(f"dockerd does not run ({log}):\n" + "\n".join(log.read_text().splitlines()[-15:]))
        time.sleep(0.2)


def _answers(scratch: Scratch) -> bool:
    try:
        scratch.docker("version")
    except (StepFailedError, OSError):
        return False
    return True


def process(scratch: Scratch) -> int | None:
    """Of our dockerd, if it runs."""
    try:
        number = int(scratch.pidfile.read_text())
        words = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if f"--pidfile={scratch.pidfile}".encode() in words.split(b"\0") else None


def remove(scratch: Scratch) -> None:
    """Ends the engine and its containers, and takes away all that it left: mounts, network, firewall rules, files."""
    if (number := process(scratch)) is not None:
        with Step("Removing the containers and ending the engine"):
            for container in scratch.docker("ps", "--all", "--quiet").split():
                scratch.docker("rm", "--force", "--volumes", container)
            scratch.docker("network", "prune", "--force")
            os.kill(number, signal.SIGTERM)
            ends = time.monotonic() + _ENDS_WITHIN_SECONDS
            while process(scratch) is not None:
                if time.monotonic() > ends:
                    raise StepFailedError(f"dockerd, process {number}, does not end.")
                time.sleep(0.2)
    state = scratch.state()
    if "forwarding" in state:
        if not state["bridge"]:
            _remove_network(scratch)
        remove_groups(_GROUPS)
        _FORWARDING.write_text(f"{state['forwarding']}\n")
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        where = line.split()[1]
        if where.startswith(f"{scratch.root}/"):
            subprocess.run(["umount", where], check=True)
    shutil.rmtree(scratch.root, ignore_errors=False)


def remove_groups(root: Path) -> None:
    """The empty control groups that an engine leaves: one tree, or (cgroup 1) one in each hierarchy."""
    for tree in (root / "docker", *root.glob("*/docker")):
        for folder, _, _ in os.walk(tree, topdown=False):
            Path(folder).rmdir()


def foreign_rules(saved: list[str]) -> list[str]:
    """Of the lines that iptables-save prints those that no Docker engine made."""
    return [line for line in saved if not re.search(rf"docker|\b{_NETWORK}\b", line, re.IGNORECASE)]


def _remove_network(scratch: Scratch) -> None:
    for name in ("iptables", "ip6tables"):
        saved = scratch.run(f"{name}-save").splitlines()
        kept = foreign_rules(saved)
        if kept != saved:
            restore = [f"{name}-restore"]
            subprocess.run(restore, env=scratch.environ(), input="\n".join([*kept, ""]), text=True, check=True)
    for bridge in Path("/sys/class/net").glob("br-*"):
        if re.fullmatch(_NETWORK, bridge.name):
            scratch.run("ip", "link", "delete", bridge.name)
    if _BRIDGE.exists():
        scratch.run("ip", "link", "delete", _BRIDGE.name)
