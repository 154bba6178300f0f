"""Logging in, staying connected, losing nothing: the real client over the counterpart's wire."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.discord.marks import Marks
from adapters.discord.pacing import SHORT, Pace
from core.auth.secret import Secret
from core.errors import BotError, ConfigError
from core.ports import InboxItem, InboxState
from tests.fakes.clock import FakeClock
from tests.fakes.discord_room import Room, connected
from tests.fakes.discord_server import DiscordServer
from tests.fakes.discord_world import Message
from tests.fakes.inbox import FakeInbox

ITEM: dict[str, Any] = {"id": 1, "state": InboxState.NEW, "received_at": FakeClock().now()}


@pytest.fixture
def server() -> Iterator[DiscordServer]:
    with DiscordServer() as running:
        yield running


async def test_it_logs_in_synchronises_its_commands_and_says_that_it_is_connected(server: DiscordServer) -> None:
    async with connected(server) as room:
        assert room.states == ["connecting", "connected"]
        by_name = {entry["name"]: entry for entry in server.commands}
    assert list(by_name) == ["model", "models", "new", "compact", "usage", "status", "help"]
    for name in ("model", "new"):
        (option,) = by_name[name]["options"]
        assert (option["type"], option["required"], option["autocomplete"]) == (3, False, True)
    (usage,) = by_name["usage"]["options"]
    assert [choice["value"] for choice in usage["choices"]] == ["off", "tokens", "full", "all"]
    assert [option["description"] for option in by_name["compact"]["options"]] == ["[<what to keep>]"]
    assert by_name["status"]["options"] == by_name["help"]["options"] == []
    assert all(entry["contexts"] == [0, 1] for entry in by_name.values())
    assert server.gateway.identified == [1 << 0 | 1 << 9 | 1 << 12 | 1 << 15]


async def test_the_gateway_is_asked_from_the_api_when_none_is_set(server: DiscordServer) -> None:
    address, server.gateway_url = server.gateway_url, ""
    room = Room(server)
    server.gateway_url = address
    room.start()
    await room.wait_for(lambda: "connected" in room.states)
    await room.close()
    assert server.sent("GET", "/gateway/bot")


async def fails(server: DiscordServer, room: Room | None = None) -> BotError:
    room = room or Room(server)
    with pytest.raises(BotError) as caught:
        async with asyncio.timeout(5):
            await room.platform.run(room.accept, room.on_state)
    await room.platform.close()
    return caught.value


async def test_a_token_that_discord_refuses_ends_it_with_the_setting_and_the_next_step(server: DiscordServer) -> None:
    room = Room(server)
    server.token = "another-token"
    error = await fails(server, room)
    assert error.code == "config"
    assert "channels.discord.token" in error.message
    assert "discord.com/developers" in error.hint


async def test_a_token_refused_by_the_gateway_ends_it_too(server: DiscordServer) -> None:
    server.gateway.refused = 4004
    assert "channels.discord.token" in (await fails(server)).message


async def test_a_token_that_cannot_be_one_is_not_even_sent(server: DiscordServer) -> None:
    server.token = "two\nlines"
    room = Room(server)
    assert "channels.discord.token" in (await fails(server, room)).message
    assert server.requests == []


async def test_a_missing_intent_is_told_with_the_name_of_its_switch(server: DiscordServer) -> None:
    server.gateway.content_allowed = False
    assert "Message Content Intent" in (await fails(server)).hint


async def test_an_address_that_is_not_discords_is_named(server: DiscordServer) -> None:
    server.bot.wire = lambda: {"html": "Welcome"}  # type: ignore[method-assign]
    assert "channels.discord.api_base_url" in (await fails(server)).message


async def test_discord_being_away_at_the_start_is_waited_out(server: DiscordServer) -> None:
    server.fail("GET", "/oauth2/applications/@me", 403)
    async with connected(server) as room:
        away = f"disconnected: Discord cannot be reached at {server.api_base_url} (Forbidden)"
        assert room.states == ["connecting", away, "connected"]
    assert len(server.sent("GET", "/users/@me")) == 2


async def test_commands_are_written_only_where_they_differ_from_those_that_discord_has(server: DiscordServer) -> None:
    for _ in range(2):
        async with connected(server):
            pass
    assert len(server.sent("PUT", "/commands")) == 1
    server.commands[0]["description"] = "what an older version said"
    async with connected(server):
        pass
    assert len(server.sent("PUT", "/commands")) == 2
    assert server.commands[0]["description"] == "Choose the model and the credential"


async def test_refused_commands_do_not_stop_the_bot(server: DiscordServer, caplog: pytest.LogCaptureFixture) -> None:
    server.fail("PUT", "/commands", 400, code=50035)
    async with connected(server) as room:
        assert "connected" in room.states
    assert "did not take the slash commands" in caplog.text


@pytest.mark.parametrize("loss", ["socket", "operation 7"])
async def test_a_lost_connection_is_resumed_and_nothing_is_lost_or_heard_twice(
    server: DiscordServer, loss: str
) -> None:
    guild = server.guild()
    channel, alice = server.channel(guild), server.user("alice")
    async with connected(server) as room:
        alice.asks(channel, "one")
        await room.wait_for(lambda: room.heard)
        server.drop_connections() if loss == "socket" else server.ask_to_reconnect()
        alice.asks(channel, "two")
        alice.asks(channel, "three")
        await room.wait_for(lambda: len(room.heard) == 3 and room.states[-1] == "connected")
        await room.settled()
        assert server.gateway.resumed == 1
        assert room.states[2:] == ["disconnected", "connected"]
    assert [inbound.text for inbound in room.heard] == ["one", "two", "three"]
    assert len(channel.messages) == 6


async def test_what_was_written_while_no_session_could_be_resumed_is_read_from_the_history(
    server: DiscordServer,
) -> None:
    guild = server.guild()
    channel, alice = server.channel(guild), server.user("alice")
    async with connected(server) as room:
        alice.asks(channel, "before")
        await room.wait_for(lambda: room.heard)
        server.invalidate_sessions()
        alice.asks(channel, "in the gap")
        await server.wait_for(lambda: len(room.heard) == 2, 12)
    assert [inbound.text for inbound in room.heard] == ["before", "in the gap"]


async def test_what_was_written_while_the_process_was_away_is_answered_at_its_start(server: DiscordServer) -> None:
    guild = server.guild()
    channel, other = server.channel(guild), server.channel(guild, "never seen")
    alice, robot = server.user("alice"), server.user("robot", bot=True)
    role = server.role(guild, alice)
    inbox = FakeInbox()
    async with connected(server, inbox) as room:
        for place in (channel, alice.dm):
            alice.asks(place, "first")
        await room.wait_for(lambda: len(room.heard) == 2)
        await room.settled()
    assert set(json.loads(inbox.marks["discord", "default"])) == {str(channel.id), str(alice.dm.id)}
    for place in (channel, alice.dm, other):
        alice.asks(place, "second")
    robot.says(channel, "a bot's words")
    async with connected(server, inbox) as room:
        await room.wait_for(lambda: len(room.heard) == 2)
        await room.settled()
        alice.asks(channel, "third")
        await room.wait_for(lambda: len(room.heard) == 3)
    assert [inbound.text for inbound in room.heard] == ["second", "second", "third"]
    assert sorted(inbound.place.direct for inbound in room.heard) == [False, False, True]
    assert all(inbound.sender.roles == (str(role),) for inbound in room.heard if not inbound.place.direct)


async def test_chatter_of_the_meantime_hides_no_question_and_is_not_committed(server: DiscordServer) -> None:
    guild = server.guild()
    channel, alice = server.channel(guild), server.user("alice")
    inbox = FakeInbox()
    async with connected(server, inbox) as room:
        alice.asks(channel, "first")
        await room.wait_for(lambda: room.heard)
        await room.settled()
    for n in range(1100):
        message = Message(channel=channel, author=alice, content=f"<@{server.bot.id}> oldest" if n == 0 else "chatter")
        channel.everything.append(message)
    alice.asks(channel, "did you see it?")
    async with connected(server, inbox) as room:
        await room.wait_for(lambda: room.heard)
        alice.asks(channel, "last")
        await room.wait_for(lambda: len(room.heard) == 2)
        await room.settled()
    assert [inbound.text for inbound in room.heard] == ["did you see it?", "last"]
    assert len(inbox.items) == 3
    assert len(server.sent("GET", f"/members/{alice.id}")) == 1


async def test_an_end_before_the_gap_was_read_leaves_the_gap_to_the_next_start(server: DiscordServer) -> None:
    guild = server.guild()
    channel, alice = server.channel(guild), server.user("alice")
    inbox = FakeInbox()
    async with connected(server, inbox) as room:
        alice.asks(channel, "first")
        await room.wait_for(lambda: room.heard)
        await room.settled()
    alice.asks(channel, "in the gap")
    room = Room(server, inbox)
    room.commit_gate.clear()
    room.start()
    await room.wait_for(lambda: server.sent("GET", f"/channels/{channel.id}/messages"))
    alice.asks(channel, "new")
    await server.wait_for(lambda: len(channel.messages) >= 4)
    assert room.run is not None
    room.run.cancel()
    room.commit_gate.set()
    await asyncio.gather(room.run, return_exceptions=True)
    await room.close()
    async with connected(server, inbox) as room:
        await room.wait_for(lambda: "in the gap" in {inbound.text for inbound in room.heard})
        alice.asks(channel, "last")
        await room.wait_for(lambda: room.heard[-1].text == "last")
        await room.settled()
    assert len(inbox.items) == 4


async def test_a_mark_that_cannot_be_read_is_no_obstacle(server: DiscordServer) -> None:
    inbox = FakeInbox()
    inbox.marks["discord", "default"] = '["not", "a", "mapping"]'
    alice = server.user("alice")
    async with connected(server, inbox) as room:
        alice.says(alice.dm, "hello")
        await room.wait_for(lambda: room.heard)


async def test_marks_are_kept_for_the_two_hundred_chats_with_the_newest_messages() -> None:
    inbox, now = FakeInbox(), FakeClock().now()
    marks = Marks(inbox, "discord", "default")
    for chat in range(250):
        await marks.seen(chat, 1000 + chat, now)
    await marks.seen(249, 5, now)
    await marks.save()
    again = Marks(inbox, "discord", "default")
    await again.load()
    assert list(again.newest_first().items()) == [(chat, 1000 + chat) for chat in range(249, 49, -1)]


async def test_a_mark_that_cannot_be_stored_is_stored_later(caplog: pytest.LogCaptureFixture) -> None:
    class FullInbox(FakeInbox):
        full = True

        async def set_mark(self, platform: str, account: str, mark: str) -> None:
            if self.full:
                raise BotError("storage", "The disk is full.")
            await super().set_mark(platform, account, mark)

    inbox = FullInbox()
    marks = Marks(inbox, "discord", "default")
    await marks.seen(1, 2, FakeClock().now())
    assert "storage" in caplog.text
    inbox.full = False
    await marks.save()
    assert inbox.marks["discord", "default"] == '{"1": "2"}'


async def test_a_clock_that_was_set_back_does_not_put_off_the_next_mark() -> None:
    inbox, clock = FakeInbox(), FakeClock()
    marks = Marks(inbox, "discord", "default")
    await marks.seen(1, 2, clock.now())
    await marks.seen(1, 3, clock.now() - timedelta(hours=5))
    assert inbox.marks["discord", "default"] == '{"1": "3"}'


async def test_after_a_refusal_it_can_be_run_again_with_a_new_token_and_reads_what_it_has_missed(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    guild, alice = server.guild(), server.user("alice")
    channel = server.channel(guild)
    async with connected(server) as room:
        alice.asks(channel, "one")
        await room.wait_for(lambda: room.heard)
        await room.settled()
        server.renew_token("counterpart-bot-token-that-came-later-000")
        assert room.run is not None
        async with asyncio.timeout(20):
            with pytest.raises(ConfigError, match=r"channels\.discord\.token"):
                await room.run
        alice.asks(channel, "two")
        with pytest.raises(BotError):
            await asyncio.wait_for(room.deliver(InboxItem(**ITEM, update=room.received[0]), room.heard[0]), 10)
        room.delivering.clear()
        old = server.gateway.token
        assert room.platform.take_token(Secret(old))
        assert not room.platform.take_token(Secret(old))
        room.start()
        await server.wait_for(lambda: len(room.heard) == 2, 12)
        await room.settled()
        assert room.states[-1] == "connected"
    assert [inbound.text for inbound in room.heard] == ["one", "two"]
    assert len(channel.messages) == 4
    assert "Attempting a reconnect" not in caplog.text, "a line and a traceback for every try"


@pytest.mark.parametrize("text", ["not a token at all", "two\nlines", "", "tökén.of.nobody", "<a.b.c>"])
async def test_a_text_that_is_no_token_is_refused_and_the_one_before_stays(server: DiscordServer, text: str) -> None:
    room = Room(server)
    with pytest.raises(ConfigError, match=r"channels\.discord\.token") as caught:
        room.platform.take_token(Secret(text))
    assert not text or text not in str(caught.value)
    assert not room.platform.take_token(Secret(server.token)), "it is still the one to go by"
    room.start()
    await room.wait_for(lambda: "connected" in room.states)
    await room.close()


@pytest.mark.parametrize("code", [1011, 4000, 4008])
async def test_a_gateway_that_closes_every_session_at_once_is_tried_again_with_growing_patience(
    server: DiscordServer, code: int
) -> None:
    alice, clock = server.user("alice"), FakeClock()
    async with connected(server, clock=clock) as room:
        server.gateway.refused = code
        server.drop_connections()
        await room.wait_for(lambda: len(clock.slept) >= 7)
        server.gateway.refused = None
        alice.says(alice.dm, "hello")
        await room.wait_for(lambda: room.heard)
        assert clock.slept[:7] == [1, 2, 5, 10, 20, 30, 30]


@pytest.mark.parametrize(
    ("passed", "slept"),
    [
        pytest.param(0, [1, 2], id="ended at once"),
        pytest.param(1.5, [0.5], id="a part of the pause is over"),
        pytest.param(SHORT, [], id="was a good one"),
        pytest.param(-7200, [1, 2], id="the clock was set back"),
    ],
)
async def test_the_pause_before_a_connection_follows_the_length_of_those_before(
    passed: float, slept: list[float]
) -> None:
    clock = FakeClock()
    pace = Pace(clock)
    for _ in range(4):
        await pace.keep()
        clock.advance(timedelta(seconds=passed))
    assert clock.slept == slept


async def test_that_discord_takes_no_messages_is_said_once_and_that_it_does_is_too(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adapters.discord")
    alice = server.user("alice")
    async with connected(server, clock=FakeClock()) as room:
        server.fail("POST", "/messages", 520, times=3)
        for words in ("one", "two"):
            alice.says(alice.dm, words)
        await room.wait_for(lambda: len(room.heard) == 2)
        await room.settled()
    assert [message for message in caplog.messages if "take" in message] == [
        "Discord does not take messages (status 520); they are sent as soon as it does.",
        "Discord takes messages again.",
    ]


async def test_a_store_that_fails_for_a_while_loses_nothing(server: DiscordServer) -> None:
    alice = server.user("alice")
    room = Room(server)
    refused = [BotError("storage", "The disk is full."), BotError("storage", "The disk is full.")]

    async def accept(updates: object) -> None:
        if refused:
            raise refused.pop()
        await room.accept(updates)  # type: ignore[arg-type]

    room.run = asyncio.create_task(room.platform.run(accept, room.on_state))
    await room.wait_for(lambda: "connected" in room.states)
    alice.says(alice.dm, "one")
    alice.says(alice.dm, "two")
    await room.wait_for(lambda: len(room.heard) == 2)
    await room.close()
    assert [inbound.text for inbound in room.heard] == ["one", "two"]


async def test_cancelling_ends_the_session_at_once(server: DiscordServer) -> None:
    async with connected(server) as room, asyncio.timeout(1):
        assert room.run is not None
        room.run.cancel()
        await asyncio.gather(room.run, return_exceptions=True)
        await server.wait_for(lambda: not server.gateway.sockets)


async def test_neither_the_token_nor_an_interactions_token_is_ever_logged(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alice = server.user("alice")
    async with connected(server) as room:
        quiet = alice.slash(alice.dm, "status")
        await room.wait_for(lambda: quiet.answers)
        assert quiet.token not in caplog.text
        server.fail("PATCH", "@original", 500)
        server.drop_connections()
        await room.wait_for(lambda: server.gateway.resumed)
        again = alice.slash(alice.dm, "status")
        await room.wait_for(lambda: again.answers)
    assert again.token not in caplog.text
    assert server.token not in caplog.text
    assert server.token not in repr(room.platform) + repr(vars(room.platform))


async def test_even_the_librarys_own_debug_log_does_not_show_the_bots_token(
    server: DiscordServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="discord")
    alice = server.user("alice")
    async with connected(server) as room:
        alice.says(alice.dm, "hello")
        await room.wait_for(lambda: room.heard)
        await room.settled()
    assert "identify" in caplog.text.lower()
    assert server.token not in caplog.text


async def test_the_bots_token_does_not_travel_with_answers_to_interactions(server: DiscordServer) -> None:
    alice = server.user("alice")
    async with connected(server) as room:
        used = alice.slash(alice.dm, "status")
        await room.wait_for(lambda: used.answers)
        await room.settled()
    sent = [*server.sent("POST", "/callback"), *server.sent("PATCH", "/webhooks")]
    assert len(sent) == 2
    assert not any("authorization" in entry["headers"] for entry in sent)


def test_the_counterpart_numbers_its_messages_in_time() -> None:
    with DiscordServer() as server:
        alice = server.user("alice")
        first, second = (Message(channel=alice.dm, author=alice, content="x") for _ in range(2))
    assert first.id < second.id
