"""What a sync reports."""

from __future__ import annotations

from client.sync.engine.plan import Fetch
from client.sync.engine.planned import Plan
from client.sync.files import FolderContents
from client.sync.report import SyncReport
from shared.core.identifiers import ContentHash, DocumentId

D = DocumentId("d")


def test_what_it_says_of_itself_does_not_grow_with_what_arrived() -> None:
    """`asyncio.run` asks for it, twice: of ten thousand documents that took as long as decoding them."""
    report = SyncReport("up")
    report.arrived.append((None, {"id": "d"}))
    report.plan = Plan((Fetch(D, removes=False),))
    report.contents = FolderContents({D: ContentHash("0" * 32)})
    assert len(repr(report)) == len(repr(SyncReport("up")))
