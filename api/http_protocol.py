"""HTTP/1.1 as uvicorn speaks it, with our form of an answer to what is no HTTP."""

from __future__ import annotations

import logging
import secrets
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import errors
from shared import wire
from shared.observability import event

logger = logging.getLogger(__name__)

_DETAIL: Final = "This is not an HTTP/1.1 request. The connection is closed."


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def send_400_response(self, msg: str) -> None:
        """The parser gave up. Nothing can be said in the middle of another answer: then the connection only ends."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        identity = secrets.token_hex(8)
        problem = errors.members(errors.ProblemError(errors.MALFORMED_REQUEST, _DETAIL)) | {"request_id": identity}
        body = wire.dumps(problem)
        headers = {
            **errors.PROBLEM_HEADERS,
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": identity,
        }
        head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode("ascii") + body)
        self.transport.close()
        event(logger, logging.INFO, "malformed_http", request=identity)
