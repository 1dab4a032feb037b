"""Hosts in network namespaces of their own, behind a router in another one: what a partition holds up are packets,
and they are lost. Linux, as root, one run at a time.

    here: 10.213.0.1 Redis, .2 MongoDB, .3 clients  --  router  --  10.213.N.2, a host

What listens on loopback here is reached through relays at these addresses, so that each can be cut off by itself.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from types import TracebackType

HERE = {"redis": "10.213.0.1", "mongod": "10.213.0.2", "clients": "10.213.0.3"}
_ROUTER = "hypertask-router"
_DEVICE = "hypertask0"
_NET = "10.213.{}"


def _ip(*arguments: str, within: str | None = None) -> None:
    command = ["ip", *arguments] if within is None else ["ip", "-n", within, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


class Namespace:
    """Of one host, which has one address."""

    def __init__(self, name: str, number: int) -> None:
        self._name = f"hypertask-{name}"
        self._number = number
        self.address = f"{_NET.format(number)}.2"
        self.command = ["ip", "netns", "exec", self._name]
        """Runs the command behind it there."""

    def open(self, stack: ExitStack) -> None:
        """`stack` closes it."""
        gate, device = f"{_NET.format(self._number)}.1", f"d{self._number}"
        _ip("netns", "add", self._name)
        stack.callback(_ip, "netns", "del", self._name)
        _ip("link", "add", device, "netns", _ROUTER, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        for namespace, address, name in ((_ROUTER, gate, device), (self._name, self.address, "eth0")):
            _ip("addr", "add", f"{address}/24", "dev", name, within=namespace)
            _ip("link", "set", "dev", name, "up", within=namespace)
        _ip("link", "set", "dev", "lo", "up", within=self._name)
        _ip("route", "add", "default", "via", gate, within=self._name)

    def cut(self, end: str, *, answers_alone: bool) -> None:
        self._rules("add", end, answers_alone=answers_alone)

    def heal(self, end: str, *, answers_alone: bool) -> None:
        self._rules("del", end, answers_alone=answers_alone)

    def _rules(self, verb: str, end: str, *, answers_alone: bool) -> None:
        """Which packets the router forwards no more, or again."""
        asking = (HERE[end], self.address) if end == "clients" else (self.address, HERE[end])
        for source, to in (tuple(reversed(asking)), *([] if answers_alone else [asking])):
            _ip("rule", verb, "from", source, "to", to, "blackhole", within=_ROUTER)


class Network:
    """Use as a context."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Network:
        with ExitStack() as stack:
            _ip("netns", "add", _ROUTER)
            stack.callback(_ip, "netns", "del", _ROUTER)
            _ip("link", "add", _DEVICE, "type", "veth", "peer", "name", "d0", "netns", _ROUTER)
            for address in HERE.values():
                _ip("addr", "add", f"{address}/24", "dev", _DEVICE)
            _ip("link", "set", "dev", _DEVICE, "up")
            gate = f"{_NET.format(0)}.254"
            _ip("addr", "add", f"{gate}/24", "dev", "d0", within=_ROUTER)
            _ip("link", "set", "dev", "d0", "up", within=_ROUTER)
            forward = ["ip", "netns", "exec", _ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1"]
            subprocess.run(forward, check=True)
            _ip("route", "add", f"{_NET.format(0)}.0/16", "via", gate)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def join(self, name: str) -> Namespace:
        """One host more."""
        self._count += 1
        namespace = Namespace(name, self._count)
        namespace.open(self._stack)
        return namespace
