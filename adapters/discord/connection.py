"""discord.py's client as we use it: it hears, acknowledges and hands on; it keeps no messages, members or views."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import discord

from adapters.discord.arrivals import Arrivals
from adapters.discord.inbound import Reader
from adapters.discord.interactions import Acknowledgements, Suggest, answer_autocomplete
from adapters.discord.payloads import interaction_update, is_talk
from adapters.discord.slash_commands import registration
from adapters.discord.wire import intents
from core.clock import Clock
from core.ports import Inbox

log = logging.getLogger(__name__)

OnState = Callable[[str], None]


class Connection(discord.Client):
    """One logged-in bot account. `arrivals` is where its updates wait for their commit.

    States told to `on_state`: `connected`, and `disconnected` until a lost gateway connection is back.
    """

    def __init__(
        self, reader: Reader, inbox: Inbox, clock: Clock, *, commands: Sequence[tuple[str, str]], suggest: Suggest
    ) -> None:
        super().__init__(
            intents=intents(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.acknowledgements = Acknowledgements()
        self.arrivals = Arrivals(self, reader, inbox, clock, self.acknowledgements.committed)
        self.on_state: OnState = lambda state: None
        self._reader = reader
        self._commands = registration(commands)
        self._suggest = suggest
        self._tasks: set[asyncio.Task[None]] = set()

    async def setup_hook(self) -> None:
        """Make Discord's command menus the ones of this version, after each login: the whole list, so that repeating changes
        nothing. Without its menus the bot still answers typed commands, so a refusal is only told."""
        assert self.application_id is not None, "known after login"
        try:
            await self.http.bulk_upsert_global_commands(self.application_id, self._commands)
        except discord.HTTPException as error:
            log.error("Discord did not take the slash commands: %s, code %s: %s", error.status, error.code, error.text)

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

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        update = interaction_update(self._reader, interaction)
        if update is None:
            log.info("An interaction of an unknown kind (%s) was left alone.", interaction.type)
            return
        if update.payload["type"] == "suggest":
            self._in_background(answer_autocomplete(interaction, update, self._reader, self._suggest))
            return
        self.acknowledgements.begin(interaction, update)
        self.arrivals.update(update)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
