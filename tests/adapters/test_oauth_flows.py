"""Logging in at an independent provider (nanoidp), as a browser and a person on another device do it."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from adapters.oauth.authorization import read_pasted
from adapters.oauth.browser import Allowed, by_redirect, exchanged, paste_attempt
from adapters.oauth.device import log_in
from adapters.oauth.token_server import TokenEndpoint
from bot.system_clock import SystemClock
from core.auth.oauth import Account, OAuthProvider
from core.auth.secret import Secret
from core.errors import BotError, FailureReason, ProviderError
from tests.fakes.clock import FakeClock
from tests.fakes.oauth_idp import CLIENT_SECRET, CONFIDENTIAL, Idp, query_of
from tests.fakes.token_server import ScriptedTokenServer


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Idp]:
    with Idp(tmp_path_factory.mktemp("idp"), device_seconds=5) as idp:
        yield idp


@pytest.fixture
def provider(idp: Idp) -> OAuthProvider:
    table = idp.table()
    return OAuthProvider(
        id="acme",
        authorize_url=table["authorization_url"],
        scopes=tuple(table["scopes"]),
        **{key: table[key] for key in ("token_url", "device_url", "userinfo_url", "issuer", "client_id")},
    )


@pytest.fixture
def server() -> TokenEndpoint:
    return TokenEndpoint(SystemClock())


class Person:
    """Does something with what is shown, in a thread, and keeps what came of it."""

    def __init__(self, acts: Callable[[Any], Any]) -> None:
        self._acts = acts
        self.done: list[asyncio.Future[Any]] = []
        self.shown: Any = None

    def __call__(self, shown: Any) -> None:
        self.shown = shown
        loop = asyncio.get_running_loop()
        self.done.append(loop.run_in_executor(None, functools.partial(self._acts, shown)))


class TestInTheBrowserOfThisMachine:
    async def test_the_tokens_and_whose_they_are(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        ada = Person(idp.allow)
        allowed = await by_redirect(provider, server, ada)
        page = await ada.done[0]
        assert (page.status_code, "You are logged in" in page.text) == (200, True)
        assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
        asked = query_of(ada.shown)
        assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
        assert asked["redirect_uri"].startswith("http://127.0.0.1:")
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        assert await server.account(provider, allowed.tokens, allowed.nonce) == Account(
            id="ada", email="ada@example.org"
        )
        assert await asyncio.to_thread(idp.takes, allowed.tokens.access.reveal())

    async def test_a_client_with_a_secret_proves_itself(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        named = replace(provider, client_id=CONFIDENTIAL, client_auth="basic")
        with pytest.raises(BotError, match="invalid_client"):
            await by_redirect(named, server, Person(idp.allow))
        named = replace(named, client_secret=Secret(CLIENT_SECRET))
        allowed = await by_redirect(named, server, Person(idp.allow))
        assert allowed.tokens.refresh is not None
        assert (await server.refresh(named, allowed.tokens.refresh, named.client_id)).access != allowed.tokens.access

    async def test_a_redirect_of_another_login_is_refused_and_the_right_one_still_counts(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        answers: list[int] = []

        def act(url: str) -> None:
            own, right = query_of(url)["redirect_uri"], idp.log_in(url)
            host = own.removesuffix("/callback")
            tries: list[tuple[str, dict[str, str]]] = [
                (f"{own}?code=evil&state=another", {}), (f"{own}?code=evil", {}), (own, {}),
                (f"{own}?error=access_denied&state=another", {}),
                (f"{own}?code=evil&state={query_of(url)['state']}&iss=https://evil.test", {}),
                (f"{host}/favicon.ico", {}), (right, {"host": "evil.test"}),
            ]  # fmt: skip
            answers.extend(httpx.get(u, headers=h, trust_env=False).status_code for u, h in tries)
            answers.append(httpx.post(right, trust_env=False).status_code)
            answers.append(httpx.get(right, trust_env=False).status_code)

        person = Person(act)
        allowed = await by_redirect(provider, server, person)
        await person.done[0]
        assert answers == [400, 400, 400, 400, 400, 404, 421, 404, 200]
        assert allowed.tokens.refresh is not None

    async def test_a_denied_consent_is_told(self, provider: OAuthProvider, server: TokenEndpoint) -> None:
        def deny(url: str) -> httpx.Response:
            asked = query_of(url)
            return httpx.get(
                asked["redirect_uri"], params={"error": "access_denied", "state": asked["state"]}, trust_env=False
            )

        person = Person(deny)
        with pytest.raises(BotError) as told:
            await by_redirect(provider, server, person)
        assert (told.value.code, "denied" in (await person.done[0]).text) == ("login_denied", True)

    async def test_nobody_comes(self, provider: OAuthProvider, server: TokenEndpoint) -> None:
        with pytest.raises(BotError) as told:
            await by_redirect(provider, server, lambda _: None, timedelta(milliseconds=50))
        assert told.value.code == "login_expired"

    async def test_the_providers_own_port_and_name_are_used_to_the_letter_and_a_busy_port_is_said(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]
        fixed = replace(provider, redirect_host="localhost", redirect_port=port, redirect_path="/auth/callback")
        with pytest.raises(BotError) as told:
            await by_redirect(fixed, server, lambda _: None)
        assert (told.value.code, str(port) in str(told.value), "--method paste" in str(told.value)) == (
            "port_busy", True, True,
        )  # fmt: skip
        taken.close()
        await taken.wait_closed()
        person = Person(lambda url: query_of(url)["redirect_uri"])
        with pytest.raises(BotError):
            await by_redirect(fixed, server, person, timedelta(milliseconds=50))
        assert await person.done[0] == f"http://localhost:{port}/auth/callback"

    async def test_garbage_at_the_door_is_nobodys_login(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        async def knock(port: int, content: bytes) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(content)
            writer.write_eof()
            await reader.read()
            writer.close()

        async def act(url: str) -> None:
            port = int(query_of(url)["redirect_uri"].split(":")[2].split("/")[0])
            for content in (
                b"",
                b"\r\n\r\n",
                b"\x00\xff" * 50,
                b"GET",
                b"GET http://[ HTTP/1.1\r\n\r\n",
                b"A" * 70_000,
            ):
                with suppress(OSError):  # it may be cut off in the middle of what it says
                    await knock(port, content)
            await asyncio.to_thread(idp.allow, url)

        tasks = []
        allowed = await by_redirect(provider, server, lambda url: tasks.append(asyncio.create_task(act(url))))
        await tasks[0]
        assert allowed.tokens.refresh is not None


class TestPasted:
    async def test_the_whole_address_that_the_browser_ended_at(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        attempt = paste_attempt(provider)
        address = await asyncio.to_thread(idp.log_in, attempt.url, "bob")
        allowed = await exchanged(provider, server, attempt, read_pasted(attempt, f" {address}\n"))
        assert (await server.account(provider, allowed.tokens, allowed.nonce)).email == "bob@example.org"

    async def test_a_code_is_worth_nothing_with_another_verifier(
        self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint
    ) -> None:
        attempt = paste_attempt(provider)
        address = await asyncio.to_thread(idp.log_in, attempt.url)
        code = read_pasted(attempt, address)
        other = replace(paste_attempt(provider), redirect_uri=attempt.redirect_uri)
        with pytest.raises(BotError, match="invalid_grant") as told:
            await exchanged(provider, server, other, code)
        assert code.reveal() not in str(told.value)


class TestWithACodeOnAnotherDevice:
    async def test_pending_then_allowed(self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint) -> None:
        codes: list[str] = []

        class Waiting(SystemClock):
            """The person allows it after the second question. nanoidp measures the interval by its own clock."""

            polls = 0

            async def sleep(self, seconds: float) -> None:
                self.polls += 1
                if self.polls == 2:
                    await asyncio.to_thread(idp.decide, codes[0])
                await super().sleep(seconds)

        def person(invitation: Any) -> None:
            assert invitation.uri == f"{idp.url}/device"
            assert invitation.user_code in invitation.complete
            codes.append(invitation.user_code)

        clock = Waiting()
        tokens = await log_in(provider, server, clock, person)
        assert (clock.polls, await asyncio.to_thread(idp.takes, tokens.access.reveal())) == (2, True)

    async def test_denied(self, idp: Idp, provider: OAuthProvider, server: TokenEndpoint) -> None:
        def deny(invitation: Any) -> None:
            idp.decide(invitation.user_code, "deny")

        with pytest.raises(BotError) as told:
            await log_in(provider, server, FakeClock(), Inline(deny))
        assert told.value.code == "login_denied"

    async def test_expired(self, provider: OAuthProvider, server: TokenEndpoint) -> None:
        with pytest.raises(BotError) as told:
            await log_in(provider, server, FakeClock(), lambda _: None)
        assert told.value.code == "login_expired"


class Inline:
    """A person who is faster than the event loop goes on."""

    def __init__(self, act: Callable[[Any], None]) -> None:
        self._act = act

    def __call__(self, shown: Any) -> None:
        thread = threading.Thread(target=self._act, args=(shown,))
        thread.start()
        thread.join(10)


DEVICE: dict[str, Any] = {
    "device_code": "d-1", "user_code": "ABCD", "verification_uri": "https://id.test/device", "interval": 5, "expires_in": 600,
}  # fmt: skip
GIVEN = (200, {"access_token": "at", "token_type": "Bearer", "expires_in": 60})


@pytest.mark.parametrize(
    ("answers", "slept", "outcome"),
    [
        pytest.param([(400, {"error": "authorization_pending"}), GIVEN], [5, 5], None, id="pending"),
        pytest.param([(400, {"error": "slow_down"}), GIVEN], [5, 7], None, id="slower"),
        pytest.param([(200, {"error": "slow_down"}), GIVEN], [5, 7], None, id="slower, said with 200 as GitHub does"),
        pytest.param([b"<html>", b"<html>", GIVEN], [5, 10, 20], None, id="trouble on the way: later"),
        pytest.param([500, GIVEN], [5, 5], None, id="the server's own trouble"),
        pytest.param([(400, {"error": "expired_token"})], [5], "login_expired", id="expired"),
        pytest.param([(400, {"error": "access_denied"})], [5], "login_denied", id="denied"),
        pytest.param([(400, {"error": "invalid_client"})], [5], "login_refused", id="refused"),
        pytest.param([(200, {"access_token": "a b"})], [5], "login_failed", id="a token that is none"),
    ],
)
async def test_what_a_server_says_while_it_is_asked(
    answers: list[Any], slept: list[float], outcome: str | None
) -> None:
    clock = FakeClock()
    with ScriptedTokenServer((200, DEVICE), *answers) as server:
        provider = OAuthProvider(
            id="acme", device_url=f"{server.url}/d", token_url=f"{server.url}/t", client_id="c",
            slow_down=timedelta(seconds=2),
        )  # fmt: skip
        endpoint = TokenEndpoint(clock)
        if outcome is None:
            assert (await log_in(provider, endpoint, clock, lambda _: None)).access == Secret("at")
        else:
            with pytest.raises(BotError) as told:
                await log_in(provider, endpoint, clock, lambda _: None)
            assert told.value.code == outcome
        assert {form["device_code"] for form in server.seen[1:]} == {"d-1"}
    assert clock.slept == slept


@pytest.mark.parametrize(
    ("said", "slept"),
    [
        (0, 5), (-7, 5), (0.001, 1), (1e-300, 1), (3, 3), (2.5, 2.5), (3600, 60), (1e300, 60),
        pytest.param(10**400, 60, id="endless"),
        ("7", 7), ("0", 5), ("soon", 5), ("²", 5), (True, 5), (None, 5), ([1], 5), (float("nan"), 5), (float("inf"), 60),
    ],
)  # fmt: skip
async def test_a_server_is_asked_as_often_as_it_says_within_reason(said: object, slept: float) -> None:
    clock = FakeClock()
    with ScriptedTokenServer((200, {**DEVICE, "interval": said}), GIVEN) as server:
        provider = OAuthProvider(id="acme", device_url=f"{server.url}/d", token_url=f"{server.url}/t", client_id="c")
        await log_in(provider, TokenEndpoint(clock), clock, lambda _: None)
    assert clock.slept == [slept]


@pytest.mark.parametrize(
    "changes",
    [{"verification_uri": "javascript:alert(1)"}, {"verification_uri": "https://a b"}, {"user_code": "A\x1b[2J"},
     {"device_code": ""}, {"device_code": "\ud800"}, {"user_code": None}, {"user_code": " "}],
)  # fmt: skip
async def test_an_invitation_that_cannot_be_shown_is_none(changes: dict[str, Any]) -> None:
    with ScriptedTokenServer((200, {**DEVICE, **changes})) as server:
        provider = OAuthProvider(id="acme", device_url=f"{server.url}/d", token_url=f"{server.url}/t", client_id="c")
        with pytest.raises(BotError) as told:
            await log_in(provider, TokenEndpoint(FakeClock()), FakeClock(), lambda _: None)
    assert told.value.code == "login_failed"


async def test_refresh_tokens_rotate_and_an_old_one_is_lost(
    idp: Idp, provider: OAuthProvider, server: TokenEndpoint
) -> None:
    allowed: Allowed = await by_redirect(provider, server, Person(idp.allow))
    first = allowed.tokens.refresh
    assert first is not None
    second = (await server.refresh(provider, first, provider.client_id)).refresh
    assert second not in (None, first)
    with pytest.raises(ProviderError) as told:
        await server.refresh(provider, first, provider.client_id)
    assert told.value.failure.reason is FailureReason.AUTH_PERMANENT
    assert first.reveal() not in str(told.value)


async def test_an_id_token_for_somebody_else_ends_the_login(
    idp: Idp, provider: OAuthProvider, server: TokenEndpoint
) -> None:
    allowed = await by_redirect(provider, server, Person(idp.allow))
    for other, nonce, words in (
        (replace(provider, client_id="other"), allowed.nonce, "for another client"),
        (replace(provider, issuer="https://other.test"), allowed.nonce, "of another issuer"),
        (provider, "another", "of another login"),
    ):
        with pytest.raises(BotError, match=words):
            await server.account(other, allowed.tokens, nonce)


async def test_without_an_id_token_the_userinfo_endpoint_tells_whose_it_is(
    idp: Idp, provider: OAuthProvider, server: TokenEndpoint
) -> None:
    allowed = await by_redirect(provider, server, Person(idp.allow))
    bare = replace(allowed.tokens, id_token=None)
    assert await server.account(provider, bare, None) == Account(id="ada", email="ada@example.org")
    assert await server.account(replace(provider, userinfo_url=""), bare, None) == Account()
