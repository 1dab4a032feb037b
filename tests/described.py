"""Which statuses api/openapi.yaml says that an operation may answer."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from starlette.routing import compile_path

from tests.instance import ROOT


def is_described(method: str, path: str, status: int) -> bool:
    """Whether the operation at this address lists the status. True where there is no operation: that is 404, 405, or
    a page for people. 500 is in no list: it is a fault of the server's."""
    for pattern, statuses in _operations():
        found = statuses.get("GET" if method == "HEAD" else method)
        if found is not None and pattern.match(path):
            return str(status) in found or status == 500
    return True


@cache
def openapi_document() -> Any:
    """api/openapi.yaml, read once: it is long."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((ROOT / "api" / "openapi.yaml").read_text(), loader)


@cache
def _operations() -> list[tuple[Any, dict[str, set[str]]]]:
    """Pattern of the path, and the statuses by method."""
    return [
        (
            compile_path(path)[0],
            {name.upper(): set(one["responses"]) for name, one in item.items() if name != "parameters"},
        )
        for path, item in openapi_document()["paths"].items()
    ]
