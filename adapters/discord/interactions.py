"""The first word to an interaction, within Discord's three seconds: an acknowledgement, or what could be typed."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import discord
from discord.app_commands import Choice

from adapters.discord.inbound import Reader, command_text
from adapters.discord.rest import is_acknowledged
from adapters.discord.slash_commands import only_looks
from core.errors import Suggestion
from core.messages import Inbound
from core.ports import Update

log = logging.getLogger(__name__)

Suggest = Callable[[Inbound], Awaitable[Sequence[Suggestion]]]

SUGGEST_SECONDS = 2.0
_CHOICES, _CHOICE_LENGTH = 25, 100
_REMEMBERED = 1000


class Acknowledgements:
    """Defers interactions as they arrive, beside their commit, and remembers for the delivery whether Discord took it."""

    def __init__(self) -> None:
        self._running: OrderedDict[str, asyncio.Task[bool]] = OrderedDict()

    def begin(self, interaction: discord.Interaction, update: Update) -> None:
        """Start the deferral; once, however often the event arrives."""
        if update.key in self._running:
            return
        private = update.payload["type"] == "command" and only_looks(command_text(update.payload))
        self._running[update.key] = asyncio.create_task(_defer(interaction, private))
        while len(self._running) > _REMEMBERED:
            self._running.popitem(last=False)

    async def taken(self, key: str) -> bool:
        """Whether the interaction was deferred. One from before a restart is taken to be: its token says otherwise soon."""
        task = self._running.get(key)
        return True if task is None else await asyncio.shield(task)


async def _defer(interaction: discord.Interaction, private: bool) -> bool:
    """A command shows "thinking" to all or to the sender; a press shows nothing and keeps its message."""
    thinking = interaction.type is discord.InteractionType.application_command
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
                choices = to_choices(await suggest(inbound))
    except TimeoutError:
        log.info("Suggestions took longer than %s s and were left out.", seconds)
    except Exception:
        log.exception("Suggestions failed.")
    try:
        await interaction.response.autocomplete(choices)
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.info("Suggestions came too late: %s.", type(error).__name__)


def to_choices(suggestions: Sequence[Suggestion]) -> list[Choice[str]]:
    """At most 25, names cut to 100 characters; a value that is longer is left out, since cut it would mean something else."""
    choices: dict[str, Choice[str]] = {}
    for suggestion in suggestions:
        value = suggestion.command.strip()
        label = " ".join(suggestion.label.split()) or value
        if not value or len(value) > _CHOICE_LENGTH:
            continue
        shown = label if len(label) <= _CHOICE_LENGTH else label[: _CHOICE_LENGTH - 1] + "…"
        choices.setdefault(value, Choice(name=shown, value=value))
    return list(choices.values())[:_CHOICES]
