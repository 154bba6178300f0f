"""Logins that got another id: an older program called each `<provider>:default`, a newer one names it after its account
(credentials.md 1.8). Where it is clear which one is meant, the config can follow."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.doctor.check import Check, Keep, Repair, changed, warning
from bot.doctor.claude_store import renamed_ids
from bot.doctor.edits import edit_config, plain
from bot.doctor.scene import Scene
from core.auth.profiles import CredentialKind
from core.auth.provider_names import credential_provider

if TYPE_CHECKING:
    from bot.config.edit import TreeChange
    from bot.config.settings import Profile

_DEFAULT = ":default"
_PLAIN = frozenset({"provider", "mode"})
"""What an entry says that gives nobody anything. Labels, billing and permissions are meant for one account and no other."""


def renamed_login(name: str, entry: "Profile", scene: Scene) -> Check | None:
    """The check for a profile of the config that nobody stores, if it is clear under which id its login is stored now."""
    if entry.mode != "oauth" or not name.endswith(_DEFAULT):
        return None
    meant = _meant(entry, scene)
    if meant is None:
        return None
    told = f'The config names auth.profiles."{name}", and that login is stored as {meant} now.'
    if entry.email is None and not set(_raw(scene.tree, name)) <= _PLAIN:
        step = f"If that is the account which the entry is about, write {meant} in its place, in auth.order too."
        return warning("credential.renamed", name, told, step)
    repair = Repair(
        id="config.rename_profile", text=f"name {meant} in its place", run=_renaming(name, meant, entry, scene)
    )
    return warning("credential.renamed", name, told, f"Write {meant} in its place, in auth.order too.", repair)


def _meant(entry: "Profile", scene: Scene) -> str | None:
    """By the e-mail address of the config, where it has one; else the only login, or the only one with an address for a name."""
    wanted = credential_provider(entry.provider)
    stored = {p.id: p for agent in scene.every_agent for p in scene.profiles(agent).profiles.values()}
    logins = [
        p for p in stored.values() if p.kind is CredentialKind.OAUTH and credential_provider(p.provider) == wanted
    ]
    if entry.email is not None:
        return _only([p.id for p in logins if p.metadata.get("email") == entry.email])
    return _only([p.id for p in logins]) or _only([p.id for p in logins if "@" in p.id.partition(":")[2]])


def _only(ids: Sequence[str]) -> str | None:
    return ids[0] if len(ids) == 1 else None


def _raw(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The entry as it stands in the config."""
    found: Mapping[str, Any] = tree.get("auth", {}).get("profiles", {}).get(name, {})
    return found


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


def _renaming(old: str, new: str, entry: "Profile", scene: Scene) -> Callable[[Keep], None]:
    def still(tree: Mapping[str, Any]) -> None:
        if _raw(tree, old) != _raw(scene.tree, old) or _meant(entry, scene) != new:
            raise changed(f'auth.profiles."{old}", or the login that it means, is another one by now.')

    def run(keep: Keep) -> None:
        edit_config(scene, rename(old, new), keep, still)

    return run
