"""The words and the JSON of `models status` and `models explain`: what the resolver says, for the operator on the host."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from core.auth.eligibility import Eligibility, expiry_moment
from core.auth.profiles import CredentialKind
from core.commands.status import status_lines, summary
from core.models.ref import ModelRef
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import everyone, model_in_use, provider_view, session_view

if TYPE_CHECKING:
    from bot.paths import Paths

WARN = timedelta(hours=24)
"""A token that ends within this is `expiring`."""
_EXPIRING_KINDS = (CredentialKind.TOKEN, CredentialKind.OAUTH)


def view(agent: Snapshot, asked: Snapshot | None, paths: "Paths") -> dict[str, Any]:
    """The JSON of `models status`. `asked` is the session of `--session`."""
    data: dict[str, Any] = {
        "config_path": str(paths.config),
        "agent": agent.session.key.agent,
        "agent_dir": str(paths.agent(agent.session.key.agent)),
        "default": str(agent.agent.default),
        "fallbacks": [str(ref) for ref in agent.agent.fallbacks],
        "aliases": {alias: str(ref) for alias, ref in _aliases(agent).items()},
        "allow": list(agent.agent.allow),
        "providers": [provider_view(agent, resolve(agent), provider) for provider in _providers(agent)],
        "missing_providers_in_use": missing(agent),
        "problems": list(agent.credentials.problems),
    }
    if asked is not None:
        data["session"] = session_view(asked, resolve(asked))
    return data


def lines(agent: Snapshot, asked: Snapshot | None, paths: "Paths") -> list[str]:
    """The same for people."""
    found = [
        f"Config       : {paths.config}",
        f"Agent        : {agent.session.key.agent} ({paths.agent(agent.session.key.agent)})",
        f"Default      : {agent.agent.default}",
        f"Fallbacks    : {', '.join(map(str, agent.agent.fallbacks)) or '-'}",
        f"Aliases      : {', '.join(f'{a} = {ref}' for a, ref in _aliases(agent).items()) or '-'}",
        "",
    ]
    if asked is not None:
        found += [f"Session      : {asked.session.key}", *summary(asked, resolve(asked)), ""]
    resolution = resolve(asked or agent)
    for provider in _providers(agent):
        found += [*status_lines(asked or agent, resolution, provider, everyone, owner=True), ""]
    found += [f"Missing: {provider} is in use and has no credential that may be used." for provider in missing(agent)]
    found += [f"Note: {problem}" for problem in agent.credentials.problems]
    return found[:-1] if not found[-1] else found


def explained(snapshot: Snapshot) -> list[str]:
    """What `models explain` prints."""
    resolution = resolve(snapshot)
    found = [f"Session: {snapshot.session.key}", *summary(snapshot, resolution), "", "Would be tried, in order:"]
    found += [f"{n:>3}. {c.model} with {c.profile.id}" for n, c in enumerate(resolution.candidates, start=1)]
    if not resolution.candidates:
        found.append("  nothing")
    found.append("")
    for provider in dict.fromkeys(
        [resolution.selected.ref.provider, *(c.model.provider for c in resolution.candidates)]
    ):
        found += [*status_lines(snapshot, resolution, provider, everyone, owner=True), ""]
    return found[:-1]


def verdict(agent: Snapshot) -> int:
    """1 if a token is expired or missing, or a provider in use has nothing; 2 if a token ends within a day; else 0."""
    profiles = [p for p in agent.credentials.profiles.values() if p.kind in _EXPIRING_KINDS]
    judged = {p.id: _judge(agent, p.id) for p in profiles}
    bad = (Eligibility.EXPIRED, Eligibility.INVALID_EXPIRES, Eligibility.MISSING_CREDENTIAL)
    if missing(agent) or any(verdict in bad for verdict in judged.values()):
        return exit_codes.FAILED
    ends = [moment for p in profiles if (moment := expiry_moment(p.expires)) is not None]
    return exit_codes.USAGE if any(end - agent.now <= WARN for end in ends) else exit_codes.OK


def missing(agent: Snapshot) -> list[str]:
    """Providers of the default and its fallbacks that have no credential that may be used."""
    refs = [agent.agent.default, *agent.agent.fallbacks]
    return list(dict.fromkeys(r.provider for r in refs if not any(p.position is not None for p in agent.placed(r))))


def _judge(agent: Snapshot, profile: str) -> Eligibility:
    provider = agent.credentials.profiles[profile].provider
    placed = agent.placed(model_in_use(agent, None, provider))
    return next((p.eligibility for p in placed if p.id == profile), Eligibility.OK)


def _providers(agent: Snapshot) -> list[str]:
    """Providers in use first, then the others that are configured or have a credential."""
    in_use = [agent.agent.default.provider, *(ref.provider for ref in agent.agent.fallbacks)]
    return list(dict.fromkeys([*in_use, *(p for p in agent.rules.catalog.providers if p in agent.offered)]))


def _aliases(agent: Snapshot) -> dict[str, ModelRef]:
    aliases = agent.rules.catalog.aliases
    return {alias: ref for alias, ref in aliases.items() if ref.provider in agent.offered}
