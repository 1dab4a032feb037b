"""The running server against api/openapi.yaml, by Schemathesis; and the document against the routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import VERSION, errors
from api.app import ROUTES
from tests.instance import Access

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(errors.__file__).parent / "openapi.yaml").read_text())
schema = schemathesis.openapi.from_dict(DOCUMENT)


# A stream has no end: tests/integration/test_live.py is about it.
@schema.exclude(path="/events").parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_server_does_what_the_document_says(case: schemathesis.Case, access: Access) -> None:
    response = case.call(base_url=access.url, headers=access.headers)
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        ],
    )


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
