"""Forms: the first answer to a press that asks something. What is typed into one comes back as an interaction of its own."""

import logging
from typing import Any

import aiohttp
import discord
from discord.webhook.async_ import async_context, interaction_response_params

from adapters.discord.rest import is_acknowledged, session_of

log = logging.getLogger(__name__)

_FORM = 9


async def open_form(client: discord.Client, interaction: discord.Interaction, form: dict[str, Any]) -> None:
    """Show it to who has pressed. Never raises: a press that was not answered can be made again."""
    params = interaction_response_params(_FORM, form)
    try:
        await async_context.get().create_interaction_response(
            interaction.id, interaction.token, session=session_of(client), params=params
        )
    except discord.HTTPException as error:
        if not is_acknowledged(error):
            log.warning("A form could not be opened: %s, code %s.", error.status, error.code)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("A form could not be opened: %s.", type(error).__name__)
