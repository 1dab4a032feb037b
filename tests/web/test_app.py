"""The web client in a real browser, against the suite's server."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import node
import pytest
from playwright.sync_api import Browser, Page, expect

from client.tasks.local_time import Here
from client.tasks.recurrence import occurrences
from tests.acceptance.devices import Device
from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS, until
from tests.web.browsers import Person, administrator, build_app, invited, launched, window
from tests.web.relay import Relay, relayed

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(scope="module")
def app(server: Instance) -> None:
    """It is built, and the server has it."""
    build_app()


@pytest.fixture(scope="module")
def anna(server: Instance) -> Iterator[Person]:
    found = invited(server, "anna")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def chromium(anna: Person) -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(autouse=True)
def no_complaints(anna: Person) -> None:
    """Of the tests before: some take the network away."""
    anna.complaints.clear()


def in_sync(page: Page) -> None:
    expect(page.locator(".sync")).to_have_text("In sync")


def add(page: Page, line: str) -> None:
    page.keyboard.press("Escape")
    page.get_by_label("Add a task", exact=True).fill(line)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Add a task", exact=True)).to_have_value("")


@pytest.fixture
def relay(anna: Person) -> Iterator[Relay]:
    with relayed(anna.url) as found:
        yield found


def edit(page: Page, title: str, label: str, text: str) -> None:
    page.get_by_role("link", name=title).first.click()
    field = page.locator(".detail").get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")
    expect(field).to_have_value(text)
    page.get_by_role("link", name="Close the details").click()


def stored(page: Page) -> None:
    """The service worker keeps the app."""
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")


def one(person: Person, title: str) -> dict[str, object]:
    """The task of that description, once the server has it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
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
    page = window(chromium).new_page()
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


def pushed(turn: Callable[[], list[str]]) -> None:
    """Whether an edit arrived as it happened, and not because somebody asked: the receiver made no request for it.
    `turn` makes an edit, waits until it is there, and says what was asked for meanwhile. Now and then each side asks
    by itself whether all is well, so one of three edits is enough. A daemon listens again once it has been told
    something, which does not count."""
    asked = [turn() for _ in range(3)]
    assert any(set(requests) <= {"GET /events"} for requests in asked), asked


def test_a_folder_and_the_page_see_each_others_edits_at_once(
    anna: Person, chromium: Browser, relay: Relay, tmp_path: Path
) -> None:
    device = Device(tmp_path, "laptop")
    device.run("connect", relay.url, "--space", anna.space, token=anna.token())
    device.run("sync")
    device.start()
    page = anna.page(chromium)
    asked_by_page: list[str] = []
    page.on("request", lambda request: asked_by_page.append(f"{request.method} {urlsplit(request.url).path}"))
    in_sync(page)
    until(lambda: "GET /events" in relay.requests, device.log)
    numbers = itertools.count()

    def into_the_folder() -> list[str]:
        before, title = len(relay.requests), f"made in the page {next(numbers)}"
        add(page, title)
        until(lambda: any(body["description"] == title for body in device.documents().values()), device.log)
        return relay.requests[before:]

    def into_the_page() -> list[str]:
        before, title = len(asked_by_page), f"made in the folder {next(numbers)}"
        device.run("add", title)
        expect(page.locator(".row", has_text=title)).to_be_visible()
        return asked_by_page[before:]

    try:
        pushed(into_the_folder)
        in_sync(page)
        pushed(into_the_page)
    finally:
        assert device.stop() == 0
    assert not anna.complaints
    page.context.close()


def test_edits_on_both_sides_meet_field_by_field_and_survive_without_a_network(
    anna: Person, chromium: Browser, relay: Relay
) -> None:
    page = anna.page(chromium, relay.url)
    in_sync(page)
    stored(page)
    add(page, "meet somebody")
    made = one(anna, "meet somebody")
    in_sync(page)
    base = anna.call("GET", "/hashes")[made["id"]]
    relay.cut()
    edit(page, "meet somebody", "Project", "people")
    expect(page.locator(".sync")).to_have_text("Offline · 1 waiting")
    anna.call("POST", f"/task/{made['id']}", {"client_state": {**made, "estimate": 2}, "base": base})
    page.reload()  # from what the browser keeps
    expect(page.locator(".row", has_text="meet somebody")).to_contain_text("people")
    add(page, "made without a network")
    relay.restore()
    in_sync(page)
    found = anna.read(str(made["id"]))
    assert (found["project"], found["estimate"]) == ("people", 2)
    assert one(anna, "made without a network")
    expect(page.locator(".row", has_text="meet somebody")).to_contain_text("people")
    page.context.close()


def test_a_tab_that_is_killed_in_the_middle_of_a_sync_loses_nothing(
    anna: Person, chromium: Browser, relay: Relay
) -> None:
    context = anna.context(chromium, relay.url)
    page = anna.tab(context)
    in_sync(page)
    stored(page)
    relay.hush_after(b"POST /tasks")
    add(page, "sent and never answered")
    one(anna, "sent and never answered")  # it has arrived, and the tab does not know
    edit(page, "sent and never answered", "Tags, with spaces between them", "later")
    page.close(run_before_unload=False)
    relay.cut()
    relay.restore()
    page = anna.tab(context)
    in_sync(page)
    found = [row for row in anna.call("GET", "/tasks")["tasks"].values() if "never" in str(row["server_state"])]
    assert len(found) == 1 and found[0]["server_state"]["tags"] == ["later"]
    context.close()


def test_of_two_tabs_one_syncs_and_the_other_goes_on_when_it_is_closed(anna: Person, chromium: Browser) -> None:
    context = anna.context(chromium)
    first = anna.tab(context)
    in_sync(first)
    second = anna.tab(context)
    in_sync(second)
    add(second, "from the second tab")
    expect(first.locator(".row", has_text="from the second tab")).to_be_visible()
    one(anna, "from the second tab")
    first.close()
    add(second, "from the tab that is left")
    one(anna, "from the tab that is left")
    in_sync(second)
    context.close()


def test_it_works_where_pages_do_not_come_by_https(anna: Person, chromium: Browser) -> None:
    """Browsers give such pages no locks, no service worker and no promise to keep what is stored."""
    context = anna.context(chromium)
    for name in ("locks", "serviceWorker", "storage"):
        context.add_init_script(f"delete Navigator.prototype.{name}")
    pages = [anna.tab(context) for _ in range(2)]
    for page in pages:
        in_sync(page)
    for number, page in enumerate(pages):
        add(page, f"by the other road {number}")
        one(anna, f"by the other road {number}")
        expect(pages[1 - number].locator(".row", has_text=f"by the other road {number}")).to_be_visible()
    pages[0].get_by_role("link", name="Account").first.click()
    expect(pages[0].get_by_text("not known")).to_be_visible()
    assert not anna.complaints
    context.close()


def test_by_keys_one_goes_from_task_to_task_on_every_page(anna: Person, chromium: Browser) -> None:
    for number in range(3):
        anna.put({"id": f"keys{number}", "description": f"by keys {number}", "due": "2031-03-0" + str(number + 1)})
    page = anna.page(chromium)
    in_sync(page)
    page.get_by_label("Search or filter").fill("by keys")
    for name in ("Board", "All documents"):
        page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()
        expect(page.locator("#main [data-task]")).to_have_count(3)
        shown = page.locator("#main [data-task]").evaluate_all("all => all.map(({ dataset }) => dataset.task)")
        page.locator("#main [data-task]").first.focus()
        for key, place in (("j", 1), ("j", 2), ("j", 2), ("k", 1)):
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.dataset.task") == shown[place], (name, key)
        page.keyboard.press("x")
        expect(page.locator("#main .is-selected")).to_have_count(1)
        expect(page.get_by_text("1 selected")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_text("1 selected")).to_have_count(0)
    page.context.close()


def test_a_finger_selects_several(anna: Person, chromium: Browser) -> None:
    for number in range(3):
        anna.put({"id": f"touch{number}", "description": f"by touch {number}"})
    page = anna.page(chromium, has_touch=True, viewport={"width": 390, "height": 800})
    page.get_by_label("Search or filter").fill("by touch")
    links = page.locator(".list-page .row-main")
    expect(links).to_have_count(3)
    box = links.first.bounding_box()
    assert box is not None
    devtools = page.context.new_cdp_session(page)
    point = {"x": box["x"] + 40, "y": box["y"] + 20}
    devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(page.get_by_text("1 selected")).to_be_visible()
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    links.nth(1).tap()
    expect(page.get_by_text("2 selected")).to_be_visible()
    assert page.locator(".detail").count() == 0
    page.get_by_role("button", name="Select nothing").tap()
    links.nth(2).tap()
    expect(page.locator(".detail")).to_be_visible()
    page.context.close()


def without_barriers(page: Page, what: str) -> None:
    if page.evaluate("!window.axe"):
        page.evaluate((node.APP / "node_modules" / "axe-core" / "axe.min.js").read_text())
    rules = "axe.run({resultTypes: ['violations'], preload: false, selectors: false})"  # no film, no other origin
    found = page.evaluate(f"{rules}.then(({{violations}}) => violations)")
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, (what, [(one["id"], [place["html"] for place in one["nodes"]][:3]) for one in serious])


def test_what_a_repeating_task_has_due_is_made_as_on_the_command_line(anna: Person, chromium: Browser) -> None:
    first = datetime.now(UTC).date() - timedelta(days=10)
    pattern = {"id": "waterplants", "description": "water the plants", "due": first.isoformat(), "recur": "weekly"}
    anna.put({**pattern, "status": "recurring", "tags": ["home"]})
    made, after = occurrences(anna.read("waterplants"), datetime.now(Here()))
    assert len(made) == 3  # two are due, and the next one
    page = anna.page(chromium)
    rows = page.locator(".list-page .row", has_text="water the plants")
    expect(rows).to_have_count(3)
    until(lambda: bool(anna.read("waterplants") == after), lambda: str(anna.read("waterplants")))
    assert [anna.read(one["id"]) for one in made] == made
    page.get_by_role("checkbox", name="Check off: water the plants").first.click()
    expect(rows).to_have_count(2)
    in_sync(page)
    page.reload()
    expect(rows).to_have_count(2)
    page.context.close()


def test_an_administrator_finds_people_sets_limits_and_makes_passwords(server: Instance, chromium: Browser) -> None:
    bert, admin = invited(server, "bert"), administrator(server)
    page = admin.page(chromium)
    page.get_by_role("link", name="Administration").first.click()
    page.get_by_label("A part of the name or address").fill("ber")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    without_barriers(page, "people")

    page.get_by_role("button", name="Limits of bert").click()
    field = page.get_by_role("spinbutton").first
    name = str(field.get_attribute("name"))
    field.fill("123")
    without_barriers(page, "limits")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    [row] = admin.call("GET", "/admin/users?search=bert")["users"]
    assert row["overrides"] == {name: 123}

    page.get_by_role("button", name="New password for bert").click()
    page.get_by_role("button", name="Make a new password").click()
    password = page.get_by_label("The new password").input_value()
    assert bert.client.get("/session").status_code == 401
    assert bert.client.post("/session", json={"name": "bert", "password": password}).is_success
    without_barriers(page, "a password")
    for tab in ("Spaces", "Invitations", "Log"):
        page.get_by_role("button", name=tab, exact=True).click()
        expect(page.get_by_text("Asking the server")).to_have_count(0)
        without_barriers(page, tab)
    assert not admin.complaints
    page.context.close()
    for one in (bert, admin):
        one.client.close()


def test_no_page_has_a_serious_barrier(anna: Person, chromium: Browser) -> None:
    page = anna.page(chromium, color_scheme="dark")
    in_sync(page)
    add(page, "look at this +tag due:yesterday project:home priority:H")

    page.locator(".message").get_by_role("button", name="Close this message").click()
    without_barriers(page, "list")
    page.get_by_role("link", name="look at this").click()
    for tab in ("Fields", "JSON", "History"):
        page.get_by_role("button", name=tab, exact=True).click()
        without_barriers(page, tab)
    page.get_by_role("button", name="Colours").click()
    for name in ("Tasks", "Board", "Calendar", "All documents", "Conflicts", "Members", "Devices", "Account"):
        page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()
        expect(page.get_by_text("One moment …")).to_have_count(0)
        without_barriers(page, name)
    page.keyboard.press("?")
    without_barriers(page, "help")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    without_barriers(page, "sync")
    assert not anna.complaints
    page.context.close()
