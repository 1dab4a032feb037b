"""The web client with documents that somebody made to harm it: nothing of them is run, and every page still works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.instance import Instance
from tests.web.browsers import Person, build_app, invited, launched

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
LINK = "javascript:alert(3)"
BACKWARDS = "\u202egnp.exe\u2066"
NO_TEXT = {"toString": 1, "valueOf": 2, "toJSON": 3, "length": -1, "constructor": {"prototype": 4}}
"""What breaks where a value is taken for a text."""
FIELDS = [
    *("description", "status", "project", "priority", "due", "wait", "scheduled", "until", "start", "end", "entry"),
    *("modified", "recur", "depends", "parent", "annotations", "tags", "imask", "timezone", "other"),
]


def documents(words: int) -> Iterator[dict[str, Any]]:
    """`words`: of the longest text; a browser takes a second of CPU to lay out ten thousand."""
    yield {"id": "texts", **dict.fromkeys(FIELDS, f"{SCRIPT} {LINK} {BACKWARDS}")}
    yield {"id": "notes", "description": SCRIPT, "annotations": [{"entry": SCRIPT, "description": LINK}, SCRIPT, 3]}
    yield {
        "id": "names",
        "description": "names",
        SCRIPT: 1,
        "__proto__": {"polluted": True},
        "constructor": 2,
        "a:": 3,
    }
    yield {"id": "lists", "description": "lists", "tags": [SCRIPT, BACKWARDS, "x" * 50_000], "depends": ["texts"]}
    yield {"id": "series", "description": SCRIPT, "status": "recurring", "due": "2026-01-01", "recur": "P99999Y"}
    yield {"id": "many", "description": "many tags", "tags": [f"tag{number}" for number in range(5_000)]}
    yield {"id": "long", "description": "long " * words, "project": "p" * words}
    kinds: list[Any] = [NO_TEXT, [NO_TEXT], [[]], 1e300, -0.5, True, None, "", "9999-12-31T23:59:59Z"]
    for number, value in enumerate(kinds):
        yield {"id": f"kinds{number}", **dict.fromkeys(FIELDS, value)}
    yield {"id": "members", "description": "members", **{f"member{number:05}": number for number in range(9_000)}}
    deep: Any = "deep"
    for _ in range(30):
        deep = {"a b": [deep]}
    yield {"id": "deep", "description": "deep", "priority": "constructor", "project": "__proto__", "inside": deep}
    yield {
        "id": "large",
        "description": "large",
        "text": "x" * 900_000,
        "annotations": [{"description": "y" * 9_000}],
    }
    notes = [{"entry": "2026-01-01T00:00:00Z", "description": f"note {number}"} for number in range(3_000)]
    yield {
        "id": "notes2",
        "description": "many notes",
        "annotations": notes,
        "depends": [f"no{n}" for n in range(3_000)],
    }
    yield {"id": "constructor", "description": "an id like a name of the language"}
    yield {"id": "..a~_-", "description": "an id with points"}


@pytest.fixture(scope="module")
def mallory(server: Instance) -> Iterator[Person]:
    build_app()
    found = invited(server, "mallory")
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def chromium(mallory: Person) -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def unharmed(page: Page, person: Person, where: str) -> None:
    assert not person.complaints, (where, person.complaints)
    strangers = page.evaluate(
        "[...document.querySelectorAll('img[src=x], script:not([src]), a[href^=javascript]')].length"
    )
    assert strangers == 0, where
    assert page.evaluate("({}).polluted") is None


def test_nothing_of_a_document_is_run_and_every_page_works(
    mallory: Person, chromium: Browser, request: pytest.FixtureRequest
) -> None:
    all_of_them = list(documents(100_000 if request.config.getoption("--soak") else 10_000))
    for body in all_of_them:
        mallory.put(body)
    mallory.put({"id": "members", "description": "members", **{f"member{number:05}": "x" for number in range(9_000)}})
    for number in range(40):  # so that it counts as a space of tasks
        mallory.put({"id": f"ordinary{number:02}", "description": f"ordinary {number}"})
    page = mallory.page(chromium)
    page.on("dialog", lambda dialog: mallory.complaints.append(f"dialog: {dialog.message}"))
    expect(page.locator(".sync")).to_have_text("In sync")
    expect(page.locator(".list-page .row", has_text="ordinary").first).to_be_visible()
    for label, values in {
        "Sort": ("urgency", "due", "entry", "modified", "project", "description", "priority"),
        "Group": ("project", "tags", "due", "priority", "status", "none"),
    }.items():
        for value in values:
            page.get_by_label(label).select_option(value)
            expect(page.locator(".list-page .row").first).to_be_visible()
            unharmed(page, mallory, f"{label} {value}")
    for words in ("zzz", "due.before:friday", "/(a+)+$/", "project:x", "+OVERDUE or +BLOCKED", SCRIPT):
        page.get_by_label("Search or filter").fill(words)
        expect(page.get_by_label("Search or filter")).to_have_value(words)
        unharmed(page, mallory, words)
    page.get_by_label("Search or filter").fill("")
    for name in ("Board", "Calendar", "All documents", "Conflicts", "Tasks"):
        page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()
        expect(page.locator("#main > section")).to_be_visible()
        unharmed(page, mallory, name)
    for place, body in enumerate(all_of_them):
        page.goto(f"/app/#/{mallory.space}/table/{body['id']}")
        has_history = place < 3 or body["id"] in ("members", "large")
        for tab in ("JSON", "History", "Fields") if has_history else ("JSON", "Fields"):
            page.get_by_role("button", name=tab, exact=True).click()
            expect(page.locator(".detail")).to_be_visible()
        unharmed(page, mallory, str(body["id"]))
    page.context.close()


def test_a_space_that_is_emptied_in_the_browser_while_it_is_open_is_fetched_again(
    mallory: Person, chromium: Browser
) -> None:
    mallory.put({"id": "stays", "description": "stays at the server"})
    page = mallory.page(chromium)
    row = page.locator(".list-page .row", has_text="stays at the server")
    page.get_by_label("Search or filter").fill("stays")
    expect(row).to_be_visible()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": mallory.url, "storageTypes": "indexeddb,local_storage"})
    page.reload()
    page.get_by_label("Search or filter").fill("stays")
    expect(row).to_be_visible()
    assert mallory.read("stays")["description"] == "stays at the server"
    page.context.close()


def test_a_clock_that_jumps_harms_no_edit(mallory: Person, chromium: Browser) -> None:
    context = mallory.context(chromium)
    page = mallory.tab(context)
    page.clock.install()
    expect(page.locator(".sync")).to_have_text("In sync")
    for number, at in enumerate(("2001-01-01T00:00:00Z", "2090-01-01T00:00:00Z")):
        page.clock.set_system_time(at)
        page.get_by_label("Add a task", exact=True).fill(f"at another time {number}")
        page.keyboard.press("Enter")
        expect(page.locator(".list-page .row", has_text=f"at another time {number}")).to_be_visible()
        page.clock.run_for(1_000)
        expect(page.locator(".sync")).to_have_text("In sync")
    rows = mallory.call("GET", "/tasks")["tasks"].values()
    assert sum("at another time" in str(row["server_state"]["description"]) for row in rows) == 2
    context.close()
