"""The running server against api/openapi.yaml, by Schemathesis; and the document against the routes."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import VERSION, errors
from api.app import ROUTES
from api.cli import main
from api.reads.change_feed import PAGE
from shared.core.display import is_name
from shared.core.documents import is_document_id
from shared.core.merge import policies
from shared.core.protocol import Limits
from tests.described import is_described, openapi_document
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS

DOCUMENT = openapi_document()
# What it sends is worked out in the process that runs the test; each process of a run would while it collects.
# Beside what it generates by chance there are the values at every bound, the same each time; those are most of it.
EXAMPLES = 3 if settings.default.max_examples < 100 else settings.default.max_examples // 4  # with --soak
SCHEMA = schemathesis.pytest.from_fixture("schema")


@pytest.fixture
def schema(request: pytest.FixtureRequest) -> Any:
    request.node._nodeid = request.node.nodeid  # Schemathesis 4.32 keeps it there; pytest 9.2 does no more
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def connection() -> Iterator[requests.Session]:
    """One for all requests, as most clients have it; Schemathesis would make one for each. It keeps no cookies."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield session


@pytest.fixture(scope="module")
def spaces(server: Instance) -> Callable[[str], Access]:
    """A space of its own for each operation."""
    return cache(lambda operation: server.access())


# A stream has no end: tests/integration/test_live.py is about it.
@SCHEMA.exclude(path="/events").exclude(path_regex="^/admin").parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_server_does_what_the_document_says(
    case: schemathesis.Case[Any], spaces: Callable[[str], Access], connection: requests.Session
) -> None:
    access = spaces(case.operation.label)
    response = case.call(base_url=access.url, session=connection, headers=access.headers, timeout=PATIENCE_SECONDS)
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        ],
    )
    answered = (case.method.upper(), case.operation.path, response.status_code)
    assert is_described(*answered), answered


OPERATIONS = [
    pytest.param(path, name, operation, id=f"{name.upper()} {path}")
    for path, item in DOCUMENT["paths"].items()
    for name, operation in item.items()
    if name != "parameters"
]


@pytest.mark.parametrize(("path", "name", "operation"), OPERATIONS)
def test_every_operation_lists_what_all_of_its_kind_can_answer(
    path: str, name: str, operation: dict[str, Any]
) -> None:
    """What the single ones answer beside that is seen wherever a test asks them (`tests.unit.api.in_memory`)."""
    can = {"400", "408", "429", "431"}  # of the head of any request, and of the rate of an address
    if path not in ("/", "/healthz"):
        can |= {"503"}
    if operation.get("security") != []:
        can |= {"401", "403"}
    if "requestBody" in operation:
        can |= {"413", "415"}
        if "application/json" in operation["requestBody"]["content"]:
            can |= {"422"}
    if "{" in path:
        can |= {"404"}
    assert can <= set(operation["responses"]), can - set(operation["responses"])


@SCHEMA.include(path_regex="^/admin").parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_administration_does_what_the_document_says(
    case: schemathesis.Case[Any], administrator: httpx.Client, connection: requests.Session
) -> None:
    # What others do here is tests/unit/api/test_admin.py.
    headers = {"hypertask-csrf": administrator.headers["hypertask-csrf"]}
    response = case.call(
        base_url=str(administrator.base_url),
        session=connection,
        headers=headers,
        cookies=dict(administrator.cookies),
        timeout=PATIENCE_SECONDS,
    )
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        ],
    )


@pytest.fixture(scope="module")
def administrator(server: Instance) -> Iterator[httpx.Client]:
    name = f"root {uuid.uuid4().hex[:8]}"
    command = ["--data", str(server.data), "user", "add", name, "--administrator", "--json"]
    made = json.loads(CliRunner().invoke(main, command).stdout)
    with httpx.Client(base_url=server.url) as client:
        signed_in = client.post("/session", json={"name": name, "password": made["password"]}).raise_for_status()
        client.headers["hypertask-csrf"] = signed_in.json()["csrf"]
        yield client


def test_every_route_is_in_the_document_and_every_operation_has_a_route() -> None:
    routes = {(route.path, method) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}
    operations = {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert routes == operations


def test_the_document_lists_the_codes_of_the_error_table_and_the_version() -> None:
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, errors.Kind)}
    assert set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == codes
    assert DOCUMENT["info"]["version"] == VERSION


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_these_need_no_token(path: str) -> None:
    assert DOCUMENT["paths"][path]["get"]["security"] == []


SCHEMAS = DOCUMENT["components"]["schemas"]


def parameter(path: str, name: str) -> dict[str, Any]:
    [found] = [one["schema"] for one in DOCUMENT["paths"][path]["get"]["parameters"] if one.get("name") == name]
    return dict(found)


def is_matched(pattern: str, text: str) -> bool:
    return re.search(pattern.removesuffix("$") + r"\Z", text) is not None


@given(
    st.text(st.sampled_from(".~aZ09-_/\0 é\n"), max_size=130) | st.text(st.just("."), max_size=3) | st.just("a" * 129)
)
@example(".")
@example("..")
@example("...")
@example("a\n")
def test_the_document_and_the_server_take_the_same_ids_and_keys(text: str) -> None:
    assert is_matched(SCHEMAS["DocumentId"]["pattern"], text) is is_document_id(text)
    assert is_matched(SCHEMAS["Key"]["pattern"], text) is ("\0" not in text)


@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b\x9b\n\u202e\u2028\u200d"), max_size=102)
)
def test_the_document_and_the_server_take_the_same_names_of_devices(text: str) -> None:
    schema = SCHEMAS["DeviceName"]
    fits = schema["minLength"] <= len(text) <= schema["maxLength"]
    assert (fits and is_matched(schema["pattern"], text)) is is_name(text)


@given(st.lists(st.sampled_from(["a", "*", "**", "~0", "~1", "~", "", "\n", "é"]), max_size=66).map("/".join))
@example("/a" * 64)
@example("/a" * 65)
@example("/**/a")
@example("/\n/**/a")
def test_the_document_and_the_server_take_the_same_patterns_of_policies(text: str) -> None:
    try:
        policies.parse({text: "lww"})
    except policies.InvalidPolicies:
        accepted = False
    else:
        accepted = True
    assert is_matched(SCHEMAS["Policies"]["propertyNames"]["pattern"], text) is accepted


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (parameter("/tasks", "ids")["maxItems"], Limits().max_batch_documents),
        (parameter("/tasks", "limit")["maximum"], Limits().max_batch_documents),
        (parameter("/hashes", "limit")["maximum"], PAGE),
        (SCHEMAS["Policies"]["maxProperties"], policies.MAX_PATTERNS),
        (set(SCHEMAS["Strategy"]["enum"]), set(policies.Strategy)),
    ],
)
def test_the_document_says_the_limits_of_the_server(said: Any, meant: Any) -> None:
    assert said == meant
