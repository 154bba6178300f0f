"""Logins that got another id: an older program called each `<provider>:default`, a newer one names it after its account
(credentials.md 1.8). Where it is clear which one is meant, the config can follow."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.doctor.check import Check, Keep, Repair, warning
from bot.doctor.claude_store import renamed_ids
from bot.doctor.edits import edit_config, plain
from bot.doctor.scene import Scene
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import credential_provider

if TYPE_CHECKING:
    from bot.config.edit import TreeChange
    from bot.config.settings import Profile

_DEFAULT = ":default"


def renamed_login(name: str, entry: "Profile", scene: Scene) -> Check | None:
    """The check for a profile of the config that nobody stores, if it is clear under which id its login is stored now."""
    if entry.mode != "oauth" or not name.endswith(_DEFAULT):
        return None
    wanted = credential_provider(entry.provider)
    stored = {p.id: p for agent in scene.every_agent for p in scene.profiles(agent).profiles.values()}
    logins = [
        p for p in stored.values() if p.kind is CredentialKind.OAUTH and credential_provider(p.provider) == wanted
    ]
    meant = _meant(logins, entry.email)
    if meant is None:
        return None
    told = f'The config names auth.profiles."{name}", and that login is stored as {meant} now.'
    repair = Repair(id="config.rename_profile", text=f"name {meant} in its place", run=_renaming(name, meant, scene))
    return warning("credential.renamed", name, told, f"Write {meant} in its place, in auth.order too.", repair)


def _meant(logins: Sequence[AuthProfile], email: str | None) -> str | None:
    """By the e-mail address of the config; else the only login; else the only one that is named after an address."""
    by_email = [p.id for p in logins if email is not None and p.metadata.get("email") == email]
    named = [p.id for p in logins if "@" in p.id.partition(":")[2]]
    for found in (by_email, [p.id for p in logins], named):
        if len(found) == 1:
            return found[0]
    return None


def rename(old: str, new: str) -> "TreeChange":
    """The change of the config: the entry under its new id, and the id in every order."""
    from bot.config.edit import Tree, put

    def change(tree: Tree) -> None:
        profiles = tree.get("auth", {}).get("profiles", {})
        if old in profiles:
            entry = {key: plain(value) for key, value in profiles[old].items()}
            del profiles[old]
            for key, value in entry.items() if new not in profiles else ():
                put(tree, ("auth", "profiles", new), key, value)
        orders = tree.get("auth", {}).get("order", {})
        for provider in orders:
            before = [plain(name) for name in orders[provider]]
            if old in before:
                orders[provider] = renamed_ids(before, {old: new})

    return change


def _renaming(old: str, new: str, scene: Scene) -> Callable[[Keep], None]:
    def run(keep: Keep) -> None:
        edit_config(scene, rename(old, new), keep)

    return run
