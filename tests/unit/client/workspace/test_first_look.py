"""A sync with a first look does, says and writes what one without it does, whatever the folder, the memory and the
server are like; and where nothing is to be done, the first look finds it out."""

from __future__ import annotations

import fcntl
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.config.tokens import Tokens
from client.folder import replace
from client.sync.state_store import PROVE_SECONDS, PROVE_SYNCS
from client.upstreams import plain_request
from tests.certificate import certificate
from tests.patience import PATIENCE_SECONDS
from tests.unit.client.workspace.looking_desk import Desk, Run
from tests.unit.client.workspace.since_server import SinceServer, json_answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace, "TICK_NS", 0)  # no file was written this moment
    monkeypatch.setattr(plain_request, "CONNECT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(plain_request.plain_answer, "__defaults__", (PATIENCE_SECONDS,))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


Make = Callable[..., Desk]


@pytest.fixture
def desks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Desk] = []

    def make(**options: Any) -> Desk:
        made.append(Desk(tmp_path / str(len(made)), monkeypatch, **options))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


def same(first: Run, whole: Run) -> bool:
    assert first._replace(looked=False) == whole
    return first.looked


def both(
    desks: Make, prepare: Callable[[Desk], object] = lambda desk: None, *words: str, by_tag: bool = False
) -> bool:
    """Syncs twice with a first look and twice without one, after the same preparation, and compares. Whether the
    first look found that nothing is to be done, the first time."""
    runs: list[list[Run]] = []
    for first in (True, False):
        desk = desks(by_tag=by_tag, first=first)
        prepare(desk)
        runs.append([desk.sync(*words), desk.sync(*words)])
    looked, _ = [same(*pair) for pair in zip(*runs, strict=True)]
    return looked


@pytest.mark.parametrize("by_tag", [False, True], ids=["since", "tag"])
@pytest.mark.parametrize("words", [(), ("--json",), ("up",), ("up", "--json")])
def test_nothing_to_do(desks: Make, words: tuple[str, ...], by_tag: bool) -> None:
    assert both(desks, lambda desk: None, *words, by_tag=by_tag)


def test_one_request_with_what_each_request_has(desks: Make) -> None:
    desk = desks()
    desk.configure('space = "family"\n')
    for _ in range(2):
        desk.sync()  # another place: all is asked for once more
    asked: list[httpx.Request] = []
    for first in (True, False):
        desk._first = first
        desk.server.asked.clear()
        assert desk.sync().looked is first
        asked += desk.server.asked
    mine, httpx_s = asked
    assert mine.url.path == httpx_s.url.path and mine.url.params["since"] == httpx_s.url.params["since"]
    for name in ("host", "accept", "user-agent", "authorization", "hypertask-space"):
        assert mine.headers[name] == httpx_s.headers[name]


def test_no_request_where_something_is_to_be_sent(desks: Make) -> None:
    desk = desks()
    desk.write("t1", title="edited")
    desk.server.asked.clear()
    assert not desk.sync().looked
    asked = [request for request in desk.server.asked if request.url.path == "/hashes"]
    assert asked and not any("limit" in request.url.params for request in asked)


def emptied(desk: Desk) -> None:
    for path in desk.folder.glob("*.json"):
        path.unlink()


def edited_twice_there(desk: Desk) -> None:
    desk.server.put("t3", title="edited")
    desk.server.put("t4", title="new")


def edited_on_both_sides(desk: Desk) -> None:
    desk.write("t1", a=1)
    desk.server.put("t1", b=2)


def staged(desk: Desk) -> None:
    arriving = desk.folder / ".hypertask" / "arriving"
    arriving.mkdir(exist_ok=True)
    (arriving / "0.json").write_text("{}")


def deleted_again(desk: Desk) -> None:
    desk.write("t9")
    (desk.folder / "t9.json").unlink()


STATES: dict[str, Callable[[Desk], object]] = {
    "an edit here": lambda desk: desk.write("t1", title="edited"),
    "a task here": lambda desk: desk.write("t9", title="new"),
    "a deletion here": lambda desk: (desk.folder / "t1.json").unlink(),
    "the folder was emptied": emptied,
    "a file that is no document": lambda desk: (desk.folder / "t1.json").write_text("{"),
    "a file of another name": lambda desk: (desk.folder / "T x.json").write_text("{}"),
    "a placeholder": lambda desk: (desk.folder / "t1.json").rename(desk.folder / ".t1.json.icloud"),
    "a file that is too large": lambda desk: desk.write("t1", title="x" * (1 << 20)),
    "an edit there": lambda desk: desk.server.put("t3", title="edited"),
    "two edits there": edited_twice_there,
    "edits on both sides": edited_on_both_sides,
    "another history": lambda desk: setattr(desk.server, "history", "h2"),
    "put back to an earlier moment": lambda desk: setattr(desk.server, "sequence", desk.server.sequence - 1),
    "another token": lambda desk: setattr(desk.server, "token", "another"),
    "no token": lambda desk: Tokens(desk.config).drop("default", "up"),
    "a token that others can read": lambda desk: Tokens(desk.config).path("default", "up").chmod(0o644),
    "another address": lambda desk: desk.configure('space = "family"\n'),
    "another upstream": lambda desk: desk.configure(
        f'[[profiles.default.upstreams]]\nname = "b"\nurl = "folder://{desk.home}/b"\n'
    ),
    "a path in the address": lambda desk: desk.config.write_text(
        desk.config.read_text().replace(desk.url, f"{desk.url}/a b")
    ),
    "no memory": lambda desk: (desk.folder / ".hypertask" / "memory.sqlite").unlink(),
    "a damaged memory": lambda desk: (desk.folder / ".hypertask" / "memory.sqlite").write_bytes(b"x" * 8192),
    "a state that was not answered": lambda desk: desk.execute(
        "UPDATE record SET pending = ? WHERE id = 't1'",
        json.dumps([{"id": "t1", "title": "one"}, "0" * 32, None, None, False]).encode(),
    ),
    "a state that was refused": lambda desk: desk.execute(
        "UPDATE record SET refused = ? WHERE id = 't1'", b'["read-only","no",null,null,false]'
    ),
    "a state that is not verified": lambda desk: desk.execute("UPDATE record SET unverified = 1"),
    "an arrival that was cut off": lambda desk: desk.execute(
        "INSERT INTO arriving VALUES ('t1', ?, ?, 'staged.json')",
        b'{"id":"t1","title":"two"}',
        b'{"id":"t1","title":"one"}',
    ),
    "a file that was staged": staged,
    "an own edit that was replaced": lambda desk: desk.execute(
        "INSERT INTO replaced VALUES ('up', 't1', '[\"/title\"]', '1', NULL)"
    ),
    "what alternates": lambda desk: desk.execute(
        "INSERT INTO returned VALUES ('t1', '[]', ?)", json.dumps([time.time()] * 3)
    ),
    "never agreed": lambda desk: desk.execute("UPDATE upstream SET whole = 0"),
    "no cursor": lambda desk: desk.execute("UPDATE upstream SET cursor = NULL"),
    "a cursor of another kind": lambda desk: desk.execute("UPDATE upstream SET cursor = 'etag:x'"),
    "old facts": lambda desk: desk.execute("UPDATE upstream SET facts = json_set(facts, '$.asked_at', 1.0)"),
    "facts of another release": lambda desk: desk.execute("UPDATE upstream SET facts = json_set(facts, '$.more', 1)"),
    "to be proved after so many syncs": lambda desk: desk.execute("UPDATE upstream SET unproved = ?", PROVE_SYNCS),
    "to be proved after so long": lambda desk: desk.execute(
        "UPDATE upstream SET proved = ?", time.time() - PROVE_SECONDS
    ),
    "a file that is remembered otherwise": lambda desk: desk.execute("UPDATE file SET stamp = '' WHERE id = 't1'"),
}
NOTHING: dict[str, Callable[[Desk], object]] = {
    "it failed the last time": lambda desk: desk.execute(
        "UPDATE upstream SET status = json_set(status, '$.error', json('{\"code\":\"unreachable\"}'))"
    ),
    "a note of another program": lambda desk: (desk.folder / "notes.txt").write_text("not ours"),
    "a task that was deleted": deleted_again,
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_something_to_do(desks: Make, state: Callable[[Desk], object]) -> None:
    assert not both(desks, state)


@pytest.mark.parametrize("state", NOTHING.values(), ids=NOTHING)
def test_nothing_new(desks: Make, state: Callable[[Desk], object]) -> None:
    assert both(desks, state)


@pytest.mark.parametrize("words", [("--dry-run",), ("--confirm-deletions",), ("--json", "--dry-run")])
def test_options_that_ask_for_more(desks: Make, words: tuple[str, ...]) -> None:
    assert not both(desks, lambda desk: None, *words)


def gone(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text().replace(str(desk.folder), f"{desk.folder}-gone"))


def test_no_folder(desks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for first in (True, False):
        desk = desks(first=first)
        gone(desk)
        run = desk.sync()
        said.append((run.code, run.said, run.memory))
    assert said[0] == said[1] and said[0][0] == 1


HEAD = b"HTTP/1.1 200 OK\r\n"


def only_first(raw: Callable[[SinceServer, httpx.Request], Iterable[bytes]]) -> Callable[[Desk], None]:
    """The question of a first look alone is answered so: what it does not take, a whole sync asks again."""

    def prepare(desk: Desk) -> None:
        def answer(request: httpx.Request) -> Iterable[bytes] | None:
            return raw(desk.server, request) if "limit" in request.url.params else None

        desk.server.raw = answer

    return prepare


def denied(server: SinceServer, **more: object) -> dict[str, object]:
    return {"hashes": {}, "cursor": server.cursor, "more": False, **more}


def chunked(body: bytes) -> bytes:
    return HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


ANSWERS: dict[str, tuple[bool, Callable[[SinceServer, httpx.Request], Iterable[bytes]]]] = {
    "plain": (True, lambda server, request: [json_answer(denied(server))]),
    "byte by byte": (True, lambda server, request: [bytes([one]) for one in json_answer(denied(server))]),
    "in a chunk": (True, lambda server, request: [chunked(json.dumps(denied(server)).encode())]),
    "what is not known": (True, lambda server, request: [json_answer(denied(server, hint="?"), "x-new: 1")]),
    "a change": (False, lambda server, request: [json_answer(denied(server, hashes={"t1": None}))]),
    "more": (False, lambda server, request: [json_answer(denied(server, more=True))]),
    "tasks": (False, lambda server, request: [json_answer(denied(server, tasks={"t1": {}}))]),
    "another cursor": (False, lambda server, request: [json_answer(denied(server, cursor="h1-99"))]),
    "no cursor": (False, lambda server, request: [json_answer({"hashes": {}})]),
    "no object": (False, lambda server, request: [json_answer([])]),
    "no JSON": (False, lambda server, request: [HEAD + b"content-length: 5\r\n\r\nhello"]),
    "a page of a hotel": (False, lambda server, request: [HEAD + b"content-length: 6\r\n\r\n<html>"]),
    "not found": (False, lambda server, request: [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]),
    "moved": (False, lambda server, request: [b"HTTP/1.1 307 X\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"]),
    "busy": (False, lambda server, request: [b"HTTP/1.1 503 X\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"]),
    "not changed": (False, lambda server, request: [b"HTTP/1.1 304 Not Modified\r\n\r\n"]),
    "a long head": (False, lambda server, request: [HEAD + b"x: y\r\n" * 10_000]),
    "a long answer": (False, lambda server, request: [json_answer(denied(server, hint="x" * 20_000))]),
    "compressed": (False, lambda server, request: [json_answer(denied(server), "content-encoding: gzip")]),
    "half of it": (False, lambda server, request: [json_answer(denied(server))[:-1]]),
    "nothing": (False, lambda server, request: []),
    "another protocol": (False, lambda server, request: [b"SSH-2.0-x\r\n"]),
}


@pytest.mark.parametrize(("nothing", "raw"), ANSWERS.values(), ids=ANSWERS)
def test_answers(desks: Make, nothing: bool, raw: Callable[[SinceServer, httpx.Request], Iterable[bytes]]) -> None:
    assert both(desks, only_first(raw)) is nothing


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
@pytest.mark.parametrize("by_tag", [False, True], ids=["since", "tag"])
def test_a_server_that_refuses_everything(
    desks: Make, status: int, by_tag: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(desk: Desk) -> None:
        desk.server.trouble = lambda request: httpx.Response(status, json={"code": "x", "detail": "No."})

    monkeypatch.setattr("client.upstreams.http_channel.BACKOFF", None, raising=False)
    monkeypatch.setattr("shared.retry.Backoff.delay", lambda self, failures, wait=None: None)
    assert not both(desks, prepare, by_tag=by_tag)


def test_a_tag_and_304_in_chunks(desks: Make) -> None:
    def prepare(desk: Desk) -> None:
        chunks = b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n"
        desk.server.raw = lambda request: [chunks] if "if-none-match" in request.headers else None

    assert both(desks, prepare, by_tag=True)


def test_a_server_that_is_not_there(desks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.retry.Backoff.delay", lambda self, failures, wait=None: None)
    runs = []
    for first in (True, False):
        desk = desks(first=first)
        desk.server.stop()
        runs.append(desk.sync())
        desk.url = desk.server.start()
    assert not same(*runs) and runs[0].code == 1


def test_a_server_that_drips(desks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up while it is still at it."""
    monkeypatch.setattr(plain_request.plain_answer, "__defaults__", (0.2,))
    is_over = threading.Event()

    def drip(server: SinceServer, request: httpx.Request) -> Iterable[bytes]:
        for one in json_answer(denied(server)):
            if is_over.is_set():
                return
            time.sleep(0.01)
            yield bytes([one])

    desk = desks()
    only_first(drip)(desk)
    run = desk.sync()
    is_over.set()
    assert (run.looked, run.code, run.said) == (False, 0, "up: nothing to do; in sync.\n")


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "NO_PROXY"])
def test_a_proxy(desks: Make, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    desk = desks()
    monkeypatch.setenv(name, "127.0.0.1" if name == "NO_PROXY" else "http://127.0.0.1:9")
    monkeypatch.setattr("shared.retry.Backoff.delay", lambda self, failures, wait=None: None)
    monkeypatch.delattr("client.workspace.first_look.is_settled")  # the files are not looked through for nothing
    assert not desk.sync().looked


def test_https(desks: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is trusted by the one way is by the other, and nobody else is."""
    certificate(tmp_path, "server")
    monkeypatch.setattr("shared.retry.Backoff.delay", lambda self, failures, wait=None: None)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    first, whole = desks(certificates=tmp_path), desks(certificates=tmp_path, first=False)
    assert same(first.sync(), whole.sync())
    first.server.put("t3", title="edited")
    whole.server.put("t3", title="edited")
    assert not same(first.sync(), whole.sync())
    monkeypatch.delenv("SSL_CERT_FILE")
    stranger, other = first.sync(), whole.sync()
    assert not same(stranger, other) and stranger.code == 1 and "certificate" in stranger.said.lower()


def test_another_command_that_syncs(desks: Make) -> None:
    """The lock is waited for by the whole sync, and it is free again after a first look."""
    desk = desks()
    lock = desk.folder / ".hypertask" / "sync.lock"
    descriptor = os.open(lock, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    desk.after_look = lambda: os.close(descriptor)
    assert desk.sync()[:2] == (False, 0)
    desk.after_look = lambda: None
    assert desk.sync()[:2] == (True, 0)
    assert int(lock.read_text()) == os.getpid()


def test_sixteen_of_seventeen(desks: Make) -> None:
    """Agreement is proved now and then, and what counts up to that is counted."""
    desk = desks()
    looked = [desk.sync().looked for _ in range(2 * (PROVE_SYNCS + 1))]
    assert looked.count(False) == 2


ACTIONS: list[Callable[[Desk, random.Random], object]] = [
    lambda desk, dice: desk.write(f"t{dice.randrange(5)}", title=str(dice.random())),
    lambda desk, dice: (desk.folder / f"t{dice.randrange(5)}.json").unlink(missing_ok=True),
    lambda desk, dice: desk.server.put(f"t{dice.randrange(5)}", title=str(dice.random())),
    lambda desk, dice: (desk.folder / "t1.json").touch(),
    lambda desk, dice: setattr(desk.server, "history", f"h{dice.randrange(3)}"),
    lambda desk, dice: setattr(desk.server, "token", dice.choice(["good-token", "good-token", "another"])),
    lambda desk, dice: desk.execute("UPDATE upstream SET unproved = ?", dice.randrange(PROVE_SYNCS + 1)),
    lambda desk, dice: list(STATES.values())[dice.randrange(4)](desk),
    *[lambda desk, dice: None] * 6,
]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 20))])
@pytest.mark.parametrize("by_tag", [False, True], ids=["since", "tag"])
def test_any_course_of_things(desks: Make, seed: int, by_tag: bool) -> None:
    """Two folders and servers to which the same happens, one of them synced with a first look."""
    first, whole = desks(by_tag=by_tag), desks(by_tag=by_tag, first=False)
    courses = random.Random(seed), random.Random(seed)
    looked = 0
    for _ in range(15):
        for desk, dice in zip((first, whole), courses, strict=True):
            dice.choice(ACTIONS)(desk, dice)
        looked += same(first.sync("--json"), whole.sync("--json"))
    assert looked
