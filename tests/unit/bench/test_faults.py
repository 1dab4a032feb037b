"""What the check of the fault run finds, and the connections that it cuts."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.faults import clock
from bench.faults.check import SHARED, Edit, cursor_findings, findings
from bench.faults.links import Links
from bench.faults.writers import letters
from tests.instance import ROOT

FIRST = Edit("a", "d", 1, "a1", None, 0.0, 1.0)
ON_FIRST = Edit("b", "d", 1, "b1", "a1", 1.0, 2.0)
BESIDE = Edit("b", "d", 1, "b1", None, 0.0, 2.0)


def found(edits: list[Edit], state: dict[str, object], dropped: list[str] | None = None) -> int:
    return len(findings(edits, {"d": state}, {"d": dropped or []}, ["a", "b"]))


def test_an_edit_that_stands_or_was_seen_or_is_recorded_is_not_missing() -> None:
    assert found([FIRST], {"a": 1, SHARED: "a1"}) == 0
    assert found([FIRST, ON_FIRST], {"a": 1, "b": 1, SHARED: "b1"}) == 0
    assert found([FIRST, BESIDE], {"a": 1, "b": 1, SHARED: "b1"}, ["a1"]) == 0


@pytest.mark.parametrize(
    ("edits", "state"),
    [
        ([FIRST, BESIDE], {"a": 1, "b": 1, SHARED: "b1"}),
        ([FIRST, ON_FIRST], {"a": 1, "b": 1, SHARED: "a1"}),
        ([FIRST], {SHARED: "a1"}),
        ([FIRST], {"a": 2, SHARED: "a1"}),
        ([], {"a": 1}),
    ],
    ids=["not seen", "the later one is gone", "own field is gone", "another number", "written by nobody"],
)
def test_anything_else_is_missing(edits: list[Edit], state: dict[str, object]) -> None:
    assert found(edits, state) == 1


def test_a_document_that_is_gone_is_missing() -> None:
    assert len(findings([FIRST], {}, {}, ["a"])) == 2


def test_who_follows_must_have_what_all_have() -> None:
    assert cursor_findings({"d": "1"}, {"d": "1"}) == []
    assert len(cursor_findings({"d": "1", "gone": "2"}, {"d": "2", "new": "1"})) == 3


def test_numbers_are_words_and_each_another_one() -> None:
    words = [letters(number) for number in range(2000)]
    assert len(set(words)) == 2000 and all(word.isalpha() for word in words)


@contextmanager
def echoing(links: Links) -> Iterator[tuple[socket.socket, socket.socket, object]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = links.to(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", link.port), timeout=10) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(10)
                yield client, accepted, link


def test_a_link_that_is_cut_passes_nothing_and_all_when_it_is_healed() -> None:
    with Links() as links, echoing(links) as (client, server, _):
        link = links._links[0]
        client.sendall(b"one")
        assert server.recv(9) == b"one"
        link.cut(answers_alone=True)
        client.sendall(b"two")
        assert server.recv(9) == b"two", "what is asked for arrives"
        server.sendall(b"2")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(9)
        link.cut()
        client.sendall(b"three")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.recv(9)
        link.heal()
        for end, text in ((server, b"three"), (client, b"2")):
            end.settimeout(10)
            assert end.recv(9) == text


def test_the_clock_of_a_process_can_be_set(tmp_path: Path) -> None:
    file, module = tmp_path / "clock", tmp_path / "shown.py"
    clock.write(file, 86_400.0)
    assert file.read_bytes() == struct.pack("d", 86_400.0)
    module.write_text(
        "import time\nfrom shared.adapters import arq\n"
        "print(time.time() - time.clock_gettime(time.CLOCK_REALTIME), arq.datetime.now().timestamp() - time.time())"
    )
    command = [sys.executable, "-m", "bench.faults.clock", str(file), "shown"]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    shifted, beside = map(float, done.stdout.split())
    assert shifted == pytest.approx(86_400, abs=60)
    assert beside == pytest.approx(0, abs=60)
