"""`POST /import` and `hypertask-server import` against the running server."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from click.testing import CliRunner

from api.cli import main
from api.imports import import_process
from api.imports.import_runner import import_in_process
from api.representations.imports import read_export
from shared import codec
from shared.core.protocol import Limits
from shared.settings import Settings
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS, until
from tests.steps import counted_steps
from tests.unit.api.in_memory import Service

RECEIVED_BYTES = 65536


def client(access: Access) -> httpx.Client:
    return httpx.Client(base_url=access.url, headers=access.headers, trust_env=False)


@pytest.fixture
def http(access: Access) -> Iterator[httpx.Client]:
    with client(access) as found:
        yield found


@pytest.fixture
def other(server: Instance) -> Iterator[httpx.Client]:
    """Another space."""
    with client(server.access()) as found:
        yield found


def post(http: httpx.Client, **bodies: Any) -> None:
    tasks = {key: {"client_state": {"id": key, **body}} for key, body in bodies.items()}
    http.post("/tasks", json={"tasks": tasks}).raise_for_status()


def filled(http: httpx.Client) -> bytes:
    """A space with everything that there is; its export."""
    http.put("/policies", json={"/pin": "secret", "/tags": ["set"]}).raise_for_status()
    post(http, a={"pin": 1, "x": {"$ref": "y"}}, b={"n": 1}, c={"title": "one"}, d={"v": 1})
    post(http, a={"pin": 2, "x": {"$ref": "y"}}, d={"v": 2})
    base = http.get("/task/c").headers["hypertask-rev"]
    http.post("/task/c", json={"client_state": {"id": "c", "title": "two"}, "base": base}).raise_for_status()
    http.post("/task/c", json={"client_state": {"id": "c", "title": "three"}, "base": base}).raise_for_status()
    http.delete("/task/b").raise_for_status()
    http.delete("/task/d").raise_for_status()
    post(http, d={"v": 3})
    return http.get("/export").content


def put(http: httpx.Client, export: bytes, **headers: str) -> dict[str, Any]:
    answer = http.post("/import", content=export, headers={"content-type": "application/x-ndjson", **headers})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {name: value for name, value in found.items() if value not in (0, [], "none")}


def rows(export: bytes) -> list[dict[str, Any]]:
    """What has to be the same, whatever sequences are allotted."""
    found = [json.loads(line) for line in export.splitlines()]
    kept = (
        "kind",
        "id",
        "hash",
        "deleted",
        "state",
        "device",
        "at",
        "outcome",
        "rule",
        "conflicts",
        "received",
        "policies",
    )
    said = [{name: row[name] for name in kept if name in row} for row in found if row["kind"] not in ("space", "end")]
    return sorted(said, key=lambda row: json.dumps(row, sort_keys=True))


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_an_export_comes_back_whole(http: httpx.Client, other: httpx.Client, coding: str) -> None:
    import gzip

    from api.http.codings import Encoder

    export = filled(http)
    raw = gzip.compress(export) if coding == "gzip" else export
    if coding == "zstd":
        encoder = Encoder("zstd")
        raw = encoder.feed(export) + encoder.close()
    headers = {} if coding == "identity" else {"content-encoding": coding}
    states = sum(row["kind"] in ("document", "revision") for row in map(json.loads, export.splitlines()))
    assert put(other, raw, **headers) == {"documents": 4, "created": 4, "states": states, "policies": "set"}
    assert other.get("/hashes").json() == http.get("/hashes").json()
    again = other.get("/export").content
    assert rows(again) == rows(export)
    # Revs are new; parents name the new ones.
    revs = {row["rev"] for row in map(json.loads, again.splitlines()) if row.get("rev")}
    parents = {parent for row in map(json.loads, again.splitlines()) for parent in row.get("parents", ())}
    assert parents and parents <= revs
    # And once more, and from there back: nothing changes.
    assert put(other, export) == {"documents": 4, "unchanged": 4, "states": states, "policies": "unchanged"}
    assert put(http, again)["unchanged"] == 4
    assert other.get("/export").content.splitlines()[2:] == again.splitlines()[2:]


def export_of(documents: int) -> bytes:
    states = [{"id": f"d{n}", "x": [n] * 20} for n in range(documents)]
    lines = [
        {
            **{"kind": "document", "id": state["id"], "rev": f"{n + 1}-x", "hash": codec.content_hash(state)},
            **{"deleted": False, "state": state, "sequence": n + 1, "device": "d", "at": 1.0, "outcome": "applied"},
            **{"rule": "new", "parents": [], "conflicts": []},
        }
        for n, state in enumerate(states)
    ]
    first = {"kind": "space", "format": 1, "space": "s", "cursor": "x-1", "at": 1.0}
    rows = [first, *lines, {"kind": "end", "documents": len(lines), "revisions": 0}]
    return b"".join(codec.dumps(row) + b"\n" for row in rows)


async def test_an_import_takes_no_steps_of_the_process_that_answers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it computes would hold up every request of the process, in a thread too. A step is a line of Python that
    runs, in any thread: those are the same on every machine."""
    export = export_of(2000)
    with counted_steps() as reading:
        read_export(io.BytesIO(export), Limits())

    async def body() -> AsyncIterator[bytes]:
        for begin in range(0, len(export), RECEIVED_BYTES):
            yield export[begin : begin + RECEIVED_BYTES]

    service = Service(settings)
    space = f"s-{uuid.uuid4().hex[:12]}"
    monkeypatch.setattr(service, "_import", partial(import_in_process, settings))
    async with service.client(authorization=f"Bearer {await service.token(space)}") as http:
        with counted_steps() as importing:
            answer = await http.post("/import", content=body(), headers={"content-type": "application/x-ndjson"})
    assert answer.json()["created"] == 2000
    assert 0 < importing.count < reading.count / 10, (importing.count, reading.count)


def test_no_process_that_answers_knows_what_an_import_says(server: Instance, http: httpx.Client) -> None:
    """Without the process that reads it, this server cannot tell that it is wrong."""
    wrong = filled(http)[:-1] + b"x\n"
    killed = []

    def body() -> Iterator[bytes]:
        yield wrong[:-10]
        until(importers)
        for process in importers():
            process.kill()
            killed.append(process.pid)
        yield wrong[-10:]

    answer = http.post("/import", content=body(), headers={"content-type": "application/x-ndjson"})
    assert killed and (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert http.post("/import", content=wrong).json()["code"] == "invalid-export"


def importers() -> list[psutil.Process]:
    """By its command, or its name where it is a fork (tests/forked.py)."""
    module = import_process.__name__
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # another one that has just ended
            if module in one.cmdline() or one.name() == module.rpartition(".")[2]:
                found.append(one)
    return found


def test_what_comes_back_is_written_to_as_before(http: httpx.Client, other: httpx.Client) -> None:
    put(other, filled(http))
    listed = other.get("/task/c/revisions").json()["revisions"]
    base = next(row["rev"] for row in listed if row["hash"] == http.get("/task/c").headers["etag"].strip('"'))
    answer = other.post("/task/c", json={"client_state": {"id": "c", "title": "four"}, "base": base}).json()
    assert answer["outcome"] == "fast_forward" and other.get("/task/c").json()["title"] == "four"
    # A value that was there once and went is not new: an old device does not bring it back.
    assert "b" not in other.get("/hashes").json()


def test_an_import_goes_on_from_an_earlier_state_and_keeps_what_was_done_here(
    http: httpx.Client, other: httpx.Client
) -> None:
    post(http, a={"v": 1}, b={"v": 1}, c={"v": 1})
    put(other, http.get("/export").content)
    post(http, a={"v": 2}, b={"v": 1, "there": True})
    http.delete("/task/c").raise_for_status()
    post(other, b={"v": 1, "here": True}, c={"v": 2})
    post(other, only={"here": True})
    report = put(other, http.get("/export").content)
    assert {name: report[name] for name in ("continued", "merged", "kept")} == {
        "continued": 1,
        "merged": 1,
        "kept": 1,
    }
    assert other.get("/task/a").json()["v"] == 2
    assert other.get("/task/b").json() == {"id": "b", "v": 1, "here": True, "there": True}
    assert other.get("/task/c").json()["v"] == 2 and other.get("/task/only").status_code == 200


def test_policies_of_the_space_stay(http: httpx.Client, other: httpx.Client) -> None:
    other.put("/policies", json={"/x": "secret"}).raise_for_status()
    assert put(other, filled(http))["policies"] == "kept"
    assert other.get("/policies").json() == {"/x": "secret"}


def third(lines: list[bytes], old: bytes, new: bytes) -> list[bytes]:
    return [*lines[:2], lines[2].replace(old, new, 1), *lines[3:]]


@pytest.mark.parametrize(
    ("break_it", "says", "line"),
    [
        (lambda lines: lines[:-1], "it has no end: it was cut off", None),
        (lambda lines: [*lines[:-2], lines[-1]], "its last line counts otherwise", None),
        (lambda lines: third(lines, b'"pin":2', b'"pin":3'), "another hash", 3),
        (lambda lines: third(lines, b'"id":"a"', b'"id":"z"'), "not one of its document", 3),
        (lambda lines: third(lines, b'"id":"a"', b'"id":"a/"'), "no id of a document", 3),
        (lambda lines: [*lines[:2], b"{", *lines[3:]], "not JSON", 3),
        (lambda lines: [lines[0].replace(b'"format":1', b'"format":2'), *lines[1:]], "its format is 2", 1),
        (lambda lines: lines[1:], "its first line has not the kind", 1),
        (lambda lines: [*lines, lines[-1]], "something comes after", None),
        (lambda lines: [lines[0], lines[1].replace(b'"secret"', b'"often"'), *lines[2:]], "line 2", 2),
        (lambda lines: third(lines, b'"outcome":"', b'"outcome":"x'), "not a state", 3),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_stored(
    http: httpx.Client, other: httpx.Client, break_it: Any, says: str, line: int | None
) -> None:
    broken = b"".join(each + b"\n" for each in break_it(filled(http).splitlines()))
    answer = other.post("/import", content=broken)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid-export"), problem
    assert says in problem["detail"] and (line is None or problem["line"] == line), problem
    assert other.get("/hashes").json() == {} and other.get("/policies").json() == {}


def test_an_import_needs_a_token_and_a_body_of_its_kind(http: httpx.Client, access: Access) -> None:
    assert httpx.post(f"{access.url}/import", content=b"", trust_env=False).status_code == 401
    assert http.post("/import", content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    assert http.post("/import", content=b"x", headers={"content-encoding": "br"}).status_code == 415
    assert http.post("/import", content=b"").status_code == 422


def test_who_follows_the_space_hears_of_it(http: httpx.Client, other: httpx.Client) -> None:
    export = filled(http)
    heard: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        with other.stream("GET", "/events") as stream:
            for text in stream.iter_lines():
                ready.set()
                if text.startswith("data:") and '"id"' in text:
                    heard.append(text)
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert ready.wait(PATIENCE_SECONDS)
    put(other, export)
    listener.join(PATIENCE_SECONDS)
    assert heard


def run(server: Instance, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["--data", str(server.data), "import", *arguments])


def test_the_command_puts_an_export_into_a_space(http: httpx.Client, server: Instance, tmp_path: Path) -> None:
    file, space = tmp_path / "space.ndjson", server.access().space
    file.write_bytes(filled(http))
    said = run(server, space, str(file))
    assert said.exit_code == 0 and "4 documents: 4 created. Policies: set." in said.output, said.output
    again = json.loads(run(server, space, str(file), "--json").stdout)
    assert (again["unchanged"], again["created"]) == (4, 0)
    file.write_bytes(file.read_bytes()[:-20])
    cut = run(server, space, str(file))
    assert cut.exit_code == 1 and "Nothing was stored" in cut.output
    assert run(server, "A space", str(file)).exit_code == 2


@pytest.mark.parametrize(
    ("text", "documents", "left_out"),
    [
        (json.dumps({"data": [{"id": "a", "last_modified": 1_798_761_600_000, "x": 1}]}), {"a": {"x": 1}}, 0),
        (json.dumps({"rows": [{"id": "a", "doc": {"_id": "a", "_rev": "1-f", "x": 1}}]}), {"a": {"x": 1}}, 0),
        ('{"docs": [{"_id": "a", "_rev": "1-f", "x": 1}]}\n{"seq": 1}\n', {"a": {"x": 1}}, 0),
        ('{"_id": {"$oid": "5f"}, "x": {"$numberInt": "1"}}\n{"_id": "a"}\n', {"5f": {"x": 1}, "a": {}}, 0),
        (json.dumps({"docs": [{"_id": "_design/v"}, {"_id": "a/b", "x": 1}]}), {"a~2fb": {"x": 1}}, 1),
    ],
)  # fmt: skip
def test_the_command_takes_dumps_of_other_servers(
    server: Instance, tmp_path: Path, text: str, documents: dict[str, Any], left_out: int
) -> None:
    access, file = server.access(), tmp_path / "dump.json"
    file.write_text(text)
    report = json.loads(run(server, access.space, str(file), "--json").stdout)
    assert report["created"] == len(documents) and len(report["left_out"]) == left_out
    with client(access) as http:
        for document, body in documents.items():
            assert http.get(f"/task/{document}").json() | body == http.get(f"/task/{document}").json()
        post(http, more={})
    again = json.loads(run(server, access.space, str(file), "--json").stdout)
    assert (again["created"], again["unchanged"]) == (0, len(documents))
    file.write_text('{"what": "else"}')
    refused = run(server, access.space, str(file))
    assert refused.exit_code == 1 and "no dump whose form is known" in refused.output
