"""One run: a schedule, which is data, acted out against a server; then quiet, and the verdict.

Every step of a schedule means something whatever came before it, so that any part of one is a schedule too
and a failing one can be made small.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT
from shared.core.resolution.states import DELETED_KEY
from tests.convergence import documents
from tests.convergence.clients import KINDS, Client, Pending, live
from tests.convergence.ledger import Ledger, Seen, Verdict
from tests.convergence.servers import Answer, Request, Server

Step = tuple[Any, ...]

POPULATIONS: dict[str, tuple[str, ...]] = {
    "unknown": ("unknown",),
    "token": ("token",),
    "base": ("base",),
    "mixed": ("unknown", "token", "base"),
    "plain": ("plain",),
    "shared": ("shared",),
    "sparse": ("sparse", "sparse", "base"),
    "restored": ("base",),
}
"""Kinds of clients in a run. `shared`: v1.0 clients that use one token, which claims to be one device's.
`sparse`: most of them drop lists that become empty. `restored`: the server is put back to earlier moments."""
WITH_BASE = frozenset({"base", "plain", "sparse"})
PASSES = 2
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that a run depends on."""

    seed: int
    population: str
    kinds: tuple[str, ...]
    skews: tuple[float, ...]
    has_clock: bool
    horizon: float
    """Seconds for which superseded bodies are kept when the server prunes."""
    twins: bool
    """Two clients made the document independently."""
    steps: tuple[Step, ...]


def make_schedule(seed: int, population: str) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(f"{population}/{seed}")
    clients = rng.choice((2, 2, 3, 3, 4))
    if population == "restored":
        clients = max(clients, 3)
    choice = POPULATIONS[population]
    kinds = tuple(rng.choice(choice) for _ in range(clients))
    steps: list[Step] = []
    serial = 0
    for _ in range(rng.randrange(90, 130)):
        kind = rng.choices(
            (
                "edit",
                "step",
                "deliver",
                "sync",
                "drop",
                "copy",
                "crash",
                "offline",
                "online",
                "backup",
                "restore",
                "prune",
                "burst",
            ),
            (26, 22, 30, 10, 5, 5, 4, 3, 5, 2, 1, 1, 2),
        )[0]
        who = rng.randrange(clients)
        if kind == "edit":
            serial += 1
            steps.append(("edit", who, documents.random_intent(rng, serial)))
        elif kind == "burst":
            for _ in range(rng.randrange(2, 5)):
                serial += 1
                steps.append(("edit", who, documents.random_intent(rng, serial)))
        else:
            steps.append((kind, who, rng.randrange(1 << 20)))
    if rng.random() < 0.8:
        steps = [step for step in steps if step[0] not in {"backup", "restore"}]
    backups = any(step[0] == "restore" for step in steps)
    if population == "restored":
        steps = _with_restores(steps, rng)
    skew = rng.choice((0.0, 90.0, 7200.0))
    skews = tuple(rng.choice((0.0, 0.0, skew, -skew, 3 * 86400.0)) for _ in range(clients))
    return Schedule(
        seed=seed,
        population=population,
        kinds=kinds,
        skews=skews,
        has_clock=rng.random() < 0.75,
        horizon=rng.choice((120.0, 600.0)) if WITH_BASE.issuperset(kinds) and not backups else 86_400.0,
        twins=rng.random() < 0.1 and WITH_BASE.issuperset(kinds),
        steps=tuple(steps),
    )


def _with_restores(steps: list[Step], rng: random.Random) -> list[Step]:
    """The steps with a server that is put back to an earlier moment once to three times, and without clients that are
    put back. Somebody else may write other documents right afterwards."""
    steps = [step for step in steps if step[0] not in {"backup", "restore"}]
    for _ in range(rng.choice((1, 1, 2, 3))):
        saved, put_back = sorted(rng.sample(range(len(steps) + 1), 2))
        after: list[Step] = [("put back", 0, rng.randrange(1 << 20))]
        if rng.random() < 0.5:
            after.append(("others", 0, rng.choice((1, 3, 30))))
        if rng.random() < 0.3:
            after += [("sync", rng.randrange(4), 0) for _ in range(rng.randrange(1, 4))]
        steps[put_back:put_back] = after
        steps.insert(saved, ("save", 0, 0))
    return steps


@dataclass(slots=True)
class Message:
    """In flight. `answer` is None on the way to the server."""

    client: Client
    sent: Pending | None
    request: Request | None
    answer: Any = None
    shows: Seen = frozenset()
    attempt: int = 0


class Run:
    """The world of one schedule."""

    def __init__(
        self,
        schedule: Schedule,
        server: Server,
        document: str = "pb67wndxge8293xd",
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.schedule = schedule
        self.server = server
        self.document = document
        self.trace = trace
        self.ledger = Ledger()
        self.flying: list[Message] = []
        self.clients = [self._client(i, kind) for i, kind in enumerate(schedule.kinds)]
        self.attempts = [0] * len(self.clients)
        self.waiting: list[bool] = [False] * len(self.clients)
        self.received: set[str] = set()
        self.repeats = 0
        self.recorded: dict[str, list[tuple[dict[str, Any], Body | None]]] = {}
        """The conflicts that were recorded for each request and with each head, and the state that was answered."""
        self.saved: list[Callable[[], None]] = []
        """What puts the server, and what the judge knows of it, back."""
        self._create()

    def _client(self, number: int, kind: str) -> Client:
        device = {"unknown": None, "shared": f"{self.document}-all"}.get(kind, f"{self.document}-{number}")
        schedule = self.schedule
        return KINDS.get(kind, Client)(number, device, self.document, schedule.skews[number], schedule.has_clock)

    def _create(self) -> None:
        for client in self.clients[: 2 if self.schedule.twins else 1]:
            body = documents.new_document(self.document, random.Random(self.schedule.seed))
            if client.number:
                body = documents.put(body, ("title",), "made twice, here")
            self.user_edits(client, documents.whole(body), body)

    # Users

    def user_edits(self, client: Client, wanted: list[documents.Effect], after: Body | None) -> None:
        """The user of a client makes of the document what `after` is."""
        before = live(client.disk.doc)
        seen = client.disk.seen
        serials = []
        for effect in wanted:
            if effect[0] != ():
                was = documents.shown(before, effect[0])
                if before is not None and effect[0] != ("meta",) and (len(effect[0]) != 2 or effect[0][0] == "meta"):
                    client.undoable.append((effect[0], was))
            disk = client.disk
            serials.append(
                self.ledger.made(
                    client.number,
                    effect,
                    seen,
                    before=before,
                    after=live(after),
                    agreed=(disk.agreed, disk.agreed_seen),
                    answered=(disk.answered, disk.answered_seen),
                )
            )
        if after is not None:
            after = client.stamp(after, self.server.now())
        client.save(after, frozenset(serials))
        self.tell(lambda: f"client {client.number} edits {wanted}: {after}")

    def edit(self, client: Client, intent: tuple[Any, ...]) -> None:
        body = live(client.disk.doc)
        if intent[0] == "delete":
            if body is not None:
                inside = body if intent[2] % 2 else {"id": self.document}
                self.user_edits(client, [((), ABSENT)], {**inside, DELETED_KEY: True})
        elif intent[0] == "recreate":
            if body is None and client.disk.doc is None and client.sends_base and client.disk.base != "0":
                fresh = documents.new_document(self.document, random.Random(intent[2]))
                fresh["title"] = f"made again {intent[1]}"
                self.user_edits(client, documents.whole(fresh), fresh)
        elif body is not None:
            wanted = documents.effects(intent, body, client.undoable)
            after = body
            for place, value in wanted:
                after = documents.put(after, place, value)
            if client.drops_empty_lists:
                after = documents.without_empty_lists(after)
            if wanted:
                self.user_edits(client, wanted, after)

    # The network

    def act(self, step: Step) -> None:
        kind, who, detail = step
        client = self.clients[who % len(self.clients)]
        self.server.advance(7.0)
        if kind == "edit":
            self.edit(client, detail)
        elif kind == "step":
            self.next_step(client)
        elif kind == "sync":
            if client.online:
                self.sync(client)
        elif kind == "crash":
            self.give_up(client)
            client.crash()
        elif kind in {"online", "offline"}:
            client.online = kind == "online"
        elif kind == "backup":
            client.backup = client.disk
        elif kind == "restore":
            self.restore(client)
        elif kind in {"save", "put back", "others", "prune"}:
            self.act_at_server(kind, detail)
        elif self.flying:
            self.fly(kind, self.flying[detail % len(self.flying)])

    def act_at_server(self, kind: str, detail: int) -> None:
        if kind == "save":
            self.save()
        elif kind == "put back":
            if self.saved:
                self.saved[detail % len(self.saved)]()
        elif kind == "others":
            self.server.write_others(detail)
        else:
            self.server.prune(self.document, self.server.now() - self.schedule.horizon)

    def fly(self, kind: str, message: Message) -> None:
        if kind == "copy":
            self.flying.append(replace(message))
            return
        self.flying.remove(message)
        if kind == "deliver":
            self.deliver(message)

    def restore(self, client: Client) -> None:
        if client.backup is None:
            return
        had = client.disk.seen
        self.give_up(client)
        client.restore()
        gone = had - client.disk.seen
        for edit in self.ledger.edits:
            if edit.serial in gone:
                edit.unseen_by.add(client.number)
                edit.erased = edit.erased or edit.client == client.number
        disk = client.disk
        seen = self.ledger.made_again(client.number, live(disk.doc), disk.seen, disk.agreed_seen)
        client.disk = replace(disk, seen=seen)
        self.tell(lambda: f"client {client.number} is put back to {client.disk}")

    def save(self) -> None:
        """A copy of what the server stores."""
        server, seen, received = self.server.saved(), self.ledger.server_seen, set(self.received)
        recorded = {key: list(rows) for key, rows in self.recorded.items()}

        def put_back() -> None:
            server()
            self.received = set(received)
            self.recorded = {key: list(rows) for key, rows in recorded.items()}
            self.ledger.put_back(seen, [client.disk.seen for client in self.clients])
            self.tell(lambda: f"the server is put back to {self.head()}")

        self.saved.append(put_back)

    def give_up(self, client: Client) -> None:
        self.attempts[client.number] += 1
        self.waiting[client.number] = False

    def next_step(self, client: Client) -> None:
        """Ask for the map; a client with a base may send at once."""
        if not client.online:
            return
        self.give_up(client)
        if client.sends_base and client.differs("?"):
            self.send(client)
            return
        self.flying.append(Message(client, None, None, attempt=self.attempts[client.number]))

    def send(self, client: Client) -> None:
        sent, request = client.request()
        self.flying.append(Message(client, sent, request, attempt=self.attempts[client.number]))

    def deliver(self, message: Message) -> None:
        client = message.client
        if message.answer is None:
            self.at_server(message)
            self.flying.append(message)
            return
        current = message.attempt == self.attempts[client.number] or client.sends_base
        if not current or not client.online:
            return
        if message.sent is None:
            if message.attempt == self.attempts[client.number] and client.differs(message.answer.get(self.document)):
                self.send(client)
            return
        again = self.apply(client, message.sent, message.answer, message.shows)
        if again is not None:
            self.flying.append(Message(client, message.sent, again, attempt=self.attempts[client.number]))

    def at_server(self, message: Message) -> None:
        if message.sent is None:
            self.server.advance(0.01)
            message.answer = self.server.hashes(message.client.device)
        else:
            assert message.request is not None
            message.answer, message.shows = self.post(message.client, message.sent, message.request)

    def post(self, client: Client, sent: Pending, request: Request) -> tuple[Answer, Seen]:
        """The server handles a request."""
        self.tell(lambda: f"request of client {client.number}: {request}")
        self.server.advance(0.01)
        print_of = repr((client.number, sorted(sent.seen), sorted(request.items(), key=lambda item: item[0])))
        before = self.server.size(self.document) if print_of in self.received else None
        answer = self.server.post(client.device, self.document, request)
        if before is not None and "error" not in answer and self.server.size(self.document) != before:
            self.repeats += 1
            self.tell(lambda: "a repeat made something new")
        if "error" in answer:
            return answer, frozenset()
        if answer["rev"] != "0":  # what came before the document itself was not the same request
            self.received.add(print_of)
        shows = self.ledger.received(client.number, sent.seen, sent.state, answer["server_state"])
        self.conflicts(client, request, answer, sent.seen | shows)
        self.tell(lambda: f"answer: {answer}")
        return answer, shows

    def conflicts(self, client: Client, request: Request, answer: Answer, known: Seen) -> None:
        """Enter what was recorded. What was recorded with the head that stays counts for what meets it, and what was
        recorded for an equal request before counts for this one: for the server it is that one, once more."""
        equal = repr((client.device, [item for item in sorted(request.items(), key=str) if item[0] != "_edits"]))
        with_head, with_equal = (self.recorded.setdefault(key, []) for key in (answer["rev"], equal))
        for c, result in (*with_head, *with_equal):  # what they dropped could be read then
            self.conflict(c, known, result, None)
        result, stored = answer["server_state"], self.server.bodies(self.document)
        for c in answer.get("conflicts", ()):
            self.conflict(c, known, result, stored)
            with_head.append((c, result))
            with_equal.append((c, result))

    def conflict(self, c: dict[str, Any], known: Seen, result: Body | None, stored: Iterable[Body] | None) -> None:
        sides = {"known": known, "result": result, "stored": stored, "rule": c["rule"]}
        self.ledger.conflict(c["path"], c["kept"], c["dropped"], **sides)

    def apply(self, client: Client, sent: Pending, answer: Answer, shows: Seen) -> Request | None:
        before = client.disk
        if answer.get("server_state") is None and live(client.disk.doc) is not None:
            shows = self.ledger.deletions(shows)
        again = client.answered(sent, answer, shows)
        if client.disk is not before and "error" not in answer and before.doc != sent.state:
            self.ledger.applied(client.number, live(before.doc), answer["server_state"], shows)
        for c in client.conflicts:
            known, result = before.seen | shows, live(client.disk.doc)
            self.ledger.conflict(c.path, c.kept, c.dropped, known=known, result=result, stored=None, rule=c.rule)
        client.conflicts.clear()
        return again

    def sync(self, client: Client) -> int:
        """A client syncs, undisturbed, until it agrees; returns the rounds that it posted something in."""
        self.give_up(client)
        for done in range(ROUNDS + 1):
            self.server.advance(0.01)
            if not client.differs(self.server.hashes(client.device).get(self.document)):
                return done
            sent, request = client.request()
            answer, shows = self.post(client, sent, request)
            again = self.apply(client, sent, answer, shows)
            while again is not None:
                answer, shows = self.post(client, sent, again)
                if "error" in answer:
                    again = {**again, "base_state": None}
                    continue
                again = self.apply(client, sent, answer, shows)
        return ROUNDS + 1

    def tell(self, text: Callable[[], str]) -> None:
        if self.trace is not None:
            self.trace(text())

    # The end

    def run(self) -> Verdict:
        for step in self.schedule.steps:
            self.act(step)
        for client in self.clients:
            client.online = True
        while self.flying:
            self.deliver(self.flying.pop(0))
        self.tell(lambda: "quiet")
        loops = 0
        for _ in range(PASSES):
            loops += sum(self.sync(client) > ROUNDS for client in self.clients)
        diverged = 0
        size = self.server.size(self.document)
        for client in self.clients:
            if self.sync(client):
                diverged = 1
        if size is not None and self.server.size(self.document) != size:
            diverged = 1
        final = self.head()
        if any(live(client.disk.doc) != final for client in self.clients):
            diverged = 1
        verdict = self.ledger.judge(final)
        verdict.diverged = diverged
        verdict.loops = loops
        verdict.repeats = self.repeats
        return verdict

    def head(self) -> Body | None:
        """The document as somebody sees it who never sent anything."""
        found = self.server.post(None, self.document, {"client_state": None, "_edits": 0})["server_state"]
        return found if found is None else dict(found)
