"""Pickers, cards and lists of any installation stay within the limits of both platforms, and lose no choice on the way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from core.messages import Reply
from tests.adapters.limits_material import examples, holds
from tests.adapters.limits_on_discord import discord_wire
from tests.adapters.limits_on_telegram import telegram_wire
from tests.adapters.limits_world import TYPED, Script, scripts
from tests.e2e.hostile import on_discord, plain
from tests.fakes.discord_limits import check_choices, check_message, pings_of
from tests.fakes.telegram_world import units

T = TypeVar("T")
BUTTON, SELECT = 2, 3


def beside() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Runs what belongs to the loop of the test from the thread of its property."""
    loop = asyncio.get_running_loop()
    return lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(60)


def offered(reply: Reply) -> set[int]:
    """The numbers that a person must be able to press."""
    return {button.n for button in reply.buttons if not button.earlier} if reply.token else set()


def missing(reply: Reply, shown: str) -> list[str]:
    """The facts of a card, or the lines of a reply without one, that the shown text lacks."""
    rows = [row for block in reply.blocks for row in block.rows]
    facts = [*(block.title for block in reply.blocks), *(fact for row in rows for fact in (row.head, row.text))]
    told = facts if reply.blocks else reply.text.splitlines()
    there = plain(shown)
    return [fact for fact in told if plain(fact) not in there]


async def test_telegram_takes_every_keyboard_and_every_choice_is_on_it() -> None:
    async with telegram_wire() as wire:
        run = beside()

        @given(scripts(rows=8))
        @examples(20)
        def claim(script: Script) -> None:
            for reply in run(script.replies()):
                arrived = wire.answers(reply)
                assert [status for _, _, status in arrived.calls if status != 200] == []
                assert all(units(message.text) <= 4096 for message in arrived.messages)
                keys = [key for message in arrived.messages for row in message.history[-1].keyboard for key in row]
                assert len(keys) <= 100
                assert all(label.strip() and len(data.encode()) <= 64 for label, data in keys)
                assert {int(data.rpartition(":")[2]) for _, data in keys} == offered(reply)
                assert missing(reply, "".join(message.text for message in arrived.messages)) == []

        await holds(claim)


async def test_discord_takes_every_menu_and_every_choice_is_in_one() -> None:
    async with discord_wire() as wire:
        run = beside()

        @given(scripts(rows=25))
        @examples(20)
        def claim(script: Script) -> None:
            for reply in run(script.replies()):
                arrived = wire.answers(reply)
                for body in arrived.bodies:
                    check_message(body)
                    assert pings_of(body) == []
                assert pressable(arrived.messages[-1].components) >= offered(reply)
                shown = [on_discord(message.content) for message in arrived.messages]
                assert missing(reply, "".join(shown)) == []

        await holds(claim)


async def test_discord_takes_every_suggestion_and_offers_none_that_was_cut() -> None:
    async with discord_wire() as wire:
        run = beside()

        @given(scripts(rows=25), st.sampled_from(TYPED))
        @examples(20)
        def claim(script: Script, typed: str) -> None:
            suggested = run(script.suggestions(typed))
            choices = wire.suggests(suggested)
            check_choices(choices)
            assert {choice["value"] for choice in choices} <= {one.command.strip() for one in suggested}
            assert bool(choices) == any(len(one.command.strip()) <= 100 for one in suggested)

        await holds(claim)


def pressable(rows: list[dict[str, Any]]) -> set[int]:
    """The numbers that the components of a message can press, wherever they lie in it."""
    found: set[int] = set()
    for part in rows:
        found |= pressable(part.get("components") or [])
        if part["type"] == BUTTON and "custom_id" in part:
            found.add(int("".join(c for c in part["custom_id"].rpartition(":")[2] if c.isdigit())))
        if part["type"] == SELECT:
            found |= {int(option["value"]) for option in part["options"]}
    return found
