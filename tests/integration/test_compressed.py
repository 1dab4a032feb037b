"""Compressed requests and answers, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.http.codings import CODINGS, Decoder, compress
from tests.instance import Access

DOCUMENT: dict[str, Any] = {"id": "a", "text": "the same words " * 200}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_compressed_document_goes_in_and_out(access: Access, coding: str) -> None:
    body = compress(coding, json.dumps({"client_state": DOCUMENT}).encode())
    headers = access.headers | {"content-encoding": coding, "accept-encoding": coding}
    with (
        httpx.Client(base_url=access.url, headers=headers, trust_env=False) as http,
        http.stream("POST", "/task/a", content=body) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-encoding"] == coding
        assert "accept-encoding" in answer.headers["vary"].lower()
        raw = b"".join(answer.iter_raw())
    assert len(raw) == int(answer.headers["content-length"]) < 200
    assert json.loads(b"".join(Decoder(coding).feed(raw))) == {"server_state": DOCUMENT}


def test_the_tag_of_a_compressed_answer_is_known_again(access: Access) -> None:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as http:
        http.post("/task/a", json={"client_state": DOCUMENT}).raise_for_status()
        compressed = http.get("/task/a", headers={"accept-encoding": "gzip"})
        plain = http.get("/task/a", headers={"accept-encoding": "identity"})
        assert compressed.json() == plain.json() == DOCUMENT
        assert compressed.headers["etag"] != plain.headers["etag"]
        for answer in (compressed, plain):
            assert http.get("/task/a", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_small_answers_stay_as_they_are(access: Access) -> None:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as http:
        assert "content-encoding" not in http.get("/hashes", headers={"accept-encoding": "gzip"}).headers


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_refused(access: Access, coding: str) -> None:
    bomb = compress(coding, b" " * 300_000_000)
    headers = access.headers | {"content-encoding": coding}
    answer = httpx.post(f"{access.url}/tasks", headers=headers, content=bomb, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_other_codings_and_damaged_data_are_refused(access: Access) -> None:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as http:
        unknown = http.post("/task/a", headers={"content-encoding": "br"}, content=b"x")
        assert (unknown.status_code, unknown.json()["code"]) == (415, "unsupported-media-type")
        assert "zstd" in unknown.headers["accept-encoding"]
        damaged = http.post("/task/a", headers={"content-encoding": "gzip"}, content=b"{}")
        assert (damaged.status_code, damaged.json()["code"]) == (400, "malformed-request")
