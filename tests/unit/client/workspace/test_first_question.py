"""By what is remembered of an upstream: whether it may be asked first whether anything changed, and what."""

from __future__ import annotations

import pytest

from client.sync.state_store import PROVE_SECONDS, PROVE_SYNCS, UpstreamRow
from client.upstreams.changes_question import ChangesQuestion
from client.upstreams.server_facts import ASK_AGAIN_SECONDS, ServerFacts
from client.workspace.first_look import question_to

FACTS = ServerFacts(1000.0, "1", ("since",), {})
ROW = UpstreamRow("since:h-1", True, FACTS.as_stored(), {}, "URL", 1000.0, 0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ROW, ChangesQuestion("since", "h-1")),
        (
            ROW._replace(facts=FACTS._replace(supports=()).as_stored(), cursor='etag:"x"'),
            ChangesQuestion("etag", '"x"'),
        ),
        (ROW._replace(facts={}), None),
        (ROW._replace(cursor=None), None),
        (ROW._replace(cursor="since:"), None),
        (ROW._replace(cursor="etag:h-1"), None),
        (ROW._replace(agreed_once=False), None),
        (ROW._replace(place="URL family"), None),
        (ROW._replace(unproved=PROVE_SYNCS), None),
        (ROW._replace(proved=1001.0 - PROVE_SECONDS), None),
        (ROW._replace(facts=FACTS._replace(asked_at=1000.0 - ASK_AGAIN_SECONDS).as_stored()), None),
    ],
)
def test_the_question(row: UpstreamRow, expected: ChangesQuestion | None) -> None:
    assert question_to(row, "URL", 1001.0) == expected
