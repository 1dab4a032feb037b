"""What the text of a config file says. Pure.

    default_profile = "default"

    [profiles.default]
    folder = "~/hypertask"          # ~ and $VARIABLES are expanded
    hooks = "~/hooks"               # optional
    editor = "nano"                 # optional

    [[profiles.default.upstreams]]  # any number
    name = "home"
    url = "https://tasks.example.org"
    space = "family"                # optional, http(s) only

    [profiles.default.urgency]      # coefficients: client/tasks/urgency.py
    due = 12.0
    priority.H = 6.0
    [profiles.default.contexts]     # hypertask context work
    work = "project:work or +office"
    [profiles.default.values]       # what a field may be
    priority = "H,M,L"
    [profiles.default.reports.mine] # hypertask mine
    filter = "+READY project:home"
    sort = "due+,urgency-"          # optional, as what follows
    columns = "project,due,description"
    about = "What is to be done at home"
    limit = "10"

Everything that is wrong is named with its line and key, all of it at once; what is not known is wrong, too: a
misspelt key that is ignored is a setting that somebody relies on.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

DEFAULT_PROFILE: Final = "default"
SCHEMES: Final = ("https", "http", "folder", "git+file", "git+ssh", "git+https", "git+http", "mongodb", "mongodb+srv")

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_ROOT_KEYS: Final = ("default_profile", "profiles")
_PROFILE_KEYS: Final = ("folder", "hooks", "editor", "upstreams", "urgency", "contexts", "values", "reports")
_REPORT_KEYS: Final = ("filter", "sort", "columns", "about", "limit")
_UPSTREAM_KEYS: Final = ("name", "url", "space")


class UpstreamConfig(NamedTuple):
    """Something that a folder is kept in sync with. The token is elsewhere: `client.config.tokens`."""

    name: str
    url: str
    space: str | None = None


class ReportConfig(NamedTuple):
    """A report of the user's own; what is not said is empty."""

    filter: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    about: str = ""
    limit: int | None = None


class Profile(NamedTuple):
    """A folder and what belongs to it."""

    name: str
    folder: Path
    hooks: Path
    editor: str | None = None
    upstreams: tuple[UpstreamConfig, ...] = ()
    urgency: Mapping[str, float] = MappingProxyType({})
    contexts: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    values: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    reports: Mapping[str, ReportConfig] = MappingProxyType({})


class Config(NamedTuple):
    default_profile: str
    profiles: Mapping[str, Profile]


class ConfigProblem(NamedTuple):
    """`line` counts from 1; None: it concerns the whole file. `key` is dotted, as `hypertask config set` takes it."""

    sentence: str
    key: str | None = None
    line: int | None = None


class ConfigError(Exception):
    """The file cannot be used as it is; the message names the file, and each line and key."""

    def __init__(self, path: Path, *problems: ConfigProblem) -> None:
        places = [f"{path}{'' if p.line is None else f', line {p.line}'}" for p in problems]
        keys = ["" if p.key is None else f" {p.key}:" for p in problems]
        lines = [f"{place}:{key} {p.sentence}" for place, key, p in zip(places, keys, problems, strict=True)]
        super().__init__("\n".join([*lines, "Correct it with: hypertask config edit"]))
        self.path = path
        self.problems = problems


class Surroundings(NamedTuple):
    """What a config is read in: the variables, `~`, and the folder that the file is in."""

    variables: Mapping[str, str]
    home: Path
    folder: Path


def read_config(text: str, path: Path, around: Surroundings) -> Config:
    """Raises ConfigError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)\Z", str(error))
        sentence = f"this is not valid TOML: {str(error)[: where.start()] if where else error}."
        line = int(where[1]) if where and where[1] else max(1, len(text.splitlines()))
        raise ConfigError(path, ConfigProblem(sentence, line=line)) from None
    reader = _Reader(text, around)
    config = reader.config(table)
    if reader.problems:
        raise ConfigError(path, *reader.problems)
    return config


class _Reader:
    def __init__(self, text: str, around: Surroundings) -> None:
        self.problems: list[ConfigProblem] = []
        self._source = text
        self._around = around

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        """Of tables and keys. Most configs are right, and it is not asked for."""
        return _lines(self._source)

    def config(self, table: dict[str, Any]) -> Config:
        self._known((), table, _ROOT_KEYS)
        tables = self._table(("profiles",), table.get("profiles", {}))
        profiles = {
            name: self._profile(("profiles", name), name, self._table(("profiles", name), value))
            for name, value in tables.items()
        }
        default = self._text(("default_profile",), table.get("default_profile", DEFAULT_PROFILE))
        if default not in profiles and not self.problems:
            known = ", ".join(profiles) or "none"
            self._wrong(("default_profile",), f'there is no profile "{default}". Profiles: {known}')
        return Config(default, profiles)

    def _profile(self, at: tuple[str, ...], name: str, table: dict[str, Any]) -> Profile:
        self._named(at, name)
        self._known(at, table, _PROFILE_KEYS)
        folder = hooks = self._around.folder / "hooks"
        if "folder" in table:
            folder = self._path((*at, "folder"), table["folder"])
        else:
            self._wrong(at, 'it has no folder. Add a line such as: folder = "~/hypertask"')
        if "hooks" in table:
            hooks = self._path((*at, "hooks"), table["hooks"])
        editor = self._expanded((*at, "editor"), table["editor"]) if "editor" in table else None
        rows = table.get("upstreams", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self._wrong((*at, "upstreams"), f"upstreams are written as tables: [[{'.'.join(at)}.upstreams]]")
            rows = []
        upstreams: list[UpstreamConfig] = []
        for number, row in enumerate(rows):
            upstream = self._upstream((*at, "upstreams", str(number)), row)
            if upstream.name in [other.name for other in upstreams]:
                self._wrong((*at, "upstreams", str(number), "name"), f'there are two upstreams "{upstream.name}"')
            upstreams.append(upstream)
        return Profile(
            name,
            folder,
            hooks,
            editor,
            tuple(upstreams),
            self._numbers((*at, "urgency"), self._table((*at, "urgency"), table.get("urgency", {}))),
            {k: self._words((*at, "contexts", k), v) for k, v in self._entries((*at, "contexts"), table)},
            {k: self._commas((*at, "values", k), v) for k, v in self._entries((*at, "values"), table)},
            {k: self._report((*at, "reports", k), v) for k, v in self._entries((*at, "reports"), table)},
        )

    def _entries(self, at: tuple[str, ...], table: dict[str, Any]) -> list[tuple[str, Any]]:
        return list(self._table(at, table.get(at[-1], {})).items())

    def _report(self, at: tuple[str, ...], value: Any) -> ReportConfig:
        row = self._table(at, value)
        self._named(at, at[-1])
        self._known(at, row, _REPORT_KEYS)
        limit = self._number((*at, "limit"), row["limit"]) if "limit" in row else None
        return ReportConfig(
            self._words((*at, "filter"), row.get("filter", "")),
            self._commas((*at, "sort"), row.get("sort", "")),
            self._commas((*at, "columns"), row.get("columns", "")),
            self._text((*at, "about"), row.get("about", "")),
            None if limit is None else int(limit),
        )

    def _numbers(self, at: tuple[str, ...], table: dict[str, Any]) -> dict[str, float]:
        """Nested tables are dots: priority.H."""
        numbers: dict[str, float] = {}
        for name, value in table.items():
            if isinstance(value, dict):
                numbers |= {f"{name}.{inner}": n for inner, n in self._numbers((*at, name), value).items()}
            else:
                numbers[name] = self._number((*at, name), value)
        return numbers

    def _number(self, at: tuple[str, ...], value: Any) -> float:
        try:
            return float(value if isinstance(value, int | float | str) else "")
        except ValueError:
            self._wrong(at, f"a number is expected, not {value!r}")
            return 0.0

    def _words(self, at: tuple[str, ...], value: Any) -> tuple[str, ...]:
        import shlex  # noqa: PLC0415  most configs have no words

        try:
            return tuple(shlex.split(self._text(at, value)))
        except ValueError as error:
            self._wrong(at, f"the words cannot be told apart: {error}")
            return ()

    def _commas(self, at: tuple[str, ...], value: Any) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        return tuple(part.strip() for part in self._text(at, value).split(",") if part.strip())

    def _upstream(self, at: tuple[str, ...], row: dict[str, Any]) -> UpstreamConfig:
        self._known(at, row, _UPSTREAM_KEYS)
        for key in ("name", "url"):
            if key not in row:
                self._wrong(at, f"it has no {key}")
        name = self._text((*at, "name"), row.get("name", ""))
        if "name" in row:
            self._named((*at, "name"), name)
        url = self._expanded((*at, "url"), row.get("url", ""))
        if "url" in row:
            self._url((*at, "url"), url)
        space = self._text((*at, "space"), row["space"]) if "space" in row else None
        return UpstreamConfig(name, url, space)

    def _url(self, at: tuple[str, ...], url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            self._wrong(at, f'"{url}" is not an address: {error}')
            return
        if parts.scheme not in SCHEMES:
            shown = ", ".join(f"{scheme}://" for scheme in SCHEMES[:4])
            self._wrong(at, f'"{url}" is not an address of an upstream. One begins with {shown} ... or mongodb://')
        elif parts.scheme in ("http", "https") and (parts.username or parts.password):
            self._wrong(at, "leave out user and password; the token says who you are, and it is kept elsewhere")
        elif parts.scheme in ("http", "https") and not parts.hostname:
            self._wrong(at, f'"{url}" names no server; an address looks like https://tasks.example.org')

    # --- values ----------------------------------------------------------------------------------------------

    def _known(self, at: tuple[str, ...], table: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key in table:
            if key not in keys:
                import difflib  # noqa: PLC0415  it is needed here alone, and takes time to load

                near = difflib.get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]}?" if near else f"settings are: {', '.join(keys)}"
                self._wrong((*at, key), f"there is no such setting; {hint}")

    def _table(self, at: tuple[str, ...], value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        self._wrong(at, f"this is a table: [{'.'.join(at)}]")
        return {}

    def _text(self, at: tuple[str, ...], value: Any) -> str:
        if isinstance(value, str):
            return value
        self._wrong(at, f'a text in quotes is expected, not {value!r}: {at[-1]} = "..."')
        return ""

    def _named(self, at: tuple[str, ...], name: str) -> None:
        if _NAME.match(name) is None:
            self._wrong(
                at,
                f'"{name}" is not a name. Names have 1 to 32 characters of a-z 0-9 _ -, the first a letter or digit',
            )

    def _expanded(self, at: tuple[str, ...], value: Any) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in self._around.variables:
                self._wrong(at, f"the environment variable {name} is not set")
            return self._around.variables.get(name, "")

        return _VARIABLE.sub(replaced, self._text(at, value))

    def _path(self, at: tuple[str, ...], value: Any) -> Path:
        text = self._expanded(at, value)
        if not text:
            self._wrong(at, "a path is expected, and there is none")
        if text == "~" or text.startswith(("~/", "~\\")):
            return self._around.home / text[2:]
        if text.startswith("~"):
            self._wrong(at, f'"{text}" names another user\'s folder; only ~/ is expanded')
        return self._around.folder / text

    def _wrong(self, at: tuple[str, ...], sentence: str) -> None:
        """At the line of the key, or of the nearest table around it that has a line."""
        known = (self._lines.get(at[:length]) for length in range(len(at), 0, -1))
        line = next((line for line in known if line is not None), None)
        self.problems.append(ConfigProblem(sentence, ".".join(at), line))


_HEADER: Final = r"\s*(\[\[?)([^\[\]]+)\]"
_KEY: Final = r"\s*([A-Za-z0-9_.\"'-]+)\s*="


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """On which line each table and key is, in the plain style: one key a line. Entries of an array of tables are
    counted from 0."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(_HEADER, line):
            table = tuple(_parts(header[2]))
            if header[1] == "[[":
                count = sum(1 for key in lines if key[:-1] == table and key[-1].isdigit())
                table = (*table, str(count))
            lines.setdefault(table, number)
        elif key := re.match(_KEY, line):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(dotted: str) -> Iterator[str]:
    return (part.strip().strip("\"'") for part in dotted.split("."))
