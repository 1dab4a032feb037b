"""A Network Interchange Format v1.0 client, written from the protocol page alone.

It shares no code with the product on purpose: whatever the server and this client both get right, they did
not get from the same place. It knows nothing but v1.0: `GET /hashes`, `POST /task/{id}`, one token.

    client = V1Client("http://127.0.0.1:8080", "token")
    client.put({"id": "pb67wndxge8293xd", "description": "example"})
    rounds = client.sync()
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import rfc8785

Document = dict[str, Any]
BUSY = (429, 502, 503, 504)


class NotAgreedError(AssertionError):
    """The rounds were used up; `differing` is what the last comparison found."""

    def __init__(self, rounds: int, differing: list[str]) -> None:
        super().__init__(f"no agreement after {rounds} rounds; {len(differing)} differ: {differing[:5]}")
        self.differing = differing


class RefusedError(Exception):
    """The server answered something other than 200, and not "try again"."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
        self.response = response
        self.status = response.status_code

    @property
    def problem(self) -> dict[str, Any]:
        value = self.response.json()
        assert isinstance(value, dict)
        return value


def content_hash(document: Document) -> str:
    """The first 32 hex digits of SHA-256 over the RFC 8785 bytes."""
    return hashlib.sha256(canonical(document)).hexdigest()[:32]


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes. Its numbers are doubles; the library refuses Python's integers where it cannot tell."""
    return rfc8785.dumps(_with_doubles(value))


def _with_doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_doubles(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_doubles(element) for element in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53 else value


class V1Client:
    """`documents` is the client's own copy: read it at any time, change it with `put`, `edit`, `forget`.

    The methods that change it may be called from other threads while `sync` runs.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        connections: int = 1,
        headers: dict[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        attempts: int = 12,
        timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.documents: dict[str, Document] = {}
        self.connections = connections
        self.requests = 0
        """HTTP requests sent so far, repetitions included."""
        self.posts = 0
        """Task states sent so far, repetitions not included."""
        self._attempts = attempts
        self._sleep = sleep
        self._lock = threading.RLock()
        authorization = {"Authorization": f"Bearer {token}"} if token is not None else {}
        self._http = httpx.Client(
            base_url=url,
            headers={**authorization, **(headers or {})},
            transport=transport,
            timeout=timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def __enter__(self) -> V1Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- what a user does ------------------------------------------------------------------------------

    def put(self, document: Document) -> None:
        """A new document, or all of an old one."""
        with self._lock:
            self.documents[document["id"]] = copy.deepcopy(document)

    def edit(self, document_id: str, **fields: Any) -> None:
        """Sets fields of a document that is there."""
        with self._lock:
            self.documents[document_id] = {**self.documents[document_id], **copy.deepcopy(fields)}

    def remove_field(self, document_id: str, field: str) -> None:
        with self._lock:
            self.documents[document_id] = {
                key: value for key, value in self.documents[document_id].items() if key != field
            }

    def forget(self, document_id: str) -> None:
        """Loses the local copy. v1.0 has no delete: the next sync brings it back."""
        with self._lock:
            self.documents.pop(document_id, None)

    # --- the five steps --------------------------------------------------------------------------------

    def sync(self, max_rounds: int = 10) -> int:
        """How many rounds it took, the last one included, which found agreement (1: there was nothing to
        do). Raises NotAgreedError after `max_rounds`, RefusedError when the server refuses a state."""
        differing: list[str] = []
        for round_number in range(1, max_rounds + 1):
            theirs = self.hashes()  # 1
            with self._lock:  # 2
                mine = {name: content_hash(document) for name, document in self.documents.items()}
            differing = [n for n in sorted({*theirs, *mine}) if theirs.get(n) != mine.get(n)]  # 3
            if not differing:  # 5
                return round_number
            self._exchange_all(differing)  # 4
        raise NotAgreedError(max_rounds, differing)

    def hashes(self) -> dict[str, str]:
        answer = self._request("GET", "/hashes")
        assert isinstance(answer, dict), answer
        return answer

    def post(self, document_id: str, state: Document | None) -> Document | None:
        """Sends a state and returns the correct one; the client's own copy stays as it is."""
        with self._lock:
            self.posts += 1
        body = json.dumps({"client_state": state}).encode()
        answer = self._request("POST", f"/task/{quote(document_id, safe='')}", body)
        assert isinstance(answer, dict), answer
        assert answer.keys() == {"server_state"}, f"v1.0 has server_state alone: {sorted(answer)}"
        correct: Document | None = answer["server_state"]
        assert correct is None or correct["id"] == document_id, correct
        return correct

    def _exchange_all(self, names: list[str]) -> None:
        if self.connections == 1:
            for name in names:
                self.exchange(name)
            return
        with ThreadPoolExecutor(self.connections) as pool:
            for _ in pool.map(self.exchange, names):
                pass

    def exchange(self, document_id: str) -> None:
        """Step 4 for one document: send what the client thinks, apply what the server answers."""
        with self._lock:
            sent = copy.deepcopy(self.documents.get(document_id))
        correct = self.post(document_id, sent)
        with self._lock:
            now = merged(sent, self.documents.get(document_id), correct)
            if now is None:
                self.documents.pop(document_id, None)
            else:
                self.documents[document_id] = now

    # --- HTTP ------------------------------------------------------------------------------------------

    def _request(self, method: str, path: str, content: bytes | None = None) -> Any:
        headers = {} if content is None else {"Content-Type": "application/json"}
        for attempt in range(1, self._attempts + 1):
            pause = min(5.0, 0.05 * 2**attempt) * random.random()
            with self._lock:
                self.requests += 1
            try:
                response = self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError:
                if attempt == self._attempts:
                    raise
            else:
                if response.status_code == 200:
                    return json.loads(response.content)
                if response.status_code not in BUSY or attempt == self._attempts:
                    raise RefusedError(response)
                asked_for = response.headers.get("Retry-After", "")
                pause += float(asked_for) if asked_for.isdigit() else 0.0
            self._sleep(pause)
        raise AssertionError("unreachable")


def merged(sent: Document | None, now: Document | None, correct: Document | None) -> Document | None:
    """`correct`, with the edits that led from `sent` to `now` while the request was under way."""
    if _same(sent, now):
        return copy.deepcopy(correct)
    if now is None:  # lost meanwhile: the next round fetches it
        return None
    if correct is None:  # the edit is newer than what the server knows; the next round says so
        return now
    result = copy.deepcopy(correct)
    before = sent or {}
    for key in {*before, *now}:
        if key not in now:
            result.pop(key, None)
        elif key not in before or not _same(before[key], now[key]):
            result[key] = copy.deepcopy(now[key])
    return result


def _same(a: Any, b: Any) -> bool:
    """Equal as JSON: for Python True is 1."""
    return canonical(a) == canonical(b)
