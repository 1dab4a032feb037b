"""The files of the web client as they are served, on adapters in memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.unit.api.people import people

FILES = {
    "index.html": b"<!doctype html><title>x</title>",
    "sw.js": b"// the worker",
    "manifest.webmanifest": b"{}",
    "assets/main-Ab3_x.js": b"// a script",
    "assets/main-Ab3_x.css": b"/* a style */",
    "assets/notes.txt": b"not for browsers",
}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "assets" / "main-Ab3_x.js.gz").write_bytes(gzip.compress(FILES["assets/main-Ab3_x.js"]))
    (tmp_path.parent / "secret.js").write_bytes(b"// of nobody")
    return tmp_path


async def test_what_has_a_hash_in_its_address_is_kept_for_ever_and_all_else_asked_for(built: Path) -> None:
    async with people(web_app=str(built)) as server:
        client = server.client()
        for path, name, caching in (
            ("/app/", "index.html", "no-cache"),
            ("/app/sw.js", "sw.js", "no-cache"),
            ("/app/manifest.webmanifest", "manifest.webmanifest", "no-cache"),
            ("/app/assets/main-Ab3_x.js", "assets/main-Ab3_x.js", "public, max-age=31536000, immutable"),
            ("/app/assets/main-Ab3_x.css", "assets/main-Ab3_x.css", "public, max-age=31536000, immutable"),
        ):
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (200, FILES[name]), path
            headers = answer.headers
            assert headers["cache-control"] == caching
            assert "default-src 'none'" in headers["content-security-policy"]
            assert not {"unsafe-inline", "unsafe-eval", "http:", "https:"} & set(
                headers["content-security-policy"].replace("'", "").split()
            )
            assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
            again = await client.get(path, headers={"if-none-match": headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


async def test_they_are_compressed_for_who_takes_that(built: Path) -> None:
    async with people(web_app=str(built)) as server:
        client, path = server.client(), "/app/assets/main-Ab3_x.js"
        small = await client.get(path, headers={"accept-encoding": "br, gzip"})
        plain = await client.get(path, headers={"accept-encoding": "br, gzip;q=0"})
        assert (small.headers["content-encoding"], small.content) == ("gzip", plain.content)
        assert "content-encoding" not in plain.headers
        assert small.headers["etag"] != plain.headers["etag"] and small.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["../secret.js", "%2e%2e/secret.js", "..%2fsecret.js", "assets/..%2f..%2fsecret.js", "assets/.hidden.js",
             "assets/notes.txt", "assets/none.js", "assets", "assets/", "index.html/"]
)  # fmt: skip
async def test_nothing_else_is_there(built: Path, path: str) -> None:
    async with people(web_app=str(built)) as server:
        assert (await server.client().get(f"/app/{path}")).status_code == 404


@pytest.mark.parametrize("setting", ["off", "/nowhere"])
async def test_without_it_there_is_a_page_that_says_so_and_a_worker_that_leaves(setting: str) -> None:
    async with people(web_app=setting) as server:
        client = server.client()
        page = await client.get("/app/")
        assert page.status_code == 404 and "not built" in page.text
        worker = await client.get("/app/sw.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert "unregister" in worker.text and worker.headers["cache-control"] == "no-cache"
        assert (await client.get("/app/assets/main.js")).status_code == 404


async def test_a_browser_that_is_sent_to_the_server_finds_it_and_a_program_what_it_is(built: Path) -> None:
    async with people(web_app=str(built)) as server:
        client = server.client()
        page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for path in ("/", "/app"):
            answer = await client.get(path, headers=page)
            assert (answer.status_code, answer.headers["location"]) == (303, "/app/")
        for accept in ("*/*", "application/json", "application/json, text/html"):
            assert (await client.get("/", headers={"accept": accept})).json()["name"] == "hypertask"
