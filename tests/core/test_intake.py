"""The way of an update from the inbox through the real gateway to the platform: once, in order, and past whatever fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from core.errors import BotError, FailureReason, StorageError
from core.gateway import Gateway
from core.intake import ATTEMPTS, Intake
from core.messages import Event, File, Inbound, Ingress, Reply, ReplyKind
from core.ports import InboxItem, InboxState, Update
from core.sessions.key import SessionKey
from tests.fakes.inbox import FakeInbox
from tests.fakes.provider_client import Held
from tests.world import DIRECT, World

ELSEWHERE = "agent:main:telegram:default:direct:1:thread:9"
PATIENCE = 5


class Desk:
    """`core.intake.Platform`. `said` is what people see, in order; `refuse` holds texts whose answers cannot be delivered."""

    name = "telegram"
    account = "default"

    def __init__(self, world: World) -> None:
        self._world = world
        self._changed = asyncio.Condition()
        self.said: list[str] = []
        self.refuse: set[str] = set()
        self.fetching: asyncio.Event | None = None
        """When what was sent along with `look` is there."""
        self.unreachable = 0
        """How often the platform cannot be reached yet."""

    def read(self, update: Update) -> Inbound | None:
        if update.payload["text"] == "gibberish":
            raise KeyError("no such field")
        if update.payload["text"] == "sticker":
            return None
        inbound = self._world.inbound(str(update.payload["text"]), key=update.lane)
        if inbound.text == "look":
            return replace(inbound, files=self._fetch)
        if "press" in update.payload:
            token, number = update.payload["press"]
            return replace(inbound, ingress=Ingress.BUTTON, token=token, number=number)
        return inbound

    async def _fetch(self) -> tuple[File, ...]:
        assert self.fetching is not None
        await self.fetching.wait()
        return ()

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, Reply):
                if inbound.text in self.refuse:
                    raise OSError("the platform is not there")
                if self.unreachable:
                    self.unreachable -= 1
                    raise BotError("unreachable", "The platform cannot be reached.")
                async with self._changed:
                    self.said.append(event.text)
                    self._changed.notify_all()

    async def has_said(self, count: int) -> list[str]:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: len(self.said) >= count)
        return self.said


class Line:
    """A world, a desk and the intake between them."""

    def __init__(self, world: World | None = None, inbox: FakeInbox | None = None) -> None:
        self.world = world or World()
        if inbox is not None:
            self.world.inbox = self.world.sessions.inbox = inbox
        self.desk = Desk(self.world)
        self.intake = self.restarted()
        self._number = 0

    def restarted(self) -> Intake:
        """A new process on the same inbox."""
        self.intake = Intake(self.world.inbox, self.world.gateway, self.desk, self.world.clock)
        return self.intake

    def update(self, text: str, lane: str = DIRECT) -> Update:
        self._number += 1
        return Update(platform="telegram", account="default", key=str(self._number), lane=lane, payload={"text": text})

    async def hear(self, *texts: str, lane: str = DIRECT) -> None:
        await self.intake.accept([self.update(text, lane) for text in texts])

    async def over(self) -> None:
        assert await self.intake.drain(PATIENCE) == 0

    def states(self) -> list[str]:
        return [item.state.value for item in self.world.inbox.items.values()]

    def hold(self, text: str, profile: str = "acme:work") -> Held:
        held = Held(text)
        self.world.provider.script.setdefault(profile, []).append(held)
        return held


@pytest.fixture
def line() -> Line:
    return Line()


async def begun(held: Held) -> None:
    await asyncio.wait_for(held.started.wait(), PATIENCE)


class TestOrder:
    async def test_messages_of_a_chat_are_answered_in_their_order_and_other_chats_do_not_wait(self, line: Line) -> None:
        held = line.hold("one")
        await line.hear("one", "two", "three")
        await begun(held)
        await line.hear("elsewhere", lane=ELSEWHERE)
        await line.desk.has_said(1)
        assert len(line.world.provider.requests) == 2
        held.release.set()
        await line.over()
        asked = [request.messages[-1].text for request in line.world.provider.requests]
        assert asked == ["one", "elsewhere", "two", "three"]
        assert [m.text for m in line.world.provider.requests[-1].messages][::2] == ["one", "two", "three"]
        assert line.states() == ["done"] * 4

    async def test_while_what_was_sent_along_is_fetched_the_chat_goes_on_and_the_question_keeps_its_place(
        self, line: Line
    ) -> None:
        fetching = line.desk.fetching = asyncio.Event()
        await line.hear("look", "/model opus@zeta:me", "/usage", "two")
        assert "Now opus" in (await line.desk.has_said(2))[0]
        assert not line.world.served
        fetching.set()
        await line.over()
        assert [request.messages[-1].text for request in line.world.provider.requests] == ["look", "two"]
        assert line.world.served == ["acme:work", "zeta:me"]

    async def test_a_command_overtakes_a_turn_and_holds_from_the_next(self, line: Line) -> None:
        held = line.hold("slow")
        await line.hear("one")
        await begun(held)
        await line.hear("/model opus@zeta:me", "two")
        assert "Now opus (zeta/opus-1)" in (await line.desk.has_said(1))[0]
        held.release.set()
        await line.over()
        assert line.world.served == ["acme:work", "zeta:me"]

    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
    async def test_a_message_that_chooses_inline_keeps_its_place(self, line: Line, busy: bool) -> None:
        held = line.hold("zero")
        if busy:
            await line.hear("zero")
            await begun(held)
        else:
            held.release.set()
        await line.hear("first, /model big please", "second", "third /model small x", "fourth")
        held.release.set()
        await line.over()
        asked = [request.messages[-1].text for request in line.world.provider.requests]
        assert asked == [*(["zero"] if busy else []), "first, please", "second", "third x", "fourth"]

    async def test_a_pressed_card_runs_beside_commands_and_in_its_place_among_the_turns(self, line: Line) -> None:
        line.world.provider.script["acme:work"] = [FailureReason.RATE_LIMIT]
        await line.hear("/model @acme:work", "kept")
        await line.over()
        (card,) = [shown for shown in line.world.shown.shown if shown.card]
        held = line.hold("slow", "acme:home")
        press = replace(line.update(""), payload={"text": "", "press": (card.token, 1)})
        await line.intake.accept([press])
        await begun(held)
        await line.hear("later", "/whoami")
        await line.desk.has_said(4)
        assert "telegram:1" in line.desk.said[-1], "a command is answered while the card's turn runs"
        held.release.set()
        await line.over()
        asked = [request.messages[-1].text for request in line.world.provider.requests]
        assert asked == ["kept", "kept"]
        assert line.desk.said[-1].startswith("acme:work is pinned here and out"), (
            "the later message, after the card's turn"
        )

    async def test_what_is_taken_in_at_once_still_happens_in_its_order(self, line: Line) -> None:
        await line.hear("one", "/model @acme:home", "two", "/model opus@zeta:me", "three")
        await line.over()
        assert line.world.served == ["acme:work", "acme:home", "zeta:me"]

    async def test_the_same_update_is_answered_once(self, line: Line) -> None:
        update = line.update("hi")
        await asyncio.gather(line.intake.accept([update, update]), line.intake.accept([update]))
        await line.over()
        await line.intake.accept([update])
        await line.over()
        assert len(line.desk.said) == len(line.world.served) == 1

    @pytest.mark.parametrize("again", [False, True], ids=["stored at last", "brought again meanwhile"])
    async def test_what_is_stored_after_its_platform_stopped_waiting_is_answered_once(self, again: bool) -> None:
        class Slow(FakeInbox):
            asked = asyncio.Event()
            goes_on = asyncio.Event()

            async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
                # As the real one: what was asked for is committed, whoever still waits for it.
                self.asked.set()
                stored = await super().receive(updates, now)
                await self.goes_on.wait()
                return stored

        inbox = Slow()
        line = Line(inbox=inbox)
        update = line.update("hi")
        accepting = asyncio.create_task(line.intake.accept([update]))
        await asyncio.wait_for(inbox.asked.wait(), PATIENCE)
        accepting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await accepting
        inbox.goes_on.set()
        if again:
            await line.intake.accept([update])
        assert await line.desk.has_said(1) == ["served-by:acme:work"]
        await line.over()
        assert (len(line.desk.said), line.states()) == (1, ["done"])

    async def test_what_is_being_stored_at_the_end_is_left_to_the_next_start(self) -> None:
        class Stuck(FakeInbox):
            asked = asyncio.Event()

            async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
                stored = await super().receive(updates, now)
                self.asked.set()
                await asyncio.Event().wait()
                return stored

        inbox = Stuck()
        line = Line(inbox=inbox)
        accepting = asyncio.create_task(line.hear("hi"))
        await asyncio.wait_for(inbox.asked.wait(), PATIENCE)
        await line.intake.close()
        ended, _ = await asyncio.wait((accepting,), timeout=PATIENCE)
        assert ended
        assert (line.desk.said, line.states()) == ([], ["new"])
        await line.restarted().resume()
        await line.over()
        assert (line.desk.said, line.states()) == (["served-by:acme:work"], ["done"])


class TestRestart:
    async def test_what_was_left_is_taken_up_in_its_order(self, line: Line) -> None:
        updates = [line.update(text) for text in ("/model @acme:home", "one", "two")]
        await line.world.inbox.receive(updates, line.world.clock.now())
        await line.intake.resume()
        await line.over()
        assert line.world.served == ["acme:home", "acme:home"]
        assert line.states() == ["done"] * 3

    async def test_an_answer_that_was_decided_but_not_delivered_is_delivered_and_not_decided_again(
        self, line: Line
    ) -> None:
        line.desk.refuse = {"hi", "/model @acme:home", "/new"}
        await line.hear("hi", "/model @acme:home", "/new")
        await line.over()
        assert line.states() == ["answered"] * 3
        assert line.desk.said == []
        line.desk.refuse = set()
        await line.restarted().resume()
        await line.over()
        assert line.desk.said[0] == "served-by:acme:work"
        assert "acme:home, pinned strict" in line.desk.said[1]
        assert "New conversation" in line.desk.said[2]
        assert line.states() == ["done"] * 3
        assert line.world.served == ["acme:work"]
        assert [d.action for found in line.world.sessions.decided.values() for d in found] == ["pin", "reset"]

    async def test_a_turn_that_a_stop_cut_off_is_done_by_the_next_start(self, line: Line) -> None:
        held = line.hold("never")
        await line.hear("hi", "and then")
        await begun(held)
        assert await line.intake.drain(0.01) == 2
        await line.intake.close()
        assert line.states() == ["new", "new"]
        await line.restarted().resume()
        await line.over()
        assert line.desk.said == ["served-by:acme:work"] * 2

    async def test_a_stop_waits_for_what_was_taken_in(self, line: Line) -> None:
        held = line.hold("at last")
        await line.hear("hi", "/model @acme:home")
        await begun(held)
        draining = asyncio.create_task(line.intake.drain(PATIENCE))
        await line.desk.has_said(1)
        assert not draining.done()
        held.release.set()
        assert await draining == 0
        assert line.desk.said[-1] == "at last"

    async def test_with_nothing_to_do_a_stop_is_over_at_once(self, line: Line) -> None:
        assert await line.intake.drain(0) == 0
        await line.intake.close()


class TestTrouble:
    async def test_an_update_that_cannot_be_read_is_dropped_and_the_others_go_on(
        self, line: Line, caplog: pytest.LogCaptureFixture
    ) -> None:
        await line.hear("gibberish", "sticker", "hi")
        await line.over()
        assert line.desk.said == ["served-by:acme:work"]
        assert line.states() == ["done"] * 3
        assert "could not be read and is dropped" in caplog.text

    async def test_an_answer_that_cannot_be_delivered_stays_and_does_not_keep_the_others(
        self, line: Line, caplog: pytest.LogCaptureFixture
    ) -> None:
        line.desk.refuse = {"one"}
        await line.hear("one", "two")
        await line.over()
        assert line.states() == ["answered", "done"]
        assert "could not be delivered" in caplog.text

    async def test_a_platform_that_comes_back_gets_the_answer_without_a_second_question(self, line: Line) -> None:
        line.desk.unreachable = 3
        await line.hear("one")
        await line.over()
        assert line.desk.said == ["served-by:acme:work"]
        assert len(line.world.provider.requests) == 1
        assert line.states() == ["done"]

    async def test_an_inbox_that_cannot_be_written_refuses_the_update(self, line: Line) -> None:
        class Full(FakeInbox):
            async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
                raise StorageError("storage", "The disk is full.")

        line = Line(inbox=Full())
        with pytest.raises(StorageError):
            await line.hear("hi")
        assert await line.intake.drain(0) == 0

    @pytest.mark.parametrize("text", ["one", "/status", "sticker", "gibberish"])
    async def test_a_database_that_is_away_for_a_moment_does_not_stop_the_chat(self, text: str) -> None:
        class Absent(FakeInbox):
            away = 3

            async def done(self, item: int) -> None:
                if item == 1 and self.away:
                    self.away -= 1
                    raise StorageError("storage", "The database is locked.")
                await super().done(item)

        line = Line(inbox=Absent())
        await line.hear(text, "two")
        await line.over()
        assert line.desk.said[-1] == "served-by:acme:work"
        if text not in ("sticker", "gibberish"):
            assert len(line.desk.said) == 2, "an answer that was shown is not made again"
            assert line.states() == ["done", "done"]

    @pytest.mark.parametrize("error", [StorageError("storage", "The database is locked."), RuntimeError("a mistake")])
    async def test_a_state_that_cannot_be_read_for_a_moment_does_not_stop_the_chat(
        self, line: Line, error: Exception
    ) -> None:
        take, failing = line.world.snapshots.take, [True]

        def now_and_then(key: SessionKey) -> object:
            if failing:
                failing.clear()
                raise error
            return take(key)

        line.world.snapshots.take = now_and_then  # type: ignore[method-assign, assignment]
        await line.hear("one", "two")
        await line.over()
        assert line.desk.said == ["served-by:acme:work"] * 2
        assert line.states() == ["done", "done"]

    async def test_a_state_that_cannot_be_read_at_all_is_told(self, line: Line) -> None:
        def never(key: SessionKey) -> object:
            raise StorageError("storage", "The database is damaged.")

        line.world.snapshots.take = never  # type: ignore[method-assign, assignment]
        await line.hear("one", "/model")
        await line.over()
        assert len(line.desk.said) == 2
        assert all("database" in text for text in line.desk.said)

    async def test_an_unexpected_error_is_answered_with_a_reference(self, line: Line) -> None:
        class Broken(Gateway):
            def __init__(self) -> None:
                pass

            def waits(self, inbound: Inbound) -> bool:
                return False

            async def handle(
                self, inbound: Inbound, item: int | None = None, begun: bool = False
            ) -> AsyncIterator[Event]:  # type: ignore[override]
                yield Reply(kind=ReplyKind.ERROR, code="internal", text="Reference for the log: 1.")
                raise RuntimeError("after it was told")

        line.world.gateway = Broken()
        line.restarted()
        await line.hear("one", "two")
        await line.over()
        assert line.desk.said == ["Reference for the log: 1."] * 2
        assert line.states() == [InboxState.NEW] * 2


class TestPlatformAway:
    async def test_what_it_does_not_take_waits_until_it_is_there_and_a_stop_does_not_wait_for_that(
        self, line: Line, caplog: pytest.LogCaptureFixture
    ) -> None:
        line.intake.reach(False)
        line.desk.unreachable = 1
        await line.hear("one")
        assert await line.intake.drain(PATIENCE) == 1
        assert (line.desk.said, line.states()) == ([], ["answered"])
        await line.hear("/whoami")
        assert "telegram:1" in (await line.desk.has_said(1))[0], "others do not wait for it"
        line.intake.reach(True)
        await line.desk.has_said(2)
        await line.over()
        assert line.desk.said[1] == "served-by:acme:work"
        assert (line.states(), len(line.world.provider.requests)) == (["done"] * 2, 1)
        assert caplog.messages == [], "why it is not there is said by whoever knows"

    async def test_that_answers_cannot_be_delivered_is_said_once_and_that_they_can_is_too(
        self, line: Line, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "core.intake")
        line.desk.unreachable = 5
        await line.hear("one", "two")
        await line.over()
        assert len(line.desk.said) == 2
        assert caplog.messages == [
            "Answers could not be delivered to telegram, and are tried again: The platform cannot be reached.",
            "Answers are delivered to telegram again.",
        ]

    async def test_what_was_given_up_is_delivered_by_the_next_resumption(self, line: Line) -> None:
        line.desk.unreachable = ATTEMPTS
        await line.hear("one")
        await line.over()
        assert (line.desk.said, line.states()) == ([], ["answered"])
        await line.intake.resume()
        await line.over()
        assert (line.desk.said, line.states()) == (["served-by:acme:work"], ["done"])

    async def test_a_resumption_repeats_nothing_that_is_under_way(self, line: Line) -> None:
        held = line.hold("one")
        await line.hear("one", "two", "/whoami")
        await begun(held)
        await line.intake.resume()
        await line.intake.resume()
        held.release.set()
        await line.over()
        assert len(line.desk.said) == 3
        assert len(line.world.provider.requests) == 2

    async def test_nor_what_comes_to_its_end_while_the_inbox_is_read(self) -> None:
        class Slow(FakeInbox):
            answers = asyncio.Event()
            asked = asyncio.Event()

            async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
                found = await super().unfinished(platform, account)
                self.asked.set()
                await self.answers.wait()
                return found

        inbox = Slow()
        line = Line(inbox=inbox)
        held = line.hold("one")
        await line.hear("one")
        await begun(held)
        resuming = asyncio.create_task(line.intake.resume())
        await inbox.asked.wait()
        held.release.set()
        await line.over()
        inbox.answers.set()
        await resuming
        await line.over()
        assert (line.desk.said, line.states()) == (["one"], ["done"])

    async def test_an_inbox_that_cannot_be_read_for_a_while_gives_nothing_up(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Absent(FakeInbox):
            away = 4

            async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
                if self.away:
                    self.away -= 1
                    raise StorageError("storage", "The database is locked.")
                return await super().unfinished(platform, account)

        line = Line(inbox=Absent())
        line.desk.unreachable = 1
        await line.hear("one")
        await line.over()
        assert (line.desk.said, line.states()) == (["served-by:acme:work"], ["done"])
        assert sum("The inbox cannot be read" in message for message in caplog.messages) == 1
