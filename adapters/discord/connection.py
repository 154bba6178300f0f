"""discord.py's client as we use it: it hears, acknowledges and hands on; it keeps no messages, members or views."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import discord

from adapters.discord.arrivals import Arrivals
from adapters.discord.components import build_form
from adapters.discord.inbound import Reader
from adapters.discord.interaction_payloads import interaction_update
from adapters.discord.interactions import (
    Acknowledgements,
    MayAnswer,
    Suggest,
    answer_autocomplete,
    is_private,
    is_stranger,
)
from adapters.discord.menus import sync_menus
from adapters.discord.modals import open_form
from adapters.discord.pacing import Pace
from adapters.discord.payloads import is_talk
from adapters.discord.slash_commands import registration
from adapters.discord.wire import intents, paced
from core.clock import Clock
from core.ports import Inbox

log = logging.getLogger(__name__)

OnState = Callable[[str], None]


class Connection(discord.Client):
    """One logged-in bot account. `arrivals` is where its updates wait for their commit.

    States told to `on_state`: `connected`, and `disconnected` until a lost gateway connection is back.
    """

    def __init__(
        self,
        reader: Reader,
        inbox: Inbox,
        clock: Clock,
        *,
        commands: Sequence[tuple[str, str]],
        arguments: Mapping[str, str],
        suggest: Suggest,
        may_answer: MayAnswer | None,
    ) -> None:
        super().__init__(
            intents=intents(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        paced(self.http, Pace(clock))
        self.acknowledgements = Acknowledgements()
        self.arrivals = Arrivals(self, reader, inbox, clock, self.acknowledgements.committed)
        self.on_state: OnState = lambda state: None
        self._reader = reader
        self._commands = registration(commands, arguments)
        self._suggest = suggest
        self._may_answer = may_answer
        self._tasks: set[asyncio.Task[None]] = set()

    async def setup_hook(self) -> None:
        """Make Discord's command menus the ones of this version, after each login."""
        await sync_menus(self, self._commands)

    async def on_connect(self) -> None:
        self.arrivals.new_session()
        self.on_state("connected")

    async def on_resumed(self) -> None:
        self.on_state("connected")

    async def on_disconnect(self) -> None:
        self.on_state("disconnected")

    async def on_message(self, message: discord.Message) -> None:
        if is_talk(message):
            self.arrivals.message(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        when = event.data.get("edited_timestamp")
        if when and is_talk(event.message):
            self.arrivals.edited(event.message, str(when))

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.arrivals.deleted([event.message_id], event.channel_id, event.guild_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        self.arrivals.deleted(sorted(event.message_ids), event.channel_id, event.guild_id)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        log.warning("The bot was removed from server %s: nothing can be said there any more.", guild.id)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        update = interaction_update(self._reader, interaction)
        if update is None:
            log.info("An interaction of an unknown kind (%s) was left alone.", interaction.type)
            return
        match update.payload["type"]:
            case "suggest":
                self._in_background(answer_autocomplete(interaction, update, self._reader, self._suggest))
                return
            case "command":
                private = is_private(update, self._reader, self._may_answer)
                update = replace(update, payload={**update.payload, "private": private})
            case _ if interaction.type is discord.InteractionType.component:
                form = build_form(update.payload["custom_id"], update.payload["values"])
                if form is not None and not is_stranger(update, self._reader, self._may_answer):
                    self._in_background(open_form(self, interaction, form))
                    return
        self.acknowledgements.begin(interaction, update)
        self.arrivals.update(update)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
