"""A credential that is out comes back by an owner's word, once its provider accepts it: from a button, for everybody."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.health import Lane, ProfileHealth, Window, after_failure, cleared
from core.errors import Failure, FailureReason, StorageError
from core.messages import Reply, ReplyKind, Working
from core.resolution.outage import needs_answer
from core.sessions.key import SessionKey
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, DIRECT, GROUP, OWNER, World, profile, rules

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
A, B = "acme/small", "acme/large"
LIMIT, BILLING = FailureReason.RATE_LIMIT, FailureReason.BILLING
REVOKED = FailureReason.AUTH_PERMANENT
FRESH = ProfileHealth(profile="acme:work", fingerprint="f")
TIMED = [reason for reason in FailureReason if reason is not REVOKED]
"""A revoked key stays revoked whatever else it meets; every other window can still be lengthened by the provider's own word."""


def events_of(reasons: list[FailureReason]) -> st.SearchStrategy[list[tuple[FailureReason, str, int]]]:
    return st.lists(st.tuples(st.sampled_from(reasons), st.sampled_from([A, B]), st.integers(0, 10_000)), max_size=12)


EVENTS = events_of(list(FailureReason))


def lived(events: list[tuple[FailureReason, str, int]], health: ProfileHealth | None = None) -> ProfileHealth:
    """A record after these failures, given with their models and seconds."""
    health = health or ProfileHealth(profile="acme:work", fingerprint="f", last_used=NOW)
    for reason, model, at in sorted(events, key=lambda event: event[2]):
        health = after_failure(health, Failure(reason=reason), model, NOW + timedelta(seconds=at))
    return health


def ends(window: Window | None) -> float:
    return 0.0 if window is None else float("inf") if window.until is None else window.until.timestamp()


class TestRecord:
    """`cleared`, pure."""

    @given(EVENTS, st.integers(0, 10_000))
    def test_clearing_one_model_leaves_every_window_of_another_as_it_is(
        self, events: list[tuple[FailureReason, str, int]], at: int
    ) -> None:
        health, now = lived(events), NOW + timedelta(seconds=at)
        after = cleared(health, health.concerning(A))
        assert after.block(A, now) is None
        assert [w for w in after.windows if w.model == B] == [w for w in health.windows if w.model == B]
        assert after.last_used == health.last_used

    @given(events_of(TIMED), st.sampled_from([A, B]), st.sampled_from([LIMIT, BILLING]), st.integers(1, 100))
    def test_a_failure_that_comes_during_the_check_is_never_wiped(
        self, events: list[tuple[FailureReason, str, int]], model: str, reason: FailureReason, at: int
    ) -> None:
        before, now = lived(events), NOW + timedelta(seconds=10_000 + at)
        failure = Failure(reason=reason, retry_at=now + timedelta(days=2))
        after = cleared(after_failure(before, failure, model, now), before.windows)
        assert ends(after.block(model, now)) >= ends(after_failure(FRESH, failure, model, now).block(model, now))

    def test_the_ladder_starts_anew(self) -> None:
        risen = lived([(LIMIT, A, 0), (LIMIT, A, 30), (LIMIT, A, 90)])
        assert risen.windows[0].step == 2
        fresh = after_failure(cleared(risen, risen.windows), Failure(reason=LIMIT), A, NOW + timedelta(seconds=400))
        assert fresh.windows[0].until == NOW + timedelta(seconds=430)

    @pytest.mark.parametrize(
        ("reasons", "needed"),
        [
            pytest.param([FailureReason.AUTH], False, id="a list shows that the key is known"),
            pytest.param([REVOKED], False, id="also of one that was withdrawn"),
            pytest.param([BILLING], True, id="a list costs nothing, so it says nothing of credit"),
            pytest.param([LIMIT], True, id="nor of a limit"),
            pytest.param([REVOKED, LIMIT], True, id="the harder question decides"),
        ],
    )
    def test_what_a_list_of_models_proves(self, reasons: list[FailureReason], needed: bool) -> None:
        windows = [Window(lane=Lane.DISABLED, reason=r, model="", since=NOW, until=None, step=0) for r in reasons]
        assert needs_answer(windows) is needed


async def out(
    world: World, reason: FailureReason = LIMIT, name: str = "acme:work", model: str = A, back: float | None = None
) -> None:
    """Let a credential's record say that it has failed. `back`: the provider has said to come back after so many seconds."""
    held, now = world.credentials.load("main").profiles[name], world.clock.now()
    failure = Failure(reason=reason, retry_at=now + timedelta(seconds=back) if back is not None else None)
    await world.health.update_health(
        held.id, held.fingerprint or "", lambda health: after_failure(health, failure, model, now)
    )


def checks(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons if button.label.startswith("Check")]


class TestStatus:
    async def test_a_press_asks_with_that_credential_and_tells_everybody_that_it_is_back(self) -> None:
        world = World()
        await out(world)
        status = await world.say("/model status")
        assert checks(status) == ["Check acme:work again"]
        assert "\n\n  1. Check acme:work again\nAnswer with a button or /model <number>." in status.text
        (told,) = await world.press(status, "Check acme:work again")
        assert told.text == "acme:work is back: the provider accepts it."
        assert (told.kind, told.shared, told.replaces) == (ReplyKind.NOTICE, True, True)
        (asked,) = world.check.asked
        assert (asked.profile, asked.model, asked.endpoint) == ("acme:work", A, "http://acme.test/v1")
        assert asked.by_answer
        assert timedelta(0) < asked.deadline - world.clock.now() <= timedelta(seconds=15)
        await world.say("hello")
        assert world.served == ["acme:work"]
        why = await world.say("/model why")
        state = "acme:work cooling 30s · rate_limit · acme/small → acme:work ready"
        assert f"telegram:1 · clear: {state} · the provider accepts it" in why.text

    async def test_a_refusal_is_told_and_the_record_stays(self) -> None:
        world = World()
        await out(world, BILLING)
        before = dict(world.health.health)
        world.check.script["acme:work"] = [Failure(reason=BILLING, status=402, detail="Your balance is empty.")]
        (told,) = await world.press(await world.say("/model status"), "Check")
        lines = told.text.splitlines()
        assert lines[:3] == [
            "acme:work is still out: the provider answered billing (HTTP 402) to acme/small.",
            "It said: Your balance is empty.",
            "Now: acme:work is disabled 5h · billing.",
        ]
        assert checks(told) == ["Check acme:work again"]
        assert not told.shared
        assert world.health.health == before
        assert (await world.say("/model why")).text.startswith("Nothing was decided")

    @pytest.mark.parametrize("reason", [FailureReason.TIMEOUT, FailureReason.NETWORK, FailureReason.MODEL_NOT_FOUND])
    async def test_what_is_not_about_the_credential_is_not_called_a_refusal(self, reason: FailureReason) -> None:
        world = World()
        await out(world)
        world.check.script["acme:work"] = [reason]
        (told,) = await world.press(await world.say("/model status"), "Check")
        assert told.text.startswith(f"acme:work could not be checked with acme/small: {reason}. Nothing was changed.")
        assert "acme:work is cooling" in told.text

    async def test_a_withdrawn_credential_that_is_accepted_again_is_back(self) -> None:
        world = World()
        await out(world, REVOKED)
        await world.press(await world.say("/model status"), "Check")
        assert not world.check.asked[0].by_answer
        await world.say("hello")
        assert world.served == ["acme:work"]

    async def test_a_limit_of_another_model_stays(self) -> None:
        world = World()
        await out(world, model=A)
        await out(world, model=B)
        await world.press(await world.say("/model status"), "Check")
        held = world.health.health["acme:work", "work"]
        assert [window.model for window in held.windows] == [B]

    async def test_a_limit_of_the_account_ends_in_the_record_that_has_it(self) -> None:
        one, two = profile("acme:one", account="a"), profile("acme:two", account="a")
        world = World(profiles=[one, two])
        await out(world, name="acme:one")
        status = await world.say("/model status")
        assert checks(status) == ["Check acme:one again", "Check acme:two again"]
        (told, *_) = await world.press(status, "Check acme:two")
        assert told.text == "acme:two is back: the provider accepts it."
        assert [asked.profile for asked in world.check.asked] == ["acme:two"]
        assert world.health.health["acme:one", ":one"].windows == ()

    async def test_three_buttons_are_enough(self) -> None:
        names = [f"acme:k{n}" for n in range(5)]
        world = World(profiles=[profile(name) for name in names])
        for name in names:
            await out(world, name=name)
        assert checks(await world.say("/model status")) == [f"Check acme:k{n} again" for n in range(3)]

    async def test_what_cannot_be_asked_has_no_button(self) -> None:
        world = World(profiles=[profile("acme:work", secret=None), profile("acme:home")])
        await out(world)
        assert checks(await world.say("/model status")) == []

    async def test_one_that_has_come_back_meanwhile_is_not_asked_about(self) -> None:
        world = World()
        await out(world)
        status = await world.say("/model status")
        world.wait(minutes=1)
        (told,) = await world.press(status, "Check")
        assert told.text == "acme:work is ready: there is nothing to clear."
        assert world.check.asked == []


class TestWho:
    async def test_others_never_see_the_button(self) -> None:
        world = World()
        for name in ("acme:work", "acme:home"):
            await out(world, name=name)
        assert checks(await world.say("/model status", by=ALLOWED)) == []
        assert checks(await world.say("hello", by=ALLOWED)) == []
        assert checks(await world.say("hello")) == ["Check acme:work again", "Check acme:home again"]

    async def test_a_press_of_somebody_else_is_refused(self) -> None:
        world = World()
        await out(world)
        status = await world.say("/model status", key=GROUP)
        (told,) = await world.press(status, "Check", by=ALLOWED, key=GROUP)
        assert (told.code, told.private) == ("not_authorised", True)
        assert world.check.asked == []

    async def test_who_is_an_owner_no_more_is_refused(self) -> None:
        world = World()
        await out(world)
        status = await world.say("/model status")
        access = replace(world.rules.access, owners=frozenset(), allow=frozenset({OWNER}))
        world.rules = replace(world.rules, access=access)
        (told,) = await world.press(status, "Check")
        assert (told.code, told.private) == ("not_authorised", True)
        assert world.check.asked == []

    async def test_typed_it_is_a_message_like_any_other(self) -> None:
        world = World()
        await out(world)
        assert (await world.say("/recheck acme:work")).text == "served-by:acme:home"
        assert world.check.asked == []


class Gate:
    """A check that waits until it is let go."""

    def __init__(self, world: World) -> None:
        self.started, self.release = asyncio.Event(), asyncio.Event()
        world.check.meanwhile = self._wait

    async def _wait(self) -> None:
        self.started.set()
        await self.release.wait()


class TestSideBySide:
    async def test_it_says_at_once_that_it_works_and_holds_nobody_up(self) -> None:
        world = World()
        await out(world)
        status, gate = await world.say("/model status"), Gate(world)
        running = asyncio.create_task(world.press(status, "Check"))
        await gate.started.wait()
        assert (await world.say("/model big")).text.startswith("Now big")
        assert (await world.say("hello")).text == "served-by:acme:work", "another model of the same credential"
        gate.release.set()
        await running
        assert isinstance(world.events[0], Working)

    async def test_it_waits_for_no_turn_and_the_turn_keeps_what_it_leaves_behind(self) -> None:
        world = World()
        world.provider.script["acme:home"] = [held := Held("the answer")]
        await out(world)
        turn = asyncio.create_task(world.say("hello"))
        await held.started.wait()
        (told,) = await world.press(await world.say("/model status"), "Check")
        assert told.text == "acme:work is back: the provider accepts it."
        held.release.set()
        assert (await turn).text == "the answer"
        session = world.sessions.session(SessionKey.parse(DIRECT))
        assert session.served is not None
        assert session.served.profile == "acme:home"

    async def test_a_double_press_asks_once(self) -> None:
        world = World()
        await out(world)
        status, gate = await world.say("/model status"), Gate(world)
        first = asyncio.create_task(world.press(status, "Check"))
        await gate.started.wait()
        (second,) = await world.press(status, "Check")
        assert (second.code, second.private) == ("check_under_way", True)
        gate.release.set()
        assert (await first)[0].text == "acme:work is back: the provider accepts it."
        assert len(world.check.asked) == 1
        (third,) = await world.press(status, "Check")
        assert "nothing to clear" in third.text
        assert len(world.check.asked) == 1

    @pytest.mark.parametrize(
        ("reason", "back", "state"),
        [
            pytest.param(LIMIT, 90, "cooling 2m · rate_limit", id="the same limit, for longer"),
            pytest.param(BILLING, None, "disabled 5h · billing", id="another reason"),
        ],
    )
    async def test_what_another_turn_meets_meanwhile_stands(
        self, reason: FailureReason, back: float | None, state: str
    ) -> None:
        world = World()
        await out(world)
        status, gate = await world.say("/model status"), Gate(world)
        running = asyncio.create_task(world.press(status, "Check"))
        await gate.started.wait()
        world.wait(seconds=20)
        await out(world, reason, back=back)
        gate.release.set()
        (told,) = await running
        assert told.text.startswith("The provider accepts acme:work, but another request has failed meanwhile:")
        assert f"acme:work is {state}" in told.text
        await world.say("hello")
        assert world.served == ["acme:home"]


class TestCard:
    async def pinned(self) -> tuple[World, Reply]:
        world = World()
        await world.say("/model @acme:work")
        world.provider.script["acme:work"] = [LIMIT]
        return world, await world.say("the kept message")

    async def test_a_kept_message_runs_once_its_credential_is_back(self) -> None:
        world, card = await self.pinned()
        replies = await world.press(card, "Check acme:work")
        assert [r.text for r in replies] == ["acme:work is back: the provider accepts it.", "served-by:acme:work"]
        assert world.provider.requests[-1].messages[-1].text == "the kept message"
        assert world.served == ["acme:work", "acme:work"]
        (again,) = await world.press(card, "Check acme:work")
        assert (again.code, again.private) == ("number_without_picker", True)
        assert len(world.check.asked) == 1

    async def test_a_refusal_is_the_card_once_more_and_the_message_is_not_lost(self) -> None:
        world, card = await self.pinned()
        world.check.script["acme:work"] = [Failure(reason=LIMIT, status=429)]
        (again,) = await world.press(card, "Check acme:work")
        assert again.text.startswith("acme:work is still out: the provider answered rate_limit (HTTP 429)")
        assert [b.label for b in again.buttons] == [b.label for b in card.buttons]
        assert again.text.count("Check acme:work again") == 1
        replies = await world.press(again, "Use acme:home once")
        assert "served-by:acme:home" in [r.text for r in replies]
        assert world.provider.requests[-1].messages[-1].text == "the kept message"

    async def test_the_card_of_a_chat_without_any_credential_offers_it_too(self) -> None:
        world = World()
        world.provider.script["acme:work"], world.provider.script["acme:home"] = [BILLING], [BILLING]
        card = await world.say("the kept message")
        assert card.code == "all_unavailable"
        assert [b.label for b in card.buttons] == ["Try again", "Check acme:work again", "Check acme:home again"]
        replies = await world.press(card, "Check acme:home")
        assert [r.text for r in replies][-1] == "served-by:acme:home"

    async def test_one_that_came_back_by_itself_runs_the_message_unasked(self) -> None:
        world, card = await self.pinned()
        world.wait(minutes=1)
        replies = await world.press(card, "Check acme:work")
        assert replies[-1].text == "served-by:acme:work"
        assert world.check.asked == []

    async def test_a_refusal_while_another_credential_is_back_offers_to_try_again(self) -> None:
        world = World()
        world.provider.script["acme:work"] = [BILLING]
        world.provider.script["acme:home"] = [LIMIT]
        card = await world.say("the kept message")
        world.check.script["acme:work"] = [BILLING]
        world.wait(minutes=1)
        (again,) = await world.press(card, "Check acme:work")
        assert again.text.startswith("acme:work is still out")
        assert [b.label for b in again.buttons] == ["Try again"]
        assert (await world.press(again, "Try again"))[-1].text == "served-by:acme:home"

    async def test_a_database_that_takes_nothing_loses_no_message(self) -> None:
        world, card = await self.pinned()

        async def refuse(*_: object) -> None:
            raise StorageError("storage", "The database is full.")

        world.health.update_health = refuse  # type: ignore[method-assign]
        (told,) = await world.press(card, "Check acme:work")
        assert told.kind is ReplyKind.ERROR
        assert "still kept" in told.text
        assert world.resolution().next.profile is None


async def test_a_credential_of_no_provider_in_use_is_refused() -> None:
    world = World()
    await out(world)
    status = await world.say("/model status")
    world.rules = rules(default="zeta/opus-1")
    (told,) = await world.press(status, "Check")
    assert (told.code, told.private) == ("profile_not_found", True)
