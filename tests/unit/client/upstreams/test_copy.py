"""A copy asks for the next page as soon as it knows where that begins, and holds each document once."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.sync.upstream import NotAnUpstreamError
from client.upstreams.http import AFTER_HEADER, HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.documents import DocumentId

FACTS = {"asked_at": 4e9, "supports": ["pages", "base", "since"], "limits": {"batch_documents": 1000}}
IDS = [f"d{number}" for number in range(7)]


class PagedServer(Channel):
    """A connection to a server with pages of `sizes`, the last of them as often as it takes. `says`: where the next
    page begins, before the documents, as servers do since that header is known."""

    def __init__(self, *sizes: int, says: bool = True) -> None:
        super().__init__("http://server.example", "ht_x", transport=httpx.MockTransport(self._answer))
        self.events: list[str] = []
        self.is_broken = False
        """Its first page has no documents, and others never come."""
        self._sizes = [*sizes, *[sizes[-1]] * len(IDS)]
        self._says = says

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        after = request.url.params["after"]
        self.events.append(f"asked {after}")
        if trace := request.extensions.get("trace"):  # as httpcore tells that a request has left
            await trace("http11.send_request_body.complete", {})
        if self.is_broken and after:
            await asyncio.Event().wait()
        left = [identity for identity in IDS if identity > after]
        found = left[: self._sizes.pop(0)]
        last = found[-1] if len(found) < len(left) else None
        rows = {identity: {"server_state": {"id": identity}, "rev": "1-a", "hash": "0" * 32} for identity in found}
        page = {"tasks": [] if self.is_broken else rows, "cursor": f"e.{after}", "after": last}
        return httpx.Response(200, headers={AFTER_HEADER: last} if self._says and last else {}, json=page)

    def value_of(self, answer: httpx.Response, status: int = 200) -> Any:
        self.events.append(f"read {answer.request.url.params['after']}")
        return super().value_of(answer, status)


async def copied(server: PagedServer) -> list[list[DocumentId]]:
    """The ids of each page."""
    pages = []
    try:
        async for page in HttpUpstream(server, FACTS).copy():
            server.events.append("taken")
            pages.append([*page.states])
    finally:
        await server.close()
    return pages


async def test_the_second_page_is_asked_for_before_the_first_is_read() -> None:
    server = PagedServer(3)
    assert await copied(server) == [IDS[:3], IDS[3:6], IDS[6:]]
    assert server.events.index("asked d2") < server.events.index("read ")
    assert server.events.count("asked d5") == 1


async def test_an_older_server_is_asked_once_its_page_is_read() -> None:
    server = PagedServer(3, says=False)
    assert await copied(server) == [IDS[:3], IDS[3:6], IDS[6:]]
    assert server.events.index("read ") < server.events.index("asked d2")


async def test_no_more_than_one_page_is_ahead() -> None:
    server = PagedServer(2)
    copy = HttpUpstream(server, FACTS).copy()
    for asked in (2, 3, 4):
        await anext(copy)
        for _ in range(100):  # more turns than any request takes here
            await asyncio.sleep(0)
        assert len([event for event in server.events if event.startswith("asked")]) == asked
    await server.close()


@pytest.mark.parametrize("says", [True, False])
async def test_what_is_under_way_ends_with_a_copy_that_fails(says: bool) -> None:
    server = PagedServer(3, says=says)
    server.is_broken = True
    with pytest.raises(NotAnUpstreamError, match="no tasks"):
        await copied(server)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ("asked d2" in server.events) is says
    assert asyncio.all_tasks() == {asyncio.current_task()}


@given(st.lists(st.integers(1, 8), min_size=1, max_size=7), st.booleans())
def test_a_copy_holds_each_document_once(sizes: list[int], says: bool) -> None:
    """Law: whatever the sizes of its pages, and whether they say where they end."""
    pages = asyncio.run(copied(PagedServer(*sizes, says=says)))
    assert [identity for page in pages for identity in page] == IDS
