"""Pictures of the pages of the web client, of made-up tasks: `PYTHONPATH=ops python -m tests.web.screenshots FOLDER`

`--docs`: those that docs/web.md shows, as WebP.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import node
from playwright.sync_api import Browser, Page

from tests.instance import Instance
from tests.web.browsers import Person, administrator, invited, launched

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 800}
IN_DOCS = {"list", "board", "detail", "conflict", "history", "phone", "dark", "administration"}
QUALITY = 75
"""Of WebP: the letters are as sharp as they are, at a third of the size."""


def day(ahead: int) -> str:
    return (date.today() + timedelta(days=ahead)).isoformat()  # noqa: DTZ011  the day where the pictures are made


TASKS: list[tuple[str, dict[str, Any]]] = [
    ("Book the train to Vienna", {"project": "travel", "due": day(0), "priority": "H", "tags": ["errand"]}),
    ("Write the outline of the talk", {"project": "talks.autumn", "due": day(2), "start": "2026-01-05T09:00:00Z"}),
    ("Water the plants", {"status": "recurring", "due": day(1), "recur": "weekly", "tags": ["home"]}),
    ("Call Ann about the garden", {"project": "home.garden", "due": day(-1), "priority": "M"}),
    ("Read the contract", {"project": "flat", "priority": "M", "due": day(5)}),
    ("Buy milk, bread and coffee", {"tags": ["errand", "shop"], "due": day(0)}),
    ("Compare three offers for the windows", {"project": "flat", "tags": ["home"]}),
    ("Ask Ben for the photographs", {"project": "travel", "tags": ["people"]}),
    (
        "Renew the passport",
        {
            "project": "travel",
            "due": day(12),
            "estimate": 2,
            "annotations": [{"entry": "2026-01-04T10:00:00Z", "description": "Two photographs, and the old one"}],
        },
    ),
    ("Draft the report of the quarter", {"project": "work", "due": day(9), "priority": "L"}),
    ("Sharpen the kitchen knives", {"tags": ["home"]}),
    ("لقاء مع سارة", {"project": "people", "due": day(3)}),
    ("Return the library books", {"tags": ["errand"], "status": "completed", "end": "2026-01-06T10:00:00Z"}),
]


def fill(person: Person) -> None:
    for place, (description, fields) in enumerate(TASKS):
        at = f"2026-01-{place + 1:02}T08:00:00Z"
        new = {"id": f"task{place:02}example", "status": "pending", "entry": at, "modified": at}
        person.put({**new, "description": description, **fields})


@contextmanager
def shown(browser: Browser, person: Person, **options: Any) -> Iterator[Page]:
    page = person.page(browser, **options)
    page.locator(".row").first.wait_for()
    yield page
    page.context.close()


Taken = tuple[str, Page]


def pictures(browser: Browser, person: Person) -> Iterator[Taken]:
    with shown(browser, person, viewport=WIDE, color_scheme="light") as page:
        yield "list", page
        page.get_by_label("Group").select_option("project")
        yield "grouped", page
        page.get_by_label("Group").select_option("none")
        page.get_by_role("link", name="Renew the passport").click()
        yield "detail", page
        page.get_by_role("button", name="JSON").click()
        yield "json", page
        for name in ("Board", "Calendar", "All documents", "Devices", "Members", "Account"):
            page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=name).click()
            page.wait_for_timeout(500)
            yield name.lower().replace(" ", "-"), page
        page.keyboard.press("?")
        yield "help", page
    with shown(browser, person, viewport=WIDE, color_scheme="light") as page:
        conflict(page, person)
        yield "conflict", page
        page.get_by_role("link", name="Read the lease").click()
        page.get_by_role("button", name="History").click()
        page.get_by_text("Added").wait_for()
        yield "history", page
        page.get_by_role("button", name="In sync").click()
        yield "sync", page
    with shown(browser, person, viewport=WIDE, color_scheme="dark") as page:
        page.get_by_role("link", name="Call Ann about the garden").click()
        yield "dark", page
        page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Board").click()
        yield "dark-board", page
    with shown(browser, person, viewport=PHONE, color_scheme="light", has_touch=True) as page:
        yield "phone", page
        page.get_by_role("link", name="Renew the passport").click()
        yield "phone-detail", page
        page.get_by_role("link", name="Close the details").click()
        for name in ("Calendar", "More"):
            page.get_by_role("navigation", name="Pages, short").get_by_role("link", name=name).click()
            yield f"phone-{name.lower()}", page
    with shown(browser, person, viewport=WIDE, color_scheme="light") as page:
        page.evaluate("document.documentElement.dir = 'rtl'")
        page.get_by_role("link", name="لقاء مع سارة").click()
        yield "right-to-left", page


def administration(browser: Browser, admin: Person) -> Iterator[Taken]:
    page = admin.page(browser, viewport=WIDE, color_scheme="light")
    page.get_by_role("link", name="Administration").first.click()
    page.get_by_role("button", name="Limits of Anna").wait_for()
    yield "administration", page
    page.get_by_role("button", name="Limits of Anna").click()
    page.get_by_role("spinbutton").first.wait_for()
    yield "limits", page
    page.context.close()


def take(page: Page, path: Path) -> None:
    """As PNG or as WebP, by the name."""
    if path.suffix == ".png":
        page.screenshot(path=path)
        return
    devtools = page.context.new_cdp_session(page)
    found = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path.write_bytes(base64.b64decode(found["data"]))


def conflict(page: Page, person: Person) -> None:
    """The description is edited here while there is no network, and elsewhere meanwhile."""
    page.get_by_role("link", name="Read the contract").click()
    page.context.set_offline(True)
    field = page.get_by_role("textbox", name="Description")
    field.fill("Read the contract twice")
    field.press("Enter")
    [found] = [
        row["server_state"]
        for row in person.call("GET", "/tasks")["tasks"].values()
        if row["server_state"]["description"] == "Read the contract"
    ]
    person.put({**found, "description": "Read the lease", "modified": "2099-01-01T00:00:00Z"})
    page.context.set_offline(False)
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Conflicts").click()
    page.get_by_text("Was dropped").wait_for()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    node.build_app()
    with tempfile.TemporaryDirectory() as data:
        server = Instance(Path(data) / "data")
        server.start()
        try:
            person, admin = invited(server, "Anna"), administrator(server)
            fill(person)
            with launched() as browser:
                for name, page in chain(pictures(browser, person), administration(browser, admin)):
                    if options.docs and name not in IN_DOCS:
                        continue
                    page.wait_for_timeout(300)
                    path = folder / f"{name}.{'webp' if options.docs else 'png'}"
                    take(page, path)
                    print(f"{time.strftime('%H:%M:%S')} {path}", flush=True)
            for one in (person, admin):
                one.client.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
