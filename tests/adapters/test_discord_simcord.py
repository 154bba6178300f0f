"""The adapter against an independent simulation of Discord, written by others: what both counterparts accept is no accident."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import simcord

from core.errors import Suggestion
from core.messages import Button, Inbound, Ingress, Quoted, Reply, ReplyKind, Tone
from tests.fakes.discord_room import Room, says
from tests.fakes.discord_server import DiscordServer

PICKER = Reply(
    kind=ReplyKind.PICKER,
    text="Model: large",
    token="tok",
    buttons=(
        Button(n=1, label="large", command="/model large", selected=True),
        Button(n=2, label="small", command="/model small"),
        Button(n=3, label="Status", command="/model status", group="action"),
        Button(n=4, label="Search", command="/model list", group="action", asks="Which model?"),
        Button(
            n=5, label="acme", command="/model list acme", group="provider", earlier=True, selected=True, tone=Tone.GOOD
        ),
    ),
)
CHANGED = Reply(kind=ReplyKind.NOTICE, text="Now small.")
ERROR = Reply(kind=ReplyKind.ERROR, text="There is no such model.")


class Scene:
    """A room whose connection lives in the simulation."""

    def __init__(self, room: Room, env: simcord.Env) -> None:
        self.room = room
        self.env = env
        guild = env.create_guild()
        self.channel = guild.create_text_channel("general")
        self.person = env.create_user("alice")
        self.alice = guild.add_member(self.person)

    async def heard(self, count: int) -> Inbound:
        """The latest of `count` inbounds, once it is answered."""
        await self.room.wait_for(lambda: len(self.room.heard) >= count)
        await self.room.settled()
        return self.room.heard[-1]

    async def slash(self, *events: Reply, **option: str) -> Any:
        self.room.answer = says(*events)
        before = len(self.room.heard)
        result = await self.alice.slash(self.channel, "model", **option)
        assert result.acknowledged
        await self.heard(before + 1)
        return result


@asynccontextmanager
async def simulated() -> AsyncIterator[Scene]:
    """Not a fixture: the simulation lives in the context of the task that began it."""
    with DiscordServer() as idle:
        room = Room(idle)
        connection = room.platform.connection()
        async with simcord.run(connection) as env:
            room.platform.adopt(connection)
            commits = asyncio.create_task(connection.arrivals.run(room.accept))
            yield Scene(room, env)
            commits.cancel()
            await asyncio.gather(commits, return_exceptions=True)


async def test_a_message_is_heard_and_answered_in_its_channel() -> None:
    async with simulated() as scene:
        await scene.alice.send(scene.channel, "/hello")
        heard = await scene.heard(1)
        assert heard.ingress is Ingress.MESSAGE
        assert heard.session.chat == f"discord:default:channel:{scene.channel.id}"
        answer = scene.channel.last_message
        assert answer is not None
        assert answer.content == "you said: /hello"
        assert answer.reference is not None


async def test_a_slash_command_with_text_is_answered_for_everybody() -> None:
    async with simulated() as scene:
        result = await scene.slash(CHANGED, model="small")
        assert scene.room.heard[-1].text == "/model small"
        assert (result.response.content, result.ephemeral) == ("Now small.", False)


async def test_the_picker_is_private_and_choosing_from_it_changes_it() -> None:
    async with simulated() as scene:
        shown = (await scene.slash(PICKER)).response
        assert shown.ephemeral
        scene.room.answer = says(Reply(kind=ReplyKind.NOTICE, text="Now small.", replaces=True))
        await scene.alice.select(shown.message, ["2"], custom_id="rc:tok:menu2")
        heard = await scene.heard(2)
        assert (heard.ingress, heard.token, heard.number) == (Ingress.BUTTON, "tok", 2)
        assert (shown.content, shown.components) == ("Now small.", [])


async def test_a_button_answers_in_private() -> None:
    async with simulated() as scene:
        shown = (await scene.slash(PICKER)).response
        scene.room.answer = says(Reply(kind=ReplyKind.ERROR, text="Too late.", private=True))
        result = await scene.alice.click(shown.message, label="Status")
        assert (await scene.heard(2)).number == 3
        assert [(message.content, message.ephemeral) for message in result.followups] == [("Too late.", True)]


async def test_what_follows_for_all_is_a_message_of_the_channel() -> None:
    async with simulated() as scene:
        more = Reply(kind=ReplyKind.NOTICE, text="More.")
        result = await scene.slash(CHANGED, more, model="small")
        assert (result.response.content, list(result.followups)) == ("Now small.", [])
        last = scene.channel.last_message
        assert last is not None
        assert last.content == "More."


async def test_autocomplete_offers_suggestions() -> None:
    async with simulated() as scene:
        scene.room.suggestions = [Suggestion("opus@work", "opus@work · ready")]
        choices = await scene.alice.autocomplete(scene.channel, "model", "model", "op")
        assert choices == [{"name": "opus@work · ready", "value": "opus@work"}]


async def test_an_error_after_a_public_deferral_is_private() -> None:
    async with simulated() as scene:
        result = await scene.slash(ERROR, model="nonsense")
        assert [(message.content, message.ephemeral) for message in result.followups] == [(ERROR.text, True)]
        assert scene.channel.last_message is None


async def test_a_press_that_asks_opens_a_form_and_what_is_typed_changes_the_picker() -> None:
    async with simulated() as scene:
        shown = (await scene.slash(PICKER)).response
        asked = await scene.alice.click(shown.message, label="Search")
        assert asked.modal is not None
        assert asked.modal["title"] == "Which model?"
        scene.room.answer = says(
            Reply(kind=ReplyKind.PICKER, text="Found", replaces=True, token="two", buttons=PICKER.buttons)
        )
        sent = await scene.alice.submit_modal(asked, {"text": "opus"})
        assert sent.acknowledged
        heard = await scene.heard(2)
        assert (heard.ingress, heard.token, heard.number, heard.text) == (Ingress.BUTTON, "tok", 4, "opus")
        assert shown.content == "Found"


async def test_edits_and_deletions_are_heard_with_what_was_quoted() -> None:
    async with simulated() as scene:
        said = await scene.alice.send(scene.channel, "/hello")
        await scene.heard(1)
        answer = scene.channel.last_message
        assert answer is not None
        await scene.alice.send(scene.channel, "/again", reply_to=answer)
        assert (await scene.heard(2)).quoted == Quoted(answer.author.name, "you said: /hello", own=True)
        await scene.alice.edit(said, "/hello you")
        edited = await scene.heard(3)
        assert (edited.ingress, edited.text, edited.message) == (Ingress.EDIT, "/hello you", str(said.id))
        await scene.alice.delete(said)
        gone = await scene.heard(4)
        assert (gone.ingress, gone.message, gone.sender.id) == (Ingress.DELETION, str(said.id), str(scene.alice.id))


async def test_an_announcement_reaches_a_person_in_private() -> None:
    async with simulated() as scene:
        update = scene.room.platform.announcement(f"person:{scene.alice.id}", "announcement:1")
        (item,) = await scene.room.inbox.receive([update], scene.room.clock.now())
        heard = scene.room.platform.read(item.update)
        assert heard is not None
        scene.room.answer = says(CHANGED)
        await scene.room.deliver(item, heard)
        last = scene.person.dm_channel.last_message
        assert last is not None
        assert last.content == "Now small."
