"""A server for several people, from its first start: an administrator, two who are invited, two devices each, a
shared space. Real processes of everything; a real browser where somebody looks at a page."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from tests import preloaded
from tests.acceptance.devices import Device
from tests.instance import Access, Instance
from tests.openid_provider import CLIENT, SECRET, RunningProvider, running_provider
from tests.patience import NEVER_SECONDS, PATIENCE_SECONDS
from tests.web.browsers import launched, window

PASSWORD = "a long password"
TEAM = "team"
"""A space that the groups of the provider give."""


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: RunningProvider) -> Iterator[Instance]:
    """Its streams end when their processes are told so, and not with a heartbeat."""
    constants = {"api.streams.live.HEARTBEAT_SECONDS": NEVER_SECONDS}
    instance = Instance(tmp_path_factory.mktemp("hosted") / "data", api=2, constants=constants)
    yield instance.start(
        HYPERTASK_OIDC_ISSUER=provider.issuer,
        HYPERTASK_OIDC_CLIENT_ID=CLIENT,
        HYPERTASK_OIDC_CLIENT_SECRET=SECRET,
        HYPERTASK_OIDC_GROUPS=f"staff={TEAM}:editor",
        HYPERTASK_OIDC_NAME="the company",
    )
    instance.discard()


@pytest.fixture(scope="module")
def team(server: Instance) -> Access:
    """A member of that space. Before the browser is there, which has an event loop of its own."""
    return server.access(space=TEAM)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with launched() as browser:
        yield browser


@dataclass
class Person:
    """Signed in, as a program that speaks to the routes and pages."""

    client: httpx.Client
    user: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def approve(self, code: str) -> None:
        """Types the code on the page, and approves it."""
        form = {"csrf": self.client.headers["hypertask-csrf"], "code": code}
        asked = self.client.post("/device", data=form)
        space = re.search(r'<option value="([^"]+)"', asked.text)
        assert space is not None, asked.text
        approved = self.client.post("/device", data={**form, "act": "approve", "name": "mine", "space": space[1]})
        assert "is connected" in approved.text, approved.text


def person(url: str, path: str, body: dict[str, Any]) -> Person:
    client = httpx.Client(base_url=url)
    answer = client.post(path, json=body)
    assert answer.is_success, answer.text
    client.headers["hypertask-csrf"] = answer.json()["csrf"]
    return Person(client, answer.json()["user"])


class Login:
    """`hypertask login`, in a terminal."""

    def __init__(self, device: Device, url: str, *options: str) -> None:
        told, tells = os.pipe()
        self._printed, self._told = device.home / "login.out", os.fdopen(told)
        with self._printed.open("wb") as out, os.fdopen(tells, "wb") as errors:
            words = ["login", url, "--name", "there", *options]
            self._process = preloaded.Started(words, device.environment, device.home, out, errors)
        lines = []
        for line in self._told:
            lines.append(line)
            if "type the code:" in line:
                self.code = line.split()[-1]
                return
        raise AssertionError("".join(lines))

    def done(self) -> str:
        with self._told:
            error = self._told.read()
        status, out = self._process.wait(PATIENCE_SECONDS), self._printed.read_text()
        assert status == 0, out + error
        return out


def connected(home: Path, url: str, whose: Person, *names: str) -> list[Device]:
    """New devices, each with its folder of the space "Plans"."""

    def one(name: str) -> Device:
        device = Device(home, name)
        login = Login(device, url, "--space", "Plans", "--device", name)
        whose.approve(login.code)
        assert "Connected" in login.done()
        return device

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(one, names))


def put(device: Device, name: str, **fields: object) -> None:
    (device.root / f"{name}.json").write_text(json.dumps({"id": name, **fields}))


def read(device: Device, name: str) -> Any:
    return json.loads((device.root / f"{name}.json").read_text())


def edits_meet(desk: Device, laptop: Device, phone: Device, tablet: Device) -> None:
    put(desk, "a", text="milk", n=1)
    desk.run("sync")
    laptop.run("sync")
    put(desk, "a", text="milk and bread", n=1)
    put(laptop, "a", text="milk", n=2)
    for device in (desk, laptop, desk, phone, tablet):
        device.run("sync")
    assert all(
        read(device, "a") == {"id": "a", "text": "milk and bread", "n": 2} for device in (desk, laptop, phone, tablet)
    )


def a_readers_edit_is_kept(desk: Device, phone: Device, plans: str) -> None:
    put(phone, "a", text="beer", n=2)
    said = phone.raw("sync").stdout
    [line] = [line for line in said.splitlines() if "[read-only]" in line]
    assert f'"Plans" ({plans})' in line and "owner can make you an editor" in line
    assert "Your edit is kept here" in line
    assert read(phone, "a")["text"] == "beer"
    desk.run("sync")
    assert read(desk, "a")["text"] == "milk and bread"


def his_streams_end_when_he_is_removed(anna: Person, ben: Person, tablet: Device, plans: str) -> None:
    tablet.start()
    token = next((tablet.home / "tokens").iterdir()).read_text().strip()
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        headers = {"authorization": f"Bearer {token}", "hypertask-space": plans}
        with httpx.stream("GET", anna.client.base_url.join("/events"), headers=headers) as answer:
            for line in answer.iter_lines():
                if line == "event: ready":
                    begun.set()
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert begun.wait(PATIENCE_SECONDS)
    anna.call("DELETE", f"/spaces/{plans}/members/{ben.user}")
    assert ended.wait(PATIENCE_SECONDS)


def test_people_are_invited_connect_devices_share_a_space_and_are_removed(server: Instance, tmp_path: Path) -> None:
    made = re.search(r"The first administrator is (\S+), password (\S+) ", server.log())
    assert made is not None, server.log()
    admin = person(server.url, "/session", {"name": made[1], "password": made[2]})
    links = [admin.call("POST", "/admin/invitations", {})["url"] for _ in range(2)]
    refused = httpx.post(f"{server.url}/users", json={"name": "eve", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "sign-up-closed")
    anna, ben = (
        person(server.url, "/users", {"name": name, "password": PASSWORD, "invitation": link.partition("#")[2]})
        for name, link in zip(("anna", "ben"), links, strict=True)
    )
    plans = anna.call("POST", "/spaces", {"name": "Plans"})["space"]
    invitation = anna.call("POST", f"/spaces/{plans}/invitations", {"role": "reader"})
    ben.call("POST", "/invitations/accept", {"secret": invitation["secret"]})
    desk, laptop = connected(tmp_path / "anna", server.url, anna, "desk", "laptop")
    phone, tablet = connected(tmp_path / "ben", server.url, ben, "phone", "tablet")
    rows = {row["name"]: row for row in ben.call("GET", "/devices")["devices"]}
    assert {row["every_space"] for row in rows.values()} == {True}

    edits_meet(desk, laptop, phone, tablet)
    a_readers_edit_is_kept(desk, phone, plans)
    his_streams_end_when_he_is_removed(anna, ben, tablet, plans)
    put(desk, "b", n=1)
    desk.run("sync")
    found = phone.raw("sync")
    assert found.returncode != 0 and "The token does not open this space" in found.stdout, found.stdout
    assert read(phone, "a")["text"] == "beer"
    assert not (tablet.root / "b.json").exists()
    tablet.stop()

    assert "revoked" in laptop.raw("logout").stdout
    assert "hypertask login" in laptop.raw("sync").stdout
    assert len(anna.call("GET", "/devices")["devices"]) == 1
    for one in (admin, anna, ben):
        one.client.close()


# In a browser


def new_page(chromium: Chromium, **options: Any) -> tuple[Page, list[str]]:
    """A window of somebody else's, and what its console complains of: a policy that was violated, for example."""
    page = window(chromium, **options).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def test_somebody_signs_in_at_the_provider_and_approves_a_terminal(
    server: Instance, provider: RunningProvider, team: Access, chromium: Chromium, tmp_path: Path
) -> None:
    provider.know("Olga", groups=["staff"], email="olga@example.org", email_verified=True)
    device = Device(tmp_path, "laptop")
    login = Login(device, server.url, "--space", TEAM, "--sync")
    page, complaints = new_page(chromium, viewport={"width": 380, "height": 800}, color_scheme="dark")
    page.goto(f"{server.url}/device")
    assert page.url.startswith(f"{server.url}/sign-in")
    page.get_by_role("link", name="Sign in with the company").click()
    assert page.url.startswith(provider.issuer)
    page.get_by_label("Name").fill("Olga")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.url}/device")
    page.get_by_label("The code").fill(login.code.lower())
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("What to call the device").fill("Olga's laptop")
    page.get_by_role("button", name="Connect it").click()
    page.get_by_role("heading", name="The device is connected").wait_for()
    login.done()
    put(device, "o", n=1)
    device.run("sync")
    assert httpx.get(f"{server.url}/hashes", headers=team.headers).json().keys() == {"o"}

    page.goto(f"{server.url}/account/devices")
    page.get_by_role("button", name="Revoke Olga's laptop").click()
    page.get_by_role("status").wait_for()
    assert "hypertask login" in device.raw("sync").stdout
    assert page.evaluate("document.documentElement.scrollWidth") <= 380, "it is wider than a telephone"

    provider.know("Olga", groups=[])
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in with the company").click()
    page.get_by_label("Name").fill("Olga")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.url}/account/spaces")
    assert page.get_by_role("link", name=TEAM).count() == 0, "the group is gone, and with it the role"
    assert complaints == []


def test_a_link_is_followed_in_a_browser_and_its_secret_is_in_no_address(
    server: Instance, chromium: Chromium
) -> None:
    page, complaints = new_page(chromium)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    made = re.search(r"The first administrator is (\S+), password (\S+) ", server.log())
    assert made is not None
    page.goto(f"{server.url}/sign-in")
    page.get_by_label("Name or e-mail address").fill(made[1])
    page.get_by_label("Password").fill(made[2])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Its name").fill("Garden")
    page.get_by_role("button", name="Make it").click()
    page.get_by_label("Somebody, as").select_option("editor")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Give this link to one person.").input_value()
    secret = link.partition("#")[2]

    guest, more = new_page(chromium)
    guest.on("request", lambda request: asked.append(request.url))
    guest.goto(link)
    guest.get_by_role("heading", name="Join").wait_for()
    assert guest.url == f"{server.url}/join"
    page.goto(f"{server.url}/docs")
    page.locator(".opblock").first.wait_for()
    hosts = {url.partition("://")[2].partition("/")[0] for url in asked if not url.startswith("data:")}
    assert hosts == {server.url.partition("://")[2]}, "nothing is loaded from elsewhere"
    assert secret and not [url for url in asked if secret in url.partition("#")[0]]
    assert [*complaints, *more] == []
