"""What the config and the stores say of the Claude CLI, and whether the CLI and its login are still there (credentials.md 9).

While both are there nothing is stale. Where one of them is gone, what names it is named, and the repair turns it back into
Anthropic's own provider, as the stored credentials allow.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bot.claude_wiring import Claude
from bot.config.settings import Settings
from bot.doctor.check import Check, Repair, error, note, ok, warning
from bot.doctor.claude_config import in_config
from bot.doctor.claude_repair import Conversion
from bot.doctor.claude_store import CLI_PROFILE, stale_profiles
from bot.doctor.documents import read_document
from bot.doctor.scene import Scene
from bot.secrets_files import Unreadable
from core.auth.cli_login import LOGIN_ID, PROVIDER
from core.auth.eligibility import expiry_moment, is_kept_alive
from core.auth.profiles import AuthProfile

_MOST_NAMED = 3
_CONVERTS = "turn what names the Claude CLI back into Anthropic's own models and credentials"


@dataclass(frozen=True, slots=True)
class _Found:
    """The program, and its login; `hidden` where the system keeps it in a place that is not looked into."""

    program: str | None
    login: AuthProfile | None
    hidden: bool
    told: str


def checks(scene: Scene) -> Iterator[Check]:
    """Without the program, its login, and anything that names it, there is nothing to say."""
    stored = list(_in_stores(scene))
    named = [*in_config(scene.tree), *stored]
    found = _look(scene)
    if found.program is None and named:
        yield _gone(
            "claude.program", f"The Claude CLI is not installed here, and {_listed(named)} names it.",
            "Install it and log in, or add an Anthropic credential: remoteclaw models auth add --provider anthropic", scene,
        )  # fmt: skip
    elif found.program is None and found.login is not None and (scene.settings or Settings()).claude_cli.enabled:
        yield warning(
            "claude.program", found.login.source,
            f"{LOGIN_ID} does not serve: the Claude CLI, whose login it is, is not installed here.",
            "Install it, or name its path in claude_cli.command; claude_cli.enabled = false leaves its login alone.",
        )  # fmt: skip
    elif found.program is not None and _is_good(found, scene):
        told = f"The Claude CLI is at {found.program}, and it is logged in."
        yield ok("claude", found.program, told)
        for place in stored:
            told = f"{place} is a copy of its login, which is not used while the Claude CLI has one."
            yield note("claude.copy", place, told, f"Remove it: remoteclaw models auth logout {CLI_PROFILE}")
    elif found.program is not None and (found.hidden or _needs_no_login(scene)):
        told = f"The Claude CLI is at {found.program}; whether it is logged in cannot be seen from here."
        yield ok("claude", found.program, told)
    elif found.program is not None and named:
        why = found.told or "it has none, or one that has ended"
        yield _gone(
            "claude.login", f"The Claude CLI has no login that can be used ({why}), and {_listed(named)} names it.",
            "Run `claude` and log in, or add a credential: remoteclaw models auth add --provider anthropic", scene,
        )  # fmt: skip


def _gone(name: str, told: str, step: str, scene: Scene) -> Check:
    return error(name, "claude", told, step, Repair(id="claude.convert", text=_CONVERTS, run=Conversion(scene)))


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


def _look(scene: Scene) -> _Found:
    claude = Claude(scene.settings or Settings(), scene.paths, scene.environment)
    seen = claude.login().look()
    told = seen.problems[0].rstrip(".") if seen.problems else ""
    return _Found(claude.executable(), seen.profile, sys.platform == "darwin" and seen.profile is None, told)


def _is_good(found: _Found, scene: Scene) -> bool:
    """Whether the login lasts, or the program renews it by itself."""
    login = found.login
    if login is None:
        return False
    end = expiry_moment(login.expires)
    return is_kept_alive(login) or (end is not None and end > scene.now)


def _needs_no_login(scene: Scene) -> bool:
    """Whether the config says so of its provider."""
    table = scene.settings.models.providers.get(PROVIDER) if scene.settings is not None else None
    return table is not None and table.auth == "none"
