"""`POST /hashes/diff` against the running server."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.core.json.canonical import content_hash
from tests.instance import Access
from tests.unit.core.index.test_reconciliation import differences, truly


def test_the_difference_is_found_and_followed(access: Access) -> None:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as http:

        def post(asked: dict[str, str]) -> dict[str, Any]:
            answer = http.post("/hashes/diff", json={"ranges": asked})
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            assert set(found) == {"ranges", "documents", "cursor"}
            return found

        assert differences({}, post)[0] == set()
        bodies = {f"d{n}": {"id": f"d{n}", "n": n} for n in range(700)}
        tasks = {key: {"client_state": body, "base": "0"} for key, body in bodies.items()}
        http.post("/tasks", json={"tasks": tasks}).raise_for_status()
        theirs: Any = {key: content_hash(body) for key, body in bodies.items()}
        mine: dict[Any, Any] = {**theirs, "d5": content_hash({"id": "d5"}), "mine": content_hash({"id": "mine"})}
        del mine["d9"]
        assert differences(mine, post)[0] == truly(mine, theirs) == {"d5", "d9", "mine"}
        http.post("/task/d5", json={"client_state": {"id": "d5"}}).raise_for_status()
        now = http.get("/hashes").json()
        assert differences(mine, post)[0] == truly(mine, now)
        assert post({})["cursor"] == http.get("/hashes").headers["hypertask-cursor"]


@pytest.mark.parametrize(
    "body",
    [{}, {"ranges": []}, {"ranges": {"g": "0" * 32}}, {"ranges": {"": "0"}}, {"ranges": {"0" * 17: "0" * 32}}],
)
def test_what_asks_nothing_is_refused(access: Access, body: Any) -> None:
    answer = httpx.post(f"{access.url}/hashes/diff", headers=access.headers, json=body, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")


def test_too_many_ranges_are_refused(access: Access) -> None:
    ranges = {f"{n:04x}": "0" * 32 for n in range(4097)}
    answer = httpx.post(f"{access.url}/hashes/diff", headers=access.headers, json={"ranges": ranges}, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
