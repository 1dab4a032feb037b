"""The judge: what became of every edit of a run.

An edit is *kept* if the last state of the document shows its effect. If not, exactly these are no loss:
    superseded   another edit, which reached the server or is by the same user, changed that place (or removed
                 something around it, or deleted the document) in a copy that showed the effect: somebody saw
                 it and decided otherwise. (That other edit is judged as well.)
    recorded     the server, or a client that merged an answer with edits made meanwhile, recorded a conflict
                 that names the place and the dropped value, the dropped value was then in the revisions, and
                 the value that was kept comes from an edit whose author had not seen the loser, nor the
                 loser's author it.
    made twice   somebody made the same edit without knowing, or the same user once more, the two met (both had
                 reached the server, or the client had merged an answer that showed the other one with its
                 own), and then the other one was superseded, or dropped in a conflict that was recorded:
                 equal values are one to everything that merges states.
    taken back   it puts the place back to what its client last sent or was answered, which is on the server,
                 and nothing of what was there in between reached the server before it: no state that the
                 server could get shows that there was an edit. What its client sent in between counts only if
                 a request that shows it reached the server, be it late. (A client that was put back to a backup is
                 another one since.)
    made again   it is in a backup that was put back and had not been sent when that was made. Its client
                 makes it again, as far as anybody can tell; nothing is owed to it, but it may supersede what
                 its client did there since, and what it superseded the first time.
    never left   its client was put back to a backup before any request that carried it reached the server; or the
                 server was put back, and no device has seen it any more.
    undecided    a conflict names it as dropped and says that the store was put back and has lost what would tell; or
                 one names it that was decided against a value in its place which only stands for that reason.
                 These are counted by themselves.
Every other edit that is not shown is lost, whether a merge, a deletion or a crash took it. It is lost *silently* if
no conflict names the place and the dropped value; else it can be read and brought back, but it is lost all the same:
what was kept was no edit of somebody who had not seen it. A conflict counts for the edits in the states that
it was between, and for no others that have the same effect, but for removals in an object that came back. One that
was recorded with the head counts for what meets that head later, and one that was recorded for a request for an equal
one of the same client: for the server it is the same request, once more.
An edit is not lost *silently* if nothing shows that it was lost: a client that had seen it was put back to a backup
without it, and what this client sends at the place since then was in no state that the server had before the edit
came. It cannot be told from an edit of a client that had seen it.

A removal that is undone is fine only if an edit in or at the removed place, made by somebody who had not seen
the removal and not seen by the remover, or made knowing the removal, is shown or superseded; or if the place
lies in an object that was removed before and came back whole, with an edit in it that won over that removal.
A deletion is judged in the same way; if it was in force on the server before, the document *came back*, if it
never was it was *refused*.

"Has seen" follows the copies: a client has seen the edits of the states that it applied, and its own; of a
document that is gone it has seen that it was deleted, and nothing of what was in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT
from shared.core.resolution.doubts import PUT_BACK
from shared.core.resolution.states import is_tombstone, last_body
from tests.convergence.documents import Effect, Place, is_shown, shown

Seen = frozenset[int]


class Request(NamedTuple):
    """One that reached the server."""

    client: int
    seen: Seen
    """What its sender had seen."""
    state: Body | None
    """Live, the last body of a tombstone, or nothing: it tells nothing of what its client had."""
    answer: Body | None


class TakenBack(NamedTuple):
    """What an edit puts back."""

    since: tuple[int, ...]
    """Edits of its own client there since the state that it puts the place back to."""
    to: tuple[int, ...]
    """The edits that this state shows there."""


@dataclass(slots=True)
class Edit:
    """One effect that one user wanted."""

    serial: int
    client: int
    effect: Effect
    seen: Seen
    takes_back: tuple[TakenBack, ...] = ()
    """The last state that its client sent, if it puts the place back to that,"""
    takes_back_unsent: tuple[TakenBack, ...] = ()
    """and the last that it was answered."""
    superseded_by: list[int] = field(default_factory=list)
    arrived: int = 0
    """The number of the request that brought it to the server first; 0: none did."""
    brought_back: int = 0
    """Likewise, since the server was put back to before it."""
    erased: bool = False
    """Its client was put back to a state without it."""
    unseen_by: set[int] = field(default_factory=set)
    """Clients that had seen it and were put back to a state without it."""
    in_force: bool = False
    """Of a deletion: the server had the document as deleted after it arrived."""
    recorded: bool = False
    recorded_by: list[int] = field(default_factory=list)
    """The edits that a conflict kept instead."""
    named: bool = False
    """A conflict names it as dropped, whatever it kept."""
    undecided: bool = False
    """A conflict names it as dropped that says that the store has lost what would tell."""
    again: bool = False
    past: bool = False
    """Its client was put back to a backup since."""
    met: tuple[int, ...] = ()
    """Equal edits that an answer showed which its client merged with it."""


@dataclass(slots=True)
class Verdict:
    """Counts over a run; all but `edits` and `recorded` should be zero."""

    edits: int = 0
    lost: int = 0
    silent: int = 0
    """Of those that are lost, removals undone, and deletions refused or come back: in no recorded conflict."""
    undone: int = 0
    back: int = 0
    refused: int = 0
    diverged: int = 0
    loops: int = 0
    repeats: int = 0
    recorded: int = 0
    undecided: int = 0
    """Neither lost nor undone, because a conflict says that it may be: the store has lost what would tell."""
    unread: int = 0
    """Recorded conflicts whose dropped value was in no stored state."""
    details: list[str] = field(default_factory=list)


def overlap(a: Place, b: Place) -> bool:
    """Whether one place is the other or lies within it."""
    n = min(len(a), len(b))
    return a[:n] == b[:n]


class Ledger:
    """All edits of a run."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.server_seen: Seen = frozenset()
        self.unread = 0
        self.requests: list[Request] = []
        """All that reached the server."""

    def made(
        self,
        client: int,
        effect: Effect,
        seen: Seen,
        *,
        before: Body | None,
        after: Body | None,
        agreed: tuple[Body | None, Seen],
        answered: tuple[Body | None, Seen],
    ) -> int:
        """A user edits: enters it, and marks what it supersedes.

        `agreed`: the last state that the client sent or was answered, and what it showed. `answered`: the last that
        it was answered.
        """
        edit = Edit(len(self.edits), client, effect, seen)
        edit.takes_back = self._takes_back(edit, *agreed)
        edit.takes_back_unsent = self._takes_back(edit, *answered)
        for serial in seen:
            other = self.edits[serial]
            place, within = effect[0], other.effect[0]
            covered = effect[1] is ABSENT and len(within) > len(place) and overlap(place, within)
            if is_shown(before, other.effect) and (covered or not is_shown(after, other.effect)):
                other.superseded_by.append(edit.serial)
        self.edits.append(edit)
        return edit.serial

    def _takes_back(self, edit: Edit, state: Body | None, shows: Seen) -> tuple[TakenBack, ...]:
        if not is_shown(state, edit.effect):
            return ()
        since = (
            s
            for s in edit.seen - shows
            if self.edits[s].client == edit.client
            and not self.edits[s].past
            and overlap(self.edits[s].effect[0], edit.effect[0])
        )
        return (TakenBack(tuple(since), tuple(s for s in shows if self.edits[s].effect == edit.effect)),)

    def made_again(self, client: int, doc: Body | None, seen: Seen, agreed_seen: Seen) -> Seen:
        """A backup was put back: what it shows and had not sent is made again. Returns what is seen then."""
        unsent = [self.edits[s] for s in sorted(seen - agreed_seen) if self.edits[s].client == client]
        before = self.edits[:]
        for edit in before:
            edit.past = edit.past or edit.client == client
        new = []
        for first in unsent:
            if not is_shown(doc, first.effect):
                continue
            again = Edit(len(self.edits), client, first.effect, seen, again=True)
            self.edits.append(again)
            new.append(again)
            for edit in before:
                own = edit.client == client and overlap(edit.effect[0], again.effect[0])
                if (own and edit.effect != again.effect) or first.serial in edit.superseded_by:
                    edit.superseded_by.append(again.serial)
        return seen | {edit.serial for edit in new}

    def applied(self, client: int, doc: Body | None, server: Body | None, shows: Seen) -> None:
        """A client that showed `doc` merges an answer with it."""
        for edit in self.edits:
            own = edit.client == client and edit.serial not in shows
            if own and is_shown(doc, edit.effect) and server is not None and is_shown(server, edit.effect):
                edit.met += tuple(s for s in shows if self._equal(edit, self.edits[s]))

    @staticmethod
    def _equal(a: Edit, b: Edit) -> bool:
        return a.effect == b.effect and type(a.effect[1]) is type(b.effect[1])

    def received(self, client: int, seen: Seen, state: Body | None, answer: Body | None) -> Seen:
        """A request with this state reached the server, which has `answer` then. Returns what that shows."""
        if state is not None and is_tombstone(state):
            state = last_body(state)
        self.requests.append(Request(client, seen, state, answer))
        for serial in seen:
            edit = self.edits[serial]
            edit.arrived = edit.arrived or len(self.requests)
            edit.brought_back = edit.brought_back or (0 if serial in self.server_seen else len(self.requests))
            if answer is None and edit.effect == ((), ABSENT):
                edit.in_force = True
        self.server_seen |= seen
        return self.server_seen

    def put_back(self, seen: Seen, devices: Iterable[Seen]) -> None:
        """The server was put back to where it had seen `seen`. `devices`: what each has seen."""
        lost = self.server_seen - seen
        self.server_seen = seen
        for serial in lost - frozenset().union(*devices):
            self.edits[serial].erased, self.edits[serial].arrived = True, 0
        for serial in lost:
            edit = self.edits[serial]
            edit.brought_back = 0

    def conflict(
        self,
        path: str,
        kept: Any,
        dropped: Any,
        *,
        known: Seen,
        result: Body | None,
        stored: Iterable[Body] | None,
        rule: str = "",
    ) -> None:
        """A conflict was recorded, its path leading into `result`.

        `known`: the edits in the states that it is between. `stored`: all states that can be read; None: not known.
        """
        place = tuple(path.split("/")[1:])
        if place == ("tags", "-"):  # one member of the set
            place = ("tags", kept if dropped is ABSENT else dropped)
        if len(place) > 1 and place[0] == "steps" and place[1].isdigit() and result is not None:
            place = ("steps", result["steps"][int(place[1])]["id"], *place[2:])
        for edit in self.edits:
            came_back_around = dropped is ABSENT and len(place) < len(edit.effect[0])
            if edit.recorded or not _names(place, dropped, edit.effect):
                continue
            if edit.serial not in known and not came_back_around:
                continue
            readable = stored is None or edit.effect[1] is ABSENT
            if not readable and not any(is_shown(b, edit.effect) for b in stored or ()):
                self.unread += 1
                continue
            edit.recorded_by = self._winners(edit, place, kept)
            edit.recorded = bool(edit.recorded_by)
            edit.named = True
            edit.undecided = edit.undecided or rule == PUT_BACK

    def _winners(self, loser: Edit, place: Place, kept: Any) -> list[int]:
        return [
            winner.serial
            for winner in self.edits
            if loser.serial not in winner.seen
            and winner.serial not in loser.seen
            and winner is not loser
            and overlap(winner.effect[0], loser.effect[0])
            and (
                _names(place, kept, winner.effect)
                or isinstance(kept, dict | list)
                or (kept is ABSENT is winner.effect[1] and len(winner.effect[0]) < len(place))
            )
        ]

    def deletions(self, seen: Seen) -> Seen:
        """Those of the edits that deleted the document."""
        return frozenset(serial for serial in seen if self.edits[serial].effect == ((), ABSENT))

    def judge(self, final: Body | None) -> Verdict:
        """What became of each edit, given the last state of the document."""
        verdict = Verdict(edits=len(self.edits), unread=self.unread)
        for edit in self.edits:
            verdict.recorded += edit.recorded
            if is_shown(final, edit.effect) or self._superseded(edit) or edit.recorded:
                continue
            if edit.again or (edit.erased and not edit.arrived):
                continue
            if self._taken_back(edit) or self._made_twice(edit):
                continue
            undecided = edit.undecided or (edit.named and self._follows_undecided(edit))
            if edit.effect[1] is not ABSENT:
                verdict.lost += not undecided
            elif self._overruled(edit, final):
                continue
            elif undecided:
                pass
            elif edit.effect[0] == ():
                verdict.back += edit.in_force
                verdict.refused += not edit.in_force
            else:
                verdict.undone += 1
            verdict.undecided += undecided
            known = edit.named or self._is_put_back_unnoticed(edit)
            verdict.silent += not known
            silently = "" if known else ", silently"
            verdict.details.append(f"{edit.effect} of client {edit.client} (edit {edit.serial}){silently}")
        return verdict

    def _follows_undecided(self, edit: Edit) -> bool:
        return any(
            other.undecided and overlap(other.effect[0], edit.effect[0]) for other in self.edits if other is not edit
        )

    def _superseded(self, edit: Edit) -> bool:
        return any(
            other.arrived or (other.client == edit.client and not other.erased)
            for other in map(self.edits.__getitem__, edit.superseded_by)
        )

    def _is_put_back_unnoticed(self, edit: Edit) -> bool:
        place = edit.effect[0]
        before, after = self.requests[: edit.arrived], self.requests[edit.arrived :]
        states = [state for one in before for state in (one.state, one.answer) if not is_shown(state, edit.effect)]
        for one in after if edit.arrived else ():
            if one.client not in edit.unseen_by or edit.serial in one.seen or is_shown(one.state, edit.effect):
                continue
            now = (place, shown(one.state, place))
            return one.state is None or not any(state is not None and is_shown(state, now) for state in states)
        return False

    def _taken_back(self, edit: Edit) -> bool:
        unsent = (
            one for one in edit.takes_back_unsent if not any(self._was_shown(self.edits[s], edit) for s in one.since)
        )
        return any(self._is_taken_back(edit, one) for one in (*edit.takes_back, *unsent))

    def _was_shown(self, edit: Edit, taken_back_by: Edit) -> bool:
        """Whether the server got a state with it that is from before it was taken back."""
        return any(
            edit.serial in one.seen and taken_back_by.serial not in one.seen and is_shown(one.state, edit.effect)
            for one in self.requests
        )

    def _is_taken_back(self, edit: Edit, one: TakenBack) -> bool:
        there = [self.edits[s].arrived for s in one.to]
        return (
            bool(one.since)
            and all(self.edits[s].arrived in {0, edit.arrived} for s in one.since)
            and (not there or any(a and (a < edit.arrived or not edit.arrived) for a in there))
        )

    @staticmethod
    def _arrived_after(edit: Edit, other: Edit) -> bool:
        return max(other.arrived, other.brought_back) > edit.arrived

    def _made_twice(self, edit: Edit, known: Seen = frozenset()) -> bool:
        known |= {edit.serial}
        for other in self.edits:
            if not self._equal(edit, other):
                continue
            beaten_by = (*other.superseded_by, *other.recorded_by)
            if edit.arrived and any(self._arrived_after(edit, self.edits[serial]) for serial in beaten_by):
                return True
            if other.serial in edit.met and (
                beaten_by or (other.serial not in known and self._made_twice(other, known))
            ):
                return True
        return False

    def _overruled(self, removal: Edit, final: Body | None) -> bool:
        return any(
            edit.serial not in removal.seen
            and edit.arrived
            and (edit.effect[1] is not ABSENT or (removal.effect[0] == () != edit.effect[0]))
            and overlap(edit.effect[0], removal.effect[0])
            and (is_shown(final, edit.effect) or self._superseded(edit) or edit.recorded)
            for edit in self.edits
        ) or any(self._came_back_whole(self.edits[serial], removal) for serial in removal.seen)

    def _came_back_whole(self, outer: Edit, removal: Edit) -> bool:
        place, within = outer.effect[0], removal.effect[0]
        return (
            outer.effect[1] is ABSENT
            and 0 < len(place) < len(within)
            and overlap(place, within)
            and any(
                edit.serial not in outer.seen
                and outer.serial not in edit.seen
                and edit.arrived
                and len(edit.effect[0]) > len(place)
                and overlap(edit.effect[0], place)
                for edit in self.edits
            )
        )


def _names(place: Place, value: Any, effect: Effect) -> bool:
    """Whether a conflict at `place` over `value` is about the effect."""
    where, wanted = effect
    if place and place[0] == "steps" and len(place) > 1:
        if len(where) < 2 or where[0] != "steps":
            return False
        named = place[1].removeprefix("id=")
        place = ("steps", where[1] if named == "-" else named, *place[2:])
    if place != where[: len(place)]:
        return False
    if value is ABSENT:
        return wanted is ABSENT
    if place == where:
        if len(where) == 2 and where[0] in {"steps", "tags"}:
            return wanted is True
        if where == ("meta",):
            return wanted is True
        return type(value) is type(wanted) and bool(value == wanted)
    if len(place) == 2 and where[0] == "steps" and isinstance(value, dict):
        return value.get("id") == where[1] and is_shown({"steps": [value]}, effect)
    wrapped: Any = value
    for key in reversed(place):
        wrapped = {key: wrapped}
    return isinstance(wrapped, dict) and shown(wrapped, where) is not ABSENT and is_shown(wrapped, effect)
