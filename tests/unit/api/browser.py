"""A browser without a screen: it keeps cookies, follows redirects, and fills in the forms that it was shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

ORIGIN = "http://test"


@dataclass
class Form:
    """A form, and what it sends if nothing is changed."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """Of all fields and buttons that have a name."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._option = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        its = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(its["action"])
            self.forms.append(self._form)
        elif self._form is not None and "name" in its:
            self._form.named.add(its["name"])
            if tag == "input":
                self._form.fields[its["name"]] = its.get("value", "")
            elif tag == "select":
                self._select = its["name"]
        elif tag == "option" and self._form is not None and self._select is not None:
            chosen = self._select not in self._form.fields or "selected" in its
            self._option = chosen and "value" not in its
            if chosen:
                self._form.fields[self._select] = its.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._option and self._form is not None and self._select is not None:
            self._form.fields[self._select] = data
            self._option = False
        self.text.append(data)


class Browser:
    """One window."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.path = ""
        self.status = 0
        self.headers = httpx.Headers()
        self.html = ""
        self.text = ""
        self.forms: list[Form] = []

    async def open(self, path: str) -> None:
        await self._show(await self.client.get(path, headers={"sec-fetch-site": "none"}))

    async def send(self, button: dict[str, str] | None = None, /, **fields: str) -> None:
        """The form that has all of these fields, with what its hidden fields say; `button`: that is pressed, or
        hidden fields that tell forms apart."""
        wanted = button or {}
        [form] = [
            form
            for form in self.forms
            if fields.keys() | wanted.keys() <= form.named
            and all(form.fields.get(name, value) in (value, "") for name, value in wanted.items())
        ]
        await self.post(form.action, {**form.fields, **wanted, **fields})

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> None:
        sent = {"origin": ORIGIN, "sec-fetch-site": "same-origin", **headers}
        await self._show(await self.client.post(path, data=fields, headers=sent))

    async def _show(self, answer: httpx.Response) -> None:
        while answer.status_code == 303:
            answer = await self.client.get(answer.headers["location"])
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
        self.path, self.status, self.headers = answer.url.raw_path.decode(), answer.status_code, answer.headers
        self.html = answer.text
        reader = _Reader()
        reader.feed(self.html)
        self.forms, self.text = reader.forms, " ".join("".join(reader.text).split())


def attributes(html: str, tag: str) -> list[dict[str, str]]:
    """Of all such elements."""
    found: list[dict[str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, name: str, attrs: Any) -> None:
            if name == tag:
                found.append({key: value or "" for key, value in attrs})

    Reader().feed(html)
    return found
