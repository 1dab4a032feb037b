"""The clients of docs/writing-a-client.md, as they stand there, against a real server."""

from __future__ import annotations

import http.server
import itertools
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from shared import codec
from shared.core.json import canonical as exact
from tests.instance import ROOT, Access, Instance
from tests.patience import PATIENCE_SECONDS

PAGE = (ROOT / "docs" / "writing-a-client.md").read_text()
VECTORS = json.loads((ROOT / "tests" / "vectors" / "content_hash.json").read_text())
LANGUAGES = {"python": ("v1_client.py", [sys.executable]), "javascript": ("v1_client.mjs", ["node"])}


def code(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture(params=LANGUAGES)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    name, command = LANGUAGES[request.param]
    if shutil.which(command[0]) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{command[0]} is missing")
        pytest.skip(f"there is no {command[0]} here")
    path = tmp_path / name
    path.write_text(code(request.param))
    return [*command, str(path)]


def sync(client: list[str], folder: Path, access: Access, seconds: float = 60) -> None:
    environment = {**os.environ, "HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token}
    done = subprocess.run([*client, str(folder)], env=environment, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_short(language: str) -> None:
    assert len(code(language).splitlines()) < 60


def folder_of(path: Path) -> dict[str, object]:
    return {file.stem: json.loads(file.read_text()) for file in path.glob("*.json")}


def test_two_devices_agree(client: list[str], tmp_path: Path, server: Instance, access: Access) -> None:
    other = server.access(space=access.space, user=access.user, name="other")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "a.json").write_text(
        '{"id": "a", "text": "of some length \\u00e9\\ud83d\\ude00", "n": [1.0, 1e-7, 1e21, 0.1]}'
    )
    (there / "b.json").write_text(
        '{"id": "b", "deep": {"\\ud83d\\ude00": 1, "\\ufb33": 2}, "none": null, "yes": true}'
    )
    sync(client, here, access)
    sync(client, there, other)
    sync(client, here, access)
    assert folder_of(here) == folder_of(there)
    assert folder_of(here).keys() == {"a", "b"}
    for folder, field in ((here, "here"), (there, "there")):
        edited = {**json.loads((folder / "a.json").read_text()), field: "edited on both"}
        (folder / "a.json").write_text(json.dumps(edited))
    sync(client, here, access)
    sync(client, there, other)
    sync(client, here, access)
    assert folder_of(here) == folder_of(there)
    assert {"here", "there"} <= json.loads((here / "a.json").read_text()).keys()


def test_their_hashes_are_right(client: list[str], tmp_path: Path, server: Instance) -> None:
    """Every document of the vectors, sent as it is: if a hash were wrong, the loop would not end."""
    access = server.access()
    folder = tmp_path / "vectors"
    folder.mkdir()
    for number, vector in enumerate(VECTORS["accept"]):
        value = json.loads(vector["json"])
        document = {"id": f"vector-{number}", "value": value}
        (folder / f"vector-{number}.json").write_text(json.dumps(document))
    sync(client, folder, access)


def test_one_that_is_refused_does_not_stop_the_others(client: list[str], tmp_path: Path, access: Access) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    good = {"a": {"id": "a"}, "z": {"id": "z"}, "__proto__": {"id": "__proto__", "toString": 1}}
    for name, body in good.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    refused = {
        "broken": "{",
        "other": '{"id": "another"}',
        "surrogate": '{"id": "surrogate", "text": "\\ud800"}',
        "no id": '{"id": "no id"}',
        "deep": '{"id": "deep", "a": ' + "[" * 70 + "]" * 70 + "}",
        "large": '{"id": "large", "n": 1' + "0" * 400 + "}",
    }
    for name, text in refused.items():
        (folder / f"{name}.json").write_text(text)
    environment = {**os.environ, "HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token}
    done = subprocess.run(
        [*client, str(folder)], env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    missing = [name for name in refused if f"{name}: " not in done.stderr]
    # JavaScript reads a number that no double can hold as Infinity, and writes it as null.
    assert missing in ([], ["large"])
    for name, text in refused.items():
        assert name in missing or (folder / f"{name}.json").read_text() == text
    known = httpx.get(f"{access.url}/hashes", headers=access.headers).json()
    assert known.keys() == {*good, *missing}


def test_it_waits_as_long_as_it_is_told(client: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    asked: list[float] = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(time.monotonic())
            status = (503, 429, 200)[len(asked) - 1]
            self.send_response(status)
            self.send_header("retry-after", "1")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as busy:
        thread = threading.Thread(target=busy.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{busy.server_port}"
        try:
            sync(client, folder, Access(url, "s", "ht_x", "d", "u"))
        finally:
            busy.shutdown()
            thread.join()
    assert len(asked) == 3
    assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(asked))


def arbitrary(random: Random, depth: int = 0) -> object:
    """A JSON value of any shape; numbers of every size, integral ones beyond 2^53 among them."""
    kind = random.randrange(12 if depth < 4 else 9)
    if kind == 0:
        return random.choice([None, True, False, 0, 1, -0.0, "", "1", [], {}])
    if kind == 1:
        return random.randrange(-(2**53) + 1, 2**53)
    if kind == 2:
        return float(random.randrange(2**53, 10**21))
    if kind == 3:
        return random.choice([1, -1]) * random.random() * 10.0 ** random.randrange(-320, 308)
    if kind == 4:
        bits = random.getrandbits(64)
        [value] = struct.unpack("<d", bits.to_bytes(8, "little"))
        return value if math.isfinite(value) else float(random.randrange(-9, 10))
    if kind < 9:
        return "".join(chr(random.choice(CHARACTERS)) for _ in range(random.randrange(9)))
    if kind == 9:
        return [arbitrary(random, depth + 1) for _ in range(random.randrange(6))]
    return {
        str(arbitrary(random, 9)).replace("\0", ""): arbitrary(random, depth + 1) for _ in range(random.randrange(6))
    }


CHARACTERS = [*range(0x80), 0xE9, 0x301, 0x2028, 0x20AC, 0xD7FF, 0xE000, 0xFB33, 0xFFFD, 0xFFFF, 0x1F600, 0x10FFFF]


@pytest.mark.parametrize("count", [100, pytest.param(2_000, marks=pytest.mark.soak)])
def test_both_languages_agree_on_arbitrary_json(count: int, tmp_path: Path, server: Instance, access: Access) -> None:
    """Half of the documents come from each; both have all of them then, and nothing is left to sync."""
    if shutil.which("node") is None:
        pytest.skip("there is no node here")
    random = Random(count)
    folders: dict[str, Path] = {}
    expected: dict[str, Any] = {}
    for language in LANGUAGES:
        folder = folders[language] = tmp_path / language
        folder.mkdir()
        for number in range(count // 2):
            name = f"{language}-{number}"
            body: Any = {"id": name, "value": arbitrary(random)}
            expected[name] = body
            (folder / f"{name}.json").write_text(json.dumps(body, ensure_ascii=random.random() < 0.5))
    other = server.access(space=access.space, user=access.user, name="other")
    for language in ("python", "javascript", "python", "javascript"):
        name, command = LANGUAGES[language]
        (tmp_path / name).write_text(code(language))
        token = access if language == "python" else other
        sync([*command, str(tmp_path / name)], folders[language], token, seconds=300)
    for folder in folders.values():
        found = folder_of(folder)
        assert found.keys() == expected.keys()
        for name, body in expected.items():
            assert exact.equal(codec.loads_answer(json.dumps(found[name]).encode()), body), name
