"""What every command about several tasks does first: read them, and name what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from client.commands.session import Session
from client.folder.task_folder import FileProblem
from client.screen import SHOWN, Screen, plain, tasks
from client.tasks.listed import numbers
from client.tasks.urgency import COEFFICIENTS, urgency
from client.tasks.view import View
from shared.core.identifiers import Body, DocumentId

if TYPE_CHECKING:
    from client.tasks.modifications import Modification


class AllTasks(NamedTuple):
    """All tasks of the folder, with what repeats made, and the view on them."""

    bodies: Mapping[DocumentId, Body]
    view: View
    problems: tuple[FileProblem, ...]
    coefficients: Mapping[str, float]

    @property
    def files(self) -> set[DocumentId]:
        """Of all tasks, those whose files cannot be read too."""
        return {*self.bodies, *(problem.document for problem in self.problems if problem.document is not None)}

    def urgency(self, body: Body) -> float:
        return urgency(body, self.view, self.coefficients)


def load_all(session: Session, screen: Screen) -> AllTasks:
    """Raises FolderError."""
    seen = session.tasks.all()
    if created := session.tasks.make_occurrences(seen.bodies):
        screen.say(
            f"Created {tasks(len(created))} from {'a repeating task' if len(created) == 1 else 'repeating tasks'}."
        )
    bodies = {**seen.bodies, **{DocumentId(body["id"]): body for body in created}}
    return all_tasks_of(session, bodies, seen.problems)


def all_tasks_of(session: Session, bodies: Mapping[DocumentId, Body], problems: tuple[FileProblem, ...]) -> AllTasks:
    """What was read, with the view on it."""
    coefficients = {**COEFFICIENTS, **session.profile.urgency}
    values = session.profile.values
    view = View.of(
        bodies.values(), session.now, numbers(session.folder.state), values=values, coefficients=coefficients
    )
    return AllTasks(bodies, view, problems, coefficients)


def change_of(session: Session, screen: Screen, words: Sequence[str]) -> tuple[Modification, View]:
    """What words do to a task, and the view that they were read by. Raises WordError, NoMomentError, FolderError.

    Which fields and tags are in use may be as of the last listing, as long as the words are understood; what depends
    on what may not."""
    from client.tasks.modifications import modification_of  # noqa: PLC0415  what lists tasks changes none
    from client.tasks.words import WordError  # noqa: PLC0415  likewise

    if not any(word.startswith("dep") for word in words):
        bodies = session.tasks.recalled().values()
        view = View.of(bodies, session.now, numbers(session.folder.state), values=session.profile.values)
        with suppress(WordError):
            return modification_of(words, session.now, view), view
    view = load_all(session, screen).view
    return modification_of(words, session.now, view), view


def say_problems(screen: Screen, problems: Sequence[FileProblem]) -> None:
    """Files that are left alone are named, wherever tasks are listed."""
    for problem in problems[:SHOWN]:
        screen.say(plain(f"Left alone: {problem.name}: {problem.sentence}"))
    if (more := len(problems) - SHOWN) > 0:
        screen.say(f"... and {more} more files; --json has all of them")


def problem_rows(problems: Sequence[FileProblem]) -> list[dict[str, Any]]:
    return [{"file": p.name, "code": p.code, "detail": p.sentence} for p in problems]
