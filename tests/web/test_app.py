"""The web client in a real browser, against the suite's server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import node
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.acceptance.devices import WAIT_SECONDS, Device
from tests.instance import Instance
from tests.web.browsers import Person, chromium_program, invited

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(scope="module")
def app(server: Instance) -> None:
    """It is built, and the server has it."""
    try:
        node.build_app()
    except node.NotInstalledError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def anna(server: Instance) -> Iterator[Person]:
    found = invited(server, "anna")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def chromium(anna: Person) -> Iterator[Browser]:
    program = chromium_program()
    if program is None:
        assert "CI" not in os.environ, "there is no chromium"
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def in_sync(page: Page) -> None:
    expect(page.locator(".sync")).to_have_text("In sync", timeout=WAIT_SECONDS * 1000)


def add(page: Page, line: str) -> None:
    page.keyboard.press("Escape")
    page.get_by_label("Add a task", exact=True).fill(line)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Add a task", exact=True)).to_have_value("")


def one(person: Person, title: str) -> dict[str, object]:
    """The task of that description, once the server has it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = [
            row["server_state"]
            for row in person.call("GET", "/tasks")["tasks"].values()
            if row["server_state"]["description"] == title
        ]
        if found:
            return dict(found[0])
        time.sleep(0.05)
    raise AssertionError(f"{title} did not arrive")


def test_somebody_signs_in_adds_edits_checks_off_and_takes_back(
    server: Instance, anna: Person, chromium: Browser
) -> None:
    page = chromium.new_context().new_page()
    page.on("console", lambda said: anna.complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{server.url}/app/")
    page.wait_for_url("**/sign-in?**")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(anna.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app/**")
    in_sync(page)
    anna.complaints.clear()  # of who was not signed in: 401

    add(page, "buy milk +errand due:2031-02-03 project:home.shop estimate:=3")
    made = one(anna, "buy milk")
    assert {name: made[name] for name in ("status", "tags", "due", "project", "estimate")} == {
        "status": "pending", "tags": ["errand"], "due": "2031-02-03", "project": "home.shop", "estimate": 3,
    }  # fmt: skip

    page.get_by_role("link", name="buy milk").click()
    field = page.get_by_role("textbox", name="Description")
    field.fill("buy oat milk")
    field.press("Enter")
    page.get_by_role("checkbox", name="Check off: buy oat milk").first.click()
    expect(page.locator(".list-page .row")).to_have_count(0)
    in_sync(page)
    found = anna.read(str(made["id"]))
    assert (found["description"], found["status"]) == ("buy oat milk", "completed") and found["end"]

    page.keyboard.press("Escape")
    for _ in range(2):
        page.keyboard.press("u")
    expect(page.locator(".list-page .row")).to_contain_text("buy milk")
    in_sync(page)
    found = anna.read(str(made["id"]))
    assert found["description"] == "buy milk" and found["status"] == "pending" and "end" not in found
    assert not anna.complaints
    page.context.close()


def test_a_folder_and_the_page_see_each_others_edits_at_once(anna: Person, chromium: Browser, tmp_path: Path) -> None:
    device = Device(tmp_path, "laptop")
    device.run("connect", anna.url, "--space", anna.space, token=anna.token())
    device.run("sync")
    device.start()
    page = anna.page(chromium)
    in_sync(page)
    try:
        add(page, "made in the page")
        began = time.monotonic()
        while not any(body["description"] == "made in the page" for body in device.documents().values()):
            assert time.monotonic() - began < WAIT_SECONDS, device.log()
            time.sleep(0.02)
        device.run("add", "made in the folder")
        expect(page.locator(".row", has_text="made in the folder")).to_be_visible(timeout=WAIT_SECONDS * 1000)
    finally:
        assert device.stop() == 0
    assert not anna.complaints
    page.context.close()
