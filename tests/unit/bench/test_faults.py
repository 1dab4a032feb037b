"""What the check of the fault run finds, and the connections that it cuts."""

from __future__ import annotations

import math
import random
import re
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bench.faults import clock, hosts
from bench.faults.check import (
    SHARED,
    Answered,
    Edit,
    Lost,
    Noted,
    SetBack,
    accounts,
    cursor_findings,
    equal_findings,
    findings,
    hash_findings,
)
from bench.faults.kinds import ROUND, Faults
from bench.faults.links import Links
from bench.faults.seeds import Plan
from bench.faults.writers import letters
from shared.settings import Settings
from tests.instance import ROOT, Instance
from tests.integration.truth import content_hash
from tests.patience import PATIENCE_SECONDS

FIRST = Edit("a", "d", 1, "a1", None, 0.0, 1.0)
ON_FIRST = Edit("b", "d", 1, "b1", "a1", 1.0, 2.0)
BESIDE = Edit("b", "d", 1, "b1", None, 0.0, 2.0)
State = dict[str, Any]


def noted(edits: list[Edit], own: dict[str, tuple[str, int | None]] | None = None, *set_back: SetBack) -> Noted:
    return Noted(["a", "b"], edits, own or {}, set_back)


def found(edits: list[Edit], state: State, dropped: list[str] | None = None) -> int:
    records = {"d": [(f"/{SHARED}", value) for value in dropped or []]}
    return len(findings(noted(edits), Answered({"d": state}, records)))


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
        ([FIRST], {"a": 1, "b": 1, SHARED: "a1"}),
    ],
    ids=["not seen", "the later one is gone", "own field is gone", "another number", "written by nobody"],
)
def test_anything_else_is_missing(edits: list[Edit], state: State) -> None:
    assert found(edits, state) == 1


def test_a_document_that_is_gone_is_missing() -> None:
    assert len(findings(noted([FIRST]), Answered({}, {}))) == 2


def test_a_document_of_its_own_is_as_its_client_left_it() -> None:
    own: dict[str, tuple[str, int | None]] = {"o": ("a", 2), "gone": ("a", None)}

    def wrong(documents: dict[str, State]) -> int:
        return len(findings(noted([], own), Answered(documents, {})))

    assert wrong({"o": {"id": "o", "a": 2}}) == 0
    assert wrong({}) == 1
    assert wrong({"o": {"id": "o", "a": 1}}) == 1
    assert wrong({"o": {"id": "o", "a": 2}, "gone": {"id": "gone", "a": 1}}) == 1
    assert wrong({"o": {"id": "o", "a": 2}, "other": {"id": "other", "b": 1}}) == 1
    assert wrong({"o": {"id": "o", "a": 2}, "of somebody else": {"id": "x"}}) == 0


def test_only_where_the_database_was_put_back_may_a_document_stay_that_was_deleted() -> None:
    judged = noted([], {"gone": ("a", None)})
    answered = Answered({"gone": {"id": "gone", "a": 1}}, {}, undeleted={"gone"})
    assert findings(judged, answered, [Lost(0.5, 4.0)]) == []
    assert len(findings(judged, answered)) == 1
    assert len(findings(judged, replace(answered, undeleted=()), [Lost(0.5, 4.0)])) == 1


def test_an_answer_that_lacks_the_edit_it_answers_is_wrong() -> None:
    """What a later edit hides at the end is seen in between."""
    answered = Answered({"d": {"a": 1, SHARED: "a1"}}, {})
    assert len(findings(noted([FIRST], {}, SetBack("a", "d", 1, None)), answered)) == 1


@pytest.mark.parametrize("record", [("/a", 2), ("", {"a": 2, SHARED: "a2"})])
def test_only_where_the_database_was_put_back_may_an_own_field_be_recorded(record: tuple[str, Any]) -> None:
    later = Edit("a", "d", 2, "a2", "a1", 1.0, 2.0)
    dropped = {"d": [record, (f"/{SHARED}", "a2")]}
    judged = noted([FIRST, later], {}, SetBack("a", "d", 2, 1))
    state = {"d": {"a": 1, SHARED: "a1"}}
    lost = [Lost(0.5, 9.0)]
    assert findings(judged, Answered(state, dropped), lost) == []
    assert len(findings(judged, Answered(state, dropped))) == 2
    assert len(findings(judged, Answered(state, {"d": [("/b", 2), (f"/{SHARED}", "a2")]}), lost)) == 2


def test_the_record_of_an_own_field_may_go_with_the_database_after_its_client_was_told() -> None:
    later = Edit("a", "d", 2, "a2", "a1", 1.0, 2.0)
    answered = Answered({"d": {"a": 1, SHARED: "a2"}}, {})
    for at, wrong in ((3.0, 0), (4.5, 2), (0.1, 2)):
        judged = noted([FIRST, later], {}, SetBack("a", "d", 2, 1, at))
        assert len(findings(judged, answered, [Lost(0.5, 4.0)])) == wrong


def test_it_is_counted_where_values_are() -> None:
    later = Edit("a", "d", 2, "a2", "b1", 2.0, 3.0)
    dropped = {"d": [(f"/{SHARED}", "b1"), (f"/{SHARED}", "c1")]}
    third = Edit("c", "d", 1, "c1", None, 0.0, 1.0)
    lost = Edit("c", "d", 2, "c2", "c1", 0.0, 1.0)
    counted = accounts(noted([FIRST, ON_FIRST, later, third, lost]), Answered({"d": {SHARED: "a2"}}, dropped))
    assert counted == {"stands": 1, "seen": 3, "missing": 1}


@pytest.mark.parametrize(
    ("lost", "held_until", "wrong"),
    [
        (Lost(0.5, 4.0), 3.0, 0),
        (Lost(0.5, 4.0), None, 0),
        (Lost(0.5, 4.0), 5.0, 1),
        (Lost(0.5, 4.0), math.inf, 1),
        (Lost(3.5, 4.0), 3.0, 1),
        (None, 3.0, 1),
    ],
    ids=["nobody had it", "it was never had", "somebody had it", "somebody has it", "nobody at the copy", "no copy"],
)
def test_a_value_may_go_with_the_database_that_nobody_had_any_more(
    lost: Lost | None, held_until: float | None, wrong: int
) -> None:
    """`FIRST` was acknowledged at 1.0, and nobody saw it."""
    held = {} if held_until is None else {("d", "a1"): held_until}
    judged = replace(noted([FIRST, BESIDE]), held_until=held)
    documents = {"d": {"a": 1, "b": 1, SHARED: "b1"}}
    windows = [lost] if lost else []
    assert len(findings(judged, Answered(documents, {}), windows)) == wrong
    in_an_earlier_state = Answered(documents, {}, {"d": {"a1"}})
    assert len(findings(judged, in_an_earlier_state, windows)) == (0 if lost else 1)


def test_who_follows_must_have_what_all_have() -> None:
    assert cursor_findings({"d": "1"}, {"d": "1"}) == []
    assert len(cursor_findings({"d": "1", "gone": "2"}, {"d": "2", "new": "1"})) == 3
    assert len(equal_findings("x", {"d": {"n": 1}, "gone": {}}, {"d": {"n": 2}, "new": {}})) == 3


def test_hashes_are_computed_apart_from_the_product() -> None:
    state = {"id": "d", "bA": 12, "aB": 3, SHARED: "bAc"}
    documents = {"d": state, "of somebody else": {"id": "x", "n": 1.5}}
    whole = {"d": content_hash(state), "of somebody else": "1"}
    assert hash_findings(noted([FIRST]), documents, whole) == []
    assert len(hash_findings(noted([FIRST]), {**documents, "d": {**state, "aB": 4}}, whole)) == 1
    assert len(hash_findings(noted([FIRST]), documents, {**whole, "more": "1"})) == 1
    assert len(hash_findings(noted([FIRST]), documents, {"d": whole["d"]})) == 1


class NoFleet:
    """What faults are drawn for; none of them happens."""

    folder = Path()
    instance = None

    class Host:
        def __init__(self, name: str) -> None:
            self.name = name

        kill = pause = part = set_clock = print

    hosts = (Host("a"), Host("b"))


def drawn(seed: int, count: int, *kinds: str, backups: bool = True) -> list[tuple[tuple[str, ...], str]]:
    class Instance:
        kill = pause = print

    fleet: Any = NoFleet()
    fleet.instance = Instance()
    faults = Faults(fleet, random.Random(seed), kinds, backups=backups)
    return [(fault.kinds, fault.name) for fault in (faults.next() for _ in range(count))]


def test_a_seed_draws_the_same_faults_again_and_each_kind_in_each_round() -> None:
    assert drawn(3, 50) == drawn(3, 50) != drawn(4, 50)
    for seed in range(20):
        counted = Counter(kind for kinds, _ in drawn(seed, ROUND.total()) for kind in kinds[:1])
        assert {"copy", *counted} == {"copy", *ROUND}
        assert counted["kill"] == ROUND["kill"] and counted["partition"] == ROUND["partition"]


def test_faults_also_come_in_the_middle_of_a_partition() -> None:
    kinds = {kinds for kinds, _ in drawn(1, 200)}
    assert {kind[1] for kind in kinds if len(kind) == 2} == {"kill", "pause", "empty Redis", "clock"}
    assert {kinds for kinds, _ in drawn(1, 50, "partition")} == {("partition",)}
    assert "copy" not in {kinds[0] for kinds, _ in drawn(1, 50, backups=False)}


def test_copies_are_put_back_for_the_seeds_that_are_chosen() -> None:
    assert [Plan(1, 1, 1, [], "even", None).puts_back(seed) for seed in (1, 2)] == [False, True]
    assert [Plan(1, 1, 1, [], "all", None).puts_back(seed) for seed in (1, 2)] == [True, True]


def test_numbers_are_words_and_each_another_one() -> None:
    words = [letters(number) for number in range(2000)]
    assert len(set(words)) == 2000 and all(word.isalpha() for word in words)


@contextmanager
def echoing(links: Links) -> Iterator[tuple[socket.socket, socket.socket, object]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = links.to(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", link.port), timeout=PATIENCE_SECONDS) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(PATIENCE_SECONDS)
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
            end.settimeout(PATIENCE_SECONDS)
            assert end.recv(9) == text


def test_ports_of_hosts_are_none_that_connections_get() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(hosts._free_port() < first for _ in range(20))


_GIVES_UP_FIRST = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
try:
    Path("started").touch(exist_ok=False)
except FileExistsError:
    pass
else:
    sys.exit(3)
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer((sys.argv[2], int(sys.argv[4])), Ready).serve_forever()
"""


def test_a_process_that_gives_up_is_started_again(tmp_path: Path) -> None:
    """One that is started while its host is parted from MongoDB does."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "serve.py").write_text(_GIVES_UP_FIRST)
    (tmp_path / "arq.py").write_text("import time\ntime.sleep(600)")
    with Links() as links:
        host = hosts.Host("a", cast("Instance", _Served()), links, tmp_path, root=tmp_path)
        try:
            host.start()
        finally:
            host.stop()
    assert re.sub(r"\d{2,}", "PID", (tmp_path / "a.log").read_text()) == "api (pid PID) ended with 3, started again\n"


class _Served:
    """An instance with nothing behind its addresses."""

    settings = Settings(mongo_url="mongodb://127.0.0.1:1/", redis_url="redis://127.0.0.1:1/0")


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
