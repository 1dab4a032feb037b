"""Clients that read what changed, and all that there is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.faults.device import Device


@dataclass
class Follower:
    """Has the hash map by reading what changed alone."""

    device: Device
    hashes: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    begun_again: int = 0
    """How often its cursor was of no use any more."""

    def follow(self) -> None:
        while self.read():
            continue

    def read(self) -> bool:
        """One page. Whether there is more."""
        if self.cursor is None:
            self.cursor, self.hashes = _all(self.device)
        answer = self.device.ask("GET", f"/hashes?since={self.cursor}", also=(410,))
        if answer is None:
            self.begun_again += 1
            self.cursor = None
            return True
        _take(self.hashes, answer["hashes"])
        self.cursor = answer["cursor"]
        return bool(answer["more"])


@dataclass
class Listener:
    """Has the hash map by the stream of events, which it opens again where it was cut."""

    device: Device
    hashes: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None
    begun_again: int = 0

    def follow(self) -> None:
        """Reads until the stream ends or fails."""
        if self.cursor is None:
            self.cursor, self.hashes = _all(self.device)
        for event, data in self.device.events(self.cursor):
            if event == "gone":
                self.begun_again += 1
                self.cursor = None
                return
            _take(self.hashes, data.get("hashes", {}))
            self.cursor = data["cursor"]

    def until_equal(self, whole: dict[str, str], seconds: float) -> None:
        """Waits for what is on its way, while `follow` runs in another thread; no longer than that."""
        deadline = time.monotonic() + seconds
        while self.hashes != whole and time.monotonic() < deadline:
            time.sleep(0.1)


def _all(device: Device) -> tuple[str, dict[str, str]]:
    """The whole hash map, and the cursor that it is of."""
    headers, text = device.ask_whole("GET", "/hashes")
    assert headers is not None
    return headers["Hypertask-Cursor"], json.loads(text)


def _take(hashes: dict[str, str], changed: dict[str, str | None]) -> None:
    for document, now in changed.items():
        if now is None:
            hashes.pop(document, None)
        else:
            hashes[document] = now


def exported(device: Device) -> Iterator[dict[str, Any]]:
    """All that the server has of the space, a row each."""
    _, text = device.ask_whole("GET", "/export")
    rows = [json.loads(line) for line in text.splitlines()]
    assert rows[-1]["kind"] == "end"
    yield from rows
