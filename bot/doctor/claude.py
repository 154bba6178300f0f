"""What the config and the stores say of the Claude CLI, and whether the CLI and its login are still there (credentials.md 9).

While one of them is there, what names the CLI is left alone: the other one may be back after a login or an installation. Where
both are gone, the repair turns what names it back into Anthropic's own provider, as the stored credentials allow.
"""

from collections.abc import Iterator

from bot.config.settings import Settings
from bot.doctor.check import Check, Repair, error, note, ok, warning
from bot.doctor.claude_config import chosen_in_config, in_config
from bot.doctor.claude_look import TOKEN, Found, find_claude, needs_login
from bot.doctor.claude_plan import make_plan
from bot.doctor.claude_repair import Conversion
from bot.doctor.claude_store import CLI_PROFILE, stale_profiles
from bot.doctor.documents import read_document
from bot.doctor.scene import Scene
from bot.doctor.surroundings import RUNNING
from bot.secrets_files import Unreadable
from core.auth.cli_login import LOGIN_ID
from core.auth.eligibility import expiry_moment, is_kept_alive
from core.errors import BotError

_MOST_NAMED = 3
_CONVERTS = "turn what names the Claude CLI back into Anthropic's own models and credentials"
_ADD = "remoteclaw models auth add --provider anthropic"


def checks(scene: Scene) -> Iterator[Check]:
    """Without the program, its login, and anything that names it, there is nothing to say."""
    stored = list(_in_stores(scene))
    named = [*in_config(scene.tree), *stored]
    settings = scene.settings
    if settings is None:
        if named:
            told = f"{_listed(named)} names the Claude CLI; whether it is there is looked at once the config is valid."
            yield note("claude.unknown", "claude", told, "Mend the config first.")
        return
    found = find_claude(settings, scene)
    if found.is_gone:
        if named:
            yield _gone(named, settings, scene)
    elif not settings.claude_cli.enabled and (chosen := _chosen(settings, scene)):
        told = f"claude_cli.enabled is false, so {_listed(chosen)} names what never serves."
        yield error("claude.off", "claude_cli.enabled", told, "Set it to true, or choose another model.")
    elif found.program is None:
        yield from _without_program(found, named, settings, scene)
    elif _is_good(found, scene):
        yield ok("claude", found.program, f"The Claude CLI is at {found.program}, and it is logged in.")
        for place in stored:
            told = f"{place} is a copy of its login, which is not used while the Claude CLI has one."
            yield note("claude.copy", place, told, f"Remove it: remoteclaw models auth logout {CLI_PROFILE}")
    elif found.hidden:
        told = f"The Claude CLI is at {found.program}; whether it is logged in cannot be seen from here."
        yield ok("claude", found.program, told)
    elif named:
        yield _without_login(found, named)


def _gone(named: list[str], settings: Settings, scene: Scene) -> Check:
    told = f"The Claude CLI is not installed here and has no login, and {_listed(named)} names it."
    step = f"Install it and log in, or add an Anthropic credential: {_ADD}"
    try:
        plan = make_plan(scene)
    except BotError as failure:
        return error("claude.program", "claude", told, f"{step} (Nothing is converted: {failure})")
    conversion = Conversion(settings, scene, plan)
    repair = Repair(id="claude.convert", text=_CONVERTS, run=conversion, changes=plan.changes, then=plan.then)
    return error("claude.program", "claude", told, step, repair)


def _without_program(found: Found, named: list[str], settings: Settings, scene: Scene) -> Iterator[Check]:
    """Of a program that others find, or whose login is there, nothing is known to be gone."""
    where = "it is not installed here"
    if found.elsewhere is not None:
        where = f"{found.elsewhere} is not on the PATH of {RUNNING if scene.sees_gateway else 'this shell'}"
    step = "Install it, or name its path in claude_cli.command"
    if found.elsewhere is not None and not scene.sees_gateway:
        yield note("claude.elsewhere", "claude", f"The service finds the Claude CLI, and {where}.")
    elif named:
        told = f"The Claude CLI is not found ({where}), and {_listed(named)} names it."
        gone = f". If it is gone for good, move its login {found.file} away and run doctor again" if found.file else ""
        yield error("claude.program", "claude", told, f"{step}{gone}.")
    elif found.login is not None and settings.claude_cli.enabled:
        told = f"{LOGIN_ID} does not serve: the Claude CLI, whose login it is, is not found ({where})."
        yield warning(
            "claude.program", found.login.source, told, f"{step}; claude_cli.enabled = false leaves its login alone."
        )


def _without_login(found: Found, named: list[str]) -> Check:
    why, _, command = found.told.partition(" Run: ")
    why = why.rstrip(".") or "It has none, or one that has ended"
    told = f"{_listed(named)} names the Claude CLI, and it has no login that can be used. {why}."
    step = f"Run: {command}" if command else f"Run `claude` and log in, or add a credential: {_ADD}"
    if found.token:
        step = f"It is not started with {TOKEN}: store that token with `remoteclaw models auth setup-token`. {step}"
    return error("claude.login", "claude", told, step)


def _listed(places: list[str]) -> str:
    more = len(places) - _MOST_NAMED
    return ", ".join(places[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _in_stores(scene: Scene) -> Iterator[str]:
    for agent in scene.every_agent:
        try:
            stale = stale_profiles(read_document(agent, scene))
        except Unreadable:
            continue  # which the checks of the stores tell
        yield from (f"{name} in the store of {agent}" for name in stale)


def _is_good(found: Found, scene: Scene) -> bool:
    """Whether the login lasts, or the program renews it by itself."""
    if found.login is None:
        return False
    end = expiry_moment(found.login.expires)
    return is_kept_alive(found.login) or (end is not None and end > scene.now)


def _chosen(settings: Settings, scene: Scene) -> list[str]:
    """Where a model of the CLI is chosen that needs its login."""
    return list(chosen_in_config(scene.tree)) if needs_login(settings) else []
