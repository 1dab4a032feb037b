"""The command line. The client's composition root: it alone reads the environment."""

from __future__ import annotations

import gc

_YOUNG = 250_000
_OLDER = 50
# When the cyclic collector looks: most commands are over before that. It would look at all modules again and again
# while they are loaded, and at all tasks while they are read: a fifth of the time of `list`.
gc.set_threshold(_YOUNG, _OLDER, _OLDER)

import atexit  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager, nullcontext  # noqa: E402
from importlib import import_module  # noqa: E402
from typing import Any, Final  # noqa: E402

from client.later import postpone_for_click  # noqa: E402

postpone_for_click()

import click  # noqa: E402

from shared import VERSION  # noqa: E402

COMMANDS: Final = {
    "add": "tasks:add",
    "list": "list_tasks:list_tasks",
    "show": "show:show",
    "modify": "tasks:modify",
    "done": "tasks:done",
    "delete": "tasks:delete",
    "edit": "tasks:edit",
    "undo": "undo:undo",
    "restore": "restore:restore",
    "annotate": "actions:annotate",
    "denotate": "actions:denotate",
    "append": "actions:append",
    "prepend": "actions:prepend",
    "start": "actions:start",
    "stop": "actions:stop",
    "duplicate": "actions:duplicate",
    "projects": "reports:projects",
    "tags": "reports:tags",
    "summary": "reports:summary",
    "calendar": "reports:calendar",
    "burndown": "reports:burndown",
    "context": "reports:context",
    "connect": "connect:connect",
    "login": "login:login",
    "logout": "login:logout",
    "sync": "sync:sync",
    "watch": "watch:watch",
    "daemon": "daemon:daemon",
    "status": "health:status",
    "doctor": "health:doctor",
    "log": "history:log",
    "conflicts": "history:conflicts",
    "init": "config:init",
    "config": "config:config",
    "import": "import_taskwarrior:import_",
    "export": "transfer:export",
    "completion": "completion:completion",
    "manual": "manual:manual",
}
"""Where each command is. Its module is loaded when it is called: most commands need no network, and loading what does
takes most of the time of a short one."""


REPORTS: Final = (
    *("next", "ls", "long", "minimal", "ready", "waiting", "blocked", "unblocked", "blocking", "overdue", "active"),
    *("completed", "recurring", "newest", "oldest", "all"),
)
"""The names of client/tasks/reports.py, which is not loaded for a name."""
OTHER_NAMES: Final = {
    "mod": "modify", "del": "delete", "rm": "delete", "info": "show", "information": "show", "cal": "calendar",
    "synchronize": "sync", "dup": "duplicate", "burndown.weekly": "burndown", "purge": "delete", "ann": "annotate",
    "denote": "denotate",
}  # fmt: skip
"""What Taskwarrior's people type, or git's."""
NAMED: Final = {
    "reports": "hypertask --help lists the reports",
    "columns": "docs/taskwarrior.md names the columns",
    "udas": "every field may be used without declaring it: hypertask add x estimate:=3",
    "uuids": "hypertask list --json has the ids",
    "ids": "hypertask list --json has the ids",
    "count": "the last line of hypertask list WORD... counts",
    "_get": "hypertask show ID --json",
    "timesheet": "hypertask list +COMPLETED end.after:today-4w",
    "history": "hypertask burndown",
    "ghistory": "hypertask burndown",
    "burndown.daily": "hypertask burndown",
    "burndown.monthly": "hypertask burndown",
    "stats": "hypertask status",
    "version": "hypertask --version",
    "diagnostics": "hypertask doctor",
    "commands": "hypertask --help",
    "help": "hypertask --help",
    "calc": "the shell: date, bc",
    "execute": "the shell",
    "colors": "hypertask list --color never",
    "import-v2": "hypertask import taskwarrior",
    "news": "CHANGELOG.md",
}
"""What has another name here."""
GROUPS: Final = {
    "Tasks": (
        *("add", "list", "show", "modify", "done", "delete", "edit", "undo", "restore", "log", "annotate"),
        *("denotate", "append", "prepend", "start", "stop", "duplicate"),
    ),
    "Reports": (*REPORTS, "projects", "tags", "summary", "calendar", "burndown", "context"),
    "Sync": ("connect", "login", "logout", "sync", "daemon", "watch", "status", "conflicts", "doctor"),
    "Settings, import and export": ("init", "config", "import", "export", "completion", "manual"),
}
"""The commands as --help lists them."""
FILTERED: Final = frozenset(
    {"list", "modify", "done", "delete", "annotate", "denotate", "append", "prepend", "start", "stop", "duplicate"}
    | {"projects", "tags", "summary", "calendar", "burndown", "export", *REPORTS}
)
"""Commands that take a filter before their name: hypertask +home done."""
ONE_TASK: Final = frozenset({"show", "edit", "log", "restore"})
"""Commands that take one task, also before their name: hypertask 3 edit."""
_TAG: Final = r"-[^\W\d_]\S+\Z"
_JSON: Final = "client.as_json"
"""In what click keeps with a context: whether the command was given --json."""


class Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*COMMANDS, *REPORTS])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By what they are for, each with its first sentence."""
        for title, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, one.get_short_help_str(1000)) for name, one in commands if one])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = OTHER_NAMES.get(cmd_name, cmd_name)
        if (place := COMMANDS.get(name)) is not None:
            module, _, function = place.partition(":")
            command: click.Command = getattr(import_module(f"client.commands.{module}"), function)
            return command
        if name in REPORTS or self._is_own_report(ctx, name):
            report: click.Command | None = import_module("client.commands.reports").command_of(ctx.obj, name)
            return report
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A filter before the command may begin with a tag that is not wanted: hypertask -home list. No word at all
        is `next`, once there is a config."""
        if not args and not ctx.resilient_parsing and _is_set_up():
            args = ["next"]
        if args and args[0].startswith("-") and re.match(_TAG, args[0]):
            args = ["--", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A filter may stand before the command; without a command it is `next`, with a number alone `show`."""
        for place, word in enumerate(args):
            if word == "--":
                break
            name = OTHER_NAMES.get(word, word)
            if place == 1 and name in ONE_TASK:
                return name, self.get_command(ctx, name), [args[0], *args[2:]]
            if place and not self._takes_filter(ctx, name):
                continue
            if (command := self.get_command(ctx, name)) is not None:
                ctx.obj.filter_words = tuple(args[:place])
                return command.name, command, args[place + 1 :]
        word = args[0]
        if args[-1] in NAMED:  # as Taskwarrior has it: a filter, then the command
            raise self._no_command(ctx, args[-1])
        if word.isdigit() and len(args) == 1:
            return "show", self.get_command(ctx, "show"), args
        if word[:1] in "+-(!/" or word[:1].isdigit() or any(sign in word for sign in ":<>="):
            return "next", self.get_command(ctx, "next"), args
        raise self._no_command(ctx, word)

    def _no_command(self, ctx: click.Context, word: str) -> click.UsageError:
        from client.screen import fitting_error  # noqa: PLC0415  a slip

        message = _no_such_command(word)
        return click.UsageError(message if ctx.meta[_JSON] else fitting_error(message), ctx)

    def _takes_filter(self, ctx: click.Context, word: str) -> bool:
        return word in FILTERED or (word not in COMMANDS and self._is_own_report(ctx, word))

    def _is_own_report(self, ctx: click.Context, name: str) -> bool:
        from client.config.config_file import ConfigError, NoProfileError  # noqa: PLC0415  as above

        if name[:1] in "+-(" or ":" in name or ctx.obj is None:
            return False
        try:
            return name in ctx.obj.own_reports
        except (ConfigError, NoProfileError):  # said by the command that needs the config
            return False

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Here and not in the function below, which is not run when the shell asks how to complete a word."""
        # The system takes back all memory at the end. To look through it for what nobody uses any more takes longer
        # than a short command does.
        atexit.register(gc.freeze)
        words = args[1] if len(args) > 1 else options["args"]
        as_json = "--json" in words[: words.index("--") if "--" in words else len(words)]
        with _as_json() if as_json else nullcontext():
            context = super().make_context(*args, **options)
        context.meta[_JSON] = as_json
        from client.commands.session import Session  # noqa: PLC0415  --version needs none of it

        context.obj = Session(os.environ, context.params.get("profile"))
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with _as_json() if ctx.meta[_JSON] else nullcontext():
            return super().invoke(ctx)


def _is_set_up() -> bool:
    from client.config.config_file import ConfigFile  # noqa: PLC0415  few commands have no words

    return ConfigFile.of_environment(os.environ).path.exists()


@contextmanager
def _as_json() -> Iterator[None]:
    """What is wrong with the words of a command is said as every other error is with --json."""
    try:
        yield
    except click.ClickException as error:
        from client.screen import Screen  # noqa: PLC0415  a slip

        Screen(as_json=True).fail("wrong-usage", error.format_message(), error.exit_code)


def _no_such_command(word: str) -> str:
    if word in NAMED:
        return f'There is no command "{word}". Instead: {NAMED[word]}'
    from difflib import get_close_matches  # noqa: PLC0415  it is needed here alone, and takes time to load

    near = get_close_matches(word, [*COMMANDS, *REPORTS, *OTHER_NAMES], 1)
    hint = f"Did you mean {OTHER_NAMES.get(near[0], near[0])}?" if near else "All commands: hypertask --help."
    if not near:
        hint += f" Tasks with that word: hypertask list {word}" if word.isalnum() else ""
    return f'There is no command "{word}". {hint}'


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="hypertask")
@click.option("--profile", metavar="NAME", help="Which profile of the config to use (also: HYPERTASK_PROFILE).")
def main(profile: str | None) -> None:
    """Hypertask: your JSON documents, the same on every device."""


if __name__ == "__main__":
    main()
