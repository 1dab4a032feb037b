"""The content-hash vectors over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.instance import Access

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "content_hash.json").read_text())


def _post(access: Access, document: str, text: str) -> httpx.Response:
    return httpx.post(
        f"{access.url}/task/{document}",
        content=b'{"client_state":' + text.encode("utf-8", "surrogatepass") + b"}",
        headers=access.headers,
    )


def _hashes(access: Access) -> Any:
    return httpx.get(f"{access.url}/hashes", headers=access.headers).raise_for_status().json()


@pytest.mark.parametrize("vector", VECTORS["accept"], ids=lambda v: v["name"])
def test_accepted_text_has_the_hash_and_comes_back_equal(access: Access, vector: dict[str, Any]) -> None:
    # Every number is a double, in any spelling.
    state = json.loads(vector["json"], parse_int=float)
    answer = _post(access, state["id"], vector["json"])
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.content, parse_int=float) == {"server_state": state}
    assert _hashes(access) == {state["id"]: vector["content_hash"]}


@pytest.mark.parametrize("vector", VECTORS["reject"], ids=lambda v: v["name"])
def test_refused_text_is_a_clear_error_and_changes_nothing(access: Access, vector: dict[str, Any]) -> None:
    before = '{"id":"a","before":true}'
    assert _post(access, "a", before).status_code == 200
    held = _hashes(access)
    answer = _post(access, "a", vector["json"])
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] in ("malformed-json", "malformed-request", "invalid-document")
    assert problem["status"] == answer.status_code and problem["detail"] and problem["request_id"]
    if answer.status_code == 422:
        assert problem["pointer"].startswith("/client_state")
    assert _hashes(access) == held
