"""What the engine says of the containers: rights, limits, secrets, sizes, idle work, log lines."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from without_registry.scratch import Scratch


def containers(scratch: Scratch) -> list[dict[str, Any]]:
    """As `docker inspect` shows them, those that have ended too."""
    inspected: list[dict[str, Any]] = json.loads(
        scratch.docker("inspect", *scratch.compose("ps", "--all", "--quiet").split())
    )
    return sorted(inspected, key=lambda one: str(one["Name"]))


def service(container: dict[str, Any]) -> str:
    name: str = container["Config"]["Labels"]["com.docker.compose.service"]
    return name


def rights(scratch: Scratch) -> list[str]:
    """What is wrong with the rights and limits that containers really have; []: nothing."""
    wrong = []
    for one in containers(scratch):
        host, name = one["HostConfig"], one["Name"].lstrip("/")
        expected = {
            "read-only": host["ReadonlyRootfs"],
            "no capabilities": host["CapDrop"] == ["ALL"] and not host["CapAdd"],
            "no new privileges": "no-new-privileges:true" in host["SecurityOpt"],
            "a limit of memory": host["Memory"] > 0,
            "a limit of processor time": host["NanoCpus"] > 0,
            "a limit of processes": (host["PidsLimit"] or 0) > 0,
            "a user that is not root": one["Config"]["User"].split(":")[0] not in ("", "0", "root"),
        }
        wrong += [f"{name} has not: {what}" for what, holds in expected.items() if not holds]
        if one["State"]["Running"]:
            wrong += _from_inside(scratch, name)
    return wrong


def _from_inside(scratch: Scratch, name: str) -> list[str]:
    wrong = []
    if scratch.docker("exec", name, "id", "-u") == "0":
        wrong.append(f"{name} runs as root")
    for path in ("/written", "/etc/written", "/usr/written"):
        command = ["docker", "exec", name, "touch", path]
        if subprocess.run(command, env=scratch.environ(), capture_output=True, check=False).returncode == 0:
            wrong.append(f"{name} can write {path}")
    return wrong


def shown_secrets(scratch: Scratch) -> list[str]:
    """Where the engine, or a log, shows a password; []: nowhere."""
    secrets = {
        path.name: path.read_text()
        for path in (scratch.clone / "secrets").iterdir()
        if path.is_file() and path.read_text()
    }
    places = {one["Name"].lstrip("/"): json.dumps(one) for one in containers(scratch)}
    for image in {one["Image"] for one in containers(scratch)}:
        places[f"image {image}"] = scratch.docker("image", "inspect", image) + scratch.docker(
            "history", "--no-trunc", image
        )
    places |= {f"the log of {name}": text for name, text in logs(scratch).items()}
    for one in containers(scratch):
        if one["State"]["Running"]:
            places[f"processes of {one['Name']}"] = scratch.docker("top", one["Name"].lstrip("/"), "-eo", "pid,args")
    return [
        f"{where} shows {name}"
        for where, text in places.items()
        for name, secret in secrets.items()
        if secret in text
    ]


@dataclass(frozen=True, slots=True)
class Use:
    cpu: float
    """Cores."""
    memory: int
    """Bytes."""


def use(scratch: Scratch, seconds: float) -> dict[str, Use]:
    """What each container needs while nobody asks for anything, its health checks too."""
    running = [one["Name"].lstrip("/") for one in containers(scratch) if one["State"]["Running"]]
    before, began = {name: _stats(scratch, name) for name in running}, time.monotonic()
    time.sleep(seconds)
    after, passed = {name: _stats(scratch, name) for name in running}, time.monotonic() - began
    return {name: Use((after[name].cpu - before[name].cpu) / passed, after[name].memory) for name in running}


class _Engine(http.client.HTTPConnection):
    """Over its socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _stats(scratch: Scratch, name: str) -> Use:
    """`cpu`: seconds since it was started."""
    engine = _Engine(str(scratch.socket))
    engine.request("GET", f"/containers/{name}/stats?stream=false&one-shot=true")
    stats = json.loads(engine.getresponse().read())
    engine.close()
    memory = stats["memory_stats"]
    cached = memory.get("stats", {}).get("total_inactive_file", memory.get("stats", {}).get("inactive_file", 0))
    return Use(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory["usage"] - cached)


def counted(log: str) -> tuple[int, Counter[str]]:
    """How many of the lines are JSON objects, and the others."""
    objects, others = 0, Counter[str]()
    for line in log.splitlines():
        try:
            is_object = isinstance(json.loads(line), dict)
        except ValueError:
            is_object = False
        if is_object:
            objects += 1
        else:
            others[line] += 1
    return objects, others


def logs(scratch: Scratch) -> dict[str, str]:
    """Of each service, all that its containers have written."""
    written: dict[str, str] = {}
    for one in containers(scratch):
        command = ["docker", "logs", one["Name"].lstrip("/")]
        done = subprocess.run(
            command, env=scratch.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        written[service(one)] = written.get(service(one), "") + done.stdout
    return written


def sizes(scratch: Scratch) -> dict[str, int]:
    """Of images, in bytes."""
    shown = scratch.docker("images", "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}").split()
    return {name: int(scratch.docker("image", "inspect", "--format", "{{.Size}}", name)) for name in sorted(shown)}
