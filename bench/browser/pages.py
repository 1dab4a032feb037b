"""Pages in chromium with profiles on the disk: what is stored is stored, and opened again by another process."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import node
from playwright.sync_api import BrowserContext, Page, Playwright

from bench.browser.sides import Side
from bench.work import install
from bench.work.columns import NotHereError
from tests.web.browsers import Person, chromium_program

WORDS = ("window", "garden", "kitchen travel", "+phone")
KEY_PAUSE_MILLISECONDS = 150
HTML = '<!doctype html><meta charset="utf-8"><title>bench</title><script src="/bench.js"></script>'

READY = """count => {
  globalThis.benchReady = new Promise((resolve) => {
    const look = () => {
      const text = document.querySelector('.count')?.textContent;
      if (text !== `${count} tasks` || !document.querySelector('.row')) return void requestAnimationFrame(look);
      const { port1, port2 } = new MessageChannel();
      port2.onmessage = () => resolve(performance.now());
      port1.postMessage(null);
    };
    look();
  });
}"""
"""When the whole list is drawn, since the navigation began; milliseconds."""

KEYS = """() => {
  globalThis.benchKeys = [];
  addEventListener('keydown', ({ timeStamp }) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => benchKeys.push(performance.now() - timeStamp);
    port1.postMessage(null);
  }), { capture: true });
}"""
"""For each key the time from the event until what it changed is drawn; milliseconds."""


def bundled(folder: Path, side: Side) -> str:
    """The script of its page. Raises NotHereError, NodeError."""
    tools = node.ensure()
    peers = install.node()
    sources = {"client": "client.ts", "indexeddb": "stores/indexeddb.ts"}
    out = folder / f"{side.driver}.js"
    command = [
        str(node.SDK / "node_modules" / ".bin" / "esbuild"),
        str(peers / side.driver),
        "--bundle", "--minify", "--format=iife", "--target=es2022", "--log-level=error",
        "--define:global=globalThis",
        *(f"--alias:@hypertask/{name}={node.SDK / 'src' / source}" for name, source in sources.items()),
        f"--alias:eventsource={peers / 'browser_eventsource.mjs'}",
        f"--outfile={out}",
    ]  # fmt: skip
    subprocess.run(command, check=True, env=tools.environ())
    return out.read_text()


@contextmanager
def profile(playwright: Playwright, folder: Path, **options: Any) -> Iterator[BrowserContext]:
    """A browser process with that folder. Raises NotHereError."""
    program = chromium_program()
    if program is None:
        raise NotHereError("there is no chromium")
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=program, args=["--no-sandbox"], **options
    )
    try:
        yield context
    finally:
        context.close()


def bare(context: BrowserContext, side: Side, script: str) -> Page:
    """A page of that origin with the script, and nothing between it and the server afterwards."""
    page = context.pages[0]
    page.route("**/bench", lambda route: route.fulfill(content_type="text/html", body=HTML))
    page.route("**/bench.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
    page.goto(f"{side.origin}/bench")
    page.unroute_all()
    return page


def library(playwright: Playwright, folder: Path, side: Side, script: str) -> dict[str, float]:
    """A first sync into an empty profile, and the list again after the browser was restarted."""
    try:
        with profile(playwright, folder) as context:
            first = bare(context, side, script).evaluate("options => bench.first(options)", side.options)
        with profile(playwright, folder) as context:
            again = bare(context, side, script).evaluate("options => bench.again(options)", side.options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"first": first["ms"], "stored": first["stored"], "again": again["ms"]}


def _opened(context: BrowserContext, count: int) -> float:
    page = context.pages[0]
    page.goto("/app/")
    ready: float = page.evaluate("benchReady")
    return ready


def app(playwright: Playwright, folder: Path, person: Person, count: int) -> tuple[dict[str, float], list[float]]:
    """The whole web client: milliseconds from the navigation on, and those of each key in the search."""
    options = {"base_url": person.url, "viewport": {"width": 1280, "height": 800}}
    found: dict[str, float] = {}
    try:
        with profile(playwright, folder, **options) as context:
            person.sign_in(context)
            context.add_init_script(f"({READY})({count})")
            found["first"] = _opened(context, count)
            context.pages[0].evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        with profile(playwright, folder, **options) as context:
            person.sign_in(context)
            context.add_init_script(f"({READY})({count})")
            found["cold"] = _opened(context, count)
            found["again"] = min(_opened(context, count) for _ in range(3))
            keys = _typed(context.pages[0])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found, keys


def _typed(page: Page) -> list[float]:
    page.evaluate(KEYS)
    page.get_by_label("Search or filter").focus()
    keys = 0
    for word in WORDS:
        page.keyboard.type(word, delay=KEY_PAUSE_MILLISECONDS)
        for _ in word:
            page.keyboard.press("Backspace", delay=KEY_PAUSE_MILLISECONDS)
        keys += 2 * len(word)
    page.wait_for_function("count => benchKeys.length >= count", arg=keys)
    found: list[float] = page.evaluate("benchKeys")
    return found
