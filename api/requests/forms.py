"""Bodies as forms send them. Every function raises ProblemError."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from api.access.callers import address_of
from api.errors import MALFORMED_REQUEST, UNSUPPORTED_MEDIA_TYPE, ProblemError
from api.requests.body import read_json_body
from api.requests.parsing import MAX_BYTES
from shared.core.documents import share_of

FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 50


async def form_of(request: Request, *, key: str | None = None) -> dict[str, str]:
    """The fields of the form, each of them once. `key`: whose share of memory the body takes; of the address that it
    comes from, if nobody is known. 415 for a body of another kind, 400 for one that is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"The body must be {FORM}.")
    raw = await read_json_body(request, share_of(key or str(address_of(request))), MAX_BYTES)
    try:
        fields = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise ProblemError(MALFORMED_REQUEST, "The body is not a form in UTF-8.") from None
    values = dict(fields)
    if len(values) != len(fields):
        raise ProblemError(MALFORMED_REQUEST, "A field of the form is there twice.")
    return values
