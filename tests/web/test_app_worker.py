"""The service worker of the web client: what it keeps, how a new release takes its place, and how it goes. The pages
come from files; nobody is signed in, and there is no server of documents."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import node
import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from api.pages.web_client import LEAVE, POLICY
from tests.patience import PATIENCE_SECONDS
from tests.web.browsers import build_app, launched, window

KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
ANNA = {
    "user": "u1",
    "name": "Anna",
    "administrator": False,
    "spaces": [{"space": "s1", "name": "Home", "role": "owner", "archived_at": None, "delete_at": None}],
}


class Files:
    """A release in a folder, at an address."""

    def __init__(self, root: Path) -> None:
        self.root = root
        worker, patience = root / "sw.js", "const PATIENCE = 2000;"
        source = worker.read_text()
        assert patience in source
        # A server that is slow is none that is away.
        worker.write_text(source.replace(patience, f"const PATIENCE = {1000 * PATIENCE_SECONDS:.0f};"))
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/app/") or "index.html"
                path = files.root / name
                there = self.path.startswith("/app/") and path.is_file()
                self.send_response(200 if there else 503)
                self.send_header("content-type", KINDS.get(path.suffix, "application/json"))
                self.send_header("content-security-policy", POLICY)
                self.send_header("cache-control", "no-cache")
                self.end_headers()
                self.wfile.write(path.read_bytes() if there else b"{}")

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def release(self, name: str) -> None:
        """Another release: the page says so, and the worker is another one."""
        page, worker = self.root / "index.html", self.root / "sw.js"
        text = page.read_text()
        page.write_text(text.replace("</head>", f'<meta name="release" content="{name}"></head>'))
        source = worker.read_text()
        first = source.index('"', source.index("const RELEASE")) + 1
        worker.write_text(source[:first] + name + source[source.index('"', first) :])

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    build_app()
    shutil.copytree(node.BUILT, tmp_path / "dist")
    found = Files(tmp_path / "dist")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def page(files: Files, chromium: Browser) -> Iterator[Page]:
    context = window(chromium, base_url=files.url)
    context.add_init_script(f"localStorage.setItem('hypertask-person', JSON.stringify({json.dumps(ANNA)}))")
    yield context.new_page()
    context.close()


def kept(page: Page) -> list[str]:
    """The releases that the browser keeps."""
    found: list[str] = page.evaluate("caches.keys()")
    return found


def ready(page: Page) -> None:
    page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")


def look(page: Page) -> None:
    """As the page does when somebody comes back to it, and now and then."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def offered(page: Page) -> Locator:
    """The button of a newer release. Somebody comes back until it is there: at first nobody may listen yet."""
    button = page.get_by_role("button", name="Load it")
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        look(page)
        try:
            button.wait_for(timeout=1000)
        except TimeoutError:
            if time.monotonic() > end:
                raise
        else:
            return button


WAITING = """async (milliseconds) => {
  const end = performance.now() + milliseconds;
  while (!(await (CONDITION))) {
    if (performance.now() > end) throw new Error("it never was so");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


WAITS = "navigator.serviceWorker.getRegistration().then(({ waiting }) => waiting !== null)"


def until(page: Page, condition: str) -> None:
    """Within one call: the policy of the pages lets no later one take text for code."""
    page.evaluate(WAITING.replace("CONDITION", condition), 1000 * PATIENCE_SECONDS)


def until_replaced(page: Page) -> None:
    """Until the worker that waits has taken over. The former one is stopped, as it is where it rests: under
    automation chromium lets none rest, so that one that was asked for something just then would never be replaced."""
    browser = page.context.new_cdp_session(page)
    browser.send("ServiceWorker.enable")
    end = time.monotonic() + PATIENCE_SECONDS
    while page.evaluate(WAITS):
        assert time.monotonic() < end
        browser.send("ServiceWorker.stopAllWorkers")


def without_worker(page: Page) -> None:
    """No worker answers for this page: chromium lets one rest, and be replaced, that is asked for nothing."""
    page.goto("/elsewhere")


def test_a_release_is_kept_replaced_when_somebody_says_so_and_goes_when_the_server_says_so(
    files: Files, page: Page
) -> None:
    page.goto("/app/")
    expect(page.get_by_label("Add a task", exact=True)).to_be_visible()
    ready(page)
    page.reload()  # from now on the worker is asked
    [first] = kept(page)

    files.release("two")
    offered(page).click()
    page.wait_for_selector("meta[name=release][content=two]", state="attached")
    without_worker(page)
    until(page, "caches.keys().then((names) => names.join() === 'hypertask-app-two')")
    assert first != "hypertask-app-two"
    page.goto("/app/")

    # The page comes from the server while it answers: a release that was not taken yet is shown all the same.
    files.release("three")
    page.reload()
    page.wait_for_selector("meta[name=release][content=three]", state="attached")

    (files.root / "sw.js").write_bytes(LEAVE)
    without_worker(page)
    # Again until it is so: a browser that is looking for a release takes two questions for one.
    asked = "navigator.serviceWorker.getRegistration('/app/').then((found) => found?.update()).catch(() => undefined)"
    until(page, f"{asked}.then(() => caches.keys()).then((names) => names.length === 0)")
    gone = "navigator.serviceWorker.getRegistrations().then((found) => found.length === 0)"
    until(page, gone)


HIDDEN = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })"


def test_a_release_takes_no_page_away_in_which_somebody_types(files: Files, page: Page) -> None:
    page.goto("/app/")
    field = page.get_by_label("Add a task", exact=True)
    field.wait_for()
    ready(page)
    page.reload()  # from now on the worker is asked
    other = page.context.new_page()
    other.goto("/app/")
    other.get_by_label("Add a task", exact=True).wait_for()
    field.fill("half a line")

    files.release("two")
    other.evaluate(HIDDEN)
    load = offered(page)
    look(other)  # nobody looks at that one, but somebody does at the first
    asked = """() => new Promise((resolve) => navigator.serviceWorker.getRegistration().then(({ waiting }) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => resolve(data);
      waiting.postMessage("release", [port2]);
    }))"""
    assert other.evaluate(asked) == "two"
    assert page.evaluate(WAITS)
    expect(field).to_have_value("half a line")

    page.evaluate(HIDDEN)  # to the page itself, it may be taken away now, but for what was typed
    other.get_by_role("button", name="Load it").click()
    until_replaced(page)  # until then, what the other one loads may wait for the former worker
    other.wait_for_selector("meta[name=release][content=two]", state="attached")
    expect(field).to_have_value("half a line")
    load.click()
    page.wait_for_selector("meta[name=release][content=two]", state="attached")


def test_a_release_that_came_in_part_is_not_taken(files: Files, page: Page) -> None:
    """One of its files is missing at the server, until somebody has put it there."""
    page.goto("/app/")
    page.get_by_label("Add a task", exact=True).wait_for()
    ready(page)
    page.reload()
    before = kept(page)
    [part] = (files.root / "assets").glob("members-*.js")
    gone = part.rename(part.with_suffix(".missing"))
    files.release("two")
    update = "navigator.serviceWorker.getRegistration().then((found) => found.update()).then(() => '', String)"
    page.evaluate(update)
    until(
        page, "navigator.serviceWorker.getRegistration().then(({ installing, waiting }) => !installing && !waiting)"
    )
    assert before[0] in kept(page)
    page.reload()  # the page is the new one; what it needs is there
    expect(page.get_by_label("Add a task", exact=True)).to_be_visible()
    gone.rename(part)
    with page.expect_navigation(timeout=1000 * PATIENCE_SECONDS):  # what is asked of a page that goes has no answer
        offered(page).click()
    without_worker(page)
    until(page, "caches.keys().then((names) => names.join() === 'hypertask-app-two')")


def test_without_a_server_the_release_that_is_kept_opens(files: Files, page: Page) -> None:
    page.goto("/app/")
    expect(page.get_by_label("Add a task", exact=True)).to_be_visible()
    ready(page)
    page.reload()
    files.stop()
    page.goto("/app/")
    field = page.get_by_label("Add a task", exact=True)
    field.fill("made on a mountain +trip")
    field.press("Enter")
    expect(page.locator(".row")).to_contain_text("made on a mountain")
    page.reload()
    expect(page.locator(".row")).to_contain_text("made on a mountain")
    page.goto("/app/#/s1/devices")  # what is loaded when somebody goes there is kept, too
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()


SOURCE = """async () => {
  const [{ name }] = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/app/assets/"));
  await (await fetch(name, { cache: "no-store" })).text();
  return performance.getEntriesByName(name).at(-1).workerFinalSourceType;
}"""


def test_assets_come_from_what_is_kept_without_the_worker(files: Files, page: Page) -> None:
    page.goto("/app/")
    ready(page)
    page.reload()
    if not page.evaluate("'workerFinalSourceType' in PerformanceResourceTiming.prototype"):
        pytest.skip("this Chromium tells nothing of static routes")
    assert page.evaluate(SOURCE) == "cache"


ASKED = """
  globalThis.asked = [];
  const { fetch, setTimeout } = globalThis;
  // However slow this machine is.
  globalThis.setTimeout = (run, after) => setTimeout(run, after === 1000 ? 60_000 : after);
  globalThis.fetch = (input, init) => {
    asked.push([String(input.url ?? input), document.querySelector(".row") !== null]);
    return fetch(input, init);
  };
  const { register } = ServiceWorkerContainer.prototype;
  ServiceWorkerContainer.prototype.register = function (...how) {
    asked.push(["register", document.querySelector(".row") !== null]);
    return register.apply(this, how);
  };
"""


def test_the_server_is_asked_for_nothing_until_what_is_stored_is_shown(files: Files, page: Page) -> None:
    page.goto("/app/")
    field = page.get_by_label("Add a task", exact=True)
    field.fill("stored here")
    field.press("Enter")
    expect(page.locator(".row")).to_contain_text("stored here")
    page.context.add_init_script(ASKED)
    page.reload()
    until(page, "['register', '/session'].every((name) => asked.some(([what]) => what === name))")
    assert page.evaluate("asked.filter(([, isShown]) => !isShown)") == []
    expect(page).to_have_url(f"{files.url}/app/#/s1/list")


def test_an_edit_for_which_there_is_no_room_is_not_lost_from_sight(files: Files, page: Page) -> None:
    page.goto("/app/")
    field = page.get_by_label("Add a task", exact=True)
    field.fill("a task")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": files.url, "quotaSize": 1})
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="no room left")).to_be_visible()
    expect(field).to_have_value("a task")
    assert page.locator(".row").count() == 0
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": files.url})
    field.press("Enter")
    expect(page.locator(".row")).to_contain_text("a task")
