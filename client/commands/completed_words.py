"""What the shell completes a word to: ids with what they are called, tags, fields and projects."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem

from client.commands.session import Session
from client.commands.task_words import title
from client.config.config_file import ConfigError, NoProfileError
from client.folder.body_cache import recalled
from client.folder.task_folder import FolderError
from client.tasks.view import tags_of
from client.tasks.virtual_tags import VIRTUAL_TAGS
from shared.core.display import is_shown
from shared.core.identifiers import Body, DocumentId


def known_ids(context: click.Context, incomplete: str) -> list[CompletionItem]:
    bodies = _bodies(context)
    return [CompletionItem(d, help=title(bodies[d])) for d in sorted(bodies) if d.startswith(incomplete)]


def known_words(context: click.Context, incomplete: str) -> list[CompletionItem]:
    known: set[str] = set()
    projects: set[str] = set()
    tags: set[str] = set()
    for body in _bodies(context).values():
        known.update(body)
        tags.update(tags_of(body))
        if isinstance(project := body.get("project"), str):
            projects.add(project)
    virtual = [tag for tag in VIRTUAL_TAGS if incomplete[1:2].isupper() or not tags]
    known = {f"{name}:" for name in known} | {f"project:{project}" for project in projects}
    known |= {f"{sign}{tag}" for tag in (*tags, *virtual) for sign in "+-"}
    return [CompletionItem(word) for word in sorted(known) if word.startswith(incomplete) and is_shown(word)]


def _bodies(context: click.Context) -> Mapping[DocumentId, Body]:
    """Nothing where something is wrong: the shell is not the place to say so."""
    session = context.find_object(Session)
    if session is None or not session.config_file.path.exists():
        return {}
    try:
        return recalled(session.folder)
    except (ConfigError, NoProfileError, FolderError):
        return {}
