"""People who share a browser: nobody loses an edit by signing out, sees what is another one's, or sends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.instance import Instance
from tests.web.browsers import Person, build_app, invited, launched, window
from tests.web.relay import Relay, relayed


@pytest.fixture(scope="module")
def carl(server: Instance) -> Iterator[Person]:
    build_app()
    found = invited(server, "carl")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def dora(server: Instance) -> Iterator[Person]:
    found = invited(server, "dora")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def chromium(carl: Person) -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def relay(carl: Person) -> Iterator[Relay]:
    with relayed(carl.url) as found:
        yield found


def in_sync(page: Page) -> None:
    expect(page.locator(".sync")).to_have_text("In sync")


def add(page: Page, line: str) -> None:
    page.get_by_label("Add a task", exact=True).fill(line)
    page.keyboard.press("Enter")
    expect(page.locator(".list-page .row", has_text=line)).to_be_visible()


def open_page(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/app/**")


def signed_in(person: Person, name: str, chromium: Browser, relay: Relay) -> Page:
    """A page of a browser of its own, as somebody finds it who comes to it and signs in."""
    page = window(chromium, base_url=relay.url).new_page()
    page.goto("/app/")
    page.wait_for_url("**/sign-in?**")
    sign_in(page, name, person.password)
    in_sync(page)
    return page


def has(person: Person, title: str, space: str = "") -> bool:
    rows = person.client.get("/tasks", headers={"hypertask-space": space or person.space}).json()["tasks"].values()
    return any(row["server_state"]["description"] == title for row in rows)


def without_network(page: Page, line: str, relay: Relay) -> None:
    """Makes a task that stays in the browser."""
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    relay.cut()
    add(page, line)
    expect(page.locator(".sync")).to_have_text("Offline · 1 waiting")


def test_signing_out_asks_first_if_an_edit_of_any_space_was_not_sent(
    carl: Person, chromium: Browser, relay: Relay
) -> None:
    other = carl.call("POST", "/spaces", {"name": "Garden"})["space"]
    page = carl.page(chromium, relay.url)
    in_sync(page)
    without_network(page, "only in this browser", relay)
    page.locator(".space-pick select").select_option(other)
    expect(page.locator(".list-page .row")).to_have_count(0)
    relay.restore()
    in_sync(page)  # of the space that is open

    open_page(page, "Account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert").filter(has_text="One edit was not sent yet")).to_be_visible()
    assert carl.client.get("/session").is_success

    page.locator(".space-pick select").select_option(carl.space)
    in_sync(page)
    assert has(carl, "only in this browser")
    page.context.close()


def test_what_a_browser_keeps_of_somebody_waits_unseen_until_he_is_back(
    carl: Person, dora: Person, chromium: Browser, relay: Relay
) -> None:
    page = signed_in(carl, "carl", chromium, relay)
    add(page, "seen by everybody")
    in_sync(page)
    without_network(page, "not sent by Carl", relay)
    page.goto("about:blank")
    relay.restore()
    page.goto("/account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")

    relay.cut()
    page.goto("/app/")  # from what the browser keeps
    expect(page.get_by_role("alert")).to_have_text("There is no answer from the server.")
    expect(page.get_by_text("Carl")).to_have_count(0)
    relay.restore()
    page.goto("/app/")
    page.wait_for_url("**/sign-in?**")
    sign_in(page, "dora", dora.password)
    in_sync(page)
    add(page, "of Dora")
    in_sync(page)
    expect(page.locator(".list-page .row")).to_have_count(1)
    open_page(page, "Account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in?**")
    assert page.evaluate("indexedDB.databases().then((all) => all.length)") == 2, "of Carl, with what he has not sent"

    sign_in(page, "carl", carl.password)
    expect(page.locator(".list-page .row", has_text="not sent by Carl")).to_be_visible()
    in_sync(page)
    assert has(carl, "not sent by Carl")
    page.context.close()


def test_a_tab_to_which_somebody_comes_back_shows_nothing_of_who_is_gone(
    carl: Person, chromium: Browser, relay: Relay
) -> None:
    """He has signed out in another tab, and there is no network by which this one could hear of it."""
    page = signed_in(carl, "carl", chromium, relay)
    add(page, "read by Carl alone")
    in_sync(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    relay.cut()
    page.evaluate("document.cookie = 'hypertask-user=; path=/'")
    expect(page.locator(".list-page .row", has_text="read by Carl alone")).to_be_visible()
    with page.expect_navigation():
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("alert")).to_have_text("There is no answer from the server.")
    expect(page.get_by_text("Carl")).to_have_count(0)
    page.context.close()


def test_a_tab_goes_on_in_another_session_of_the_same_person(carl: Person, chromium: Browser, relay: Relay) -> None:
    """He has signed in once more in another window, or after his password was changed."""
    page = signed_in(carl, "carl", chromium, relay)  # this one syncs
    second = page.context.new_page()
    second.goto("/app/")
    in_sync(second)
    open_page(second, "Members")  # asks by the session of now
    expect(second.get_by_role("heading", name="Members")).to_be_visible()

    third = page.context.new_page()
    third.goto("/sign-in")
    third.evaluate(
        """([name, password]) => fetch("/session", {method: "POST", headers: {"content-type": "application/json"},
        body: JSON.stringify({name, password})})""",
        ["carl", carl.password],
    )
    second.get_by_role("button", name="Rename").click()
    expect(second.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    add(page, "in another session")
    in_sync(page)
    assert has(carl, "in another session")
    page.context.close()


def test_somebody_whose_session_has_ended_leaves_nothing_in_the_browser(
    carl: Person, chromium: Browser, relay: Relay
) -> None:
    page = signed_in(carl, "carl", chromium, relay)
    page.context.clear_cookies(name="hypertask-session")
    open_page(page, "Account")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in?**")
    assert page.evaluate("indexedDB.databases().then((all) => all.length)") == 0
    assert page.evaluate("localStorage.getItem('hypertask-person')") is None
    page.context.close()


def test_nothing_is_sent_in_the_name_of_somebody_else(
    carl: Person, dora: Person, chromium: Browser, relay: Relay
) -> None:
    """Both are members of a space, and the browser does not know yet that the session is another one's."""
    made = dora.call("POST", f"/spaces/{dora.space}/invitations", {"role": "editor"})
    carl.call("POST", "/invitations/accept", {"secret": made["secret"]})
    context = carl.context(chromium, relay.url)
    page = carl.tab(context, f"/app/#/{dora.space}/list")
    in_sync(page)
    without_network(page, "written by Carl", relay)
    page.goto("about:blank")
    relay.restore()

    dora.sign_in(context, relay.url)
    page.route("**/spaces", lambda _: None)
    relay.requests.clear()
    with page.expect_request("**/spaces"):
        page.goto(f"/app/#/{dora.space}/list")
    expect(page.get_by_text("Opening your tasks")).to_be_visible()
    assert not [one for one in relay.requests if one.startswith("POST")]
    page.unroute_all()  # what was held goes on
    in_sync(page)
    assert not has(dora, "written by Carl")

    carl.sign_in(context, relay.url)
    page.goto("about:blank")
    page.goto(f"/app/#/{dora.space}/list")
    expect(page.locator(".list-page .row", has_text="written by Carl")).to_be_visible()
    in_sync(page)
    assert has(dora, "written by Carl")
    context.close()
