"""Signing in at an OpenID provider, which is a process of its own; this server on adapters in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.groups import GroupRules, ProviderSignUp
from shared.core.access.invitations import SignUp
from shared.core.access.roles import Role, SpaceProfile
from shared.core.documents import SpaceId, UserId
from tests.openid_provider import CLIENT, SECRET, RunningProvider, running_provider
from tests.unit.api.browser import Browser
from tests.unit.api.people import People, people

RULES = GroupRules("staff=plans:reader, editors=plans:editor, staff=news:reader")


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as found:
        yield found


def settings_of(provider: RunningProvider, **more: Any) -> dict[str, Any]:
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_groups": RULES,
        "oidc_sign_up": ProviderSignUp.ALL,
        **more,
    }


@pytest.fixture
async def server(provider: RunningProvider) -> AsyncIterator[People]:
    async with people(**settings_of(provider)) as found:
        owner = await found.join("owner")
        for space in ("plans", "news"):
            profile = SpaceProfile(SpaceId(space), space.title(), 1.0)
            await found.service.stores.spaces.add(
                profile, UserId(owner.user), BY_OPERATOR.entry(AuditAct.SPACE_ADDED, 1.0)
            )
        yield found


async def sent_to(browser: Browser, query: str = "") -> str:
    """The provider's address."""
    answer = await browser.client.get(f"/oidc/start{query}")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def sign_in(server: People, provider: RunningProvider, name: str, browser: Browser | None = None) -> Browser:
    browser = browser or Browser(server.client())
    back = provider.enter(await sent_to(browser), name)
    await browser.open(back.removeprefix("http://test"))
    return browser


async def roles(server: People, name: str) -> dict[str, str]:
    found = await server.service.stores.users.by_login(name)
    assert found is not None
    members = await server.service.stores.members.of_user(found[0].id)
    return {member.space: member.role.value for member in members if member.space in ("plans", "news")}


async def test_a_newcomer_gets_an_account_and_the_roles_of_his_groups(
    server: People, provider: RunningProvider
) -> None:
    provider.know("Ann", groups=["staff", "editors", "others"], email="ann@example.org", email_verified=True)
    browser = await sign_in(server, provider, "Ann")
    assert (browser.path, browser.status) == ("/account/spaces", 200)
    assert "Plans" in browser.text and "News" in browser.text and "My documents" in browser.text
    assert await roles(server, "ann@example.org") == {"plans": "editor", "news": "reader"}
    again = await sign_in(server, provider, "Ann")
    assert again.status == 200
    assert len(await server.service.stores.users.search("ann", "", 9)) == 1
    acts = [entry.act for entry in await server.service.stores.audit.read()]
    assert acts.count(AuditAct.USER_LINKED) == 1 and acts.count(AuditAct.MEMBER_ADDED) == 2


async def test_roles_follow_the_groups_and_go_with_them(server: People, provider: RunningProvider) -> None:
    for groups, expected in (
        (["staff", "editors"], {"plans": "editor", "news": "reader"}),
        (["staff"], {"plans": "reader", "news": "reader"}),
        ("editors", {"plans": "editor"}),
        ([], {}),
        (None, {}),
        (["staff"], {"plans": "reader", "news": "reader"}),
        ([1, {"a": "staff"}], {}),
    ):
        provider.know("Ben", groups=groups)
        await sign_in(server, provider, "Ben")
        assert await roles(server, "Ben") == expected, groups


async def test_what_an_owner_has_given_stays_without_the_group(server: People, provider: RunningProvider) -> None:
    provider.know("Cy", groups=["editors"])
    await sign_in(server, provider, "Cy")
    provider.know("Di", groups=[])
    browser = await sign_in(server, provider, "Di")
    _, secret = await server.service.state.spaces.invite(BY_OPERATOR, SpaceId("plans"), Role.READER)
    await browser.open("/join")
    await browser.send(invitation=secret)
    await browser.send({"act": "accept"})
    assert await roles(server, "Di") == {"plans": "reader"}
    for groups in (["editors"], []):
        provider.know("Di", groups=groups)
        await sign_in(server, provider, "Di")
        assert await roles(server, "Di") == {"plans": "reader"}
    assert await roles(server, "owner") == {"plans": "owner", "news": "owner"}


@pytest.mark.parametrize(
    "fault",
    [
        "nonce", "no nonce", "issuer", "audience", "several audiences", "expired", "forged", "shared secret",
        "unsigned", "no subject",
    ],
)  # fmt: skip
async def test_a_token_that_is_not_as_it_must_be_signs_nobody_in(
    server: People, provider: RunningProvider, fault: str
) -> None:
    provider.know("Eve", fault=fault, groups=["staff"])
    browser = await sign_in(server, provider, "Eve")
    assert (browser.status, "did not sign you in" in browser.text) == (403, True)
    assert browser.client.cookies.get("hypertask-session") is None
    assert await server.service.stores.users.search("eve", "", 9) == []


async def test_only_the_browser_that_went_comes_back_and_once(server: People, provider: RunningProvider) -> None:
    provider.know("Flo")
    went, other = Browser(server.client()), Browser(server.client())
    back = provider.enter(await sent_to(went), "Flo").removeprefix("http://test")
    await sent_to(other)
    await other.open(back)
    assert other.status == 403, "another browser"
    await went.open(back)
    assert went.status == 403, "the state was used"
    back = provider.enter(await sent_to(went), "Flo").removeprefix("http://test")
    await went.open(back.replace("state=", "state=x"))
    assert went.status == 403, "another state"
    await went.open(back.replace("code=", "code=x"))
    assert went.status == 403, "another code"
    back = provider.enter(await sent_to(went), "Flo").removeprefix("http://test")
    await went.open(back)
    assert went.status == 200
    await went.open("/oidc/callback?error=access_denied&state=x")
    assert went.status == 403
    assert "no-store" in went.headers["cache-control"]


async def test_the_request_has_what_it_must_have(server: People, provider: RunningProvider) -> None:
    seen = set()
    for _ in range(2):
        address = urlsplit(await sent_to(Browser(server.client()), "?next=/account"))
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert query["redirect_uri"] == "http://test/oidc/callback"
        assert (query["client_id"], query["response_type"]) == (CLIENT, "code")
        assert query["code_challenge_method"] == "S256"
        seen |= {query["state"], query["nonce"], query["code_challenge"]}
    assert len(seen) == 6


async def test_an_address_connects_nothing(server: People, provider: RunningProvider) -> None:
    """Neither one that the provider has not verified nor one that it has: ours are not verified."""
    victim = await server.join("Gus", email="gus@example.org")
    for name, verified in (("Mallory", False), ("Oscar", "true"), ("Peggy", True)):
        provider.know(name, email="gus@example.org", email_verified=verified)
        browser = await sign_in(server, provider, name)
        assert browser.status == 200
        found = await server.service.stores.users.by_login(name)
        assert found is not None and found[0].id != victim.user and found[0].email is None
    found = await server.service.stores.users.by_login("gus@example.org")
    assert found is not None and found[0].id == victim.user


async def test_an_address_that_is_not_verified_is_not_taken_over(server: People, provider: RunningProvider) -> None:
    provider.know("Hal", email="hal@example.org", email_verified=False)
    await sign_in(server, provider, "Hal")
    found = await server.service.stores.users.by_login("Hal")
    assert found is not None and found[0].email is None


async def test_a_name_that_somebody_has_gets_a_number(server: People, provider: RunningProvider) -> None:
    await server.join("Ida")
    provider.know("Ida")
    await sign_in(server, provider, "Ida")
    assert await server.service.stores.users.by_login("Ida 2") is not None


async def test_an_account_with_a_password_is_connected_by_its_owner(
    server: People, provider: RunningProvider
) -> None:
    jim = await server.join("Jim")
    provider.know("jim at work", groups=["staff"])
    browser = Browser(jim.client)
    await browser.open("/account")
    link = browser.html.partition('href="/oidc/start?link=')[2].partition('"')[0]
    answer = await browser.client.get("/oidc/start?link=" + "0" * 32)
    assert answer.status_code == 403
    back = provider.enter(await sent_to(browser, f"?link={link}"), "jim at work")
    await browser.open(back.removeprefix("http://test"))
    assert browser.path == "/account?done=linked"
    other = await sign_in(server, provider, "jim at work")
    assert other.status == 200 and "Jim" in other.text
    assert await roles(server, "Jim") == {"plans": "reader", "news": "reader"}

    kim = await server.join("Kim")
    browser = Browser(kim.client)
    await browser.open("/account")
    link = browser.html.partition('href="/oidc/start?link=')[2].partition('"')[0]
    back = provider.enter(await sent_to(browser, f"?link={link}"), "jim at work")
    await browser.open(back.removeprefix("http://test"))
    assert browser.status == 409, "it is Jim's"


@pytest.mark.parametrize(
    ("mode", "groups", "status"),
    [
        (ProviderSignUp.GROUPS, ["staff"], 200),
        (ProviderSignUp.GROUPS, ["others"], 403),
        (ProviderSignUp.NONE, ["staff"], 403),
        (ProviderSignUp.ALL, [], 200),
    ],
)
async def test_accounts_are_made_for_whom_the_setting_says(
    provider: RunningProvider, mode: ProviderSignUp, groups: list[str], status: int
) -> None:
    async with people(**settings_of(provider, oidc_sign_up=mode)) as server:
        provider.know("Lou", groups=groups)
        browser = await sign_in(server, provider, "Lou")
        assert browser.status == status
        assert len(await server.service.stores.users.search("lou", "", 9)) == (1 if status == 200 else 0)


async def invitation(server: People, *, to_server: bool = False) -> str:
    """The secret of a new one: to the server by an administrator, or to a space of the owner's."""
    spaces = server.service.state.spaces
    if to_server:
        return (await spaces.invite(BY_OPERATOR, None, None, by_administrator=True))[1]
    return (await spaces.invite(BY_OPERATOR, SpaceId("plans"), Role.EDITOR))[1]


async def follow(server: People, provider: RunningProvider, secret: str, name: str) -> Browser:
    """The link, and then the button of the provider."""
    browser = Browser(server.client())
    await browser.open("/join")
    await browser.send(invitation=secret)
    assert 'href="/oidc/start?invitation=yes"' in browser.html
    away = await sent_to(browser, "?invitation=yes")
    back = provider.enter(away, name)
    assert secret not in away and secret not in back
    await browser.open(back.removeprefix("http://test"))
    return browser


async def follow_used(server: People, provider: RunningProvider, secret: str, name: str) -> Browser:
    """The same by one who was shown it while it was good."""
    browser = Browser(server.client())
    browser.client.cookies.set("hypertask-invitation", secret, domain="test.local")
    back = provider.enter(await sent_to(browser, "?invitation=yes"), name)
    await browser.open(back.removeprefix("http://test"))
    return browser


async def test_an_invitation_is_accepted_after_the_way_to_the_provider(
    server: People, provider: RunningProvider
) -> None:
    for name in ("Pam", "Quin"):
        provider.know(name, groups=[])
    await sign_in(server, provider, "Pam")
    secret = await invitation(server)
    browser = await follow(server, provider, secret, "Pam")
    assert browser.path == "/account/spaces/plans?done=joined"
    assert await roles(server, "Pam") == {"plans": "editor"}
    assert "hypertask-invitation" not in browser.client.cookies
    browser = await follow_used(server, provider, secret, "Quin")
    assert browser.path == "/account/spaces?done=of-no-use"
    assert await roles(server, "Quin") == {}


async def test_an_invitation_is_taken_by_whoever_asks_for_it_alone(server: People, provider: RunningProvider) -> None:
    provider.know("Rae", groups=[])
    browser = Browser(server.client())
    await browser.open("/join")
    await browser.send(invitation=await invitation(server))
    await sign_in(server, provider, "Rae", browser)
    assert await roles(server, "Rae") == {}, "the button of the sign-in page says nothing of joining"


@pytest.mark.parametrize(
    ("mode", "to_server", "status"),
    [
        (ProviderSignUp.GROUPS, True, 200),
        (ProviderSignUp.NONE, True, 403),
        (ProviderSignUp.GROUPS, False, 403),
    ],
)
async def test_whoever_is_invited_makes_an_account_at_the_provider(
    provider: RunningProvider, mode: ProviderSignUp, to_server: bool, status: int
) -> None:
    """Where accounts are for the invited of administrators, an owner's invitation is not enough."""
    settings = settings_of(provider, oidc_sign_up=mode, oidc_groups=GroupRules(""))
    async with people(SignUp.CLOSED, **settings) as server:
        stores = server.service.stores
        added = BY_OPERATOR.entry(AuditAct.SPACE_ADDED, 1.0)
        await stores.spaces.add(SpaceProfile(SpaceId("plans"), "Plans", 1.0), UserId("u"), added)
        for name in ("Sue", "Tom"):
            provider.know(name, groups=[])
        secret = await invitation(server, to_server=to_server)
        browser = await follow(server, provider, secret, "Sue")
        assert browser.status == status
        assert len(await stores.users.search("sue", "", 9)) == (1 if status == 200 else 0)
        assert (await sign_in(server, provider, "Sue")).status == status, "as the account is there, or is not"
        browser = await follow_used(server, provider, secret, "Tom")
        assert browser.status == 403 and await stores.users.search("tom", "", 9) == []


async def test_a_disabled_account_is_not_signed_in_to(server: People, provider: RunningProvider) -> None:
    provider.know("Moe")
    await sign_in(server, provider, "Moe")
    found = await server.service.stores.users.by_login("Moe")
    assert found is not None
    entry = BY_OPERATOR.entry(AuditAct.USER_DISABLED, time.time(), user=found[0].id)
    await server.service.stores.users.set_disabled(found[0].id, time.time(), entry)
    browser = await sign_in(server, provider, "Moe")
    assert browser.status == 403 and "disabled" in browser.text


async def test_a_provider_that_is_down_is_503_and_passwords_work() -> None:
    async with people(oidc_issuer="http://127.0.0.1:1") as server:
        browser = Browser(server.client())
        await browser.open("/sign-in")
        assert "Sign in with single sign-on" in browser.text
        await browser.open("/oidc/start")
        assert (browser.status, browser.headers["cache-control"]) == (503, "no-store")
        await server.join("Nan")


async def test_without_a_provider_there_is_no_button() -> None:
    async with people() as server:
        browser = Browser(server.client())
        await browser.open("/sign-in")
        assert "/oidc/start" not in browser.html
        await browser.open("/oidc/start")
        assert browser.status == 403
