"""The first word to an interaction, within Discord's three seconds: an acknowledgement, or what could be typed."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import aiohttp
import discord
from discord.app_commands import Choice

from adapters.discord.components import fitted
from adapters.discord.inbound import Reader, command_text
from adapters.discord.rest import is_acknowledged
from adapters.discord.slash_commands import only_looks
from core.commands.model_request import RESERVED
from core.errors import BotError, Suggestion
from core.messages import Inbound
from core.ports import Update

log = logging.getLogger(__name__)

Suggest = Callable[[Inbound], Awaitable[Sequence[Suggestion]]]
MayAnswer = Callable[[Inbound], bool]
"""Whether the sender of a command or a press may do so. Asked before it is acknowledged, so it waits for nothing."""

SUGGEST_SECONDS = 2.0
COMMIT_SECONDS = 1.5
"""How long a deferral waits for the commit: half of Discord's time, so that the other half is left for the way there."""
_CHOICES, _CHOICE_LENGTH = 25, 100
_REMEMBERED = 1000


def is_private(update: Update, reader: Reader, may_answer: MayAnswer | None) -> bool:
    """Whether only its sender sees the answer to a command: it changes nothing, or the sender may not give it. It has to be
    known before the command runs, since an acknowledgement decides it."""
    return only_looks(command_text(update.payload)) or is_stranger(update, reader, may_answer)


def is_stranger(update: Update, reader: Reader, may_answer: MayAnswer | None) -> bool:
    """Whether the sender is known to be somebody who may neither command nor press."""
    inbound = reader.read(update)
    if may_answer is None or inbound is None:
        return False
    try:
        return not may_answer(inbound)
    except BotError as error:
        log.error("Who may give a command cannot be known now: %s.", error.code)
        return False


class Acknowledgements:
    """Defers interactions once they are committed, and remembers for the delivery whether Discord took it.

    A store that takes longer than `COMMIT_SECONDS` is not waited for: the person would be told that it failed, which it has not.
    """

    def __init__(self) -> None:
        self._running: OrderedDict[str, tuple[asyncio.Task[bool], asyncio.Event]] = OrderedDict()

    def begin(self, interaction: discord.Interaction, update: Update) -> None:
        """Have it deferred when `committed` is told, or soon; once, however often the event arrives."""
        if update.key in self._running:
            return
        private = update.payload.get("private", False)
        stored = asyncio.Event()
        self._running[update.key] = (asyncio.create_task(_defer(interaction, private, stored)), stored)
        while len(self._running) > _REMEMBERED:
            self._running.popitem(last=False)

    def committed(self, key: str) -> None:
        """The update of this key is stored, or is not to be."""
        if key in self._running:
            self._running[key][1].set()

    async def taken(self, key: str) -> bool:
        """Whether the interaction was deferred. One from before a restart is taken to be: its token says otherwise soon."""
        return await asyncio.shield(self._running[key][0]) if key in self._running else True


async def _defer(interaction: discord.Interaction, private: bool, stored: asyncio.Event) -> bool:
    """A command shows "thinking" to all or to the sender; a press shows nothing and keeps its message."""
    thinking = interaction.type is discord.InteractionType.application_command
    with suppress(TimeoutError):
        async with asyncio.timeout(COMMIT_SECONDS):
            await stored.wait()
    try:
        await interaction.response.defer(ephemeral=private, thinking=thinking)
    except discord.InteractionResponded:
        return True
    except discord.HTTPException as error:
        if is_acknowledged(error):
            return True
        log.warning("An interaction could not be acknowledged: %s, code %s.", error.status, error.code)
        return False
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("An interaction could not be acknowledged: %s.", type(error).__name__)
        return False
    return True


async def answer_autocomplete(
    interaction: discord.Interaction,
    update: Update,
    reader: Reader,
    suggest: Suggest,
    *,
    seconds: float = SUGGEST_SECONDS,
) -> None:
    """Offer what could be typed, nothing if it takes too long or fails. Never raises."""
    choices: list[Choice[str]] = []
    try:
        inbound = reader.read(update)
        if inbound is not None:
            async with asyncio.timeout(seconds):
                choices = to_choices(fitting(update.payload["name"], await suggest(inbound)))
    except TimeoutError:
        log.info("Suggestions took longer than %s s and were left out.", seconds)
    except Exception:
        log.exception("Suggestions failed.")
    try:
        await interaction.response.autocomplete(choices)
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.info("Suggestions came too late: %s.", type(error).__name__)


def fitting(command: str, suggestions: Sequence[Suggestion]) -> Sequence[Suggestion]:
    """Those that the command takes: the words of `/model` itself, a credential alone, and how long mean nothing to another one."""
    if command == "model":
        return suggestions
    names = (one for one in suggestions if len(one.command.split()) == 1)
    return [one for one in names if one.command not in RESERVED and not one.command.startswith("@")]


def to_choices(suggestions: Sequence[Suggestion]) -> list[Choice[str]]:
    """At most 25, names fitted into 100 characters; a value that is longer is left out, since cut it would mean something else."""
    choices: dict[str, Choice[str]] = {}
    for suggestion in suggestions:
        value = suggestion.command.strip()
        if not value or len(value) > _CHOICE_LENGTH:
            continue
        name = fitted(suggestion.label, _CHOICE_LENGTH) or value
        choices.setdefault(value, Choice(name=name, value=value))
    return list(choices.values())[:_CHOICES]
