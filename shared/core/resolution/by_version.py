"""A state that comes with its version: what it contains is known, whatever upstream brought it.

    the head contains it                the client is behind: the head is answered
    it contains the head                it supersedes the head
    the same version, another content   both contain the same edits: the greater content hash stands, everywhere
    each contains what the other lacks  a three-way merge; its bases are the newest states known that both contain,
                                        stored ones and those that the client sends along (`ancestors`)

The result contains what both contain, and counts as no edit of this upstream: the same merge made at two of them has
the same version. So versions only grow, and what has equal versions is decided by its hash: it settles.

Laws (tests/unit/core/test_by_version.py):
    a state that was sent before changes nothing
    whatever order states come in, at any number of upstreams, they end with the same content and version
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT, Conflict
from shared.core.resolution.base_selection import EMPTY, Basis, by_content
from shared.core.resolution.context import Decision, Outcome, Refusal
from shared.core.resolution.known_states import contained_states, head_version
from shared.core.resolution.states import is_tombstone, last_body, same_content
from shared.core.version_vectors import Version, bounded, equal, includes, join, maximal, meet

if TYPE_CHECKING:
    from shared.core.resolution.resolve import Case


def decide_by_version(case: Case, version: Version) -> Decision | Refusal:
    """Instead of all rows."""
    return _ByVersion(case, version).decide()


class _ByVersion:
    def __init__(self, case: Case, version: Version) -> None:
        self.case = case
        self.look = case.look
        self.look.sequences_count = False
        self.lineage = self.look.lineage()
        self.sent = self.lineage.closed(version)
        self.held = head_version(self.look)
        self.joined = bounded(join(self.held, self.sent), self.lineage.sources())

    def decide(self) -> Decision | Refusal:
        case, state = self.case, self.case.request.client_state
        if state is None:
            return replace(case.answer_head("1 null"), version=self.held)
        found = self.dead(last_body(state)) if is_tombstone(state) else self.live(state)
        return found if isinstance(found, Refusal) else self.marked(found)

    @property
    def supersedes(self) -> bool:
        """Whether the state contains the head; a base that is the head says so, too."""
        return includes(self.sent, self.held) or self.case.request.base == self.case.head.rev

    def live(self, state: Body) -> Decision | Refusal:
        case, head = self.case, self.case.head
        if not self.look.exists:
            return case.write(state, Outcome.APPLIED, "new")
        if head.body is not None and head.hash == case.request.hash:
            return case.answer_head("2 equal")
        if equal(self.held, self.sent):
            if head.body is None or (case.request.hash or "") > head.hash:
                return case.write(state, Outcome.MERGED, "14 the same edits: the greater hash")
            return case.answer_head("14 the same edits: the greater hash")
        if includes(self.held, self.sent):
            return case.answer_head("14 behind")
        if self.supersedes:
            outcome = Outcome.RESURRECTED if head.body is None else Outcome.FAST_FORWARD
            return case.write(state, outcome, "14 contains the head")
        bases = self.bases()
        if isinstance(bases, Refusal):
            return bases
        basis = Basis("14 merged by versions", bases) if bases else by_content(self.look, state, case.request.hash)
        return case.compare(state, basis)

    def dead(self, inside: Body | None) -> Decision | Refusal:
        case, live = self.case, self.case.head.body
        if not self.look.exists:
            return case.bury_unknown(inside)
        if live is None:
            return case.answer_head("deleted already")
        if includes(self.held, self.sent):
            return case.answer_head("14 behind")
        if self.supersedes:
            return case.delete("14 contains the head")
        bases = self.bases()
        if isinstance(bases, Refusal):
            return bases
        if any(same_content(body, live) for body in (*bases, *([inside] if inside is not None else []))):
            return case.delete("14 the head is as a base")
        if case.policies.scope().delete_wins:
            conflict = Conflict("", ABSENT, live, "delete-wins")
            return replace(case.delete("delete: delete-wins"), conflicts=(conflict,))
        return case.edit_wins(inside)

    def bases(self) -> tuple[Body, ...] | Refusal:
        """The newest states known that both contain; a Refusal if the client may know newer ones."""
        request = self.case.request
        known: list[tuple[Version, Body]] = [
            (version, stored.body if stored.body is not None else EMPTY)
            for version, stored in contained_states(self.look, self.sent)
        ]
        if request.ancestors is None:
            both = meet(self.held, self.sent)
            if not any(includes(version, both) for version, _ in known):
                return Refusal("base-unknown", "9 ancestors unknown")
        for ancestor in request.ancestors or ():
            version = self.lineage.closed(ancestor.version)
            if includes(self.held, version):
                known.append((version, ancestor.state if ancestor.state is not None else EMPTY))
        return tuple(body for _, body in maximal(known))

    def marked(self, decision: Decision) -> Decision:
        """With what the result contains."""
        decision = replace(decision, pair=None, device=None, token_shared=False, version=self.joined)
        if decision.revision is not None:
            revision = replace(decision.revision, version=self.joined, numbered=False, pairs=())
            return replace(decision, revision=revision)
        if self.look.exists and not includes(self.held, self.joined):
            return replace(decision, grown=self.joined)
        return decision
