"""Speaking without being asked: once, in the right chat, with buttons for the right person."""

import logging
from dataclasses import replace

import pytest

from core.announcements import Chat
from core.errors import LostRace, StorageError
from core.intake import Intake
from core.messages import Button, Reply, ReplyKind, reply_to_json
from core.ports import InboxItem
from core.sessions.key import SessionKey
from tests.core.announcing import AnnouncingWorld
from tests.fakes.chat_platform import FakePlatform
from tests.fakes.scripted_gateway import ScriptedGateway
from tests.world import ALLOWED, DIRECT, GROUP, OWNER

PLAIN = Reply(kind=ReplyKind.NOTICE, text="Something happened.")
ASKING = replace(PLAIN, buttons=(Button(n=1, label="big", command="/model big", group="action"),))


@pytest.fixture
async def world() -> AnnouncingWorld:
    world = AnnouncingWorld()
    for key in (DIRECT, GROUP):
        await world.say("/whoami", key=key)
    return world


async def tell(
    world: AnnouncingWorld, key: str = "k", reply: Reply = PLAIN, where: str = DIRECT, by: str = OWNER
) -> bool:
    return await world.announcer.tell_chat(SessionKey.parse(where), key, reply, by)


async def test_a_chat_is_told_once_however_often_it_is_asked_for_and_after_a_restart(world: AnnouncingWorld) -> None:
    for _ in range(2):
        assert await tell(world)
        assert await tell(world, where=GROUP)
        world.restart()
    assert world.said == [("person:1", PLAIN), ("-100", PLAIN)]
    assert [item.id for item in world.taken] == [1, 2], "each is handed on for delivery once"


async def test_another_key_is_another_announcement(world: AnnouncingWorld) -> None:
    await tell(world, "one")
    await tell(world, "two")
    assert len(world.said) == 2


async def test_buttons_work_for_the_one_they_are_made_for_and_for_nobody_else(world: AnnouncingWorld) -> None:
    await tell(world, reply=ASKING, where=GROUP, by=ALLOWED)
    ((_, told),) = world.said
    (refused,) = await world.press(told, "big", key=GROUP, by=OWNER)
    assert refused.code == "not_authorised"
    (done,) = await world.press(told, "big", key=GROUP, by=ALLOWED)
    assert "Now big (acme/large)" in done.text


async def test_choices_that_were_told_before_are_not_made_again(world: AnnouncingWorld) -> None:
    await tell(world, reply=ASKING)
    world.restart()
    await tell(world, reply=ASKING)
    assert len(world.shown.shown) == 1, "else a typed number would refer to what nobody was shown"


async def test_a_person_is_told_in_private(world: AnnouncingWorld) -> None:
    await world.announcer.tell_person(ALLOWED, "k", ASKING)
    ((lane, told),) = world.said
    assert lane == "person:2"
    (done,) = await world.press(told, "big", key=DIRECT.replace("direct:1", "direct:2"), by=ALLOWED)
    assert "Now big" in done.text


async def test_what_is_told_once_is_told_again_when_its_key_is_forgotten_also_by_the_same_process(
    world: AnnouncingWorld,
) -> None:
    assert [await world.announcer.news_for(ALLOWED, "k", PLAIN) for _ in range(2)] == [True, False]
    world.wait(days=3)
    assert await world.announcer.news_for(ALLOWED, "k", PLAIN) is False, "the database decides"
    world.inbox.items.clear()
    world.wait(days=3)
    assert await world.announcer.news_for(ALLOWED, "k", PLAIN) is True
    assert await world.announcer.news_for("discord:5", "k", PLAIN) is None


async def test_every_owner_on_a_served_platform_is_told_once_each_with_buttons_of_their_own(
    world: AnnouncingWorld,
) -> None:
    access = replace(world.rules.access, owners=frozenset({"telegram:1", "telegram:8", "discord:5", "terminal:ann"}))
    world.rules = replace(world.rules, access=access)
    for _ in range(2):
        await world.announcer.tell_owners("k", ASKING)
        world.restart()
    assert [lane for lane, _ in world.said] == ["person:1", "person:8"]
    assert {shown.sender for shown in world.shown.shown} == {"telegram:1", "telegram:8"}


async def test_what_is_meant_for_nobody_that_is_served_is_dropped_and_said_in_the_log_once(
    world: AnnouncingWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.chats.chats[SessionKey.parse(DIRECT)] = Chat("discord", "default", "c7")
    for _ in range(2):
        assert not await tell(world)
        await world.announcer.tell_person("discord:5", "k", PLAIN)
        assert await world.announcer.whereabouts(SessionKey.parse(DIRECT), OWNER) is None
    assert world.said == []
    assert len(caplog.messages) == 2
    assert all("discord" in message for message in caplog.messages)


async def test_a_session_that_was_never_heard_from_cannot_be_told(world: AnnouncingWorld) -> None:
    assert not await tell(world, where=DIRECT.replace("direct:1", "direct:9"))


async def test_an_address_that_names_no_chat_is_an_error_in_the_log_and_nowhere_else(
    world: AnnouncingWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.chats.chats[SessionKey.parse(DIRECT)] = Chat("telegram", "default", "")
    assert not await tell(world)
    assert "names no chat" in caplog.text


async def test_no_secret_and_no_hidden_profile_is_announced(world: AnnouncingWorld) -> None:
    reply = replace(PLAIN, text="sk-acme:work of acme:work, not acme:home")
    await world.announcer.tell_chat(SessionKey.parse(DIRECT), "k", reply, OWNER, hidden=["acme:work"])
    assert world.said[0][1].text == "*** of hidden, not acme:home"


async def test_where_a_chat_is_may_be_unwritable_and_it_is_answered_all_the_same(
    world: AnnouncingWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.chats.fails = StorageError("storage", "The disk is full.", "")
    assert "rights" in (await world.say("/whoami")).data
    assert "The disk is full" in caplog.text


@pytest.mark.parametrize(
    "error", [pytest.param(StorageError("storage", "no", ""), id="storage"), pytest.param(LostRace(), id="a lost race")]
)
async def test_what_could_not_be_stored_is_not_taken_for_told(world: AnnouncingWorld, error: Exception) -> None:
    world.stored.fails = error
    with pytest.raises(StorageError):
        await tell(world)
    world.stored.fails = None
    assert await tell(world)
    assert len(world.said) == 1


class TestDelivering:
    """The intake's part, with the inbox that announcements are stored in."""

    @pytest.fixture
    def platform(self) -> FakePlatform:
        return FakePlatform()

    @pytest.fixture
    def intake(self, world: AnnouncingWorld, platform: FakePlatform) -> Intake:
        return Intake(world.inbox, ScriptedGateway(), platform, world.clock)  # type: ignore[arg-type]

    async def stored(self, world: AnnouncingWorld, platform: FakePlatform, key: str) -> InboxItem:
        item = await world.stored.announce(
            platform.announcement("room", key), (reply_to_json(replace(PLAIN, text=key)),), world.clock.now()
        )
        assert item is not None
        return item

    async def test_what_is_announced_while_a_start_reads_the_inbox_is_delivered_once(
        self, world: AnnouncingWorld, platform: FakePlatform, intake: Intake
    ) -> None:
        await self.stored(world, platform, "left over")
        intake.announce(await self.stored(world, platform, "early"))
        assert platform.delivered == []
        await intake.resume()
        intake.announce(await self.stored(world, platform, "later"))
        assert await platform.has_delivered(3) == ["left over", "early", "later"]
        assert await intake.drain(5) == 0
        assert len(platform.delivered) == 3

    async def test_what_comes_after_the_end_is_left_to_the_next_start(
        self, world: AnnouncingWorld, platform: FakePlatform, intake: Intake
    ) -> None:
        await intake.resume()
        await intake.close()
        item = await self.stored(world, platform, "late")
        intake.announce(item)
        assert await world.inbox.unfinished("fake", "default") == (item,)
        await Intake(world.inbox, ScriptedGateway(), platform, world.clock).resume()  # type: ignore[arg-type]
        assert await platform.has_delivered(1) == ["late"]

    async def test_what_is_heard_says_which_account_has_heard_it(
        self, world: AnnouncingWorld, platform: FakePlatform
    ) -> None:
        gateway = ScriptedGateway()
        intake = Intake(world.inbox, gateway, platform, world.clock)  # type: ignore[arg-type]
        platform.account = "second"
        await intake.accept([platform.update("1", "hi")])
        await platform.has_delivered(1)
        assert [inbound.account for inbound in gateway.asked] == ["second"]
