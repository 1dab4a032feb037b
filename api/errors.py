"""One table of errors, rendered as RFC 9457 problem details."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from shared import codec
from shared.core import protocol
from shared.core.json.strict import FaultError
from shared.core.resolution.context import Refusal
from shared.core.resolution.quota import reached_by
from shared.observability import event, request_id
from shared.ports import DecisionError, OverloadedError, UnavailableError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table."""

    status: int
    code: str
    title: str


MALFORMED_JSON: Final = Kind(400, "malformed-json", "The body is not JSON")
MALFORMED_REQUEST: Final = Kind(400, "malformed-request", "The request is not of the right form")
UNAUTHENTICATED: Final = Kind(401, "unauthenticated", "A token is needed")
FORBIDDEN: Final = Kind(403, "forbidden", "The token does not allow it")
NOT_FOUND: Final = Kind(404, "not-found", "There is no such thing")
METHOD_NOT_ALLOWED: Final = Kind(405, "method-not-allowed", "The address does not take this method")
READ_ONLY: Final = Kind(403, protocol.READ_ONLY, "Your role in the space is reader")
SPACE_ARCHIVED: Final = Kind(403, protocol.SPACE_ARCHIVED, "The space is archived")
NOT_OWNER: Final = Kind(403, "not-owner", "The space has another owner")
SESSION_REQUIRED: Final = Kind(403, "session-required", "A web session is needed")
CSRF: Final = Kind(403, "csrf", "The request may come from another site")
SIGN_UP_CLOSED: Final = Kind(403, "sign-up-closed", "An invitation is needed to make an account")
ACCOUNT_DISABLED: Final = Kind(403, "account-disabled", "The account is disabled")
ACCOUNT_LEAVING: Final = Kind(403, "account-leaving", "The account is being deleted")
WRONG_CREDENTIALS: Final = Kind(401, "wrong-credentials", "The name or the password is wrong")
NAME_TAKEN: Final = Kind(409, "name-taken", "Somebody else has that name")
EMAIL_TAKEN: Final = Kind(409, "email-taken", "Somebody else has that e-mail address")
ALREADY_MEMBER: Final = Kind(409, "already-member", "You are a member of the space already")
OWNER_REQUIRED: Final = Kind(409, "owner-required", "A space has one owner")
LAST_ADMINISTRATOR: Final = Kind(409, "last-administrator", "There must be an administrator")
OWNS_SHARED_SPACES: Final = Kind(409, "owns-shared-spaces", "Others are members of spaces that are yours")
EXPORT_FIRST: Final = Kind(409, "export-first", "Take your documents along first")
INVITATION_GONE: Final = Kind(410, "invitation-gone", "The invitation is of no use any more")
AUTHORIZATION_PENDING: Final = Kind(400, "authorization-pending", "Nobody has approved the code yet")
SLOW_DOWN: Final = Kind(400, "slow-down", "The terminal asks too often")
EXPIRED_TOKEN: Final = Kind(400, "expired-token", "The code is of no use any more")
ACCESS_DENIED: Final = Kind(400, "access-denied", "The person has refused")
UNSUPPORTED_GRANT_TYPE: Final = Kind(400, "unsupported-grant-type", "There is no such grant")
PROVIDER_REFUSED: Final = Kind(403, "provider-refused", "The provider did not sign you in")
IDENTITY_TAKEN: Final = Kind(409, "identity-taken", "Another account is signed in to in that way")
REQUEST_TIMEOUT: Final = Kind(408, "request-timeout", "The request did not come in time")
TOO_LARGE: Final = Kind(413, "too-large", "It is too large")
UNSUPPORTED_MEDIA_TYPE: Final = Kind(415, "unsupported-media-type", "The body is in a form not understood")
BASE_UNKNOWN: Final = Kind(409, "base-unknown", "The body of the base is not here any more")
CURSOR_GONE: Final = Kind(410, "cursor-gone", "The cursor is of no use any more")
DELETIONS_HELD: Final = Kind(409, "deletions-held", "So many deletions must be confirmed")
INVALID_DOCUMENT: Final = Kind(422, "invalid-document", "The document is outside the profile")
INVALID_EXPORT: Final = Kind(422, "invalid-export", "The export is not whole, or not as it was written")
INVALID_POLICIES: Final = Kind(422, "invalid-policies", "The declaration of policies is not valid")
TOO_MANY_DEVICES: Final = Kind(409, "too-many-devices", "There are as many devices as there may be")
HEADERS_TOO_LARGE: Final = Kind(431, "headers-too-large", "The headers are too large")
RATE_LIMITED: Final = Kind(429, "rate-limited", "That is too much at a time")
INTERNAL: Final = Kind(500, "internal", "Internal server error")
QUOTA_EXCEEDED: Final = Kind(507, protocol.QUOTA_EXCEEDED, "There is no room left")
QUOTA_RETRY_SECONDS: Final = 3600
_TIDY_UP: Final = {
    "space_documents": "Nothing of it was stored. Delete documents that nobody needs, or ask for more room.",
    "space_bytes": "Nothing of it was stored. Delete documents, or make them smaller, or ask for more room.",
    "space_history_bytes": "Nothing of it was stored. Earlier states go when they are old enough. Or ask for more.",
}
UNAVAILABLE: Final = Kind(503, "unavailable", "It cannot be done now")


class ProblemError(Exception):
    """Ends a request with an error of the table."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        """`extensions`: members beside those that every problem has."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
        self.headers = headers or {}
        self.extensions = dict(extensions or {})


EXPECTED: Final = (ProblemError, FaultError, UnavailableError, DecisionError)
"""What a handler may raise. What else it raises is a fault of ours."""


def _from_fault(error: FaultError) -> ProblemError:
    fault = error.fault
    if fault.reason == "malformed request":
        return ProblemError(MALFORMED_REQUEST, fault.detail, pointer=fault.pointer or None)
    if fault.reason == "too large":
        return ProblemError(TOO_LARGE, fault.detail, pointer=fault.pointer)
    if fault.malformed:
        return ProblemError(MALFORMED_JSON, fault.detail)
    return ProblemError(INVALID_DOCUMENT, f"{fault.detail} ({fault.reason})", pointer=fault.pointer)


def quota_exceeded(limit: str, used: int, most: int, todo: str) -> ProblemError:
    """507: which limit, what is left of it, and when it is worth asking again."""
    detail = f"{limit}: {used} of {most} are used (HYPERTASK_{limit.upper()}), and this would be more. {todo}"
    extensions = {"limit": limit, "quota": most, "remaining": max(most - used, 0), "retry_after": QUOTA_RETRY_SECONDS}
    headers = {"retry-after": str(QUOTA_RETRY_SECONDS)}
    return ProblemError(QUOTA_EXCEEDED, detail, headers=headers, extensions=extensions)


def refused(refusal: Refusal) -> ProblemError:
    """What the rules refuse."""
    if refusal.code == DELETIONS_HELD.code:
        detail = (
            "This device deletes an unusual share of the space. If that is meant, repeat the request with the "
            "header Hypertask-Confirm: deletions. If the client was wiped or restored, let it sync first."
        )
        return ProblemError(DELETIONS_HELD, detail)
    if refusal.code == QUOTA_EXCEEDED.code and (quota := reached_by(refusal.rule)) is not None:
        return quota_exceeded(quota.limit, quota.used, quota.most, _TIDY_UP[quota.limit])
    if refusal.code == TOO_LARGE.code:
        detail = (
            f"With what others changed meanwhile the document would be too large: {refusal.rule}. Nothing was "
            "stored. Keep the edit, make this state or the current one (GET /task/{id}) smaller, and repeat."
        )
        return ProblemError(TOO_LARGE, detail)
    detail = (
        'Repeat the request with "base_state": the state that "base" names, as it was answered; or null if you '
        "do not have it any more."
    )
    return ProblemError(BASE_UNKNOWN, detail)


def problem(error: Exception) -> ProblemError:
    """What an exception is to a client."""
    match error:
        case ProblemError():
            return error
        case FaultError():
            return _from_fault(error)
        case OverloadedError():
            return ProblemError(UNAVAILABLE, f"Overloaded: {error}.", headers={"retry-after": "2"})
        case UnavailableError():
            detail = f"It cannot be done now: {error}. Repeat the request; that is always safe."
            return ProblemError(UNAVAILABLE, detail, headers={"retry-after": "1"})
        case DecisionError():
            return ProblemError(INTERNAL, "The state could not be decided; nothing of it was stored.")
        case _:
            return ProblemError(INTERNAL, "The server failed; its log says why, under the request id.")


def members(error: ProblemError) -> dict[str, Any]:
    """The problem's members (RFC 9457)."""
    fields: dict[str, Any] = {
        "type": f"https://hypertask.dev/problems/{error.kind.code}",
        "title": error.kind.title,
        "status": error.kind.status,
        "code": error.kind.code,
        "detail": error.detail,
        "request_id": request_id(),
    }
    if error.pointer is not None:
        # A key may hold what UTF-8 cannot; the pointer then shows it escaped.
        fields["pointer"] = error.pointer.encode("utf-8", "backslashreplace").decode()
    return fields | error.extensions


PROBLEM_HEADERS: Final = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


def render(error: ProblemError) -> Response:
    """The response: application/problem+json."""
    headers = {**PROBLEM_HEADERS, **error.headers}
    return Response(codec.dumps(members(error)), error.kind.status, headers=headers)


def respond(request: Request, error: Exception) -> Response:
    """The answer to what a handler raised, which is logged if it is nobody's doing who asks."""
    problem_error = problem(error)
    if problem_error.kind is INTERNAL:
        logger.error("request_failed", exc_info=error, extra={"fields": {"path": request.url.path}})
    elif problem_error.kind is UNAVAILABLE:
        event(logger, logging.WARNING, "request_unavailable", path=request.url.path, cause=error)
    return render(problem_error)
