"""People who look at the web client of a server, each in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import node
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS

PASSWORD = "a long password"
PATIENT = """{
  const later = window.setTimeout;
  window.setTimeout = (act, after, ...more) => later(act, after === 6000 ? 60000 : after, ...more);
  const { get } = Object.getOwnPropertyDescriptor(Event.prototype, "timeStamp");
  Object.defineProperty(Event.prototype, "timeStamp", { get() { return get.call(this) / 60; } });
}"""
"""What pages say is to be read for ten times as long, and a key belongs to the one before for sixty times as long: a
machine that is slow, or stands still, is not somebody who has gone."""


def chromium_program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium. Without it tests are skipped, but fail in continuous integration."""
    program = chromium_program()
    if program is None:
        assert "CI" not in os.environ, "there is no chromium"
        pytest.skip("there is no chromium")
    expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"], timeout=1000 * PATIENCE_SECONDS
        )
        yield browser
        browser.close()


def window(browser: Browser, **options: Any) -> BrowserContext:
    """A browser of somebody's; what is done in it is waited for."""
    context = browser.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    context.add_init_script(PATIENT)
    return context


def build_app() -> node.Node:
    """Builds the web client; with what. Without Node tests are skipped, but fail in continuous integration."""
    try:
        return node.build_app()
    except node.NotInstalledError as error:
        if "CI" in os.environ:
            pytest.fail(str(error))
        pytest.skip(str(error))


@dataclass
class Person:
    """Has an account with a space; and what he sees."""

    client: httpx.Client
    url: str
    space: str
    password: str = PASSWORD
    complaints: list[str] = field(default_factory=list)
    """Of consoles: a policy that was violated, an error that nobody caught."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body, headers={"hypertask-space": self.space})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def put(self, body: dict[str, Any]) -> None:
        self.call("POST", f"/task/{body['id']}", {"client_state": body})

    def read(self, document: str) -> Any:
        return self.call("POST", f"/task/{document}", {"client_state": None})["server_state"]

    def token(self, name: str = "laptop") -> str:
        return str(self.call("POST", "/devices", {"name": name, "space": self.space})["token"])

    def context(self, browser: Browser, url: str = "", **options: Any) -> BrowserContext:
        """A browser of his that is signed in. `url`: another way to the same server."""
        context = window(browser, base_url=url or self.url, **options)
        self.sign_in(context, url)
        return context

    def sign_in(self, context: BrowserContext, url: str = "") -> None:
        """Gives a browser his session."""
        [value] = [cookie.value for cookie in self.client.cookies.jar if cookie.name == "hypertask-session"]
        context.add_cookies(
            [{"name": "hypertask-session", "value": value or "", "url": url or self.url, "httpOnly": True}]
        )

    def page(self, browser: Browser, url: str = "", **options: Any) -> Page:
        return self.tab(self.context(browser, url, **options))

    def tab(self, context: BrowserContext, address: str = "/app/") -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(address)
        return page


def administrator(server: Instance) -> Person:
    """The server's first one."""
    made = re.search(r"The first administrator is (\S+), password (\S+) ", server.log())
    assert made is not None, server.log()
    client = httpx.Client(base_url=server.url)
    session = client.post("/session", json={"name": made[1], "password": made[2]}).json()
    client.headers["hypertask-csrf"] = session["csrf"]
    spaces = client.get("/spaces").json()["spaces"]
    return Person(client, server.url, spaces[0]["space"] if spaces else "", made[2])


def invited(server: Instance, name: str) -> Person:
    """Somebody new, invited by the server's first administrator."""
    admin = administrator(server)
    secret = admin.client.post("/admin/invitations", json={}).json()["secret"]
    admin.client.close()
    client = httpx.Client(base_url=server.url)
    answer = client.post("/users", json={"name": name, "password": PASSWORD, "invitation": secret})
    assert answer.is_success, answer.text
    client.headers["hypertask-csrf"] = answer.json()["csrf"]
    [space] = client.get("/spaces").json()["spaces"]
    return Person(client, server.url, space["space"])
