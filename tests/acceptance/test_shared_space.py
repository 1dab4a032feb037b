"""Two people share a space: a server with two API processes, and the program on the devices of both."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.devices import Device
from tests.instance import Instance
from tests.patience import NEVER_SECONDS, PATIENCE_SECONDS, until

PASSWORD = "a long password"


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Its streams end when their processes are told so, and not with a heartbeat."""
    constants = {"api.streams.live.HEARTBEAT_SECONDS": NEVER_SECONDS}
    instance = Instance(tmp_path_factory.mktemp("hosted") / "data", api=2, constants=constants)
    yield instance.start(HYPERTASK_SIGN_UP="open")
    instance.discard()


class Browser:
    """Of a person who has just signed up."""

    def __init__(self, url: str, name: str) -> None:
        self.client = httpx.Client(base_url=url)
        made = self.call("POST", "/users", {"name": name, "password": PASSWORD})
        self.user = made["user"]
        self.client.headers["hypertask-csrf"] = made["csrf"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def token(self) -> str:
        return str(self.call("POST", "/devices", {"name": "laptop"})["token"])


@pytest.fixture
def shared(hosted: Instance) -> Iterator[tuple[Browser, Browser, str]]:
    """An owner, a reader, and their space."""
    mark = time.time_ns()
    alice, bob = Browser(hosted.url, f"alice {mark}"), Browser(hosted.url, f"bob {mark}")
    space = alice.call("POST", "/spaces", {"name": "Plans"})["space"]
    invitation = alice.call("POST", f"/spaces/{space}/invitations", {"role": "reader"})
    bob.call("POST", "/invitations/accept", {"secret": invitation["secret"]})
    yield alice, bob, space
    for browser in (alice, bob):
        browser.client.close()


def put(device: Device, name: str, **fields: object) -> None:
    (device.root / f"{name}.json").write_text(json.dumps({"id": name, **fields}))


def test_a_readers_edit_is_refused_kept_and_sent_when_he_may_write(
    hosted: Instance, shared: tuple[Browser, Browser, str], tmp_path: Path
) -> None:
    alice, bob, space = shared
    desk, telephone = Device(tmp_path, "desk"), Device(tmp_path, "telephone")
    for device, person in ((desk, alice), (telephone, bob)):
        device.run("connect", hosted.url, "--name", "there", "--space", space, token=person.token())
    put(desk, "a", n=1)
    desk.run("sync")
    telephone.run("sync")
    put(telephone, "a", n=2)
    put(telephone, "mine", n=1)
    done = telephone.raw("sync")
    assert done.returncode == 1, "something was not done"
    for said in (done.stdout, telephone.raw("status").stdout):
        lines = [line for line in said.splitlines() if "[read-only]" in line]
        assert len(lines) == 2 and all("Your edit is kept here" in line for line in lines), said
    assert said.splitlines()[-1] == "Not in sync: 2 edits are kept here alone; see above."
    put(desk, "b", n=1)
    desk.run("sync")
    assert telephone.run("sync", check=False)["upstreams"]["there"]["refused"].keys() == {"a", "mine"}
    assert json.loads((telephone.root / "a.json").read_text())["n"] == 2
    assert (telephone.root / "b.json").exists(), "what others write still arrives"
    assert not (desk.root / "mine.json").exists()

    alice.call("PATCH", f"/spaces/{space}/members/{bob.user}", {"role": "editor"})
    assert telephone.run("sync")["upstreams"]["there"]["refused"] == {}
    desk.run("sync")
    assert json.loads((desk.root / "a.json").read_text())["n"] == 2
    assert (desk.root / "mine.json").exists()


def test_the_streams_of_one_who_is_removed_end_at_once(
    hosted: Instance, shared: tuple[Browser, Browser, str]
) -> None:
    """In whichever process they are; those of others go on."""
    alice, bob, space = shared
    ended: list[int] = []
    ready: list[threading.Event] = []

    def follow(number: int, token: str, begun: threading.Event) -> None:
        headers = {"authorization": f"Bearer {token}", "hypertask-space": space}
        with httpx.stream("GET", f"{hosted.url}/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: ready"
            begun.set()
            for _ in lines:
                continue
        ended.append(number)

    tokens = [bob.token() for _ in range(6)]
    threads = []
    for number, token in enumerate(tokens):
        ready.append(threading.Event())
        threads.append(threading.Thread(target=follow, args=(number, token, ready[-1]), daemon=True))
        threads[-1].start()
    assert all(event.wait(PATIENCE_SECONDS) for event in ready)
    owner = {"authorization": f"Bearer {alice.token()}", "hypertask-space": space}
    with httpx.stream("GET", f"{hosted.url}/events", headers=owner) as others:
        lines = others.iter_lines()
        assert next(lines) == "event: ready"
        alice.call("DELETE", f"/spaces/{space}/members/{bob.user}")
        until(lambda: len(ended) == len(tokens), lambda: f"of {len(tokens)} streams there ended {ended}")
        headers = {"authorization": f"Bearer {tokens[0]}", "hypertask-space": space}
        refused = httpx.get(f"{hosted.url}/events", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        written = {"client_state": {"id": "after", "n": 1}}
        httpx.post(f"{hosted.url}/task/after", headers=owner, json=written).raise_for_status()
        assert any("after" in line for line in lines)
