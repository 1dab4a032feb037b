"""Request bodies, bounded while they are read."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from api.compression import CODINGS, IDENTITY, BrokenError, Decoder
from api.errors import MALFORMED_REQUEST, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, ProblemError


async def read_json_body(request: Request, most_bytes: int) -> bytes:
    """The body, decompressed. 413 as soon as it is known to be longer, 415 if it says that it is no JSON or
    compressed in a way that is not known.

    Content-Type may be missing, and curl's default for --data is let pass: v1.0 asks for no header.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in ("", "application/json", "application/x-www-form-urlencoded") or kind.endswith("+json")):
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    coding = request.headers.get("content-encoding", IDENTITY).strip().lower().removeprefix("x-")
    if coding not in (IDENTITY, *CODINGS):
        detail = f"A body may be compressed with one of: {', '.join(CODINGS)}."
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, detail, headers={"accept-encoding": ", ".join(CODINGS)})
    too_large = ProblemError(
        TOO_LARGE, f"A body may have {most_bytes} bytes, decompressed.", headers={"connection": "close"}
    )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise ProblemError(MALFORMED_REQUEST, "Content-Length is not a number.")
    if int(length) > most_bytes:
        raise too_large
    decoder = None if coding == IDENTITY else Decoder(coding)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            for piece in (part,) if decoder is None else decoder.feed(part):
                size += len(piece)
                if size > most_bytes:
                    raise too_large
                parts.append(piece)
        if decoder is not None:
            decoder.close()
    except ClientDisconnect:
        raise ProblemError(MALFORMED_REQUEST, "The connection ended before the body did.") from None
    except BrokenError as error:
        raise ProblemError(MALFORMED_REQUEST, f"The body is not {coding}: {error}.") from None
    return b"".join(parts)
