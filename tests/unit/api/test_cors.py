"""Browser clients of other origins, and what caches may keep."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import ROUTES
from api.http.cors import METHODS, SENT, SHOWN
from shared.core.origins import OriginList, origins_of
from shared.settings import Settings
from tests.instance import ROOT
from tests.unit.api.people import People, people

APP = "https://app.example.org"
OTHER = "https://evil.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}


@pytest.fixture
async def server() -> AsyncIterator[People]:
    async with people(cors_origins=OriginList(f"{APP}, http://localhost:5173")) as found:
        yield found


def cors_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def vary_of(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get("vary", "").split(",")}


async def test_a_preflight_of_a_known_origin_is_answered(server: People) -> None:
    for origin in (APP, "http://localhost:5173"):
        answer = await server.client(origin=origin, **PREFLIGHT).options("/task/a")
        assert (answer.status_code, answer.content) == (204, b"")
        assert cors_of(answer) == {
            "access-control-allow-origin": origin,
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": ", ".join(SENT),
            "access-control-max-age": "600",
        }
        assert {"origin", "access-control-request-method", "access-control-request-headers"} <= vary_of(answer)


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "*", "https://app.example.org:8443", "http://app.example.org", f"{APP}.evil.example"]
)
async def test_other_origins_are_told_nothing(server: People, origin: str) -> None:
    answer = await server.client(origin=origin, **PREFLIGHT).options("/task/a")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert (cors_of(answer), "origin" in vary_of(answer)) == ({}, True)
    answer = await server.client(origin=origin).get("/")
    assert (answer.status_code, cors_of(answer), "origin" in vary_of(answer)) == (200, {}, True)


async def test_answers_and_errors_can_be_read_by_a_known_origin_and_by_no_cache_of_another(server: People) -> None:
    token = await server.service.token()
    for headers, status in ({"authorization": f"Bearer {token}"}, 200), ({}, 401):
        for origin, allowed in ((APP, APP), (None, None)):
            more = headers if origin is None else {**headers, "origin": origin}
            answer = await server.client(**more).get("/hashes", headers={"accept-encoding": "gzip"})
            assert answer.status_code == status
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
            assert {"origin", *({"accept-encoding"} if status == 200 else ())} <= vary_of(answer)
            if allowed:
                assert answer.headers["access-control-expose-headers"] == ", ".join(SHOWN)


async def test_cookies_open_nothing_to_other_origins(server: People) -> None:
    alice = await server.join("alice")
    answer = await alice.client.post("/spaces", json={"name": "x"}, headers={"origin": APP})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


async def test_without_a_list_nothing_is_said() -> None:
    async with people() as server:
        answer = await server.client(origin=APP, **PREFLIGHT).options("/task/a")
        assert (answer.status_code, cors_of(answer)) == (405, {})
        answer = await server.client(origin=APP).get("/")
        assert (cors_of(answer), "origin" in vary_of(answer)) == ({}, False)


def test_fields_of_ours_that_answers_have_can_be_read() -> None:
    ours = set(re.findall(r"^ +(Hypertask-[A-Za-z]+): \{", (ROOT / "api" / "openapi.yaml").read_text(), re.MULTILINE))
    assert {"Hypertask-Cursor", "Hypertask-After"} <= ours <= set(SHOWN)


def test_every_method_of_the_application_is_allowed() -> None:
    assert {method for route in ROUTES for method in route.methods or ()} <= set(METHODS.split(", "))


@pytest.mark.parametrize("text", ["*", "null", "app.example.org", "https://", "https://a/", "https://a/b", "ftp://a",
                                  "https://*.example.org", "https://me@a", "https://A.example"])  # fmt: skip
def test_what_is_no_origin_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError, match="HYPERTASK_CORS_ORIGINS must be origins"):
        Settings.from_env({"HYPERTASK_CORS_ORIGINS": f"https://a.example {text}"})


@given(st.lists(st.sampled_from(["https://a.example", "http://b:5173", "https://[::1]:1"])), st.sampled_from(", \n"))
def test_a_list_of_origins_is_read_as_it_was_written(origins: list[str], separator: str) -> None:
    assert origins_of(separator.join(origins)) == set(origins)
