"""The watch: what changes by itself is told where it matters, soon, once, and to nobody who may not see it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import Lane, ProfileHealth, Window
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import SecretRef
from core.errors import Failure, FailureReason, StorageError
from core.messages import Reply, ReplyKind, Sender
from core.ports import InboxState
from core.resolution.rules import AgentRules
from core.sessions.key import SessionKey
from core.watch.rounds import EVERY, Watch
from tests.core.announcing import AnnouncingWorld
from tests.fakes.clock import START, FakeClock
from tests.world import ALLOWED, DIRECT, GROUP, OWNER, profile

BOBS = DIRECT.replace("direct:1", "direct:2")
WORK_ENDED = "acme/small (default)@acme:work has ended: its time is over. Now acme/small (default)."
FOR_OWNERS = ("owners",)


@pytest.fixture
def world() -> AnnouncingWorld:
    return AnnouncingWorld()


def texts(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def forget_old_keys(world: AnnouncingWorld) -> None:
    """Everything is delivered, and three days have passed."""
    world.inbox.items = {n: replace(item, state=InboxState.DONE) for n, item in world.inbox.items.items()}
    world.inbox.items = {n: replace(i, update=replace(i.update, key=f"{n}")) for n, i in world.inbox.items.items()}


class TestEndedChoices:
    async def test_a_choice_is_told_to_have_ended_at_its_time_and_the_next_message_does_not_tell_it_again(
        self, world: AnnouncingWorld
    ) -> None:
        await world.say("/model @work for 2h")
        world.wait(hours=2, seconds=-1)
        assert await world.look() == []
        world.wait(seconds=1)
        assert texts(await world.look()) == [WORK_ENDED]
        assert world.said[-1][0] == "person:1"
        await world.say("hi")
        assert world.notices() == ""
        assert await world.look() == []
        assert "ended" in (await world.say("/model why")).text

    async def test_the_message_that_comes_first_tells_it_and_the_watch_does_not(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h")
        world.wait(hours=2)
        await world.say("hi")
        assert world.notices() == WORK_ENDED
        assert await world.look() == []

    @pytest.mark.parametrize("by_message", [False, True], ids=["by the watch", "with the next message"])
    @pytest.mark.parametrize("chosen", ["/model @work", "/model @work for 2h", "/model @work once"])
    async def test_what_the_operator_has_cleared_is_told_as_that_with_the_way_back(
        self, chosen: str, by_message: bool, world: AnnouncingWorld
    ) -> None:
        await world.say(chosen)
        session, now = world.sessions.session(SessionKey.parse(DIRECT)), world.clock.now()
        ends = tuple(choice.cleared(now) for choice in session.choices)
        world.sessions.sessions[session.key] = replace(session, choices=ends, undo=session.choices)
        if by_message:
            await world.say("hi")
            told = world.notices()
        else:
            (told,) = texts(await world.look())
        name = "acme/small (default)"
        assert told.splitlines() == [
            f"{name}@acme:work has ended: the operator has cleared it on the host. Now {name}.",
            "/model undo brings it back; /model why says who has cleared it.",
        ]
        assert "ended" not in (await world.say("/model why")).text, "the decision is the operator's"
        assert "acme:work" in (await world.say("/model undo")).text
        assert world.sessions.session(session.key).choices == session.choices

    async def test_two_processes_tell_it_once(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h")
        world.wait(hours=2)
        stale = world.sessions.session(SessionKey.parse(DIRECT))
        assert len(await world.look()) == 1
        world.sessions.sessions[stale.key] = stale  # as the other one has read it
        world.restart()
        assert await world.look() == []

    async def test_what_cannot_be_stored_is_told_by_the_next_round(
        self, world: AnnouncingWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        await world.say("/model @work for 2h")
        world.wait(hours=2)
        world.stored.fails = StorageError("storage", "The disk is full.", "")
        for _ in range(3):
            assert await world.look() == []
        assert caplog.text.count("The disk is full") == 1, "said once, not twice a minute"
        assert len(world.sessions.session(SessionKey.parse(DIRECT)).choices) == 1
        world.stored.fails = None
        assert texts(await world.look()) == [WORK_ENDED]

    async def test_a_chat_that_nobody_knows_is_told_with_its_next_message(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h", chat="")
        world.wait(hours=2)
        assert await world.look() == []
        await world.say("hi", chat="")
        assert world.notices() == WORK_ENDED

    async def test_who_may_not_chat_any_more_is_told_nothing(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h", by=ALLOWED, key=BOBS)
        await world.say("/model @work for 2h", by=ALLOWED, key=GROUP)
        access = replace(world.rules.access, allow=frozenset())
        world.rules = replace(world.rules, access=access)
        world.wait(hours=2)
        assert await world.look() == []
        world.rules = replace(world.rules, access=replace(access, groups=frozenset({"telegram:-100"})))
        world.restart()
        assert texts(await world.look()) == [WORK_ENDED]
        assert world.said[-1][0] == "-100", "the group is listed, so its members may chat"

    async def test_a_profile_that_its_reader_may_not_see_any_more_is_not_named(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h", by=ALLOWED, key=BOBS)
        world.credentials.put(profile("acme:work", pin_allow=FOR_OWNERS))
        world.wait(hours=2)
        assert texts(await world.look()) == [WORK_ENDED.replace("acme:work", "hidden")]

    async def test_topics_are_told_of_their_own_choices_only(self, world: AnnouncingWorld) -> None:
        await world.say("/model @work for 2h", key=GROUP)
        await world.say("/whoami", key=f"{GROUP}:thread:5")
        world.wait(hours=2)
        assert len(await world.look()) == 1


class TestLostPins:
    async def test_whoever_pinned_a_profile_that_is_gone_is_asked_what_shall_be(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work", key=GROUP, by=ALLOWED)
        assert await world.look() == []
        world.credentials.remove("acme:work")
        (told,) = await world.look()
        assert told.text == (
            "acme:work is pinned here, and there is no such profile any more: nothing is answered until you choose.\n"
            "  acme:home · ready\n"
            "Choose with a button, or write /model @<profile>, or /model auto to release the pin."
        )
        (refused,) = await world.press(told, "Release pin", key=GROUP, by=OWNER)
        assert refused.code == "not_authorised"
        await world.press(told, "acme:home", key=GROUP, by=ALLOWED)
        assert (await world.say("hi", key=GROUP, by=ALLOWED)).text == "served-by:acme:home"
        assert await world.look() == []

    async def test_a_choice_can_be_typed_and_the_session_is_free(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work prefer")
        world.credentials.remove("acme:work")
        (told,) = await world.look()
        assert "others serve in its place until you choose" in told.text
        assert "released" in (await world.say("/model auto")).text
        assert world.resolution().pinned is None

    async def test_a_number_goes_on_to_mean_the_list_that_was_asked_for(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        listed = await world.say("/model", rows=8)
        world.credentials.remove("acme:work")
        assert len(await world.look()) == 1
        meant = next(button for button in listed.buttons if button.label.startswith("opus"))
        assert "Now opus" in (await world.say(f"/model {meant.n}", rows=8)).text

    async def test_it_is_told_once_for_a_pin_also_after_restarts_and_days(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        world.credentials.remove("acme:work")
        assert len(await world.look()) == 1
        forget_old_keys(world)
        world.wait(days=4)
        for _ in range(2):
            assert await world.look() == []
            world.restart()
        world.credentials.put(profile("acme:work"))
        assert await world.look() == []
        await world.say("/model @acme:work")
        world.credentials.remove("acme:work")
        assert len(await world.look()) == 1, "another promise"

    async def test_a_kill_before_it_was_noted_tells_it_no_second_time(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        world.credentials.remove("acme:work")
        assert len(await world.look()) == 1
        world.inbox.marks.clear()
        world.restart()
        assert await world.look() == []

    async def test_profiles_that_whoever_pinned_may_not_see_are_not_offered(self, world: AnnouncingWorld) -> None:
        world.credentials.put(profile("acme:home", pin_allow=FOR_OWNERS))
        await world.say("/model @acme:work", by=ALLOWED, key=BOBS)
        world.credentials.remove("acme:work")
        (told,) = await world.look()
        assert "home" not in told.text
        assert [button.label for button in told.buttons] == ["Release pin"]

    async def test_many_profiles_are_offered_with_the_ready_ones_first_and_the_rest_counted(
        self, world: AnnouncingWorld
    ) -> None:
        for n in range(8):
            world.credentials.put(profile(f"acme:p{n}"))
        await world.say("/model @acme:work")
        world.provider.script["acme:home"] = [Failure(reason=FailureReason.RATE_LIMIT, status=429)]
        await world.say("/model @acme:home", key=GROUP)
        await world.say("hi", key=GROUP)
        world.credentials.remove("acme:work")
        (told,) = await world.look()
        assert [b.label for b in told.buttons] == [*(f"acme:p{n} · ready" for n in range(5)), "Release pin"]
        assert "and 4 more; see /model" in told.text

    async def test_a_store_that_cannot_be_read_has_lost_nothing(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        world.credentials._sets["main"] = ProfileSet(unreadable=True)
        assert await world.look() == []

    async def test_who_was_just_told_by_a_card_is_not_told_again(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        world.credentials.remove("acme:work")
        assert "no such profile any more" in (await world.say("hi")).text
        assert await world.look() == []
        world.wait(hours=1)
        assert await world.look() == []

    async def test_a_pin_that_does_not_count_is_not_missed(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        await world.say("/model opus for 1h")
        world.credentials.remove("acme:work")
        assert await world.look() == [], "below another choice"
        world.rules = replace(world.rules, locked=frozenset({DIRECT}))
        world.wait(hours=1)
        assert all("no such profile" not in text for text in texts(await world.look()))


def token(name: str, **left: float) -> object:
    ends = START + timedelta(**left)
    return profile(name, CredentialKind.TOKEN, expires=int(ends.timestamp() * 1000))


def disable(world: AnnouncingWorld, known: AuthProfile, reason: FailureReason) -> None:
    window = Window(lane=Lane.DISABLED, reason=reason, model="", since=START, until=None, step=1)
    health = ProfileHealth(profile=known.id, fingerprint=known.fingerprint or "", windows=(window,))
    world.health.health[health.profile, health.fingerprint] = health


class TestEndingCredentials:
    async def test_owners_are_told_once_a_day_what_ends_when_and_what_to_do(self, world: AnnouncingWorld) -> None:
        world.credentials.put(token("acme:t", hours=25))  # type: ignore[arg-type]
        assert await world.look() == []
        world.wait(hours=2)
        (told,) = await world.look()
        assert told.text == (
            "These credentials need your hand, on the host:\n"
            "  acme:t: expires 05 May 13:00 UTC (in 23h). Put in a new one with "
            "`remoteclaw models auth paste-token --provider acme --profile-id acme:t`."
        )
        assert world.said[-1][0] == "person:1", "Bob is allowed, and no owner"
        for _ in range(3):
            assert await world.look() == []
            world.restart()
            world.wait(hours=7, minutes=59)
        world.wait(minutes=3)
        (again,) = await world.look()
        assert "acme:t: expired 1h ago" in again.text

    async def test_what_comes_to_it_later_is_told_by_itself(self, world: AnnouncingWorld) -> None:
        for name in ("acme:t", "acme:u"):
            world.credentials.put(token(name, hours=3))  # type: ignore[arg-type]
        (told,) = await world.look()
        assert "acme:t: " in told.text
        assert "acme:u: " in told.text
        world.wait(hours=1)
        world.credentials.put(token("acme:v", hours=3))  # type: ignore[arg-type]
        (later,) = await world.look()
        assert "acme:v: " in later.text
        assert "acme:t" not in later.text
        world.restart()
        assert await world.look() == []

    async def test_one_that_was_renewed_and_ends_again_is_told_again(self, world: AnnouncingWorld) -> None:
        world.credentials.put(token("acme:t", hours=3))  # type: ignore[arg-type]
        assert len(await world.look()) == 1
        world.credentials.put(token("acme:t", days=30))  # type: ignore[arg-type]
        world.wait(days=29, hours=12)
        assert len(await world.look()) == 1

    async def test_what_can_be_refreshed_and_what_has_no_end_needs_nobody(self, world: AnnouncingWorld) -> None:
        ends = int((START + timedelta(hours=1)).timestamp() * 1000)
        world.credentials.put(profile("acme:o", CredentialKind.OAUTH, expires=ends, refreshable=True))
        world.credentials.put(profile("acme:k", expires=ends))
        assert await world.look() == []

    async def test_a_login_that_cannot_be_refreshed_and_a_reference_that_gives_nothing_do(
        self, world: AnnouncingWorld
    ) -> None:
        ends = int((START + timedelta(hours=1)).timestamp() * 1000)
        world.credentials.put(profile("acme:o", CredentialKind.OAUTH, expires=ends))
        gone = SecretRef("env", "default", "GONE")
        world.credentials.put(profile("acme:r", secret=None, ref=gone, ref_error="is not set"))
        (told,) = await world.look()
        assert "acme:o: expires 13:00 UTC (in 1h). Log in again with `remoteclaw models auth login" in told.text
        assert "acme:r: its secret reference gives nothing." in told.text

    async def test_a_login_that_is_lost_is_told_once_a_day_with_the_command_that_puts_it_back(
        self, world: AnnouncingWorld
    ) -> None:
        lost = profile("acme:my own", CredentialKind.OAUTH, provider="acme", refreshable=True)
        world.credentials.put(lost)
        assert await world.look() == []
        disable(world, lost, FailureReason.AUTH_PERMANENT)
        (told,) = await world.look()
        assert told.text.splitlines()[1:] == [
            "  acme:my own: its provider does not take this login any more. Log in again with "
            "`remoteclaw models auth login --provider acme --profile-id 'acme:my own'`."
        ]
        world.restart()
        world.wait(hours=23)
        assert await world.look() == []
        world.wait(hours=2)
        assert len(await world.look()) == 1
        world.wait(days=2)
        world.credentials.put(replace(lost, fingerprint="anew"))
        assert await world.look() == []

    @pytest.mark.parametrize(
        ("kind", "reason", "told"),
        [
            pytest.param(CredentialKind.OAUTH, FailureReason.BILLING, False, id="no money"),
            pytest.param(CredentialKind.OAUTH, FailureReason.AUTH, False, id="what may pass"),
            pytest.param(CredentialKind.API_KEY, FailureReason.AUTH_PERMANENT, False, id="a key"),
            pytest.param(CredentialKind.OAUTH, FailureReason.AUTH_PERMANENT, True, id="a lost login"),
            pytest.param(CredentialKind.CLI, FailureReason.AUTH_PERMANENT, True, id="a lost login of a program"),
        ],
    )
    async def test_only_a_login_that_is_lost_needs_another_login(
        self, kind: CredentialKind, reason: FailureReason, told: bool, world: AnnouncingWorld
    ) -> None:
        ends = int((START + timedelta(days=9)).timestamp() * 1000)
        one = profile("acme:o", kind, expires=ends, refreshable=kind is CredentialKind.OAUTH)
        world.credentials.put(one)
        disable(world, one, reason)
        assert bool(await world.look()) is told

    async def test_a_login_of_another_agent_is_put_back_in_its_store(self, world: AnnouncingWorld) -> None:
        writer = AgentRules(id="writer", default=world.rules.agents["main"].default)
        world.rules = replace(world.rules, agents={"writer": writer, **world.rules.agents})
        own, shared = (profile(name, CredentialKind.OAUTH, refreshable=True) for name in ("acme:own", "acme:shared"))
        world.credentials.put(shared)
        known = world.credentials.load("main").profiles
        world.credentials._sets["writer"] = ProfileSet(profiles={**known, own.id: own})
        for one in (own, shared):
            disable(world, one, FailureReason.AUTH_PERMANENT)
        (told,) = await world.look()
        assert "--profile-id acme:own --agent writer`" in told.text
        assert "--profile-id acme:shared`" in told.text

    async def test_a_login_of_a_program_is_put_back_with_that_program(self, world: AnnouncingWorld) -> None:
        ends = int((START + timedelta(hours=1)).timestamp() * 1000)
        world.credentials.put(profile("anthropic:claude-cli", CredentialKind.CLI, expires=ends))
        (told,) = await world.look()
        assert told.text.endswith("expires 13:00 UTC (in 1h). Run `claude` and log in with /login.")

    async def test_a_long_list_is_cut_and_says_so(self, world: AnnouncingWorld) -> None:
        for n in range(12):
            world.credentials.put(token(f"acme:t{n:02}", hours=1))  # type: ignore[arg-type]
        (told,) = await world.look()
        assert "acme:t09" in told.text
        assert told.text.endswith("and 2 more; see `remoteclaw models status`")


def limit(**span: float) -> Failure:
    return Failure(reason=FailureReason.RATE_LIMIT, status=429, retry_at=START + timedelta(**span))


class TestOwnersWhoCannotBeTold:
    async def test_a_credential_that_ends_is_told_as_soon_as_an_owner_can_be(
        self, world: AnnouncingWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        access = world.rules.access
        world.rules = replace(world.rules, access=replace(access, owners=frozenset({"terminal:ann"})))
        world.credentials.put(token("acme:t", hours=20))  # type: ignore[arg-type]
        for _ in range(3):
            assert await world.look() == []
        assert caplog.text.count("No owner can be told anything") == 1
        world.rules = replace(world.rules, access=access)
        assert len(await world.look()) == 1
        assert await world.look() == []


class TestReturns:
    async def card(self, world: AnnouncingWorld, **where: object) -> Reply:
        """Ask something while every credential is out for ten minutes."""
        for name in ("acme:work", "acme:home"):
            world.provider.script[name] = [limit(minutes=10)]
        card = await world.say("the kept message", **where)
        assert card.code == "all_unavailable"
        return card

    async def test_who_waited_is_told_once_and_a_press_asks_the_kept_message_once(self, world: AnnouncingWorld) -> None:
        card = await self.card(world, key=GROUP, by=ALLOWED)
        world.wait(minutes=9, seconds=59)
        assert await world.look() == []
        world.wait(seconds=1)
        (told,) = await world.look()
        assert told.text == "acme:work can answer now. The message that was kept here at 12:00 UTC was not asked yet."
        world.restart()
        assert await world.look() == []
        (refused,) = await world.press(told, "Ask now", key=GROUP, by=OWNER)
        assert refused.code == "not_authorised"
        answered = await world.press(told, "Ask now", key=GROUP, by=ALLOWED)
        assert answered[-1].text == "served-by:acme:work"
        assert world.provider.requests[-1].messages[-1].text.endswith("the kept message")
        for once_more in (told, replace(card, buttons=card.buttons[-1:])):
            (late,) = await world.press(once_more, once_more.buttons[0].label, key=GROUP, by=ALLOWED)
            assert late.code == "number_without_picker"

    async def test_a_strict_pin_waits_for_its_own_credential(self, world: AnnouncingWorld) -> None:
        await world.say("/model @acme:work")
        world.provider.script["acme:work"] = [limit(minutes=10)]
        await world.say("the kept message")
        assert await world.look() == [], "acme:home is there, and not pinned"
        world.wait(minutes=10)
        assert len(await world.look()) == 1

    async def test_a_new_credential_brings_it_back_too(self, world: AnnouncingWorld) -> None:
        for name in ("acme:work", "acme:home"):
            world.credentials.remove(name)
        assert (await world.say("hi")).code == "no_credentials"
        assert await world.look() == []
        world.credentials.put(profile("acme:new"))
        assert "acme:new can answer now" in (await world.look())[0].text

    async def test_whose_card_was_used_is_not_told(self, world: AnnouncingWorld) -> None:
        card = await self.card(world)
        world.wait(minutes=10)
        await world.press(card, "Try again")
        world.wait(minutes=1)
        assert await world.look() == []

    @pytest.mark.parametrize("meanwhile", ["/usage tokens", "/model opus@zeta:me", "something else"])
    async def test_what_others_do_meanwhile_takes_nothing_from_whoever_waits(
        self, world: AnnouncingWorld, meanwhile: str
    ) -> None:
        await self.card(world, key=GROUP, by=ALLOWED)
        world.wait(minutes=10)
        await world.say(meanwhile, key=GROUP, by=OWNER)
        world.wait(minutes=1)
        (told,) = await world.look()
        answered = await world.press(told, "Ask now", key=GROUP, by=ALLOWED)
        assert answered[-1].text.startswith("served-by:")

    async def test_of_several_who_wait_in_one_chat_every_one_is_told(self, world: AnnouncingWorld) -> None:
        await self.card(world, key=GROUP, by=OWNER)
        assert (await world.say("another message", key=GROUP, by=ALLOWED)).code == "all_unavailable"
        world.wait(minutes=10)
        for by, told in zip((OWNER, ALLOWED), await world.look(), strict=True):
            assert (await world.press(told, "Ask now", key=GROUP, by=by))[-1].text.startswith("served-by:")

    async def test_who_was_let_in_by_a_role_is_told_where_no_group_is_listed(self, world: AnnouncingWorld) -> None:
        access = replace(world.rules.access, allow=frozenset({"telegram:role:77"}))
        world.rules = replace(world.rules, access=access)
        member = Sender("telegram", "5", roles=("77", "12"))
        await self.card(world, key=GROUP, sender=member)
        world.wait(minutes=10)
        (told,) = await world.look()
        (refused,) = await world.press(told, "Ask now", key=GROUP, sender=replace(member, roles=("12",)))
        assert refused.code == "not_authorised"
        assert (await world.press(told, "Ask now", key=GROUP, sender=member))[-1].text.startswith("served-by:")

    async def test_whose_role_is_not_allowed_any_more_is_not_told(self, world: AnnouncingWorld) -> None:
        access = world.rules.access
        world.rules = replace(world.rules, access=replace(access, allow=frozenset({"telegram:role:77"})))
        await self.card(world, key=GROUP, sender=Sender("telegram", "5", roles=("77",)))
        world.rules = replace(world.rules, access=access)
        world.wait(minutes=10)
        assert await world.look() == []

    async def test_who_only_looks_meanwhile_is_told_all_the_same(self, world: AnnouncingWorld) -> None:
        await self.card(world)
        world.wait(minutes=1)
        await world.say("/model status")
        await world.say("/model")
        world.wait(minutes=9)
        assert len(await world.look()) == 1

    async def test_a_question_that_is_being_answered_is_not_interrupted(self, world: AnnouncingWorld) -> None:
        await self.card(world)
        world.wait(minutes=10)
        world.busy = True
        assert await world.look() == []
        world.busy = False
        assert len(await world.look()) == 1

    async def test_of_thousands_that_wait_every_one_has_its_turn(self, world: AnnouncingWorld) -> None:
        card = await self.card(world)
        (shown,) = world.shown.shown
        for n in range(1200):
            other = replace(shown, token=f"t{n}", session=replace(shown.session, thread=str(n)))
            world.shown.shown.append(other)
            world.chats.chats[other.session] = world.chats.chats[shown.session]
        assert card.token == shown.token
        world.wait(minutes=10)
        assert [len(await world.look()) for _ in range(4)] == [500, 500, 201, 0]

    async def test_other_failures_wait_for_no_credential(self, world: AnnouncingWorld) -> None:
        world.provider.script["acme:work"] = [FailureReason.FORMAT]
        assert (await world.say("hi")).code == "format"
        assert await world.look() == []

    async def test_after_a_day_the_card_is_over(self, world: AnnouncingWorld) -> None:
        await self.card(world)
        world.wait(days=1)
        assert await world.look() == []

    async def test_a_credential_that_they_may_not_see_is_not_named(self, world: AnnouncingWorld) -> None:
        for name in ("acme:work", "acme:home"):
            world.credentials.put(profile(name, pin_allow=FOR_OWNERS))
        await self.card(world, key=BOBS, by=ALLOWED)
        world.wait(minutes=10)
        (told,) = await world.look()
        assert told.text.startswith("acme/small can answer now.")

    async def test_who_may_not_chat_any_more_is_not_told(self, world: AnnouncingWorld) -> None:
        await self.card(world, key=BOBS, by=ALLOWED)
        world.rules = replace(world.rules, access=replace(world.rules.access, allow=frozenset()))
        world.wait(minutes=10)
        assert await world.look() == []


async def test_a_session_whose_agent_is_gone_keeps_the_watch_from_no_other(world: AnnouncingWorld) -> None:
    agents = dict(world.rules.agents)
    world.rules = replace(world.rules, agents={**agents, "writer": replace(agents["main"], id="writer")})
    writers = "agent:writer:telegram:default:direct:1"
    for key in (writers, DIRECT):
        await world.say("/model @acme:work for 2h", key=key)
        await world.say("/model @acme:home", key=f"{key}:thread:5")
        for name in ("zeta:me", "zeta:a@b.c"):
            world.provider.script[name] = [limit(minutes=10)]
        await world.say("/model opus", key=f"{key}:thread:7")
        assert (await world.say("hi", key=f"{key}:thread:7")).code == "all_unavailable"
    world.rules = replace(world.rules, agents=agents)
    world.credentials.remove("acme:home")
    world.wait(hours=2)
    assert len(await world.look()) == 3
    assert not any("writer" in lane for lane, _ in world.said)


class TestRounds:
    async def test_one_kind_that_fails_leaves_the_others_alone_and_is_said_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.ERROR)
        told: list[str] = []

        def fails(error: Exception) -> Callable[[], object]:
            async def tell() -> None:
                raise error

            return tell

        async def works() -> None:
            told.append("told")

        rounds = {"one": fails(KeyError("x")), "two": fails(StorageError("s", "Full.")), "three": works}
        watch = Watch(rounds, FakeClock())  # type: ignore[arg-type]
        for _ in range(3):
            await watch.look()
        assert told == ["told"] * 3
        assert [record.getMessage() for record in caplog.records] == [
            "the watch for one fails unexpectedly",
            "the watch for two fails: Full.",
        ]

    async def test_it_looks_at_once_and_then_every_half_minute(self) -> None:
        clock = FakeClock()
        looked = []

        async def look() -> None:
            looked.append(clock.now())
            if len(looked) == 3:
                raise SystemExit

        with pytest.raises(SystemExit):
            await Watch({"one": look}, clock).run()
        assert [moment - START for moment in looked] == [timedelta(seconds=n * EVERY) for n in range(3)]


async def test_nothing_that_is_announced_is_taken_for_an_answer(world: AnnouncingWorld) -> None:
    await world.say("/model @work for 2h")
    world.wait(hours=2)
    (told,) = await world.look()
    assert told.kind is ReplyKind.NOTICE
    assert not told.replaces
    assert world.provider.requests == []
