"""Breaks the guards of the rules on purpose, one at a time, and runs the tests that must notice.

    python -m tests.break_guards [--only NAME ...] [--list]

Each break is one change of text in a copy of the project. Exit status 1 if the tests of one of them pass all the
same, or fail without it. Those with the same tests come one after another, those that need the real processes last;
all of them together take about half an hour.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("api", "worker", "shared", "client", "web", "ops", "tests", "bench", "docs", "pyproject.toml", "README.md")

MADE = ("__pycache__", "node_modules", "build")
"""What is not copied."""

CHEAP_FIRST = ("tests/unit/core/", "tests/unit/", "tests/convergence/", "tests/protocol/")
"""Where tests lie that need no other process; what lies elsewhere comes last."""

RESOLVE = tuple(
    f"tests/unit/core/resolution/{name}.py"
    for name in ("test_resolve", "test_resolve_by_evidence", "test_live_and_dead", "test_resolve_laws")
)
DOUBTS = ("tests/unit/core/resolution/test_doubts.py",)
UNSEEN = ("tests/unit/core/resolution/test_replaced_unseen.py",)
EMPTIED = ("tests/unit/core/merge/test_emptied.py",)
LARGE = ("tests/integration/test_large_merges.py",)
BULK = ("tests/unit/core/merge/test_bulk.py",)
ARRAYS = ("tests/unit/core/merge/test_ordered_merge.py",)
STRINGS = ("tests/unit/core/merge/test_strings.py",)
LOST = ("tests/unit/core/resolution/test_lost_base.py",)
PUT_BACK = ("tests/unit/core/resolution/test_put_back_requests.py",)
PUT_BACK_TOKENS = ("tests/unit/core/resolution/test_put_back_tokens.py",)
STORE = ("tests/contract/test_document_store.py",)
READ_TOGETHER = ("tests/contract/test_read_together.py",)
TRANSACTION_COMMANDS = ("tests/integration/test_transaction_commands.py",)
PRESUMED_ROWS = ("tests/integration/test_presumed_rows.py",)
KEPT_CONNECTIONS = ("tests/integration/test_kept_connections.py",)
SENT_AHEAD = ("tests/integration/test_commands_sent_ahead.py",)
PRIMARY = ("tests/unit/test_primary.py",)
FEED = ("tests/contract/test_feed.py",)
LINE = ("tests/unit/test_line.py",)
ROUND_TRIPS = ("tests/integration/test_round_trips.py",)
WIRE = ("tests/unit/test_codec.py",)
PEOPLE = ("tests/unit/api/test_people.py",)
SESSION_SYNC = ("tests/unit/api/test_session_sync.py",)
PAGES = ("tests/unit/api/test_pages.py",)
OPENID = ("tests/integration/test_openid.py",)
GRANTS = ("tests/unit/api/test_device_grants.py",)
USAGE = ("tests/contract/test_usage.py",)
RATES = ("tests/unit/api/test_rates.py",)
FIRST_LOOK = ("tests/unit/client/workspace/test_first_look.py", "tests/unit/client/workspace/test_first_question.py")
TRUSTED = ("tests/unit/api/test_trusted.py",)
IMPORT_ENDS = ("tests/unit/api/test_import_ends.py",)
ADMIN = ("tests/unit/api/test_admin.py",)
ACCESS_STORES = ("tests/contract/test_access_stores.py",)
SDK = ("tests/web/test_sdk.py",)
SHARES = ("tests/unit/api/test_shares.py",)
FAN_OUT = ("tests/unit/api/test_fan_out.py",)
PROTOCOL = ("tests/unit/api/test_http_protocol.py",)
HASH_MAPS = ("tests/unit/api/test_hashes.py",)
KEPT_MAPS = ("tests/unit/api/test_kept_maps.py",)
KEPT_ROWS = ("tests/contract/test_kept_maps.py",)
WHOLE_READS = ("tests/contract/test_whole_reads.py",)


@dataclass(frozen=True)
class Break:
    """`old` stands once in `file`; with `new` in its place one of `tests` fails."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = RESOLVE


BREAKS = (
    Break(
        "row 3: a repeat is no repeat",
        "shared/core/resolution/base_selection.py",
        "return any((pair.device, pair.base, pair.hash) == wanted and pair.at >= after for pair in pairs)",
        "return False and any((pair.device, pair.base, pair.hash) == wanted for pair in pairs)",
    ),
    Break(
        "row 3: the pair memory forgets",
        "shared/core/resolution/decision_builder.py",
        "        return Pair(submission.device, submission.base, submission.hash, since, submission.arrived_at)",
        "        return None",
    ),
    Break(
        "row 3 after row 2: equal decrements count once",
        "shared/core/resolution/case.py",
        "and not (base and counts(self.policies))\n",
        "and True\n",
    ),
    Break(
        "row 5: what the device sent since is not asked for",
        "shared/core/resolution/base_selection.py",
        "    if lookup.submission.device is None:\n        return Basis(rule, (base,))\n",
        "    if True:\n        return Basis(rule, (base,))\n",
    ),
    Break(
        "row 5: what a device may not have seen is not recorded",
        "shared/core/resolution/doubts.py",
        "        return []\n    lost_values = between(head, result)",
        "        return []\n    lost_values: list[Difference] = []",
    ),
    Break(
        "doubts: what a client may have set back is not recorded",
        "shared/core/resolution/doubts.py",
        "        return []\n    untaken = between(state, result)",
        "        return []\n    untaken: list[Difference] = []",
        DOUBTS,
    ),
    Break(
        "doubts: what is deleted unseen is not recorded",
        "shared/core/resolution/case.py",
        "conflicts=(unseen_body,) if unseen else ())",
        "conflicts=())",
        DOUBTS,
    ),
    Break(
        "doubts: a deletion that loses is not recorded",
        "shared/core/resolution/case.py",
        "received=self.received_last_body(inside), conflicts=(refused,))",
        "received=self.received_last_body(inside))",
        DOUBTS,
    ),
    Break(
        "doubts: what a head that stays won against is not stored",
        "shared/adapters/memory/entries.py",
        "    if write.conflicts and decision.received is None:",
        "    if False:",
        DOUBTS,
    ),
    Break(
        "doubts: members of a set are one place",
        "shared/core/merge/paths.py",
        '    return path.endswith("/-")',
        "    return False",
        DOUBTS,
    ),
    Break(
        "doubts: what came late on an older base counts as seen",
        "shared/core/resolution/doubts.py",
        "        or any(before.any_differs(difference) and not after.any_differs(difference)"
        " for before, after in earlier)\n",
        "",
        DOUBTS,
    ),
    Break(
        "doubts: what a device set back before its older request came is not recorded",
        "shared/core/resolution/rebase.py",
        "            *doubts.sent_otherwise(self.basis, value, self.conflicts),\n"
        "            *doubts.taken_back_before(self.basis, self.state, value),\n",
        "",
        DOUBTS,
    ),
    Break(
        "doubts: what a device sent over a tombstone is forgotten",
        "shared/core/resolution/base_selection.py",
        "        return replace(with_own, rule=rule, server_from=under, sent=replace(with_own.sent, own=()))",
        "        return Basis(rule, (body,), server_from=under)",
        DOUBTS,
    ),
    Break(
        "doubts: a late copy of what was sent on a base of before counts as set back",
        "shared/core/resolution/base_selection.py",
        "        if pair.since != since:\n            continue\n",
        "",
        DOUBTS,
    ),
    Break(
        "doubts: a deletion that is sent again after something else leaves no record",
        "shared/core/resolution/case.py",
        '        conflicts = (Conflict("", live, ABSENT, doubts.SENT_BEFORE),) if since_sent(self.lookup) else ()\n',
        "        conflicts = ()\n",
        DOUBTS,
    ),
    Break(
        "unseen: what was sent and is pruned is forgotten",
        "shared/core/resolution/doubts.py",
        "    return basis.sent.forgotten\n",
        "    return False\n",
        UNSEEN,
    ),
    Break(
        "unseen: what was sent on a later base and is pruned is forgotten",
        "shared/core/resolution/base_selection.py",
        "forgotten=len(own) < len(sent),",
        "forgotten=len(_bodies(lookup, others)) < len(others),",
        UNSEEN,
    ),
    Break(
        "unseen: a clock that goes on counts as one that stands",
        "shared/core/resolution/doubts.py",
        "    return at is not None and all(there is not None and at > there for there in map(clock, others))",
        "    return False",
        UNSEEN,
    ),
    Break(
        "unseen: a clock that went back leaves no record",
        "shared/core/resolution/doubts.py",
        "        return device is not None and went_back(device, state)\n",
        "        return False\n",
        UNSEEN,
    ),
    Break(
        "unseen: what the device may be on as well counts as seen",
        "shared/core/resolution/doubts.py",
        "    alternatives: Sequence[Body] = [*basis.bases, *basis.sent.own, *basis.sent.others]\n",
        "    alternatives: Sequence[Body] = [*basis.bases, *basis.sent.own]\n",
        UNSEEN,
    ),
    Break(
        "unseen: what was set to something and back counts as untouched",
        "shared/core/resolution/doubts.py",
        "[*between_them, *(_set_back_to",
        "[*(_set_back_to",
        UNSEEN,
    ),
    Break(
        "unseen: a device is never put back to a backup",
        "shared/core/resolution/doubts.py",
        "if remembered else ())]",
        "if False else ())]",
        UNSEEN,
    ),
    Break(
        "unseen: every edit of a device reads old states",
        "shared/core/resolution/doubts.py",
        " if old else []",
        " if True else []",
        UNSEEN,
    ),
    Break(
        "unseen: two clean rounds are proof",
        "shared/core/resolution/case.py",
        "unseen = went_back(device, state) or not self.is_on(device, live)",
        "unseen = went_back(device, state)",
        UNSEEN,
    ),
    Break(
        "unseen: a deletion with another last body is of who had the head",
        "shared/core/resolution/case.py",
        '"delete: the last body comes from the head", unseen=True)',
        '"delete: the last body comes from the head", unseen=basis.guessed)',
        UNSEEN,
    ),
    Break(
        "unseen: a deletion on a base that the head came back to is of who had the head",
        "shared/core/resolution/case.py",
        "            unseen = bool(basis.sent.own or basis.sent.others or basis.sent.forgotten)",
        "            unseen = False",
        UNSEEN,
    ),
    Break(
        "unseen: a state that is dropped and pruned cannot be read",
        "shared/core/resolution/decision_builder.py",
        "(stored.body is not None or not conflicts)",
        "True",
        UNSEEN,
    ),
    Break(
        "unseen: the members of an array in a stable path lose their names",
        "shared/core/merge/paths.py",
        "            if segment.isdigit():\n",
        "            if True:\n                segment = segment if segment.isdigit() else str(len(result))\n",
        UNSEEN,
    ),
    Break(
        "unseen: a deletion by a clock that went back leaves no record",
        "shared/core/resolution/case.py",
        '"delete: the device had the head", unseen=went_back(device, state))',
        '"delete: the device had the head")',
        UNSEEN,
    ),
    Break(
        "unseen: what a device set back stays untold when its older request is as the head",
        "shared/core/resolution/case.py",
        "        if equal and not self.sent_otherwise():",
        "        if equal:",
        UNSEEN,
    ),
    Break(
        "unseen: what a device set back stays untold when its older request comes",
        "shared/core/resolution/rebase.py",
        "            *doubts.taken_back_before(self.basis, self.state, value),\n",
        "",
        UNSEEN,
    ),
    Break(
        "merge: what stays of an object that may have been removed leaves no record",
        "shared/core/merge/objects.py",
        "        if value and nothing != []:",
        "        if False:",
        EMPTIED,
    ),
    Break(
        "merge: an object that was left out is always a removed one",
        "shared/core/merge/emptied.py",
        "    return is_known",
        "    return False",
        EMPTIED,
    ),
    Break(
        "merge: an object that was left out is always an empty one",
        "shared/core/merge/emptied.py",
        "            if len(base) > 1 and",
        "            if False and",
        EMPTIED,
    ),
    Break(
        "merge: who adds to an object brings back what another one removed of it",
        "shared/core/merge/emptied.py",
        " and not _has_no_edit(edited, base, keys):",
        ":",
        EMPTIED,
    ),
    Break(
        "merge: records are taken as theirs writes them, whatever ours looks like",
        "shared/core/merge/bulk.py",
        "    if names and stands_theirs and _are_written_alike(sides):",
        "    if names and stands_theirs:",
        BULK,
    ),
    Break(
        "merge: what decides of many fields is not asked about the clocks of the document",
        "shared/core/merge/bulk.py",
        " if at.place.above else None  # the document has clocks",
        "",
        BULK,
    ),
    Break(
        "merge: a member of an array that was left out is an empty one",
        "shared/core/merge/emptied.py",
        " or place.above is None or place.of_array:",
        " or place.above is None:",
        EMPTIED,
    ),
    Break(
        "merge: an object that one removed and the other emptied leaves no record",
        "shared/core/merge/emptied.py",
        "not (isinstance(edited, dict) and edited) or place",
        "not isinstance(edited, dict) or place",
        EMPTIED,
    ),
    Break(
        "doubts: what a token deleted is not recorded when it turns out to be shared",
        "shared/core/resolution/doubts.py",
        "    under = lookup.body(lookup.buried) if basis.memory.contradicted else None\n",
        "    under = None\n",
        DOUBTS,
    ),
    Break(
        "doubts: a memory that ends with a deletion is never mistaken",
        "shared/core/resolution/doubts.py",
        "    if known.returned is None:\n        return True\n",
        "",
        DOUBTS,
    ),
    Break(
        "doubts: what a device did since it sent what comes late is not recorded",
        "shared/core/resolution/doubts.py",
        "        doubted += of_old(lookup, result, stored.sequence)\n",
        "        pass\n",
        DOUBTS,
    ),
    Break(
        "doubts: what a token deleted is not recorded when an earlier state comes late",
        "shared/core/resolution/doubts.py",
        '        doubted.append(Conflict("", ABSENT, result, UNSEEN))\n',
        "        pass\n",
        DOUBTS,
    ),
    Break(
        "row 6: the server's changes are counted from the client's base",
        "shared/core/resolution/base_selection.py",
        "server_from=under, sent=replace(",
        "server_from=None, sent=replace(",
    ),
    Break(
        "row 7: what came back around an edit counts as one",
        "shared/core/resolution/rebase.py",
        "        older = self.older()\n",
        "        older: Mapping[str, list[Value]] = {}\n",
    ),
    Break(
        "row 9: an unknown base is taken for none",
        "shared/core/resolution/base_selection.py",
        '        return Refusal("base-unknown", "9 base unknown")',
        '        return Basis("9 nothing to go by", (EMPTY,), nothing_near=True)',
    ),
    Break(
        "row 10: pick takes every state",
        "shared/core/resolution/base_inference.py",
        "if not any(match < other for other in matches)",
        "if True or any(match < other for other in matches)",
    ),
    Break(
        "row 10: the guard believes every memory",
        "shared/core/resolution/base_selection.py",
        "    if not lookup.seen(fresh) or base_inference.count_edits(state, picked) == 1:",
        "    if True:",
    ),
    Break(
        "row 10: a state that is delivered twice makes its device newer",
        "shared/core/resolution/device_memory.py",
        "    if state is None or repeat or submission.hash == known.sent:",
        "    if state is None or repeat:",
    ),
    Break(
        "a request that is delivered again gets another answer",
        "shared/core/resolution/case.py",
        "if submission.delivery is None or known is None or known.delivery != submission.delivery:",
        "if True or known is None:",
    ),
    Break(
        "row 10: late requests count",
        "shared/core/resolution/base_selection.py",
        "    if at is None or edited_at is None or not edited_at - LATE <= at < edited_at:",
        "    if True or at is None or edited_at is None:",
    ),
    Break(
        "row 10: the clock alone says what is late",
        "shared/core/resolution/base_selection.py",
        "    return not any(\n        base_inference.was_made_after(",
        "    return True or not any(\n        base_inference.was_made_after(",
    ),
    Break(
        "row 10: edits that are no strong values do not show what came later",
        "shared/core/resolution/base_inference.py",
        "    return any(_holds_edits(state, other, known) for known in (earlier, earlier[:1]))",
        "    return False",
    ),
    Break(
        "row 11: a state of long ago is new",
        "shared/core/resolution/base_selection.py",
        '        return Basis("11 behind", (state,), nothing_new=True)\n',
        '        return Basis("13 nothing near", (EMPTY,), guessed=True, nothing_near=True)\n',
    ),
    Break(
        "row 12: novelty does not count",
        "shared/core/resolution/rebase.py",
        "        if not self.basis.guessed:\n            return otherwise\n",
        "        if True:\n            return otherwise\n",
    ),
    Break(
        "a clock ahead of its time wins",
        "shared/core/resolution/rebase.py",
        "min(arriving, self.lookup.submission.arrived_at) < min(stored, self.lookup.head.arrived_at)",
        "arriving < stored",
    ),
    Break(
        "a stale state brings back what was deleted",
        "shared/core/resolution/case.py",
        "            if not is_edited(self.lookup, state, basis):",
        "            if False and not is_edited(self.lookup, state, basis):",
    ),
    Break(
        "a deletion beats an edit that it has not seen",
        "shared/core/resolution/case.py",
        "        if self.policies.scope().delete_wins:\n            decision",
        "        if True:\n            decision",
    ),
    Break(
        "clean rounds before the last answer count",
        "shared/core/resolution/base_selection.py",
        "    if acknowledged is None or acknowledged.at <= device.at or device.returned is None:",
        "    if acknowledged is None or device.returned is None:",
    ),
    Break(
        "two submissions of one document are decided on the same head",
        "shared/core/resolution/batch.py",
        "turn = turns[document] = turns.get(document, -1) + 1",
        "turn = turns[document] = 0",
        ("tests/unit/core/resolution/test_batch.py",),
    ),
    Break(
        "the body under a tombstone is pruned",
        "shared/core/resolution/retention.py",
        "if kept.buried or kept.superseded_at",
        "if kept.superseded_at",
        ("tests/unit/core/resolution/test_retention.py",),
    ),
    Break(
        "a worker that was taken over goes on writing",
        "shared/adapters/mongodb/space_row.py",
        "            raise FencedError(number)",
        "            return",
        STORE,
    ),
    Break(
        "the sequence is allotted outside the transaction",
        "shared/adapters/mongodb/space_row.py",
        'self._commands.run({**command, "upsert": True})["value"]',
        'self._commands._client[self._commands._database].command({**command, "upsert": True})["value"]',
        STORE,
    ),
    Break(
        "a commit whose connection is lost is not asked for again",
        "shared/adapters/mongodb/commands.py",
        "                pass  # asked again below: to commit twice is to commit once\n",
        "                return\n",
        TRANSACTION_COMMANDS,
    ),
    Break(
        "a transaction waits for a connection while it holds one",
        "shared/adapters/mongodb/commands.py",
        "        self.release()\n        return self._session\n",
        "        return self._session\n",
        TRANSACTION_COMMANDS,
    ),
    Break(
        "a commit is sent before the answers to what it stores were seen",
        "shared/adapters/mongodb/commands.py",
        "        self.settle()\n        transaction: Any",
        "        transaction: Any",
        SENT_AHEAD,
    ),
    Break(
        "answers that nobody looked at stay on a connection that is given back",
        "shared/adapters/mongodb/commands.py",
        "error = self._left(error)",
        "self._sent.clear()",
        SENT_AHEAD,
    ),
    Break(
        "nobody hears what a command was refused with when its answer is looked at later",
        "shared/adapters/mongodb/commands.py",
        "            _tell(sent.refused, error)\n",
        "",
        SENT_AHEAD,
    ),
    Break(
        "a transaction and the database wait for each other to take what is long",
        "shared/adapters/mongodb/commands.py",
        "            while self._sent_long:\n                self._settle_first()\n",
        "",
        SENT_AHEAD,
    ),
    Break(
        "a long command waits for the short answers to those before it",
        "shared/adapters/mongodb/commands.py",
        "while self._sent_long:",
        "while self._sent:",
        SENT_AHEAD,
    ),
    Break(
        "a transaction whose commit is asked for again is forgotten before",
        "shared/adapters/mongodb/commands.py",
        "            transaction.state = _TxnState.IN_PROGRESS\n            try:\n",
        "            try:\n",
        TRANSACTION_COMMANDS,
    ),
    Break(
        "what is long has a moment to be sent",
        "shared/adapters/mongodb/commands.py",
        "            self._answers.patiently()  #",
        "            pass  #",
        SENT_AHEAD,
    ),
    Break(
        "more answers are left unread than a connection holds",
        "shared/adapters/mongodb/commands.py",
        "while len(self._sent) >= _MOST_UNREAD:",
        "while False:",
        SENT_AHEAD,
    ),
    Break(
        "who sends what is too long hears what came before it was refused with",
        "shared/adapters/mongodb/commands.py",
        "session = self.session  #",
        "session = self._session  #",
        SENT_AHEAD,
    ),
    Break(
        "nothing is done while the database commits",
        "shared/adapters/mongodb/commands.py",
        "                if meanwhile is not None:\n",
        "                if False:\n",
        SENT_AHEAD,
    ),
    Break(
        "of several servers that take writes one is kept",
        "shared/adapters/mongodb/primary.py",
        "if known.topology_type_name in _ONE_TAKES_WRITES:",
        "if True:",
        PRIMARY,
    ),
    Break(
        "what was known of the servers when they were looked through does not count",
        "shared/adapters/mongodb/primary.py",
        "self._selected = known, server",
        "self._selected = self._client.topology_description, server",
        PRIMARY,
    ),
    Break(
        "what changed later than was asked comes with what was asked for",
        "shared/adapters/mongodb/pages.py",
        '"$lte": until}}',
        '"$lte": until + 9}}',
        FEED,
    ),
    Break(
        "an error of Redis is taken for replies",
        "shared/adapters/redis/line.py",
        "if take is not None and not isinstance(answer, Exception):",
        "if take is not None:",
        LINE,
    ),
    Break(
        "replies are handed on when who reads them has its turn",
        "shared/adapters/redis/line.py",
        "                    take(answer)\n",
        "                    self._loop.call_soon(take, answer)\n",
        LINE,
    ),
    Break(
        "what is sent in parts is looked for again, as if it had not been written",
        "shared/adapters/mongodb/heads.py",
        "            self._inserted.update(self._inserts)\n",
        "",
        ("tests/integration/test_round_trips.py",),
    ),
    Break(
        "what is sent in parts is sent once more with each of them",
        "shared/adapters/mongodb/heads.py",
        "            self._updates.clear()\n",
        "",
        ("tests/integration/test_round_trips.py",),
    ),
    Break(
        "what a worker has told Redis goes with the connection",
        "shared/adapters/redis/lease_connection.py",
        "            unsent = [*earlier, *data]\n            await self._disconnect(connection)\n",
        "            await self._disconnect(connection)\n",
        ("tests/integration/test_lease_connection.py",),
    ),
    Break(
        "what Redis says while it loads is taken for an answer",
        "shared/adapters/redis/lease_connection.py",
        "                if isinstance(answer, ConnectionError):",
        "                if isinstance(answer, TimeoutError):",
        ("tests/integration/test_lease_connection.py",),
    ),
    Break(
        "acknowledgements: a post between two maps is overlooked",
        "shared/adapters/redis/scripts/note_listed.lua",
        "if last[1] and last[2] and last[3] == '0' then",
        "if last[1] and last[2] then",
        ("tests/contract/test_map_acknowledgements.py",),
    ),
    Break(
        "size limit: what two make together is not measured",
        "shared/core/resolution/size_limit.py",
        "    if size <= max_bytes:",
        "    if True:",
        ("tests/unit/core/resolution/test_size_limit.py",),
    ),
    Break(
        "size limit: a refusal is for good, whatever the upstream has",
        "client/sync/engine/plan.py",
        "refused.remote == outline.remote_hash)",
        "True)",
        ("tests/integration/test_too_large.py",),
    ),
    Break(
        "size limit: what was edited by hand is not measured",
        "client/upstreams/decisions.py",
        "    if refused is None or (before",
        "    if True or (before",
        ("tests/integration/test_too_large.py",),
    ),
    Break(
        "ledger: the body that a tombstone buried is pruned",
        "client/upstreams/ledger.py",
        "    if entry.buried is not None and not",
        "    if False and not",
        ("tests/unit/client/upstreams/test_ledger.py",),
    ),
    Break(
        "deletion guard: deletions in MongoDB are not counted",
        "shared/adapters/mongodb/transaction.py",
        "        self._new_deletions.update(deletions)",
        "        pass",
        ("tests/contract/test_transaction.py",),
    ),
    Break(
        "pages: what changed in one is not looked for",
        "api/reads/page_cache.py",
        "        if any(after < document",
        "        if False and any(after < document",
        ("tests/unit/api/test_page_cache.py",),
    ),
    Break(
        "pages: who asks for one that is made ahead makes it, too",
        "api/reads/page_cache.py",
        "        await self._ahead.over(key)\n        page = ",
        "        page = ",
        ("tests/unit/api/test_page_cache.py",),
    ),
    Break(
        "pages: the cursor is that of when it was made",
        "api/reads/page_cache.py",
        "if known is None or known[0] != cursor:",
        "if known is None:",
        ("tests/unit/api/test_page_cache.py",),
    ),
    Break(
        "filled spaces: their pages drop what was asked for",
        "api/reads/page_cache.py",
        "if page.last is None or self._size + size > self._most:",
        "if page.last is None:",
        ("tests/unit/api/test_filled_spaces.py",),
    ),
    Break(
        "filled spaces: their pages are made after each large batch",
        "api/reads/filled_spaces.py",
        "max(MANY_DOCUMENTS, self.made)",
        "1",
        ("tests/unit/api/test_filled_spaces.py",),
    ),
    Break(
        "filled spaces: small ones have a map made",
        "api/reads/filled_spaces.py",
        "if written >= LARGE_MAP and ",
        "if ",
        ("tests/unit/api/test_filled_spaces.py",),
    ),
    Break(
        "filled spaces: a map is made again whatever part of it was written",
        "api/reads/filled_spaces.py",
        "filling.came_since_map * _PART_OF_MAP >= written and ",
        "",
        ("tests/unit/api/test_filled_spaces.py",),
    ),
    Break(
        "filled spaces: a map is made to its end whoever else asks",
        "api/reads/hash_maps.py",
        "            if ahead_while is not None and not ahead_while():\n",
        "            if False:\n",
        ("tests/unit/api/test_filled_spaces.py",),
    ),
    Break(
        "known heads: another worker's writes are not looked for",
        "shared/adapters/mongodb/heads.py",
        "mark_of(space_row) != self._known.mark:",
        "False:",
        ROUND_TRIPS,
    ),
    Break(
        "known histories: what was removed of them is not forgotten",
        "shared/adapters/mongodb/documents.py",
        ', "$unset": {"transaction": ""}}',
        "}",
        ROUND_TRIPS,
    ),
    Break(
        "known histories: of what was added in a transaction nothing is known",
        "shared/adapters/mongodb/histories.py",
        "        self._added.setdefault(document, []).extend(more)",
        "        pass",
        ("tests/contract/test_transaction.py",),
    ),
    Break(
        "known histories: a body that is left out is taken for one that was pruned",
        "shared/core/resolution/document_history.py",
        "            if not is_newest and _is_among(self._forgotten, content):",
        "            if False:",
        ("tests/unit/core/resolution/test_document_history.py",),
    ),
    Break(
        "known histories: a state that is kept goes when one with its hash is left out",
        "shared/core/resolution/document_history.py",
        "        if met_again:",
        "        if False:",
        ("tests/unit/core/resolution/test_document_history.py",),
    ),
    Break(
        "known histories: what a device was answered is not known any more after a question",
        "shared/core/resolution/document_history.py",
        "context.device_memory, context.lineage",
        "None, context.lineage",
        ("tests/unit/core/resolution/test_document_history.py",),
    ),
    Break(
        "known histories: a received state stands for a head that was left out",
        "shared/core/resolution/document_history.py",
        " and stored.body is not None and stored.was_head",
        " and stored.body is not None",
        ("tests/unit/core/resolution/test_document_history.py",),
    ),
    Break(
        "inbox: many small envelopes are taken for something large",
        "shared/adapters/redis/inbox.py",
        "_SMALL_BYTES: Final = 64 * 1024",
        "_SMALL_BYTES: Final = 1024",
        ("tests/contract/test_many_requests.py",),
    ),
    Break(
        "inbox: many small envelopes are decided all at once",
        "shared/adapters/redis/inbox.py",
        "        if size > LARGE_BYTES and place:",
        "        if False:",
        ("tests/contract/test_many_requests.py",),
    ),
    Break(
        "recent states: of a document at the end of a portion no more is read",
        "shared/adapters/mongodb/revisions.py",
        "if _as_in_index(document) > _as_in_index(last) or",
        "if _as_in_index(document) >= _as_in_index(last) or",
        READ_TOGETHER,
    ),
    Break(
        "recent states: those of many documents are read one by one",
        "shared/adapters/mongodb/revisions.py",
        "        if len(unread) > 1:\n            for settled in",
        "        if False:\n            for settled in",
        ROUND_TRIPS,
    ),
    Break(
        "known heads: what writes nothing is not verified",
        "shared/adapters/mongodb/space_row.py",
        "(self._unverified or verify):",
        "False:",
        ROUND_TRIPS,
    ),
    Break(
        "presumed rows: the database's is not compared",
        "shared/adapters/mongodb/space_row.py",
        "        if before != presumed:",
        "        if False:",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed rows: policies that were given out are not looked at again",
        "shared/adapters/mongodb/space_row.py",
        "            self._unverified = unverified\n",
        "",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed rows: what a later part of a transaction adds is not counted",
        "shared/adapters/mongodb/space_row.py",
        "None if self.after is None else _counted(self.after, counts)",
        "self.after",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed rows: a history that was begun is not in the row",
        "shared/adapters/mongodb/space_row.py",
        "        self.after = None\n        return lineage.current",
        "        return lineage.current",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed rows: one of a lease that ended counts where others write, too",
        "shared/adapters/mongodb/transactions.py",
        "return known if is_same_lease else replace(known, row=None)",
        "return known",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed rows: one with other policies stays known",
        "shared/adapters/mongodb/transactions.py",
        "self._known.forget(space)\n                    continue\n                except Heads",
        "continue\n                except Heads",
        PRESUMED_ROWS,
    ),
    Break(
        "presumed documents: what nothing is written of is not looked for",
        "shared/adapters/mongodb/heads.py",
        "        if unproven and",
        "        if False and",
        ROUND_TRIPS,
    ),
    Break(
        "known heads: those of a transaction that came again by its number hold",
        "shared/adapters/mongodb/space_row.py",
        "self._name = os.urandom(8).hex()",
        'self._name = ""',
        ROUND_TRIPS,
    ),
    Break(
        "presumed documents: one that is not new is a fault",
        "shared/adapters/mongodb/heads.py",
        "if self._presumed and may_be_duplicate(error):",
        "if False:",
        ROUND_TRIPS,
    ),
    Break(
        "presumed documents: the next ones are taken for new, whatever the last one was",
        "shared/adapters/mongodb/transactions.py",
        "_CAREFUL: Final = 16",
        "_CAREFUL: Final = 1",
        ROUND_TRIPS,
    ),
    Break(
        "a transaction does not find what it is going to write: states",
        "shared/adapters/mongodb/revisions.py",
        """if row["hash"] == content and not row.get("deleted"):""",
        "if False:",
        ("tests/contract/test_transaction.py",),
    ),
    Break(
        "a transaction does not find what it is going to write: pairs",
        "shared/adapters/mongodb/revisions.py",
        "            for pair in pairs_of(row)\n            if pair.device == submission.device\n",
        "            for pair in pairs_of(row)\n            if False\n",
        ("tests/contract/test_transaction.py",),
    ),
    Break(
        "large documents: decided on the event loop",
        "shared/adapters/mongodb/transactions.py",
        "        self._threads.submit(context.run, self._answer, answer, transact)",
        "        context.run(self._answer, answer, transact)",
        LARGE,
    ),
    Break(
        "large documents: decided again by every transaction",
        "shared/transaction.py",
        "        self._cache.append((cases, policies, results))",
        "        pass",
        LARGE,
    ),
    Break(
        "lease: its end relies on the cancellation",
        "shared/adapters/redis/inbox.py",
        "            if self._over.is_set():",
        "            if False:",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "merge: what is nested is read at every depth",
        "shared/core/json/values.py",
        "        self._known[id(value)] = key, value",
        "        pass",
        ("tests/unit/core/merge/test_merge_steps.py",),
    ),
    Break(
        "merge: a list that was left out is a removed value",
        "shared/core/merge/emptied.py",
        "    if scope.delete_wins or scope.strategy is Strategy.LWW:",
        "    if True:",
        ("tests/unit/core/merge/test_objects.py", "tests/unit/client/tasks/test_modifications.py"),
    ),
    Break(
        "secrets: an edit follows a rename out of them",
        "shared/core/merge/objects.py",
        "if scope.child(n).secret or not scope.child(o).secret}",
        "if True}",
        ("tests/unit/core/merge/test_objects.py",),
    ),
    Break(
        "numbers: an integer that no double has is rounded",
        "shared/core/json/canonical.py",
        "return value if int(text) == value or number(value) == text else None",
        "return value",
        WIRE,
    ),
    Break(
        "numbers: what RFC 8785 writes is refused",
        "shared/core/json/canonical.py",
        "return value if int(text) == value or number(value) == text else None",
        "return value if int(text) == value else None",
        WIRE,
    ),
    Break(
        "ids: a dot segment is an id",
        "shared/core/identifiers.py",
        r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]",
        r"[A-Za-z0-9._~-]",
        ("tests/unit/client/upstreams/test_foreign_server.py",),
    ),
    Break(
        "devices: those of other spaces are revoked",
        "api/routes/devices.py",
        "app.devices.revoke(device, origin=caller.origin, owner=caller.user.id, space=caller.bound)",
        "app.devices.revoke(device, origin=caller.origin, owner=caller.user.id)",
        PEOPLE,
    ),
    Break(
        "devices: those of other spaces are listed",
        "api/routes/devices.py",
        "list_of(caller.user.id, caller.bound)",
        "list_of(caller.user.id)",
        PEOPLE,
    ),
    Break(
        "people: a reader's state reaches the queue",
        "api/routes/documents.py",
        "    if refusal is not None and posted.state is not None:",
        "    if refusal is not None and posted.state is None:",
        PEOPLE,
    ),
    Break(
        "people: a reader's batch is written",
        "api/routes/batch.py",
        "    return {key: refusal if key in writes else task for key, task in posted.items()}",
        "    return dict(posted)",
        PEOPLE,
    ),
    Break(
        "people: a token of one space names others",
        "api/authentication/auth.py",
        "    return device.every_space or space == device.space",
        "    return True",
        PEOPLE,
    ),
    Break(
        "people: who was removed keeps what he opened",
        "api/authentication/auth.py",
        "        if verdict_on(access, Act.READ) is not Verdict.ALLOWED:\n            # Whether",
        "        if access is None and False:\n            # Whether",
        PEOPLE,
    ),
    Break(
        "people: a page of another site is believed",
        "api/access/callers.py",
        "            self.cookie.check_site(request)\n            check_csrf",
        "            check_csrf",
        PEOPLE,
    ),
    Break(
        "people: no proof that a page of ours asks",
        "api/authentication/cookies.py",
        "    if not is_csrf_of(cookie, sent):",
        "    if False:",
        PEOPLE,
    ),
    Break(
        "people: a cookie alone syncs",
        "api/authentication/cookies.py",
        "        if header is None or not token:",
        "        if not token:",
        SESSION_SYNC,
    ),
    Break(
        "people: a script of another site syncs",
        "api/authentication/cookies.py",
        "        self.check_site(request)\n        check_csrf",
        "        check_csrf",
        SESSION_SYNC,
    ),
    Break(
        "pages: a form without a secret is believed",
        "api/pages/site.py",
        '        if not known or not is_csrf_of(known, fields.get("csrf", "")):',
        "        if False:",
        PAGES,
    ),
    Break(
        "pages: signing in leads to another site",
        "api/pages/site.py",
        "    return target if target is not None and _LOCAL.match(target) else",
        "    return target if target is not None else",
        PAGES,
    ),
    Break(
        "openid: another browser ends a sign-in",
        "api/access/identities.py",
        "        if flow is None or not browser or token_hash(browser) != flow.browser_hash:",
        "        if flow is None:",
        OPENID,
    ),
    Break(
        "openid: the claims are not looked at",
        "shared/adapters/openid.py",
        "            claims.validate(leeway=LEEWAY_SECONDS)",
        "            claims.validate_amr()",
        OPENID,
    ),
    Break(
        "openid: an address that is not verified is kept",
        "api/access/identities.py",
        ' and claims.get("email_verified") is True and',
        " and",
        OPENID,
    ),
    Break(
        "cors: any origin is allowed",
        "api/http/cors.py",
        "        allowed = origin in self._origins",
        "        allowed = origin is not None",
        ("tests/unit/api/test_cors.py",),
    ),
    Break(
        "grants: a code is used twice",
        "shared/adapters/memory/sign_in.py",
        " or now >= grant.expires_at or grant.used_at:",
        " or now >= grant.expires_at:",
        ACCESS_STORES,
    ),
    Break(
        "grants: a token is given again for ever",
        "shared/core/access/device_grants.py",
        "    if grant.used_at is not None and now >= grant.used_at + REPEAT_SECONDS:",
        "    if False:",
        GRANTS,
    ),
    Break(
        "grants: a token is given again to whoever has the code",
        "api/access/grants.py",
        '        if grant.used_at is not None and grant.address != (address or ""):',
        "        if False:",
        GRANTS,
    ),
    Break(
        "openid: an invitation that was used makes another account",
        "api/access/identities.py",
        "        if not is_welcome and not await self._is_invited(flow.invitation):",
        "        if not is_welcome and flow.invitation is None:",
        OPENID,
    ),
    Break(
        "grants: codes are guessed without end",
        "api/access/grants.py",
        "            await self.stores.failures.add(keys, now)",
        "            await self.stores.failures.add([], now)",
        GRANTS,
    ),
    Break(
        "grants: a terminal asks as often as it likes",
        "shared/core/access/device_grants.py",
        "    if grant.is_early(now):",
        "    if False:",
        GRANTS,
    ),
    Break(
        "people: the other sessions outlive the password",
        "api/access/accounts.py",
        "        if await self.stores.sessions.end_all(user, ended, keep=keep):",
        '        if await self.stores.sessions.end_all(UserId("nobody"), ended, keep=keep):',
        PEOPLE,
    ),
    Break(
        "people: wrong passwords are not counted",
        "api/access/sign_in.py",
        "        await self._stores.failures.add([of_account, of_address, of_both], now)",
        "        await self._stores.failures.add([], now)",
        PEOPLE,
    ),
    Break(
        "people: an invitation works again",
        "shared/adapters/mongodb/invitations.py",
        '            "secret_hash": secret_hash,\n            "used_at": {"$exists": False},\n',
        '            "secret_hash": secret_hash,\n',
        ACCESS_STORES,
    ),
    Break(
        "people: a space is handed over to who is no member",
        "shared/adapters/mongodb/spaces.py",
        "if not result.matched_count:\n                    raise NothingChangedError",
        "",
        ACCESS_STORES,
    ),
    Break(
        "migration: whoever comes first by name owns a space",
        "shared/adapters/mongodb/migrations.py",
        'find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])',
        'find(query).sort([("created_at", DESCENDING), ("_id", ASCENDING)])',
        ("tests/integration/test_migration.py",),
    ),
    Break(
        "migration: a revoked device makes a member",
        "shared/adapters/mongodb/adoption.py",
        "    for role in (Role.OWNER,) if revoked else (Role.OWNER, Role.EDITOR):",
        "    for role in (Role.OWNER, Role.EDITOR):",
        ("tests/integration/test_migration.py",),
    ),
    Break(
        "purge: the grace period is not waited for",
        "shared/adapters/mongodb/spaces.py",
        'delete_one({"_id": space, "delete_at": {"$lte": now}}, session=session)',
        'delete_one({"_id": space}, session=session)',
        ACCESS_STORES,
    ),
    Break(
        "removing: the processes are not told",
        "shared/adapters/redis/announcements.py",
        "await redis.publish(_channel(space), _ACCESS)",
        "pass",
        ("tests/contract/test_announcements.py",),
    ),
    Break(
        "revoking: the processes are not told",
        "shared/adapters/redis/announcements.py",
        "await redis.publish(_channel(space), _REVOKED + device.encode())",
        "pass",
        ("tests/integration/test_live.py",),
    ),
    Break(
        "database: a transaction at its time limit is a fault",
        "shared/adapters/mongodb/faults.py",
        "    290,  # TransactionExceededLifetimeLimitSeconds: without a label if it meets a running operation",
        "    251,",
        STORE,
    ),
    Break(
        "terminal: what others wrote is obeyed",
        "client/screen.py",
        "[line if isinstance(line, Painted) else shown(line) for line in lines]",
        "[*lines]",
        ("tests/unit/client/test_screen.py",),
    ),
    Break(
        "texts: the nesting check tries a string again from each of its characters",
        "shared/core/json/strict.py",
        """    return re.compile(r'"(?:[^"\\\\]++|\\\\.)*+(?:"|\\\\?\\Z)|[\\[\\]{},]', re.DOTALL)""",
        """    return re.compile(r'"(?:[^"\\\\]|\\\\.)*"|[\\[\\]{},]', re.DOTALL)""",
        ("tests/unit/test_linear.py",),
    ),
    Break(
        "bodies: a space has no share of its own",
        "api/limits/bounds.py",
        "        if mine + size > self._most_of_space and (mine or not self._first_always):",
        "        if False:",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "lease: who has lost it takes what waits",
        "shared/adapters/redis/scripts/take.lua",
        "if redis.call('GET', KEYS[3]) ~= ARGV[5] then return false end",
        "",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "lease: its number is the time alone",
        "shared/adapters/redis/scripts/lease.lua",
        "local number = math.max(now[1] * 1000000 + now[2], tonumber(redis.call('GET', KEYS[3]) or 0) + 1)",
        "local number = now[1] * 1000000 + now[2]",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "inbox: what an emptied Redis lost waits while others have something in it",
        "shared/adapters/redis/submission_queue.py",
        "        return [sent[place - 1][1] for place in missing]",
        "        return []",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "worker: halves of a batch are decided for answers that are not sent",
        "worker/tasks/resolve.py",
        "            if size > MOST_REPLY_BYTES:",
        "            if False:",
        ("tests/unit/worker/test_drain.py",),
    ),
    Break(
        "inbox: replies that were put together for what was not stored are sent",
        "shared/adapters/redis/inbox.py",
        "if prepared is not None and prepared.replies is replies and prepared.announcement is announcement:",
        "if prepared is not None:",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "a connection is kept though all of its time were ended by an error",
        "shared/adapters/mongodb/kept.py",
        "            and not self._pool.stale_generation(connection.generation, connection.service_id)\n",
        "",
        KEPT_CONNECTIONS,
    ),
    Break(
        "a connection is kept though there are few",
        "shared/adapters/mongodb/kept.py",
        "            and _PART_OF_POOL * (kept + 1) <= pool.max_pool_size\n",
        "",
        KEPT_CONNECTIONS,
    ),
    Break(
        "a connection that is kept tells of its errors to the session that had it before",
        "shared/adapters/mongodb/kept.py",
        "                kept.use_for(session)\n",
        "",
        KEPT_CONNECTIONS,
    ),
    Break(
        "a connection that is given back is taken at the same time",
        "shared/adapters/mongodb/kept.py",
        "        with self._lock:\n            return self._kept.pop()",
        "        if True:\n            return self._kept.pop()",
        KEPT_CONNECTIONS,
    ),
    Break(
        "a session that rests keeps the connection that it is pinned to",
        "shared/adapters/mongodb/begun.py",
        "            begun.session._unpin()  #",
        "            pass  #",
        KEPT_CONNECTIONS,
    ),
    Break(
        "a commit begins its transaction again when the driver is not let in",
        "shared/adapters/mongodb/commands.py",
        "        transaction.has_completed_command = True  #",
        "        pass  #",
        TRANSACTION_COMMANDS,
    ),
    Break(
        "a connection that nobody comes back for is kept",
        "shared/adapters/mongodb/kept.py",
        "        self._give_back_older_than(time.monotonic() - _KEPT_SECONDS)\n",
        "",
        KEPT_CONNECTIONS,
    ),
    Break(
        "inbox: all replies of a batch are texts at the same time",
        "shared/adapters/redis/inbox.py",
        "            if size > _REPLIES_AT_ONCE_BYTES:\n                await",
        "            if False:\n                await",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "inbox: what expired stays until a lease takes it",
        "shared/adapters/redis/scripts/put.lua",
        "  if not first or tonumber(string.match(first, '^%d+')) > now then break end",
        "  if true then break end",
        ("tests/contract/test_expired_requests.py",),
    ),
    Break(
        "inbox: what was taken goes by its number, whatever expired meanwhile",
        "shared/adapters/redis/scripts/trim.lua",
        "  if not first or not names[string.match(first, '^%d+ (%S+)')] then break end",
        "  if not first then break end",
        ("tests/contract/test_expired_requests.py",),
    ),
    Break(
        "heads: half of one is waited for without an end",
        "api/http/http_protocol.py",
        "        self._head_timer = self.loop.call_later(self.bounds.header_seconds, self._head_is_late)",
        "        self._head_timer = None",
        ("tests/integration/test_bounds.py",),
    ),
    Break(
        "inbox: the bytes of a space have no bound",
        "shared/adapters/redis/scripts/put.lua",
        "  if waiting > 0 and size + #item > tonumber(ARGV[3]) then full = 'space' break end",
        "  if false then break end",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "inbox: the bytes of all spaces have no bound",
        "shared/adapters/redis/scripts/put.lua",
        "    if sum + #item > tonumber(ARGV[4]) then full = 'all' break end",
        "    if false then break end",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "inbox: a batch has any number of bytes",
        "shared/adapters/redis/scripts/take.lua",
        "(documents > tonumber(ARGV[2]) or bytes > tonumber(ARGV[3]))",
        "(documents > tonumber(ARGV[2]))",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "bodies: what all hold together has no bound",
        "api/limits/bounds.py",
        "        if self.held + size > self._most and (self.held or not self._first_always):",
        "        if False:",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "bodies: any number of a space arrives at a time",
        "api/limits/bounds.py",
        "        if self._counts[space] >= self._most:",
        "        if False:",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "bodies: what has come in part does not count",
        "api/requests/body.py",
        "            holding.take(app.bodies, space, len(piece))",
        "            pass",
        ("tests/integration/test_bounds.py",),
    ),
    Break(
        "bodies: members cost nothing",
        "api/http/codings.py",
        "                if self._members > _MEMBERS + self._size // _MEMBER_BYTES:",
        "                if False:",
        ("tests/unit/test_compression.py",),
    ),
    Break(
        "answers: one space has the turns of all",
        "api/limits/bounds.py",
        "and self._inside[space] < most",
        "and True",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "answers: a space has as many turns beside others as alone",
        "api/limits/bounds.py",
        "most = self._most_of_space if self._pace.is_alone(space) else self._beside_others",
        "most = self._most_of_space",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "answers: who reads slowly keeps a turn",
        "api/limits/bounds.py",
        "        if self._most_seconds is not None:",
        "        if False:",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "background: it ends after an error",
        "shared/cancellation.py",
        '            logger.exception("background_step_failed", extra={"fields": {"step": name}})',
        "            raise",
        ("tests/unit/test_cancellation.py",),
    ),
    Break(
        "pages: they have no bound in bytes",
        "shared/adapters/mongodb/pages.py",
        "is_full = max_bytes is not None and size >= max_bytes",
        "is_full = False",
        STORE,
    ),
    Break(
        "devices: a space has any number",
        "shared/adapters/mongodb/devices.py",
        "session=session) >= bound:",
        "session=session) < 0:",
        ("tests/contract/test_device_store.py",),
    ),
    Break(
        "devices: those that were revoked lately do not count",
        "shared/adapters/mongodb/devices.py",
        'counted = [{"revoked_at": {"$exists": False}}, {"revoked_at": {"$gte": since}}]',
        'counted = [{"revoked_at": {"$exists": False}}]',
        ("tests/contract/test_device_store.py",),
    ),
    Break(
        "answers: a field may begin another line",
        "api/http/cycle.py",
        "HEADER_VALUE_RE.search(value)",
        "False",
        PROTOCOL,
    ),
    Break(
        "heads: they have any number of bytes",
        "api/http/http_protocol.py",
        "        if self._head_bytes > MOST_HEAD_BYTES:",
        "        if False:",
        PROTOCOL,
    ),
    Break(
        "heads: they have any number of headers",
        "api/http/http_protocol.py",
        "        if len(self.headers) >= MOST_HEADERS:",
        "        if False:",
        PROTOCOL,
    ),
    Break(
        "heads: an address has any number of parameters",
        "api/http/http_protocol.py",
        '        if query.count(b"&") >= MOST_PARAMETERS or query.count(b"%") > _MAX_ESCAPES:',
        "        if False:",
        PROTOCOL,
    ),
    Break(
        "bodies: they come in any number of chunks",
        "api/http/http_protocol.py",
        "        if self._chunks > _CHUNKS + self._body_bytes // _CHUNK_BYTES:",
        "        if False:",
        PROTOCOL,
    ),
    Break(
        "bodies: they have any number of trailers",
        "api/http/http_protocol.py",
        "            if self._trailers > _MAX_TRAILERS:",
        "            if False:",
        PROTOCOL,
    ),
    Break(
        "connections: any number of requests waits",
        "api/http/http_protocol.py",
        "            if len(self.pipeline) >= _MAX_PIPELINED:",
        "            if False:",
        PROTOCOL,
    ),
    Break(
        "connections: what is wrong is answered before what came before it",
        "api/http/http_protocol.py",
        "        if under_way and (self.pipeline or not self._in_body):",
        "        if False:",
        PROTOCOL,
    ),
    Break(
        "description: a status that all of a kind can answer is missing",
        "api/openapi.yaml",
        'description: It is that map still}\n        "400"',
        'description: It is that map still}\n        "402"',
        ("tests/protocol/test_openapi.py",),
    ),
    Break(
        "arrays: merging again is not checked",
        "shared/core/merge/ordered_merge.py",
        "if all(merge.merged_keys(known) == result.keys for merge in (here, there)):",
        "if True:",
        ARRAYS,
    ),
    Break(
        "arrays: what both inserted at two places is there twice",
        "shared/core/merge/twice.py",
        "        drop &= result - (here | there)",
        "        drop.clear()",
        ARRAYS,
    ),
    Break(
        "arrays: an edit does not follow what moved",
        "shared/core/merge/ordered_merge.py",
        "            if mine.moved or other.moved:",
        "            if False:",
        ARRAYS,
    ),
    Break(
        "arrays: the arriving side's insertions stand first",
        "shared/core/merge/orders.py",
        "    return sizes[0] > sizes[1] if sizes[0] != sizes[1] else precedes(a, b, by)",
        "    return True",
        ("tests/unit/core/merge/test_orders.py",),
    ),
    Break(
        "arrays: insertions do not go on as their neighbours do",
        "shared/core/merge/orders.py",
        "    if before or after:",
        "    if False:",
        ("tests/unit/core/merge/test_orders.py",),
    ),
    Break(
        "sets: what takes the place of an element follows it wherever it was moved",
        "shared/core/merge/orders.py",
        "(reorders or start < ghost_places[base[at]] < end)",
        "True",
        ARRAYS,
    ),
    Break(
        "strings: edits of numbers on both sides go together",
        "shared/core/merge/strings.py",
        "    if not _apart(changed) or _changes_numbers(tokens, left) == _changes_numbers(tokens, right):",
        "    if not _apart(changed):",
        STRINGS,
    ),
    Break(
        "strings: a range that was removed comes back",
        "shared/core/merge/strings.py",
        "    if not before.keys() <= other.keys() or not other.keys() <= wider.keys():",
        "    if not other.keys() <= wider.keys():",
        STRINGS,
    ),
    Break(
        "strings: the clock is put together of two",
        "shared/core/merge/objects.py",
        " or at.place.stable() in CLOCK_POINTERS:",
        ":",
        STRINGS,
    ),
    Break(
        "arrays: however many both sides changed, their elements are compared",
        "shared/core/merge/objects.py",
        "        if self._compared > MAX_COMPARED:\n",
        "        if False:\n",
        ARRAYS,
    ),
    Break(
        "arrays: of very many each is decided on by itself",
        "shared/core/merge/objects.py",
        "        side, rule = self._of_arrays or self.decide(",
        "        side, rule = self.decide(",
        ARRAYS,
    ),
    Break(
        "renames: a value that others have too proves one",
        "shared/core/merge/similar.py",
        "        if is_telling(was) and times[was] == 1 and",
        "        if is_telling(was) and",
        ("tests/unit/core/merge/test_objects.py",),
    ),
    Break(
        "a lost base is taken for one that is known",
        "shared/core/resolution/lost_base.py",
        "    return None if lookup.exists and lineage.is_full and _is_given_up(lookup, parts) else parts\n",
        "    return None\n",
        LOST,
    ),
    Break(
        "a lost base whose content was written once more is not found",
        "shared/core/resolution/lost_base.py",
        "        return stored.sequence > self.reached\n",
        "        return False\n",
        LOST,
    ),
    Break(
        "lost bases: a rev does not tell what its state contains",
        "shared/core/resolution/known_states.py",
        "    if parts.version:\n",
        "    if False:\n",
        PUT_BACK,
    ),
    Break(
        "lost bases: what is brought back counts as an edit",
        "shared/core/resolution/lost_base.py",
        "pairs=pairs, numbered=self.is_edit)",
        "pairs=pairs, numbered=True)",
        PUT_BACK,
    ),
    Break(
        "lost bases: the edits of a base that was lost are not brought back by themselves",
        "shared/core/resolution/rebase.py",
        "        if self.basis.put_back.lost is None:\n",
        "        if True:\n",
        PUT_BACK,
    ),
    Break(
        "lost bases: what came late from a device is taken for another one's",
        "shared/core/resolution/lost_base.py",
        "bodies, own = _bodies(known), self.sent_before()",
        "bodies, own = _bodies(known), ()",
        PUT_BACK,
    ),
    Break(
        "lost bases: an edit back to what a device had sent before its base is taken for none",
        "shared/core/resolution/lost_base.py",
        "sent=SentBefore(own, others=own)",
        "sent=SentBefore((*own, *self.sent_before()), others=own)",
        PUT_BACK,
    ),
    Break(
        "ids of histories: those of folders are read as such",
        "shared/core/index/lineage.py",
        "    if _may_be_folder(Source(history)):\n        return []\n",
        "",
        ("tests/unit/core/index/test_lineage.py",),
    ),
    Break(
        "ids of histories: folders are taken for ancestors",
        "shared/core/index/lineage.py",
        "if name not in version and name.startswith(parent) and not _may_be_folder(name):",
        "if name not in version and name.startswith(parent):",
        ("tests/unit/core/index/test_lineage.py",),
    ),
    Break(
        "ids of histories: their parent alone is told",
        "shared/core/index/lineage.py",
        "chain = [(parent[:_PARENT], int(first)), *_ancestors(parent)][:_ANCESTORS]",
        "chain = [(parent[:_PARENT], int(first))]",
        PUT_BACK,
    ),
    Break(
        "bases: a late copy of a base is compared with what its device sent on later ones",
        "shared/core/resolution/base_selection.py",
        "others if unedited or len(on_base)",
        "others if len(on_base)",
        ("tests/unit/core/resolution/test_replaced_unseen.py",),
    ),
    Break(
        "large documents: they are merged before all is read",
        "shared/core/resolution/rebase.py",
        "if self.since and _is_large(self.state):",
        "if False:",
        ("tests/unit/core/resolution/test_rebase.py",),
    ),
    Break(
        "lost bases: what is made again on a lost tombstone is compared with what was deleted",
        "shared/core/resolution/lost_base.py",
        "began = given if isinstance(given, dict) else EMPTY",
        "began = base or EMPTY",
        PUT_BACK,
    ),
    Break(
        "put back: a request that came before is not known",
        "shared/core/resolution/known_states.py",
        "    return includes(version, base_version(lookup)) and includes(head_version(lookup), version)\n",
        "    return False\n",
        PUT_BACK,
    ),
    Break(
        "put back: a copy of a request that was lost is taken for an edit of a device that was put back",
        "shared/core/resolution/base_selection.py",
        "    return [pair for pair in later if lineage.history_of(pair.since) != written_in]",
        "    return []",
        ("tests/unit/core/resolution/test_late_copies.py",),
    ),
    Break(
        "put back: a copy of a deletion that was lost deletes what its device wrote since",
        "shared/core/resolution/case.py",
        "            if doubts.is_older(state, basis.put_back.since):\n",
        "            if False:\n",
        ("tests/unit/core/resolution/test_late_copies.py",),
    ),
    Break(
        "put back: a request that may have come before wins",
        "shared/core/resolution/rebase.py",
        "side, rule = Side.OURS if self.basis.put_back.doubted else Side.THEIRS, doubts.PUT_BACK",
        "side, rule = Side.THEIRS, doubts.PUT_BACK",
        PUT_BACK,
    ),
    Break(
        "put back: a token whose device has what was brought back is taken for that of several",
        "shared/core/resolution/base_selection.py",
        "shared = bool(device.states) and not earlier and not _is_of_before(lookup, device)",
        "shared = bool(device.states) and not earlier",
        PUT_BACK_TOKENS,
    ),
    Break(
        "put back: a token whose device edits what was brought back is taken for that of several",
        "shared/core/resolution/base_selection.py",
        "shared = not earlier and not _is_of_before(lookup, device)",
        "shared = not earlier",
        PUT_BACK_TOKENS,
    ),
    Break(
        "several devices with one token are not told where nothing was put back",
        "shared/core/resolution/base_selection.py",
        "    return lineage.current not in {lineage.history_of(stored.sequence) for stored in known}",
        "    return True",
        PUT_BACK_TOKENS,
    ),
    Break(
        "put back: a state that was written over unseen is not kept when its device brings it",
        "shared/core/resolution/lost_base.py",
        "        if base is None or (self.included and self.is_kept):",
        "        if base is None or self.included:",
        LOST,
    ),
    Break(
        "put back: a head that is like the base by another clock counts as the base that is kept",
        "shared/core/resolution/lost_base.py",
        "        return self.lookup.stored(self.parts.hash) is not None\n",
        "        head = self.case.head.body\n"
        "        known = self.known(self.case.submission.client_state)\n"
        "        if head is not None and known is not None and same_content(known, head):\n"
        "            return True\n"
        "        return self.lookup.stored(self.parts.hash) is not None\n",
        LOST,
    ),
    Break(
        "put back: what is behind is kept once more after it was pruned",
        "shared/core/resolution/lost_base.py",
        "        return self.lookup.stored(self.parts.hash) is not None\n",
        "        return self.lookup.body(self.parts.hash) is not None\n",
        LOST,
    ),
    Break(
        "put back: what the deleter of a lost document had seen wins over what he made again",
        "shared/core/resolution/base_selection.py",
        "        if under is None and parts.version:\n",
        "        if False:\n",
        PUT_BACK,
    ),
    Break(
        "put back: what may have come before is not recorded",
        "shared/core/resolution/doubts.py",
        "    if not doubts.is_uncertain:\n        return []\n",
        "    return []\n",
        PUT_BACK,
    ),
    Break(
        "put back: null on a tombstone that was lost brings the document back",
        "shared/core/resolution/resolve.py",
        "        if lost is not None and (state is not None or lost.deleted):\n",
        "        if lost is not None and state is not None:\n",
        PUT_BACK,
    ),
    Break(
        "versions: of the same edits the one that arrives stands",
        "shared/core/resolution/by_version.py",
        "        both = joined_content(live, state)\n",
        "        both = state\n",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "versions: what arrives wins over what excludes it",
        "shared/core/resolution/by_version.py",
        "    return (Side.OURS if _text(ours) > _text(theirs) else Side.THEIRS), GREATER",
        "    return Side.THEIRS, GREATER",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "versions: states that clients bring along are forgotten",
        "shared/core/resolution/by_version.py",
        "        return tuple(received.values())",
        "        return ()",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "versions: a value that was seen and replaced counts as an edit",
        "shared/core/resolution/superseded.py",
        "        if old[0] == old[1]:",
        "        if True:",
        ("tests/unit/core/resolution/test_superseded.py", "tests/unit/core/resolution/test_by_version.py"),
    ),
    Break(
        "versions: one of two values that were both written over stands",
        "shared/core/resolution/superseded.py",
        "        if all(written_over):\n",
        "        if False:\n",
        ("tests/unit/core/resolution/test_superseded.py",),
    ),
    Break(
        "versions: a number that a counter passed is taken for one that was written over",
        "shared/core/resolution/superseded.py",
        " or at.scope.strategy is Strategy.COUNTER:",
        ":",
        ("tests/unit/core/resolution/test_superseded.py",),
    ),
    Break(
        "put back: what the head contained before it was found to contain what was lost is forgotten",
        "shared/core/resolution/lost_base.py",
        "recovered=outgrown(self.lookup))",
        "recovered=())",
        LOST,
    ),
    Break(
        "versions: what a merge preferred counts as written over what it was preferred to",
        "shared/core/resolution/superseded.py",
        "if known[number] is ABSENT or not self.is_inherited(number, known)]",
        "]",
        ("tests/unit/core/resolution/test_superseded.py",),
    ),
    Break(
        "versions: a value of an edit that both sides contain counts as an edit of one",
        "shared/core/resolution/superseded.py",
        "        if not any(old) and self.alone:",
        "        if False:",
        ("tests/unit/core/resolution/test_superseded.py",),
    ),
    Break(
        "versions: what the head contained before it was found to contain more is forgotten",
        "shared/core/resolution/by_version.py",
        "            recovered = (*self.brought(decision), *outgrown(self.lookup))",
        "            recovered = self.brought(decision)",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "versions: what was sent and merged is not handed on",
        "client/sync/versioning.py",
        "        self._store.keep_earlier(merged)\n",
        "",
        ("tests/convergence/test_rings.py",),
    ),
    Break(
        "a deletion tells an upstream what that one had, and not what the file held",
        "client/sync/engine/plan.py",
        "        last_body = removed if version is not None else record.shadow\n",
        "        last_body = record.shadow\n",
        ("tests/convergence/test_rings.py",),
    ),
    Break(
        "versions: what a deletion has seen brings the document back",
        "shared/core/resolution/by_version.py",
        "        return bool(states) and base_inference.count_edits(state, states) == 0",
        "        return False",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "a cursor that is taken proves what was answered after it",
        "client/sync/engine/answer.py",
        "    return any(parts.sequence > then.sequence and parts.history != here.epoch for parts in known)",
        "    return False",
        ("tests/unit/client/sync/engine/test_answer.py", "tests/convergence/test_rings.py"),
    ),
    Break(
        "an answer to a deletion of old counts for the file of now",
        "client/sync/versioning.py",
        "        if known.hash == sent and includes(pending.version or {}, known.version):",
        "        if known.hash == sent:",
        ("tests/convergence/test_rings.py",),
    ),
    Break(
        "versions: what is behind supersedes",
        "shared/core/resolution/by_version.py",
        "            # Kept if it never was here:",
        """            return case.write(state, Outcome.FAST_FORWARD, "14 behind")
            # Kept if it never was here:""",
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "versions: what is behind is forgotten",
        "shared/core/resolution/by_version.py",
        'return case.keep_head(state, Basis("14 behind", (state,)), ())',
        'return case.answer_head("14 behind")',
        ("tests/unit/core/resolution/test_by_version.py",),
    ),
    Break(
        "a cursor is of every history",
        "shared/core/index/lineage.py",
        "        return self.histories[place].first - 1 <= position.sequence <= self.last(place)",
        "        return position.sequence <= self.sequence",
        ("tests/unit/core/index/test_lineage.py",),
    ),
    Break(
        "an answer that is older than the base is applied",
        "client/sync/engine/answer.py",
        "    return now is None or now.sequence < before.sequence",
        "    return False",
        ("tests/unit/client/sync/engine/test_answer.py", "tests/integration/test_put_back_upstreams.py"),
    ),
    Break(
        "sdk: an edit that was made while a request was under way is written over",
        "web/sdk/src/engine/answer.ts",
        "const kept = same(now, sent);",
        "const kept = same(now, now);",
        SDK,
    ),
    Break(
        "sdk: a state that is on its way is forgotten",
        "web/sdk/src/engine/plan.ts",
        'if (outline.pending) return { kind: "resend", id };',
        'if (outline.pending && here === null) return { kind: "resend", id };',
        SDK,
    ),
    Break(
        "sdk: a commit writes over what another tab has changed",
        "web/sdk/src/stores/indexeddb.ts",
        "if (!rows.every((row) => succeeds(old.get(row.id), row)) ||",
        "if (!rows.every((row) => succeeds(old.get(row.id), row) || true) ||",
        SDK,
    ),
    Break(
        "sdk: a part of a commit is stored where the rest cannot be",
        "web/sdk/src/stores/indexeddb.ts",
        "      tx.abort();\n",
        "",
        SDK,
    ),
    Break(
        "sdk: an edit waits until the pause after a failure is over",
        "web/sdk/src/client.ts",
        "else await bell.wait(pause, signal);",
        "else await sleep(pause, signal).catch(() => undefined);",
        SDK,
    ),
    Break(
        "sdk: numbers are sorted in an array that was not sorted",
        "web/sdk/src/merge/objects.ts",
        "return compare ? [...result].sort(compare) : result;",
        "return compare ? result : [...result].sort();",
        SDK,
    ),
    Break(
        "a quota is not looked at",
        "shared/core/resolution/quota.py",
        "used + more > most",
        "used + more > 2**60",
        USAGE,
    ),
    Break(
        "a transaction that counted on room goes through",
        "shared/quotas.py",
        "            raise QuotaReachedError",
        "            return",
        USAGE,
    ),
    Break(
        "what is pruned still counts",
        "shared/adapters/mongodb/documents.py",
        '{"$inc": {"history_size": -size},',
        '{"$inc": {"history_size": 0},',
        USAGE,
    ),
    Break(
        "each process has the whole rate",
        "api/limits/rates.py",
        "return await self._shared.take(rate, key, count)",
        "return await self._alone.take(rate, key, count)",
        RATES,
    ),
    Break(
        "without the counter nobody is counted",
        "api/limits/rates.py",
        "        return await self._alone.take(rate, key, count)",
        "        return Counted(count, rate.amount, 1.0)",
        RATES,
    ),
    Break(
        "rates: what is taken ahead is good from when it is given out",
        "api/limits/rates.py",
        "self.begin(rate, counted, came)",
        "self.begin(rate, counted, now)",
        RATES,
    ),
    Break(
        "rates: what is taken ahead comes on top of a whole portion",
        "api/limits/rates.py",
        "rate.amount // _PARTS - portion.held(time.monotonic())",
        "rate.amount // _PARTS",
        RATES,
    ),
    Break(
        "trusted: for so long after it came",
        "api/authentication/trusted.py",
        "(asked + TRUSTED_SECONDS, value)",
        "(time.monotonic() + TRUSTED_SECONDS, value)",
        TRUSTED,
    ),
    Break(
        "trusted: what is gone is, until its time is over",
        "api/authentication/trusted.py",
        "            self._known.pop(key, None)\n",
        "",
        TRUSTED,
    ),
    Break(
        "trusted: while it is looked up again",
        "api/authentication/trusted.py",
        "if known is None or now >= known[0]:",
        "if known is None or (now >= known[0] and key not in self._renewals):",
        TRUSTED,
    ),
    Break(
        "pages: no head says where the next one begins",
        "api/routes/batch.py",
        "return _PRIVATE if last is None else",
        "return _PRIVATE if True else",
        ("tests/unit/api/test_routes.py",),
    ),
    Break(
        "an answer of one message has no bytes",
        "api/metered.py",
        '            if body := message.get("body"):\n                metrics.REQUESTS.send(',
        '            elif body := message.get("body"):\n                metrics.REQUESTS.send(',
        ("tests/unit/api/test_json_answer.py",),
    ),
    Break(
        "an address of a network is counted by itself",
        "api/access/sign_in.py",
        "network = None if address is None else network_of(address)",
        "network = address",
        RATES,
    ),
    Break(
        "an import goes on for one who may read",
        "api/streams/live.py",
        "Following(device.id, token_hash, act=act)",
        "Following(device.id, token_hash)",
        IMPORT_ENDS,
    ),
    Break(
        "everybody is an administrator",
        "api/routes/admin.py",
        "if not caller.user.administrator:",
        "if caller.user.delete_at:",
        ADMIN,
    ),
    Break(
        "the last administrator can go",
        "api/access/administration.py",
        "if not any(one.state is AccountState.ACTIVE for one in others):",
        "if any(one.state is AccountState.LEAVING for one in others):",
        ADMIN,
    ),
    Break(
        "each space of a user is a further share of a process",
        "shared/core/documents.py",
        "return share_of(self.owner) if self.every_space and self.owner is not None else self.space",
        "return self.space",
        SHARES,
    ),
    Break(
        "requests with a session are not held back",
        "api/access/callers.py",
        "            await self._devices.take_share(request, share_of(user.id))\n",
        "",
        SHARES,
    ),
    Break(
        "cookies are taken apart by the framework",
        "api/authentication/cookies.py",
        'return cookie_in(request.headers.get("cookie", ""), name)',
        'return request.cookies.get(name, "")',
        ("tests/unit/test_linear.py",),
    ),
    Break(
        "what follows an offer of another protocol is taken for that",
        "api/http/http_protocol.py",
        "                    self._replay_head()\n",
        "                    return\n",
        PROTOCOL,
    ),
    Break(
        "a token of many spaces takes every turn of the workers",
        "api/requests/body.py",
        "    if device.share != device.space:\n",
        "    if False:\n",
        SHARES,
    ),
    Break(
        "a large body counts as one request",
        "api/requests/body.py",
        "        app.pace.more(space, size // BYTES_OF_A_REQUEST)\n",
        "",
        SHARES,
    ),
    Break(
        "all who follow a space are told at once",
        "api/streams/fan_out.py",
        "if len(followers) <= AT_ONCE:",
        "if True:",
        FAN_OUT,
    ),
    Break(
        "what is told of a space waits without end",
        "api/streams/fan_out.py",
        "elif len(waiting) < MOST_WAITING:",
        "elif True:",
        FAN_OUT,
    ),
    Break(
        "hash maps: what another process built before the lock came is built again",
        "api/reads/hash_maps.py",
        "                    current = await self._from_cache(space, lineage)\n                    if",
        "                    if",
        HASH_MAPS,
    ),
    Break(
        "hash maps: one that the store keeps is taken of any history",
        "api/reads/hash_maps.py",
        "        if not changes.lineage.holds(kept.position):\n            return None\n        metrics",
        "        metrics",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: one that is kept and further than the store ends no history",
        "api/reads/hash_maps.py",
        "        if changes.lineage.is_ahead(kept.position):\n",
        "        if False:\n",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: one is kept while who asked waits for it",
        "api/reads/hash_maps.py",
        "        await asyncio.sleep(after)\n",
        "",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: small ones are kept as well",
        "api/reads/hash_maps.py",
        " >= KEPT_BYTES:",
        " >= 0:",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: what is kept is taken without its digest",
        "shared/adapters/mongodb/kept_maps.py",
        'return map_ if _digest(map_) == seal["digest"] else None',
        "return map_",
        KEPT_ROWS,
    ),
    Break(
        "hash maps: each batch of rows is asked for",
        "shared/adapters/mongodb/documents.py",
        "CursorType.EXHAUST if self._mongo.streams else CursorType.NON_TAILABLE",
        "CursorType.NON_TAILABLE",
        WHOLE_READS,
    ),
    Break(
        "hash maps: all documents of all spaces are looked through for one",
        "shared/adapters/mongodb/documents.py",
        "        return bool(live >= _MOST_HEADS * sum(counted))",
        "        return True",
        WHOLE_READS,
    ),
    Break(
        "hash maps: who fails on the way leaves a connection over which more comes",
        "shared/adapters/mongodb/documents.py",
        "await batches.close()",
        "pass",
        WHOLE_READS,
    ),
    Break(
        "hash maps: rows of another form are passed over",
        "shared/adapters/mongodb/raw_rows.py",
        "    if size == len(batch):\n",
        "    if True:\n",
        ("tests/unit/test_raw_rows.py",),
    ),
    Break(
        "hash maps: each who asks has one compressed",
        "api/reads/cached_hash_map.py",
        "        if task is None:\n",
        "        if True:\n",
        HASH_MAPS,
    ),
    Break(
        "hash maps: one is compressed when the cache has it",
        "api/reads/hash_maps.py",
        "                    built.begin(coding)  # while the cache takes all of it\n",
        "",
        HASH_MAPS,
    ),
    Break(
        "what changed is read twice though it is little",
        "api/reads/change_feed.py",
        "            if parts is not None:\n",
        "            if False:\n",
        ("tests/unit/api/test_routes.py",),
    ),
    Break(
        "what changed is said to be all of it though a page holds less",
        "api/reads/change_feed.py",
        " and now.sequence - cursor.sequence <= most:",
        ":",
        ("tests/unit/api/test_routes.py",),
    ),
    Break(
        "hash maps: one to which too much came is brought up to date",
        "api/reads/hash_maps.py",
        "return written * PART_CHANGED <= documents",
        "return True",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: one that is kept and to which too much came is brought up to date",
        "api/reads/hash_maps.py",
        "if lineage.holds(kept.position) and not _is_worth_patching(kept, lineage):",
        "if False:",
        KEPT_MAPS,
    ),
    Break(
        "hash maps: any number of cursors of a request is looked up",
        "api/routes/hashes.py",
        "islice(filter(None, map(parse_cursor, known)), _MAX_CURSORS)",
        "filter(None, map(parse_cursor, known))",
        HASH_MAPS,
    ),
    Break(
        "a change wakes nobody who waits for it",
        "api/streams/live.py",
        "RenderedAnnouncement) -> None:\n        self._changed.set()\n",
        "RenderedAnnouncement) -> None:\n        pass\n",
        ("tests/unit/api/test_routes.py",),
    ),
    Break(
        "exports: a long line is compressed at once",
        "api/routes/export.py",
        "            for begin in range(0, len(data), _PIECE_BYTES):  # others come in between\n"
        "                yield encoder.feed(data[begin : begin + _PIECE_BYTES])\n",
        "            yield encoder.feed(data)\n",
        ("tests/unit/api/test_large_answers.py",),
    ),
    Break(
        "people: an origin that is no address is a fault",
        "api/authentication/cookies.py",
        'origin.partition("://")[2].lower()',
        "urlsplit(origin).netloc.lower()",
        PEOPLE,
    ),
    Break(
        "worker: a signal before its loop runs is forgotten",
        "shared/adapters/arq.py",
        "    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)\n",
        "",
        ("tests/integration/test_worker_stops.py",),
    ),
    Break(
        "queue: a job is due by the clock of another host",
        "shared/adapters/arq.py",
        "timedelta(days=365)",
        "timedelta(seconds=5)",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "queue: a job wakes no worker",
        "shared/adapters/arq.py",
        'pipe.rpush(_wake_key(queue), "1")',
        "pipe.get(_wake_key(queue))",
        ("tests/contract/test_queue.py",),
    ),
    Break(
        "mongodb: who waits for what is new there looks in vain",
        "client/upstreams/mongodb.py",
        "is_behind(known, now) is not False:",
        "False:",
        ("tests/contract/test_upstream.py",),
    ),
    Break(
        "git: what was pushed before the watch had begun is not seen",
        "client/upstreams/git.py",
        "if events or (not has_begun and",
        "if events or (False and",
        ("tests/contract/test_upstream.py",),
    ),
    Break(
        "daemons: garbage is collected as in a short command",
        "client/commands/watch.py",
        "    gc.freeze_after_startup()",
        "    assert gc.freeze_after_startup",
        ("tests/unit/client/commands/test_start_up.py",),
    ),
    Break(
        "syncs: what was refused is looked for among all records",
        "client/sync/state_file.py",
        "CREATE INDEX IF NOT EXISTS record_refused ON record (upstream, id) WHERE refused IS NOT NULL",
        "SELECT 1",
        ("tests/unit/client/sync/test_state_store.py",),
    ),
    Break(
        "first look: a state that was refused is overlooked",
        "client/workspace/first_look.py",
        "store.has_refused(upstream) or ",
        "",
        FIRST_LOOK,
    ),
    Break(
        "first look: an arrival is overlooked",
        "client/workspace/first_look.py",
        "if store.arriving() or _has_files(",
        "if _has_files(",
        FIRST_LOOK,
    ),
    Break(
        "first look: an edit of a file is overlooked",
        "client/workspace/first_look.py",
        "if store.file_stamps() != {document: stamp.key for document, stamp in scan.files.items()}:",
        "if scan is None:",
        FIRST_LOOK,
    ),
    Break(
        "first look: what is not agreed on is overlooked",
        "client/workspace/first_look.py",
        "outlines or store.has_refused",
        "store.has_refused",
        FIRST_LOOK,
    ),
    Break(
        "first look: that agreement is to be proved is overlooked",
        "client/workspace/first_look.py",
        " or row.must_prove(now):",
        ":",
        FIRST_LOOK,
    ),
    Break(
        "first look: another address is overlooked",
        "client/workspace/first_look.py",
        "row.place != place or ",
        "",
        FIRST_LOOK,
    ),
    Break(
        "first look: another cursor is overlooked",
        "client/upstreams/changes_question.py",
        'value.get("cursor") != self.position',
        "False",
        FIRST_LOOK,
    ),
    Break(
        "arrivals: files of before are removed before it is written down that they may be",
        "client/sync/arrivals.py",
        "at, self._rescue, self._left.append)",
        "at, self._rescue)",
        ("tests/unit/client/workspace/test_multi_sync.py",),
    ),
    Break(
        "pace: the work for nobody is done before its turn",
        "api/app.py",
        "                if is_of_nobody(scope, app.callers.cookie.name):\n",
        "                if is_of_nobody(scope, app.callers.cookie.name) and False:\n",
        SHARES,
    ),
    Break(
        "pace: who asks for what everybody may see is looked up",
        "api/authentication/nobody.py",
        "return path in _OPEN or path.startswith(_OPEN_ROOTS) or not ",
        "return not ",
        SHARES,
    ),
    Break(
        "pace: requests whose token is not known are not held back",
        "api/app.py",
        "await take_nobodys_turn()  # its token is not known",
        "pass",
        SHARES,
    ),
    Break(
        "mongodb: a member that has just started is a fault of ours",
        "shared/adapters/mongodb/faults.py",
        "    if type(error) is ConfigurationError:",
        "    if type(error) is int:",
        ("tests/unit/test_driver_errors.py",),
    ),
    Break(
        "those that wait are let go together",
        "api/limits/pace.py",
        "max(self._turns[space], now) + count / self._rates[space]",
        "now + count / self._rates[space]",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "two who flood together are not paced",
        "api/limits/pace.py",
        "return mine > _MANY and any(",
        "return 2 * mine > self._counts.total() + self._before.total() and any(",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "pace: what other processes are asked for is not heard",
        "api/limits/pace.py",
        "self._elsewhere, self._heard_at = asked_elsewhere, now",
        "self._elsewhere, self._heard_at = {}, now",
        ("tests/unit/api/test_share_exchange.py",),
    ),
    Break(
        "who floods is let go at once when the process is in time again",
        "api/limits/pace.py",
        "self._rates[space] *= _FASTER",
        "self._rates[space] = 1e9",
        ("tests/unit/api/test_bounds.py",),
    ),
    Break(
        "an export of everything outlives its session",
        "api/access/callers.py",
        "return user is not None and user.state is AccountState.ACTIVE",
        "return True",
        PEOPLE,
    ),
    Break(
        "a space has invitations without end",
        "api/access/spaces.py",
        " for one in listed) >= MOST_INVITATIONS:",
        " for one in listed) >= 10**9:",
        PEOPLE,
    ),
    Break(
        "a user has sessions without end",
        "api/access/sign_in.py",
        "[:-MOST_SESSIONS]",
        "[:0]",
        PEOPLE,
    ),
    Break(
        "a space that floods does not rest",
        "worker/shares.py",
        "return min(seconds, _MAX_REST_SECONDS)",
        "return 0.0",
        ("tests/unit/worker/test_shares.py",),
    ),
    Break(
        "a token has a batch of each of its spaces decided at a time",
        "worker/shares.py",
        "not self._under_way[sender] or self",
        "True or self",
        ("tests/unit/worker/test_shares.py",),
    ),
    Break(
        "a token that asks several workers is soon forgotten by each",
        "worker/shares.py",
        "TimeShares(clock(), window=_SENDERS_WINDOW_SECONDS)",
        "TimeShares(clock())",
        ("tests/unit/worker/test_shares.py",),
    ),
    Break(
        "a token with many spaces does not rest",
        "worker/shares.py",
        "return min(rests, default=0.0)",
        "return 0.0 * min(rests, default=0.0)",
        ("tests/unit/worker/test_shares.py",),
    ),
    Break(
        "workers do not ask whose turn it is",
        "worker/tasks/resolve.py",
        "        async with self._turns.turn(senders):",
        "        async with self._turns.turn({}):",
        ("tests/unit/worker/test_drain.py",),
    ),
)


def text_with(broken: Break, root: Path) -> str:
    """The file's text with the break in it. ValueError if it does not apply any more."""
    text = (root / broken.file).read_text()
    if text.count(broken.old) != 1:
        raise ValueError(f"{broken.name}: the text stands {text.count(broken.old)} times in {broken.file}")
    return text.replace(broken.old, broken.new)


def groups(breaks: Iterable[Break]) -> list[tuple[tuple[str, ...], list[Break]]]:
    """The breaks by their tests, which need not pass more than once without any; the cheap ones first."""
    by_tests: dict[tuple[str, ...], list[Break]] = {}
    for broken in breaks:
        by_tests.setdefault(broken.tests, []).append(broken)
    return sorted(by_tests.items(), key=lambda group: (max(map(_cost, group[0])), group[0]))


def _cost(test: str) -> int:
    return next((place for place, part in enumerate(CHEAP_FIRST) if test.startswith(part)), len(CHEAP_FIRST))


def copied(root: Path) -> None:
    """The project, into `root`."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns(*MADE))
        else:
            shutil.copy(source, root / part)


def count_unnoticed(tests: tuple[str, ...], breaks: Sequence[Break], root: Path) -> int:
    """How many of these breaks, one at a time in the copy in `root`, no test notices; all of them if the tests fail
    without any."""
    if not _passes(tests, root):
        print(f"FAILS WITHOUT A BREAK: {' '.join(tests)}", flush=True)
        return len(breaks)
    unnoticed = 0
    for broken in breaks:
        path, whole = root / broken.file, (root / broken.file).read_text()
        path.write_text(text_with(broken, root))
        started = time.monotonic()
        noticed = not _passes(tests, root)
        path.write_text(whole)
        unnoticed += not noticed
        word = "noticed" if noticed else "NOT NOTICED"
        print(f"{word:<12} {time.monotonic() - started:5.1f} s  {broken.name}", flush=True)
    return unnoticed


def _passes(tests: tuple[str, ...], root: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=fails"]
    # Examples that Hypothesis found for one break must not be tried first for the next.
    environment = {**os.environ, "PYTHONPATH": str(root), "HYPOTHESIS_STORAGE_DIRECTORY": str(root / ".examples")}
    done = subprocess.run([*command, *tests], cwd=root, env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
    shutil.rmtree(root / ".examples", ignore_errors=True)
    return done.returncode == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="those whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="say which there are")
    options = parser.parse_args(arguments)
    chosen = [b for b in BREAKS if not options.only or any(word in b.name for word in options.only)]
    if options.list:
        print(*(f"{b.name}  ({b.file})" for b in chosen), sep="\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copied(root)
        unnoticed = sum(count_unnoticed(tests, breaks, root) for tests, breaks in groups(chosen))
    print(f"{len(chosen) - unnoticed} of {len(chosen)} breaks were noticed.")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
