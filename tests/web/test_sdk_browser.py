"""The SDK's store in a real browser: what every store promises, and a disk that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import node
import pytest
from playwright.sync_api import Browser, Page

from tests.instance import Instance
from tests.web.browsers import invited, launched

HTML = '<!doctype html><meta charset="utf-8"><script src="/stores.js"></script>'
LARGE = 60_000


@pytest.fixture(scope="module")
def script(sdk: node.Node, tmp_path_factory: pytest.TempPathFactory) -> str:
    out: Path = tmp_path_factory.mktemp("script") / "stores.js"
    command = [
        str(node.SDK / "node_modules" / ".bin" / "esbuild"),
        str(node.SDK / "test" / "browser" / "stores.ts"),
        f"--alias:node:assert/strict={node.SDK / 'test' / 'browser' / 'assert.ts'}",
        *("--bundle", "--format=iife", "--target=es2022", "--log-level=error", f"--outfile={out}"),
    ]
    subprocess.run(command, check=True, env=sdk.environ())
    return out.read_text()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(chromium: Browser, server: Instance, script: str) -> Iterator[Callable[[], Page]]:
    """Pages of the server's origin with the script, each with a disk of its own."""
    pages = []

    def another() -> Page:
        page = chromium.new_page()
        pages.append(page)
        page.route("**/stores", lambda route: route.fulfill(content_type="text/html", body=HTML))
        page.route("**/stores.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
        page.goto(f"{server.url}/stores")
        page.unroute_all()
        return page

    yield another
    for page in pages:
        page.close()


def room(page: Page, **quota: Any) -> None:
    """So many bytes for this origin (`quotaSize`); without a number as many as there are."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": page.evaluate("location.origin"), **quota})


def call(page: Page, function: str, *arguments: Any) -> Any:
    return page.evaluate(f"given => {function}(...given)", list(arguments))


def test_it_keeps_what_every_store_promises(opened: Callable[[], Page]) -> None:
    found = call(opened(), "promises")
    assert found["broken"] == []
    assert found["asked"] > 5


@pytest.mark.parametrize(
    ("count", "portions"), [(0, 0), (1, 1), (1_000, 4), (5_000, 18), pytest.param(12_000, 44, marks=pytest.mark.soak)]
)
def test_all_documents_are_handed_over_in_portions(opened: Callable[[], Page], count: int, portions: int) -> None:
    found = call(opened(), "each", count)
    assert (found["ids"], found["portions"]) == (True, portions)
    assert "Load this page again" in found["closed"]


def test_a_database_of_the_first_release_is_brought_up_to_date(opened: Callable[[], Page]) -> None:
    found = call(opened(), "older", 2_345)
    assert found["documents"] == [f"d{number:05}" for number in range(2_345) if number % 10 != 9]
    assert (found["rows"], found["live"], found["cursor"]) == (2_345, 0, "c-3")


def test_a_sync_that_finds_no_room_goes_on_when_there_is_some(opened: Callable[[], Page], server: Instance) -> None:
    person = invited(server, "otto")
    options = {"url": server.url, "token": person.token()}
    person.client.close()
    elsewhere, here = opened(), opened()
    call(elsewhere, "open", "store", options)
    for number in range(12):
        assert call(elsewhere, "put", f"large{number:02}", LARGE) == "done"
    assert call(elsewhere, "sync") == "done"

    # Before anything is stored: a browser remembers for a while how much room there is.
    room(here, quotaSize=3 * LARGE)
    call(here, "open", "store", options)
    assert call(here, "put", "mine", 100) == "done"
    assert call(here, "put", "large", 6 * LARGE) == "full"
    assert call(here, "sync") == "full"
    assert call(here, "documents") == ["mine"], "what was stored is there, and nothing in part"
    assert call(here, "pending") == ["mine"]
    room(here)
    assert call(here, "sync") == "done"
    assert call(here, "documents") == [*(f"large{number:02}" for number in range(12)), "mine"]
    assert call(here, "pending") == []
