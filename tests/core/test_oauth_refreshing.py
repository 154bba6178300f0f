"""One refresh at a time, stored before it is used, never at the cost of a newer one, and never lost with who asked for it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import Lane, ProfileHealth, Window
from core.auth.oauth import OAuthProvider, Tokens
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.refreshing import Refresher
from core.auth.secret import Secret
from core.chat.renewing import RenewingClient
from core.errors import FailureReason, ProviderError
from tests.fakes.clock import FakeClock
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.logins import FakeLoginStore, FakeTokenServer
from tests.fakes.profile_source import FakeProfileSource
from tests.world import World, profile

ACME = OAuthProvider(id="acme", token_url="https://id.test/token", client_id="c")
ADVISORY, MANDATORY, EXPIRED = timedelta(minutes=10), timedelta(minutes=4), timedelta(minutes=-1)


class House:
    """One login `acme:me` whose token ends after `left`."""

    def __init__(self, left: timedelta | None = MANDATORY, **changes: object) -> None:
        self.clock = FakeClock()
        ends = (self.clock.now() + left).timestamp() * 1000 if left is not None else None
        given = {
            "secret": Secret("access-0"),
            "fingerprint": "access-0",
            "expires": ends,
            "refreshable": True,
            **changes,
        }
        self.profiles = FakeProfileSource([profile("acme:me", CredentialKind.OAUTH, **given)])
        self.store = FakeLoginStore(self.profiles)
        self.server = FakeTokenServer(self.clock)
        self.health = FakeHealthStore()
        self.learnt: list[str] = []
        self.provider: OAuthProvider | None = ACME
        self.refresher = self.another()

    def another(self, observe: Callable[[str, str], None] = lambda provider, outcome: None) -> Refresher:
        """As another process has it."""
        learn = self.learnt.extend
        return Refresher(
            self.profiles, self.store, self.server, lambda _: self.provider, self.health, self.clock, learn, observe
        )

    @property
    def login(self) -> AuthProfile:
        return self.profiles.load("main").profiles["acme:me"]

    async def ready(self) -> str | None:
        found = await self.refresher.ready(self.login)
        return found.secret.reveal() if found.secret else None


async def test_a_good_login_goes_out_as_it_is() -> None:
    house = House(timedelta(minutes=16))
    assert await house.refresher.ready(house.login) is house.login
    assert house.server.spent == []


@pytest.mark.parametrize("left", [MANDATORY, EXPIRED], ids=["mandatory", "expired"])
async def test_in_the_mandatory_window_all_wait_for_one_refresh(left: timedelta) -> None:
    house = House(left)
    house.server.held = True
    waiting = [asyncio.create_task(house.ready()) for _ in range(5)]
    await house.server.asked.wait()
    assert not any(task.done() for task in waiting)
    house.server.release.set()
    assert await asyncio.gather(*waiting) == ["access-1"] * 5
    assert house.server.spent == ["refresh-0"]
    assert house.learnt == ["access-1", "refresh-1"]


async def test_a_login_with_only_a_refresh_token_is_refreshed_before_it_serves() -> None:
    house = House(None, secret=None, fingerprint=None)
    assert await house.ready() == "access-1"


async def test_in_the_advisory_window_one_tries_and_the_others_go_on() -> None:
    house = House(ADVISORY)
    house.server.held = True
    first = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    assert [await house.ready() for _ in range(3)] == ["access-0"] * 3
    house.server.release.set()
    assert await first == "access-1"
    assert house.server.spent == ["refresh-0"]


async def test_what_another_process_refreshes_is_waited_for_only_where_it_must_be() -> None:
    house = House(ADVISORY)
    house.store.taken.add("acme:me")
    assert await house.ready() == "access-0"
    late = House(EXPIRED)
    late.store.taken.add("acme:me")
    with pytest.raises(ProviderError) as told:
        await late.ready()
    assert told.value.failure.reason is FailureReason.TIMEOUT


async def test_a_refresh_that_fails_in_the_advisory_window_changes_nothing_and_rests_a_minute() -> None:
    house = House(ADVISORY)
    house.server.script.append(FailureReason.NETWORK)
    assert [await house.ready() for _ in range(3)] == ["access-0"] * 3
    assert len(house.server.spent) == 1
    house.clock.advance(timedelta(minutes=1))
    assert await house.ready() == "access-2"
    assert house.health.health == {}


async def test_a_clock_that_is_set_back_makes_no_long_rest_of_a_failure() -> None:
    house = House(ADVISORY)
    house.server.script.append(FailureReason.NETWORK)
    await house.ready()
    house.clock.advance(timedelta(hours=-1))
    ends = (house.clock.now() + ADVISORY).timestamp() * 1000
    house.profiles.put(replace(house.login, expires=ends))
    assert await house.ready() == "access-2"


@pytest.mark.parametrize("reason", [FailureReason.NETWORK, FailureReason.TIMEOUT, FailureReason.OVERLOADED])
async def test_a_refresh_that_fails_after_the_end_fails_the_attempt(reason: FailureReason) -> None:
    house = House(EXPIRED)
    house.server.script.append(reason)
    with pytest.raises(ProviderError) as told:
        await house.ready()
    assert told.value.failure.reason is reason
    if reason is FailureReason.TIMEOUT:  # a server that hangs is not waited for by each message in turn
        with pytest.raises(ProviderError, match="asked again within a minute"):
            await house.ready()
        house.clock.advance(timedelta(minutes=1))
    assert await house.ready() == "access-2"
    assert len(house.server.spent) == 2


@pytest.mark.parametrize(
    "reason", [FailureReason.NETWORK, FailureReason.TIMEOUT, FailureReason.OVERLOADED, FailureReason.AUTH]
)
async def test_a_refresh_that_fails_before_the_end_lets_the_message_go_on_with_the_token_that_holds(
    reason: FailureReason,
) -> None:
    house = House(MANDATORY)
    house.server.script.append(reason)
    assert [await house.ready() for _ in range(3)] == ["access-0"] * 3
    assert len(house.server.spent) == 1
    house.clock.advance(timedelta(minutes=1))
    assert await house.ready() == "access-2"


async def test_another_process_that_takes_too_long_before_the_end_does_not_fail_the_message() -> None:
    house = House(MANDATORY)
    house.store.taken.add("acme:me")
    assert await house.ready() == "access-0"


async def test_a_token_that_ends_while_its_refresh_fails_does_not_go_out() -> None:
    house = House(MANDATORY)
    house.server.script.append(FailureReason.TIMEOUT)
    house.server.held = True
    waiting = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    house.clock.advance(MANDATORY)
    house.server.release.set()
    with pytest.raises(ProviderError) as told:
        await waiting
    assert told.value.failure.reason is FailureReason.TIMEOUT


async def test_a_refused_token_does_not_go_out_again_because_its_refresh_failed() -> None:
    house = House(MANDATORY)
    house.server.script.append(FailureReason.NETWORK)
    with pytest.raises(ProviderError):
        await house.refresher.after_refusal(house.login)


async def test_an_id_that_another_providers_login_has_by_now_gives_none_of_its_tokens() -> None:
    house = House(MANDATORY)
    seen = house.login
    ends = (house.clock.now() + timedelta(hours=1)).timestamp() * 1000
    house.profiles.put(replace(seen, provider="zeta", secret=Secret("theirs"), fingerprint="theirs", expires=ends))
    with pytest.raises(ProviderError):
        await house.refresher.ready(seen)
    assert house.server.spent == []


@pytest.mark.parametrize("left", [ADVISORY, MANDATORY], ids=["advisory", "mandatory"])
async def test_a_refusal_is_a_lost_login_and_says_how_to_log_in_again(left: timedelta) -> None:
    house = House(left)
    house.server.script.append(FailureReason.AUTH_PERMANENT)
    with pytest.raises(ProviderError) as told:
        await house.ready()
    assert told.value.failure.reason is FailureReason.AUTH_PERMANENT
    assert "remoteclaw models auth login --provider acme --profile-id acme:me" in told.value.failure.detail


async def test_a_refusal_because_somebody_else_was_faster_is_none() -> None:
    house = House(MANDATORY)
    house.server.script.append(FailureReason.AUTH_PERMANENT)
    house.server.held = True
    waiting = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    ends = house.clock.now() + timedelta(hours=1)
    theirs = Tokens(access=Secret("theirs"), refresh=Secret("r"), expires=ends, obtained=house.clock.now())
    house.store.put(house.login, theirs)
    house.server.release.set()
    assert await waiting == "theirs"


async def test_a_newer_token_of_somebody_else_is_never_overwritten() -> None:
    house = House(MANDATORY)
    house.server.held = True
    waiting = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    ends = house.clock.now() + timedelta(hours=2)
    theirs = Tokens(access=Secret("theirs"), refresh=Secret("r"), expires=ends, obtained=house.clock.now())
    house.store.put(house.login, theirs)
    house.server.release.set()
    assert await waiting == "theirs"
    assert house.store.refresh == {"acme:me": "r"}


async def test_a_token_that_was_renewed_since_it_was_looked_at_is_used_without_another_refresh() -> None:
    house = House(MANDATORY)
    seen = house.login
    assert await house.ready() == "access-1"
    found = await house.another().ready(seen)
    assert found.secret == Secret("access-1")
    assert house.server.spent == ["refresh-0"]


async def test_a_refresh_goes_on_when_who_asked_for_it_is_cancelled_and_the_end_waits_for_it() -> None:
    house = House(MANDATORY)
    house.server.held = True
    asking = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    closing = asyncio.create_task(house.refresher.close())
    await asyncio.sleep(0)
    assert not closing.done()
    house.server.release.set()
    await closing
    assert house.login.secret == Secret("access-1")


async def test_the_end_waits_for_a_refresh_that_was_sent_however_often_it_is_told_not_to() -> None:
    house = House(MANDATORY)
    house.server.held = True
    asking = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    asking.cancel()
    closing = asyncio.create_task(house.refresher.close())
    for _ in range(3):
        await asyncio.sleep(0)
        closing.cancel()
    await asyncio.sleep(0)
    assert not closing.done()
    house.server.release.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert (house.login.secret, house.store.refresh) == (Secret("access-1"), {"acme:me": "refresh-1"})


async def test_the_end_gives_up_a_refresh_that_was_not_sent() -> None:
    house = House(MANDATORY)
    async with house.store.alone(house.login, wait=True):
        asking = asyncio.create_task(house.ready())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await house.refresher.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert house.server.spent == []


@pytest.mark.parametrize("left", [MANDATORY, EXPIRED], ids=["mandatory", "expired"])
async def test_without_room_for_the_answer_nothing_is_sent(left: timedelta) -> None:
    house = House(left)
    house.store.full = True
    if left == MANDATORY:
        assert await house.ready() == "access-0"
    else:
        with pytest.raises(ProviderError, match="no space left"):
            await house.ready()
    assert house.server.spent == []
    house.store.full = False
    house.clock.advance(timedelta(minutes=1))
    assert await house.ready() == "access-1"


@pytest.mark.parametrize("left", [MANDATORY, None], ids=["before its end", "after a refusal"])
async def test_a_server_that_gives_the_same_access_token_again_is_asked_once(left: timedelta | None) -> None:
    house = House(left)
    house.server.same = True
    if left is None:
        assert await house.refresher.after_refusal(house.login) is None
    else:
        assert await house.ready() == "access-0"
    assert house.server.spent == ["refresh-0"]


async def test_what_becomes_of_each_refresh_that_was_sent_is_observed() -> None:
    seen: list[tuple[str, str]] = []
    house = House(MANDATORY)
    house.refresher = house.another(observe=lambda *what: seen.append(what))
    house.server.script += [FailureReason.OVERLOADED, FailureReason.AUTH_PERMANENT]
    await house.ready()
    house.clock.advance(timedelta(minutes=1))
    with pytest.raises(ProviderError):
        await house.ready()
    house.clock.advance(timedelta(minutes=1))
    await house.ready()
    await house.ready()
    assert seen == [("acme", "overloaded"), ("acme", "auth_permanent"), ("acme", "ok")]


async def test_a_message_does_not_wait_long_for_a_refresh_that_it_can_do_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.auth.refreshing.PATIENCE", 0.01)
    house = House(ADVISORY)
    house.server.held = True
    assert await house.ready() == "access-0"
    house.server.release.set()
    await house.refresher.close()
    assert await house.ready() == "access-1"


async def test_a_mandatory_caller_waits_for_the_one_who_only_tries() -> None:
    house = House(ADVISORY)
    house.server.held = True
    first = asyncio.create_task(house.ready())
    await house.server.asked.wait()
    house.clock.advance(timedelta(minutes=6))
    second = asyncio.create_task(house.ready())
    await asyncio.sleep(0)
    assert not second.done()
    house.server.release.set()
    assert (await first, await second) == ("access-1", "access-1")
    assert len(house.server.spent) == 1


async def test_a_new_token_that_cannot_be_stored_is_not_used() -> None:
    holds = House(MANDATORY)
    holds.store.broken = True
    assert await holds.ready() == "access-0"
    house = House(EXPIRED)
    house.store.broken = True
    with pytest.raises(ProviderError) as told:
        await house.ready()
    assert (told.value.failure.reason, "cannot be written" in told.value.failure.detail) == (
        FailureReason.NETWORK,
        True,
    )


async def test_a_provider_that_nobody_describes_any_more_is_said_by_its_setting() -> None:
    house = House(EXPIRED)
    house.provider = None
    with pytest.raises(ProviderError, match=r"auth\.oauth\.acme names no token_url") as told:
        await house.ready()
    assert told.value.failure.reason is FailureReason.AUTH


async def test_a_profile_that_was_removed_meanwhile_is_not_brought_back() -> None:
    house = House(MANDATORY)
    seen = house.login
    house.profiles.remove("acme:me")
    with pytest.raises(ProviderError, match="not stored any more"):
        await house.refresher.ready(seen)
    assert house.server.spent == []


class TestAfterARefusal:
    async def test_there_is_another_token(self) -> None:
        house = House(None)
        found = await house.refresher.after_refusal(house.login)
        assert found is not None
        assert found.secret == Secret("access-1")

    async def test_what_somebody_else_renewed_meanwhile_is_taken_instead(self) -> None:
        house = House(None)
        seen = house.login
        await house.refresher.after_refusal(seen)
        found = await house.another().after_refusal(seen)
        assert found is not None
        assert found.secret == Secret("access-1")
        assert len(house.server.spent) == 1

    async def test_there_is_none_without_a_refresh_token(self) -> None:
        house = House(None, refreshable=False)
        assert await house.refresher.after_refusal(house.login) is None

    async def test_a_token_server_that_hangs_is_not_waited_for_by_each_message(self) -> None:
        house = House(None)
        house.server.script.append(FailureReason.TIMEOUT)
        for _ in range(3):
            with pytest.raises(ProviderError):
                await house.refresher.after_refusal(house.login)
        assert len(house.server.spent) == 1
        house.clock.advance(timedelta(minutes=1))
        assert await house.refresher.after_refusal(house.login) is not None

    async def test_a_lost_login_says_so(self) -> None:
        house = House(None)
        house.server.script.append(FailureReason.AUTH_PERMANENT)
        with pytest.raises(ProviderError) as told:
            await house.refresher.after_refusal(house.login)
        assert told.value.failure.reason is FailureReason.AUTH_PERMANENT


async def test_a_refreshed_login_is_the_same_account_so_its_rate_limit_holds_on() -> None:
    house = House(MANDATORY)
    now = house.clock.now()
    limit = Window(
        lane=Lane.COOLDOWN, reason=FailureReason.RATE_LIMIT, model="acme/small", since=now, until=None, step=0
    )
    refused = replace(limit, lane=Lane.DISABLED, reason=FailureReason.AUTH, model="")
    known = ProfileHealth(profile="acme:me", fingerprint="access-0", last_used=now, windows=(limit, refused))
    house.health.health["acme:me", "access-0"] = known
    await house.ready()
    assert house.health.health["acme:me", "access-1"] == replace(known, fingerprint="access-1", windows=(limit,))


class TestTurns:
    """The same through a turn: what the provider receives, and what is remembered of whom."""

    @staticmethod
    def world(house: House) -> World:
        world = World(profiles=[])
        world.clock, world.health, world.credentials = house.clock, house.health, house.profiles
        plain = world.provider
        world.provider = RenewingClient(plain, house.refresher)  # type: ignore[assignment, arg-type]
        world.rewire()
        world.provider = plain
        return world

    @staticmethod
    def tokens(world: World) -> list[str]:
        return [r.profile.secret.reveal() for r in world.provider.requests if r.profile and r.profile.secret]

    async def test_the_new_token_arrives_and_its_health_is_that_of_the_new_token(self) -> None:
        house = House(MANDATORY)
        world = self.world(house)
        await world.say("hi")
        assert self.tokens(world) == ["access-1"]
        assert house.health.health["acme:me", "access-1"].last_used is not None

    async def test_a_refused_token_is_refreshed_once_and_the_turn_goes_on(self) -> None:
        house = House(None)
        world = self.world(house)
        world.provider.script["acme:me"] = [FailureReason.AUTH, "hello"]
        replies = await world.say("hi")
        assert self.tokens(world) == ["access-0", "access-1"]
        assert "hello" in str(replies)
        assert house.health.health["acme:me", "access-1"].windows == ()

    async def test_a_new_token_that_is_refused_too_is_held_against_the_new_one(self) -> None:
        house = House(None)
        world = self.world(house)
        world.provider.script["acme:me"] = [FailureReason.AUTH, FailureReason.AUTH]
        await world.say("hi")
        assert self.tokens(world) == ["access-0", "access-1"]
        (window,) = house.health.health["acme:me", "access-1"].windows
        assert window.reason is FailureReason.AUTH

    async def test_a_lost_login_is_disabled_until_it_changes(self) -> None:
        house = House(MANDATORY)
        house.server.script.append(FailureReason.AUTH_PERMANENT)
        world = self.world(house)
        shown = str(await world.say("hi"))
        assert self.tokens(world) == []
        assert "remoteclaw models auth login --provider acme --profile-id acme:me" in shown
        (window,) = house.health.health["acme:me", "access-0"].windows
        assert (window.reason, window.until) == (FailureReason.AUTH_PERMANENT, None)

    async def test_a_network_failure_of_the_refresh_is_never_held_against_the_login(self) -> None:
        house = House(EXPIRED)
        house.server.script.extend([FailureReason.NETWORK] * 3)
        world = self.world(house)
        await world.say("hi")
        assert (self.tokens(world), house.health.health) == ([], {})
        assert len(house.server.spent) == 3
