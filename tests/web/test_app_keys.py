"""The web client by keys and on its pages: what they act on and show, and what they leave alone, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.instance import Instance
from tests.patience import until
from tests.web.browsers import Person, build_app, invited, launched


@pytest.fixture(scope="module")
def eve(server: Instance) -> Iterator[Person]:
    build_app()
    found = invited(server, "eve")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def chromium(eve: Person) -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def in_sync(page: Page) -> None:
    expect(page.locator(".sync")).to_have_text("In sync")


def to(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()


def test_keys_act_on_nothing_that_is_not_there_to_be_seen(eve: Person, chromium: Browser) -> None:
    for number in range(4):
        eve.put({"id": f"unseen{number}", "description": f"unseen {number}"})
    page = eve.page(chromium)
    in_sync(page)
    page.get_by_label("Search or filter").fill("unseen")
    rows = page.locator(".list-page .row")
    expect(rows).to_have_count(4)
    rows.first.locator(".row-main").focus()
    to(page, "Members")
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    page.evaluate("addEventListener('keydown', (event) => (window.taken = event.defaultPrevented))")
    for key in ("d", "Delete", "x", "Control+a", "ArrowDown"):
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(key)
        assert page.evaluate("window.taken") is False, key  # the browser does what it does: it scrolls, and selects
    page.keyboard.press("g")
    page.keyboard.press("c")  # none of them is due
    expect(page.get_by_role("button", name="Next month")).to_be_visible()
    for key in ("d", "Delete", "x"):
        page.keyboard.press(key)
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(rows).to_have_count(4)
    expect(page.locator(".message")).to_have_count(0)
    expect(page.get_by_text("selected")).to_have_count(0)
    page.context.close()


def test_by_keys_one_goes_on_from_where_a_task_was_done(eve: Person, chromium: Browser) -> None:
    for number in range(4):
        eve.put({"id": f"goon{number}", "description": f"go on {number}"})
    page = eve.page(chromium)
    page.get_by_label("Search or filter").fill("go on")
    page.get_by_label("Sort").select_option("description")
    rows = page.locator(".list-page .row")
    expect(rows).to_have_count(4)
    rows.nth(1).locator(".row-main").focus()
    page.keyboard.press("d")
    expect(rows).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator(".row[data-id=goon2] .row-main")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(".row[data-id=goon0] .row-main")).to_be_focused()
    # Keyboards for other scripts have other letters in the same places.
    press = "(one) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {...one, bubbles: true}))"
    page.evaluate(press, {"key": "\u043e", "code": "KeyJ"})
    expect(page.locator(".row[data-id=goon2] .row-main")).to_be_focused()
    page.evaluate(press, {"key": "\u041b", "code": "KeyK", "shiftKey": True})
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.context.close()


def test_a_link_that_is_none_opens_the_list(eve: Person, chromium: Browser) -> None:
    page = eve.tab(eve.context(chromium), "/app/#/%E0%A4%A/%/%ff")
    in_sync(page)
    expect(page.get_by_label("Add a task", exact=True)).to_be_visible()
    assert not eve.complaints
    page.context.close()


def test_a_card_gets_a_value_of_the_kind_that_its_column_has(eve: Person, chromium: Browser) -> None:
    made: list[dict[str, object]] = [{"size": 1}, {"size": 2}, {}, {"size": ["S", "M"]}]
    for number, more in enumerate(made):
        eve.put({"id": f"card{number}", "description": f"a card {number}", **more})
    page = eve.page(chromium)
    page.evaluate("localStorage.setItem('hypertask-board', 'shelf')")  # a field of another space
    page.reload()
    in_sync(page)
    page.get_by_label("Search or filter").fill("card")
    to(page, "Board")
    expect(page.get_by_label("Columns")).to_have_value("status")
    expect(page.locator(".column[aria-label='To do'] .card")).to_have_count(4)
    page.get_by_label("Columns").select_option("size")
    page.locator(".column[aria-label='No size'] .card[data-id=card2] a").focus()
    for column in ("S", "M", "2"):
        page.keyboard.press("Shift+ArrowLeft")
        expect(page.locator(f".column[aria-label='{column}'] .card[data-id=card2] a")).to_be_focused()
    until(lambda: eve.read("card2").get("size") == 2, lambda: str(eve.read("card2")))

    page.locator(".column[aria-label='M'] .card[data-id=card3] a").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_role("alert").filter(has_text="several values")).to_be_visible()
    assert eve.read("card3")["size"] == ["S", "M"]
    page.context.close()


def test_what_was_said_of_one_space_takes_nothing_back_in_another(eve: Person, chromium: Browser) -> None:
    other = eve.call("POST", "/spaces", {"name": "Garden"})["space"]
    page = eve.page(chromium)
    in_sync(page)
    page.get_by_label("Add a task", exact=True).fill("check this off at home")
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="Check off: check this off at home").click()
    undo = page.locator(".message").get_by_role("button", name="Undo")
    expect(undo.last).to_be_visible()
    page.locator(".space-pick select").select_option(other)
    expect(page.locator(".list-page .row")).to_have_count(0)
    expect(undo).to_have_count(0)
    page.context.close()


def test_a_calendar_has_what_is_due_and_not_the_pattern_that_has_made_it(eve: Person, chromium: Browser) -> None:
    today = datetime.now(UTC).date().isoformat()
    pattern = {"id": "pattern", "description": "feed the cat", "due": today, "recur": "yearly", "status": "recurring"}
    eve.put(pattern)
    page = eve.page(chromium, timezone_id="UTC")
    expect(page.locator(".list-page .row", has_text="feed the cat")).not_to_have_count(0)  # they are made by the page
    to(page, "Calendar")
    expect(page.locator(".day.is-today [data-task]", has_text="feed the cat")).to_have_count(1)
    page.context.close()


def test_from_right_to_left_a_search_stands_beside_its_sign(eve: Person, chromium: Browser) -> None:
    page = eve.page(chromium)
    in_sync(page)
    field, sign = page.get_by_label("Search or filter"), page.locator(".search .icon-svg")
    for direction in ("rtl", "ltr"):
        page.evaluate(f"document.documentElement.dir = '{direction}'")
        for text in ("milk", "\u0644\u0642\u0627\u0621"):
            field.fill(text)
            box, room = sign.bounding_box(), field.bounding_box()
            padding = "(one) => ['left', 'right'].map((side) => getComputedStyle(one)[`padding-${side}`])"
            assert box is not None and room is not None
            left, right = (float(width.removesuffix("px")) for width in field.evaluate(padding))
            assert box["x"] + box["width"] <= room["x"] + left or box["x"] >= room["x"] + room["width"] - right
    page.context.close()
