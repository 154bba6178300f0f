"""`models auth logout`: take a credential out of its store, and tell what serves without it."""

import argparse
import sys
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.models_auth import Desk, missing_profile
from bot.cli.output import complain, on_one_line, say, say_json
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.edit import TreeChange
    from bot.config.settings import Settings


def run(args: argparse.Namespace, desk: Desk) -> int:
    """Remove a credential from the agent's own store and, once no agent has it, its name from the config. The provider is not
    told: a key that has leaked must be revoked there.

    Agents that read it through to `main` lose it too, and their own orders lose its name. Where its end puts other credentials
    into service, that is told before anybody is asked.
    """
    from bot.cli.models_auth_outlook import outlooks

    name = args.profile.strip()
    writer = desk.stores.writer(desk.agent)
    provider = writer.own_provider(name)
    if provider is None:
        if name in desk.stored():
            raise BotError("profile_missing", f'Auth profile "{name}" is kept by main.', "Add --agent main.")
        raise missing_profile(name, desk)
    seen = outlooks(desk, name, provider)
    if not args.yes:
        for outlook in seen:
            if words := outlook.before():
                complain(words)
        if not _agrees(name):
            return exit_codes.USAGE
    writer.remove(name)
    try:
        is_updated = _out_of_config(desk, name)
        changed = _out_of_orders(desk, name)
    finally:
        desk.forget_refreshes(name)
    for outlook in seen:
        if words := outlook.after(outlook.agent in changed):
            complain(words)
    if args.json:
        say_json({
            "agent": desk.agent, "agent_dir": str(writer.folder), "auth_store_path": str(writer.path), "removed": name,
            "serves_now": list(seen[0].serves), "orders_changed": changed,
            "config_path": str(desk.paths.config), "config_updated": is_updated,
        })  # fmt: skip
        return exit_codes.OK
    if is_updated:
        say(f"Updated {desk.paths.config}")
    say(f"Removed auth profile: {name}")
    return exit_codes.OK


def _out_of_config(desk: Desk, name: str) -> bool:
    """Whether the config differs now. What some agent has by then, perhaps anew, keeps its name."""
    from bot.cli.models_auth_paste import change_config
    from bot.config.edit import no_change, remove_profile

    if not desk.paths.config.exists():
        return False

    def plan(settings: "Settings") -> "TreeChange":
        is_kept = any(name in desk.stored(agent) for agent in desk.agents)
        return no_change if is_kept else remove_profile(name)

    is_updated, _ = change_config(desk, plan, "The credential is removed")
    return is_updated


def _out_of_orders(desk: Desk, name: str) -> list[str]:
    """The other agents that no longer have it and whose own orders named it. Raises BotError after all of them were tried."""
    changed: list[str] = []
    failed: list[str] = []
    for agent in desk.agents:
        if agent == desk.agent or name in desk.stored(agent) or name not in _ordered(desk, agent):
            continue
        try:
            if desk.stores.writer(agent).leave_orders(name):
                changed.append(agent)
        except BotError as error:
            failed.append(f"{agent}: {error}")
    if failed:
        raise BotError("store_write", f"The credential is removed, but an order still names it, of agent {failed[0]}")
    return changed


def _ordered(desk: Desk, agent: str) -> set[str]:
    return {name for ids in desk.credentials(agent).order.values() for name in ids}


def _agrees(name: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        complain(f"Removing {on_one_line(name)} needs a yes. Add --yes.")
        return False
    sys.stderr.write(f"Remove {on_one_line(name)} from the store? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes"):  # a terminal may send what is no text
        return True
    complain("Nothing was removed.")
    return False
