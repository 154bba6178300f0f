"""Messages that are edited or deleted after they were sent: the conversation follows, whatever has become of them meanwhile."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.errors import FailureReason
from core.messages import File, Inbound, Ingress, Reply
from core.ports import InboxState, Update
from core.resolution.rules import AccessRules
from core.sessions.key import SessionKey
from tests.core.test_intake import Desk, Line
from tests.fakes.clock import START
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, DIRECT, GROUP, STRANGER, World

PATIENCE = 5


async def asks(world: World, text: str, message: str, **where: object) -> list[Reply]:
    return await world.do(world.inbound(text, message=message, **where))


async def edits(world: World, text: str, message: str, item: int | None = None, **where: object) -> list[Reply]:
    return await world.do(world.inbound(text, ingress=Ingress.EDIT, message=message, **where), item)


async def deletes(world: World, message: str, **where: object) -> list[Reply]:
    return await world.do(world.inbound("", ingress=Ingress.DELETION, message=message, **where))


def remembered(world: World, key: str = DIRECT) -> list[str]:
    return [m.text for m in world.sessions.messages.get((SessionKey.parse(key), 0), [])]


def told(replies: Sequence[Reply]) -> list[str]:
    return [reply.text.partition("\n")[0] for reply in replies]


async def begun(world: World, held: Held, message: str = "1", profile: str = "acme:work") -> asyncio.Task[list[Reply]]:
    """A question whose answer has begun."""
    world.provider.script[profile].append(held)
    turn = asyncio.create_task(asks(world, "the question", message))
    await asyncio.wait_for(held.started.wait(), PATIENCE)
    return turn


async def later(work: object) -> asyncio.Task[list[Reply]]:
    """Begun, and as far as it comes without anybody else."""
    task = asyncio.create_task(work)  # type: ignore[arg-type]
    for _ in range(20):
        await asyncio.sleep(0)
    return task


class TestAnswered:
    """The question has its answer."""

    async def test_an_edit_corrects_what_the_model_reads_from_now_on(self):
        world = World()
        await asks(world, "hwo are you", "1")
        await asks(world, "and you", "2")
        assert await edits(world, "how are you", "1") == [], "only the newest question is worth another answer"
        await asks(world, "well", "3")
        sent = [m.text for m in world.provider.requests[-1].messages]
        assert sent == ["how are you", "served-by:acme:work", "and you", "served-by:acme:work", "well"]

    async def test_the_newest_question_can_be_answered_again_once_in_its_place(self):
        world = World()
        await asks(world, "one", "1")
        await asks(world, "tow", "2")
        (offer,) = await edits(world, "two", "2")
        assert [button.label for button in offer.buttons] == ["Answer again"]
        world.provider.script["acme:work"] = ["about two"]
        assert "about two" in told(await world.press(offer, "Answer again"))
        sent = [m.text for m in world.provider.requests[-1].messages]
        assert sent == ["one", "served-by:acme:work", "two"], "the answer to the first wording is not sent along"
        assert remembered(world) == ["one", "served-by:acme:work", "two", "about two"]
        (again,) = await world.press(offer, "Answer again")
        assert again.code == "number_without_picker"
        assert len(world.served) == 3

    async def test_after_another_edit_only_the_newest_button_counts(self):
        world = World()
        await asks(world, "one", "1")
        (older,) = await edits(world, "two", "1")
        (newer,) = await edits(world, "three", "1")
        (stale,) = await world.press(older, "Answer again")
        assert stale.code == "number_without_picker"
        await world.press(newer, "Answer again")
        assert [m.text for m in world.provider.requests[-1].messages] == ["three"]

    async def test_nobody_else_may_press_it(self):
        world = World()
        await asks(world, "one", "1", key=GROUP)
        (offer,) = await edits(world, "two", "1", key=GROUP)
        (refused,) = await world.press(offer, "Answer again", by=ALLOWED, key=GROUP)
        assert refused.code == "not_authorised"
        assert len(world.served) == 1

    async def test_the_same_words_change_nothing(self):
        world = World()
        await asks(world, "one", "1")
        assert await edits(world, "one", "1") == []

    async def test_what_is_asked_again_can_be_edited_and_deleted_again(self):
        world = World()
        await asks(world, "one", "1")
        (offer,) = await edits(world, "two", "1")
        await world.press(offer, "Answer again")
        assert len(await edits(world, "three", "1")) == 1
        assert remembered(world)[0] == "three"
        await deletes(world, "1")
        assert remembered(world) == []

    async def test_a_deletion_erases_the_question_and_its_answer_and_nothing_else(self):
        world = World()
        for number in ("1", "2", "3"):
            await asks(world, f"question {number}", number)
        assert await deletes(world, "2") == []
        assert remembered(world) == ["question 1", "served-by:acme:work", "question 3", "served-by:acme:work"]

    async def test_an_edit_keeps_the_files_and_the_pictures_that_were_sent_with_it(self):
        async def files() -> tuple[File, ...]:
            return (File("notes.txt", "text/plain", b"some notes"), File("cat.png", "image/png", b"\x89PNG"))

        world = World()
        await asks(world, "sum pu", "1", files=files)
        (offer,) = await edits(world, "sum up", "1", files=files)
        await world.press(offer, "Answer again")
        asked = world.provider.requests[-1].messages[-1]
        assert asked.text == "sum up\n\nnotes.txt:\n```\nsome notes\n```"
        assert [image.data for image in asked.images] == [b"\x89PNG"]

    async def test_a_new_conversation_knows_nothing_of_it(self):
        world = World()
        await asks(world, "one", "1")
        await world.say("/new")
        assert await edits(world, "two", "1") == []
        assert await deletes(world, "1") == []

    async def test_an_edit_is_answered_in_one_write_so_that_a_restart_shows_the_same_button(self):
        world = World()
        await asks(world, "one", "1")
        update = Update(platform="telegram", account="default", key="1", lane="x", payload={})
        (item,) = await world.inbox.receive([update], START)
        (offer,) = await edits(world, "two", "1", item=item.id)
        (stored,) = await world.inbox.unfinished("telegram", "default")
        assert stored.state is InboxState.ANSWERED
        assert stored.replies[0]["token"] == offer.token


class TestNotTheirs:
    """Only the author's own message is ever meant."""

    @pytest.mark.parametrize("by", [ALLOWED, STRANGER])
    async def test_somebody_else_changes_nothing(self, by: str):
        world = World()
        await asks(world, "mine", "1", key=GROUP)
        before = remembered(world, GROUP)
        assert await edits(world, "theirs", "1", key=GROUP, by=by) == []
        assert await deletes(world, "1", key=GROUP, by=by) == []
        assert remembered(world, GROUP) == before

    async def test_the_same_number_in_another_chat_is_another_message(self):
        world = World()
        await asks(world, "mine", "1")
        await deletes(world, "1", key=GROUP)
        assert remembered(world) == ["mine", "served-by:acme:work"]

    async def test_somebody_who_was_removed_changes_nothing_more(self):
        world = World()
        await asks(world, "mine", "1", by=ALLOWED)
        world.rules = replace(world.rules, access=AccessRules())
        await edits(world, "changed", "1", by=ALLOWED)
        assert remembered(world) == ["mine", "served-by:acme:work"]

    @pytest.mark.parametrize("text", ["/new", "/model big", "/stop", "/modle big"])
    async def test_an_edit_commands_nothing(self, text: str):
        world = World()
        await asks(world, "a question", "1")
        assert await edits(world, text, "1") == []
        assert remembered(world) == ["a question", "served-by:acme:work"]
        assert not any(world.sessions.decided.values())

    async def test_a_command_that_is_edited_stays_what_it_was(self):
        world = World()
        await asks(world, "/model big", "1")
        assert await edits(world, "a question", "1") == []
        assert world.served == []

    async def test_without_the_platforms_number_nothing_can_be_meant(self):
        world = World()
        await asks(world, "one", "")
        await edits(world, "two", "")
        await deletes(world, "")
        assert remembered(world) == ["one", "served-by:acme:work"]


class TestWaiting:
    """The question stands in line behind another one."""

    async def test_it_is_asked_as_it_reads_now_and_no_button_is_offered(self):
        world = World()
        first = await begun(world, held := Held("first"))
        second = await later(asks(world, "secnod", "2"))
        edit = await later(edits(world, "second", "2"))
        assert not edit.done()
        held.release.set()
        await first
        assert told(await second) == ["served-by:acme:work"]
        assert await edit == []
        assert [m.text for m in world.provider.requests[-1].messages] == ["the question", "first", "second"]
        assert remembered(world)[2:] == ["second", "served-by:acme:work"]

    async def test_of_several_edits_the_last_counts(self):
        world = World()
        first = await begun(world, held := Held("first"))
        second = await later(asks(world, "a", "2"))
        changes = [await later(edits(world, text, "2")) for text in ("b", "c")]
        held.release.set()
        await asyncio.gather(first, second)
        assert [await change for change in changes] == [[], []]
        assert remembered(world)[2] == "c"

    async def test_deleted_it_is_never_asked(self):
        world = World()
        first = await begun(world, held := Held("first"))
        second = await later(asks(world, "second", "2"))
        deletion = await later(deletes(world, "2"))
        held.release.set()
        await first
        assert await second == []
        assert await deletion == []
        assert len(world.served) == 1
        assert remembered(world) == ["the question", "first"]

    async def test_who_stands_behind_it_is_served(self):
        world = World()
        first = await begun(world, held := Held("first"))
        second = await later(asks(world, "second", "2"))
        third = await later(asks(world, "third", "3"))
        deletion = await later(deletes(world, "2"))
        held.release.set()
        await asyncio.gather(first, second, deletion)
        assert told(await third) == ["served-by:acme:work"]


class TestBeingAnswered:
    """The provider is at it."""

    async def test_a_deletion_ends_the_answer_and_nothing_is_remembered(self):
        world = World()
        turn = await begun(world, Held("never", first="The beginning"))
        async with asyncio.timeout(PATIENCE):
            assert await deletes(world, "1") == []
            assert told(await turn) == ["The beginning", "The message was deleted, so its answer ends here."]
        assert remembered(world) == []
        assert world.health.health == {}, "nothing is held against the credential"
        await asks(world, "next", "2")
        assert [m.text for m in world.provider.requests[-1].messages] == ["next"]

    async def test_what_had_been_used_until_then_is_counted(self):
        world = World()
        turn = await begun(world, Held("never", first="The beginning"))
        await deletes(world, "1")
        await turn
        assert "7 tokens in" in (await world.say("/usage")).text

    async def test_a_deletion_that_comes_too_late_erases_the_answer(self):
        world = World()
        turn = await begun(world, held := Held("the whole answer"))
        held.release.set()
        await turn
        await deletes(world, "1")
        assert remembered(world) == []

    async def test_an_edit_lets_it_finish_and_counts_then(self):
        world = World()
        turn = await begun(world, held := Held("the answer"))
        edit = await later(edits(world, "a better question", "1"))
        assert not edit.done()
        held.release.set()
        assert "the answer" in told(await turn)
        (offer,) = await edit
        assert [button.label for button in offer.buttons] == ["Answer again"]
        assert remembered(world) == ["a better question", "the answer"]


class TestKeptOnACard:
    """The question could not be answered and waits for a choice."""

    async def card(self, world: World) -> Reply:
        await world.say("/model @acme:work")
        world.provider.script["acme:work"] = [FailureReason.RATE_LIMIT]
        return (await asks(world, "the qestion", "1"))[-1]

    async def test_an_edit_is_what_the_choice_asks(self):
        world = World()
        card = await self.card(world)
        assert await edits(world, "the question", "1") == []
        await world.press(card, "Use acme:home once")
        assert world.provider.requests[-1].messages[-1].text == "the question"
        assert len(await edits(world, "the question?", "1")) == 1, "it is known by the message that it came from"

    async def test_deleted_it_is_asked_by_no_choice(self):
        world = World()
        card = await self.card(world)
        await deletes(world, "1")
        (stale,) = await world.press(card, "Use acme:home once")
        assert stale.code == "number_without_picker"
        assert len(world.served) == 1


class Correcting(Desk):
    """A platform whose people edit and delete."""

    def read(self, update: Update) -> Inbound | None:
        inbound = super().read(update)
        assert inbound is not None
        given = update.payload
        return replace(inbound, message=str(given.get("message", "")), ingress=Ingress(given.get("does", "message")))


class TestInTheLane:
    """Through the intake: an edit that waits for a turn holds up nothing else of its chat."""

    def line(self) -> Line:
        line = Line()
        line.desk = Correcting(line.world)
        line.restarted()
        return line

    def update(self, line: Line, text: str, message: str = "", does: str = "message") -> Update:
        update = line.update(text)
        return replace(update, payload={"text": text, "message": message, "does": does})

    @pytest.mark.parametrize("does", ["edit", "deletion"])
    async def test_a_stop_behind_a_correction_is_heard_at_once(self, does: str):
        line = self.line()
        held = line.hold("never")
        await line.intake.accept([self.update(line, "first", "1")])
        await asyncio.wait_for(held.started.wait(), PATIENCE)
        batch = [("second", "2", "message"), ("better", "2", does), ("/stop", "3", "message")]
        await line.intake.accept([self.update(line, *one) for one in batch])
        await line.over()
        asked = [request.messages[-1].text for request in line.world.provider.requests]
        assert asked == ["first", *(["better"] if does == "edit" else [])]

    async def test_what_a_kill_interrupts_is_carried_out_by_the_next_start(self):
        line = self.line()
        held = line.hold("never")
        await line.intake.accept([self.update(line, "first", "1")])
        await asyncio.wait_for(held.started.wait(), PATIENCE)
        await line.intake.accept([self.update(line, "", "1", "deletion")])
        await line.intake.close()
        line.world.rewire()
        line.hold("the answer")
        await line.restarted().resume()
        line.world.provider.script["acme:work"][0].release.set()  # type: ignore[union-attr]
        await line.over()
        assert remembered(line.world) == []
        assert set(line.states()) == {"done"}
