"""`pairing approve CODE --owner`: who asks to be let in, or was, becomes an owner.

Owners are those that the configuration names, and they need no pairing. So its change is all that is done: it is made as a whole
or not at all, and there is nothing else that could be left half done.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import on_one_line, say, say_json

if TYPE_CHECKING:
    from pathlib import Path

    from bot.config.edit import Tree, TreeChange
    from bot.paths import Paths
    from core.resolution.rules import AccessRules

_OWNERS = ("access", "owners")


def make_owner(
    named: str, paths: "Paths", database: "Path", access: "AccessRules", now: datetime, as_json: bool
) -> int:
    """0 done, also where it was so already. Raises BotError for a request that there is not, or a configuration that cannot be
    changed."""
    from bot.cli.config_set import write_change
    from bot.pairing_wiring import read_pairings
    from core.pairing import request_named

    request = request_named(read_pairings(database), named, now)
    is_owner = request.person in access.owners
    is_updated = not is_owner and write_change(paths, add_owner(request.person))
    if as_json:
        view = {"id": request.person, "name": request.name, "owner": True}
        say_json({**view, "config_path": str(paths.config), "config_updated": is_updated})
    elif is_updated:
        say(f"Updated {paths.config}")
        say(f"{on_one_line(request.title)} is an owner. A gateway that runs goes by it within seconds.")
    else:
        say(f"{on_one_line(request.title)} is an owner already: nothing was changed.")
    return exit_codes.OK


def add_owner(person: str) -> "TreeChange":
    """The config names this person among the owners, after the others."""
    from bot.config.edit_value import set_value

    def change(tree: "Tree") -> None:
        owners = tree.get("access", {}).get("owners")
        if owners is None:
            set_value(_OWNERS, [person])(tree)
        elif person not in owners:
            set_value((*_OWNERS, len(owners)), person)(tree)

    return change
