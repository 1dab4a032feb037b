"""Pages for browsers, on adapters in memory."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.errors import NOT_FOUND, PROVIDER_REFUSED, RATE_LIMITED, ProblemError
from api.pages.routes import PAGES
from api.pages.site import POLICY
from api.pages.words import for_people
from shared.core.access.invitations import SignUp
from tests.unit.api.browser import Browser, attributes
from tests.unit.api.people import PASSWORD, People, people


@pytest.fixture
async def server() -> AsyncIterator[People]:
    async with people() as found:
        yield found


async def signed_up(server: People, name: str) -> Browser:
    browser = Browser(server.client())
    await browser.open("/sign-up")
    await browser.send(name=name, email=f"{name}@example.org", password=PASSWORD)
    assert (browser.path, browser.status) == ("/account/spaces", 200), browser.text
    return browser


async def make_space(browser: Browser, name: str) -> str:
    await browser.open("/account/spaces")
    await browser.send(name=name)
    assert "The space is there." in browser.text
    return urlsplit(browser.path).path


async def invite(browser: Browser, space: str, role: str) -> str:
    """The link."""
    await browser.open(space)
    await browser.send({"act": "invite"}, role=role)
    [link] = [found["value"] for found in attributes(browser.html, "input") if found.get("id") == "link-text"]
    return link


async def test_a_person_signs_up_out_and_in(server: People) -> None:
    alice = await signed_up(server, "alice")
    await alice.post("/sign-out", alice.forms[0].fields)
    assert (alice.path, alice.client.cookies.get("hypertask-session")) == ("/sign-in", None)
    await alice.open("/account/devices")
    assert alice.path == "/sign-in?next=%2Faccount%2Fdevices"
    await alice.send(name="alice", password="wrong password")
    assert alice.status == 401
    assert "The name or the password is wrong" in alice.text
    await alice.send(name="ALICE", password=PASSWORD)
    assert (alice.path, alice.status) == ("/account/devices", 200)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/account", "/account"),
        ("/device?code=BCDF-GHJK", "/device?code=BCDF-GHJK"),
        ("//evil.example/account", "/account/spaces"),
        ("https://evil.example", "/account/spaces"),
        ("/\\evil.example", "/account/spaces"),
        ("/account/..//evil.example\n", "/account/spaces"),
        ("/me", "/account/spaces"),
    ],
)
async def test_signing_in_leads_to_pages_of_ours_alone(server: People, target: str, shown: str) -> None:
    await signed_up(server, "alice")
    browser = Browser(server.client())
    await browser.open("/sign-in")
    form = browser.forms[0].fields | {"name": "alice", "password": PASSWORD, "next": target}
    answer = await browser.client.post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, shown)


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 32}, {}),
        ({}, {"origin": "https://evil.example"}),
        ({}, {"origin": "null"}),
        ({}, {"sec-fetch-site": "cross-site"}),
        ({}, {"sec-fetch-site": "same-site"}),
    ],
)
async def test_forms_of_other_sites_do_nothing(
    server: People, fields: dict[str, str], headers: dict[str, str]
) -> None:
    alice = await signed_up(server, "alice")
    stranger = Browser(server.client())
    for browser, path, form in (
        (alice, "/account/spaces", {"name": "Another"}),
        (alice, "/sign-out", {}),
        (stranger, "/sign-in", {"name": "alice", "password": PASSWORD}),
        (stranger, "/sign-up", {"name": "mallory", "password": PASSWORD}),
    ):
        await browser.open(path)
        csrf = browser.forms[-1].fields["csrf"]
        await browser.post(path, {"csrf": csrf, **form, **fields}, **headers)
        assert (browser.status, "from another site" in browser.text or "csrf" in browser.text) == (403, True)
    assert stranger.client.cookies.get("hypertask-session") is None
    assert len(await server.service.stores.spaces.search("", "", 9)) == 1


async def test_the_form_of_one_person_does_nothing_for_another(server: People) -> None:
    alice, bob = await signed_up(server, "alice"), await signed_up(server, "bob")
    csrf = alice.forms[0].fields["csrf"]
    await bob.post("/account/spaces", {"csrf": csrf, "name": "x"})
    assert bob.status == 403


async def test_a_space_is_shared_by_a_link_and_left(server: People) -> None:
    alice, bob = await signed_up(server, "alice"), await signed_up(server, "bob")
    space = await make_space(alice, "Plans <b>")
    assert "Plans &lt;b&gt;" in alice.html
    link = await invite(alice, space, "reader")
    assert link.startswith("http://test/join#hi_")
    await bob.open("/join")
    await bob.send(invitation=link)
    assert "alice invites you to the space Plans <b> as reader" in bob.text
    assert link.rpartition("#")[2] not in bob.path
    await bob.send({"act": "accept"})
    assert (bob.path, "You are its reader" in bob.text) == (f"{space}?done=joined", True)
    assert "Delete the space" not in bob.text and "Invitations" not in bob.text
    for act in ("rename", "invite", "delete", "archive", "transfer", "role", "remove"):
        await bob.post(space, {"csrf": bob.forms[0].fields["csrf"], "act": act, "name": "x", "role": "editor"})
        assert bob.status == 403, act
    await bob.open("/join")
    await bob.send(invitation=link)
    assert bob.status == 410
    await alice.open(space)
    [role] = [form for form in alice.forms if form.fields.get("act") == "role"]
    await alice.post(space, {**role.fields, "role": "editor"})
    await bob.open(space)
    assert "You are its editor" in bob.text
    await bob.send({"act": "leave"})
    assert bob.path == "/account/spaces?done=left"
    await bob.open(space)
    assert bob.status == 404


async def test_a_newcomer_follows_a_link_and_makes_an_account(server: People) -> None:
    alice = await signed_up(server, "alice")
    space = await make_space(alice, "Plans")
    carol = Browser(server.client())
    await carol.open("/join")
    await carol.send(invitation=await invite(alice, space, "editor"))
    await carol.send(name="carol", email="", password=PASSWORD)
    assert carol.path == "/account/spaces" and "Plans" in carol.text
    await alice.send({"act": "rename"}, name="Other plans")
    await carol.open(space)
    assert "Other plans" in carol.text


async def test_who_has_an_account_signs_in_and_joins(server: People) -> None:
    alice = await signed_up(server, "alice")
    await signed_up(server, "bob")
    space = await make_space(alice, "Plans")
    link = await invite(alice, space, "reader")
    for expected in (f"{space}?done=joined", "/account/spaces?done=of-no-use"):
        bob = Browser(server.client())
        await bob.open("/join")
        await bob.send(invitation=link)
        if expected.endswith("use"):
            assert bob.status == 410
            break
        [form] = [one for one in bob.forms if one.action == "/sign-in"]
        await bob.post("/sign-in", {**form.fields, "name": "bob", "password": PASSWORD})
        assert bob.path == expected


async def test_an_owner_withdraws_archives_hands_over_deletes_and_restores(server: People) -> None:
    alice, bob = await signed_up(server, "alice"), await signed_up(server, "bob")
    space = await make_space(alice, "Plans")
    link = await invite(alice, space, "editor")
    await alice.send({"act": "withdraw"})
    assert "is withdrawn" in alice.text
    await bob.open("/join")
    await bob.send(invitation=link)
    assert bob.status == 410
    await alice.send({"act": "archive"})
    assert "It is archived" in alice.text
    await alice.send({"act": "archive"})
    assert "It is archived" not in alice.text
    await alice.send({"act": "delete"})
    assert alice.path == "/account/spaces?done=deleted" and "Removed after" in alice.text
    await alice.open(space)
    await alice.send({"act": "restore"})
    assert alice.path == f"{space}?done=restored"
    await bob.open("/join")
    await bob.send(invitation=await invite(alice, space, "editor"))
    await bob.send({"act": "accept"})
    await alice.open(space)
    await alice.send({"act": "transfer"})
    assert "You are its editor" in alice.text
    await bob.open(space)
    assert "You are its owner" in bob.text


async def test_name_address_and_password_change_with_the_password(server: People) -> None:
    alice = await signed_up(server, "alice")
    other = Browser(server.client())
    await other.open("/sign-in")
    await other.send(name="alice", password=PASSWORD)
    await alice.open("/account")
    await alice.send({"act": "names"}, name="Alice B", email="", password="wrong password")
    assert alice.status == 401
    assert "Alice B" in alice.html, "what was typed is kept"
    assert "wrong password" not in alice.html
    await alice.send({"act": "names"}, name="Alice B", email="", password=PASSWORD)
    assert "It is saved." in alice.text
    await alice.send({"act": "password"}, password=PASSWORD, new="short")
    assert alice.status == 400
    await alice.send({"act": "password"}, password=PASSWORD, new="another long password")
    assert alice.path == "/account?done=password"
    await other.open("/account")
    assert other.path.startswith("/sign-in"), "other sessions have ended"
    await other.send(name="Alice B", password="another long password")
    assert other.path == "/account"


async def test_sessions_are_listed_and_ended(server: People) -> None:
    alice, bob = await signed_up(server, "alice"), await signed_up(server, "bob")
    other = Browser(server.client(**{"user-agent": "Telephone <i>"}))
    await other.open("/sign-in")
    await other.send(name="alice", password=PASSWORD)
    await alice.open("/account/sessions")
    assert "Telephone &lt;i&gt;" in alice.html
    [form] = [form for form in alice.forms if "session" in form.fields]
    await bob.post("/account/sessions", {**form.fields, "csrf": bob.forms[0].fields["csrf"]})
    assert bob.status == 404
    await alice.post("/account/sessions", form.fields)
    assert alice.path == "/account/sessions?done=ended"
    await other.open("/account")
    assert other.path.startswith("/sign-in")


async def test_devices_are_listed_and_revoked_by_their_owner_alone(server: People) -> None:
    alice = await server.join("alice")
    bob = await signed_up(server, "bob")
    token = await alice.token()
    browser = Browser(alice.client)
    await browser.open("/account/devices")
    [form] = [form for form in browser.forms if "device" in form.fields]
    await bob.post("/account/devices", {**form.fields, "csrf": bob.forms[0].fields["csrf"]})
    assert bob.status == 404
    assert (await server.device(token).get("/hashes")).status_code == 200
    await browser.post("/account/devices", form.fields)
    assert browser.path == "/account/devices?done=revoked"
    assert (await server.device(token).get("/hashes")).status_code == 401


async def test_an_account_is_deleted_after_an_export_and_kept_again(server: People) -> None:
    alice = await signed_up(server, "alice")
    await alice.open("/account")
    await alice.send({"act": "delete"}, password=PASSWORD)
    assert alice.status == 409 and "Take your documents along first" in alice.text
    assert (await alice.client.get("/me/export")).status_code == 200
    await alice.send({"act": "delete"}, password=PASSWORD)
    assert (alice.path, alice.status) == ("/account", 200) and "is being deleted" in alice.text
    await alice.open("/account/spaces")
    assert alice.path == "/account"
    await alice.send({"act": "restore"})
    assert alice.path == "/account?done=restored" and "My documents" not in alice.text
    await alice.open("/account/spaces")
    assert alice.status == 200


async def test_sign_up_is_closed_where_it_is_closed() -> None:
    async with people(SignUp.CLOSED) as server:
        browser = Browser(server.client())
        await browser.open("/sign-up")
        assert "an invitation is needed" in browser.text
        assert not [form for form in browser.forms if form.action == "/sign-up"]
        await browser.open("/sign-in")
        csrf = browser.forms[-1].fields["csrf"]
        await browser.post("/sign-up", {"csrf": csrf, "name": "x", "password": PASSWORD})
        assert browser.status == 403


async def test_every_page_has_the_headers_and_forms_that_it_must_have(server: People) -> None:
    alice = await signed_up(server, "alice")
    space = await make_space(alice, "Plans")
    for browser in (alice, Browser(server.client())):
        for route in PAGES:
            if route.path.startswith("/assets/"):
                continue
            await browser.open(route.path.replace("/account/spaces/{space}", space))
            headers = browser.headers
            assert headers["content-security-policy"] == POLICY and "unsafe" not in POLICY
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert "strict-transport-security" not in headers
            assert not re.search(r"<script(?![^>]* src=\"/)|<style| style=| on[a-z]+=|javascript:", browser.html)
            for form in browser.forms:
                assert form.fields["csrf"], route.path
            labelled = {found.get("for") for found in attributes(browser.html, "label")}
            for field in (*attributes(browser.html, "input"), *attributes(browser.html, "select")):
                assert field.get("type") == "hidden" or field["id"] in labelled, (route.path, field)


async def test_cookies_are_bound_to_the_host_where_there_is_https() -> None:
    async with people(public_url="https://tasks.example.org") as server:
        client = server.client()
        answer = await client.get("/sign-in")
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-hypertask-form=")
        assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_files_of_pages_are_kept_and_others_are_not_there(server: People) -> None:
    client = server.client()
    answer = await client.get("/assets/pages.css")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=86400"
    for name in ("pages.py", "..%2fsite.py", "%2e%2e"):
        assert (await client.get(f"/assets/{name}")).status_code == 404


FOR_PROGRAMS = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /|HYPERTASK_|[a-z]_[a-z]")


async def test_pages_say_what_a_person_can_do_there() -> None:
    async with people(spaces_per_user=2, sign_ups_per_address=2) as server:
        alice, bob = await signed_up(server, "alice"), await signed_up(server, "bob")
        space = await make_space(alice, "Plans")
        told: list[str] = []

        def note(browser: Browser, status: int, words: str) -> None:
            assert (browser.status, words in browser.text) == (status, True), browser.text
            told.append(browser.text)

        await alice.open("/account/spaces")
        await alice.send(name="One more")
        note(alice, 507, "Spaces per user: 2 of 2 are used")
        await alice.open("/account")
        await alice.send({"act": "delete"}, password=PASSWORD)
        note(alice, 409, "Take everything along")
        await bob.open("/join")
        await bob.send(invitation=await invite(alice, space, "reader"))
        await bob.send({"act": "accept"})
        await alice.open("/account")
        await alice.send({"act": "delete"}, password=PASSWORD)
        note(alice, 409, "hand it over")
        await alice.post(space, {"act": "leave", "csrf": alice.forms[0].fields["csrf"]})
        note(alice, 409, "Hand it over to another member first")
        await alice.post("/account", {"act": "names"})
        note(alice, 403, "Load the page again")
        await bob.open("/account/spaces/s0123456789")
        note(bob, 404, "You are a member of no such space")
        carol = Browser(server.client())
        await carol.open("/sign-up")
        await carol.send(name="carol", email="", password=PASSWORD)
        note(carol, 429, "Come back in")
        assert not [text for text in told if FOR_PROGRAMS.search(text)]


def test_no_text_of_an_error_names_a_route_or_a_setting_to_people() -> None:
    """Whatever modules that pages call say of errors."""
    texts = {
        node.value
        for path in (
            *(
                file
                for package in ("access", "authentication", "requests")
                for file in Path("api", package).glob("*.py")
            ),
            *map(Path, ("api/limits/rates.py", "api/errors.py")),
        )
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
    }
    named = {text for text in texts if re.search(r"(?:GET|POST) /|HYPERTASK_[A-Z]", text)}
    assert len(named) > 5, "some do"
    for kind in (NOT_FOUND, PROVIDER_REFUSED, RATE_LIMITED):
        assert not [text for text in named if FOR_PROGRAMS.search(for_people(ProblemError(kind, text)))]
