"""What `models status` and `models explain` are made from: the resolver's answers, and how long credentials stay good.

The JSON (models_status_json) and the words for people (models_status_text) are made from the same `Status`, so that they cannot
disagree.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from core.auth.cli_login import PROVIDER as OWN_LOGIN
from core.auth.profiles import CredentialKind
from core.models.ref import ModelRef
from core.resolution.credential_health import STORED_KINDS, CredentialStatus, ProviderHealth, providers_health
from core.resolution.resolver import Resolution, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.summary import status_lines, summary
from core.resolution.view import everyone

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.environment import Environment
    from bot.paths import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One look at an agent. `agent` is what a new session would find, `asked` the session of `--session`.

    `names_agent`: `--agent` was given. `notes` are sentences about the installation beside those about credentials.
    """

    agent: Snapshot
    resolution: Resolution
    """The resolver's answer for a new session of the agent."""
    asked: Snapshot | None
    settings: "Settings"
    paths: "Paths"
    environment: "Environment"
    names_agent: bool
    notes: tuple[str, ...]
    missing: tuple[str, ...]
    """Providers in use that have no credential that may be used."""
    health: tuple[ProviderHealth, ...]
    """The stored credentials, and a row for every missing provider."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about what cannot be used."""
        return self.notes + self.agent.credentials.problems


def look(
    agent: Snapshot,
    asked: Snapshot | None,
    settings: "Settings",
    paths: "Paths",
    environment: "Environment",
    *,
    names_agent: bool = False,
    notes: tuple[str, ...] = (),
) -> Status:
    """Judge everything once."""
    resolution = resolve(agent)
    lacking = missing(agent, resolution)
    profiles = agent.credentials.profiles.values()
    named = {profile.provider for profile in profiles if profile.kind in STORED_KINDS}
    return Status(
        agent=agent,
        resolution=resolution,
        asked=asked,
        settings=settings,
        paths=paths,
        environment=environment,
        names_agent=names_agent,
        notes=notes,
        missing=tuple(lacking),
        health=providers_health(profiles, agent.now, named.union(lacking)),
    )


def verdict(status: Status) -> int:
    """1 if a token or login is expired or missing, or a provider in use has nothing; 2 if one ends within a day; else 0.

    Cooldowns, keys and probes do not count: a monitor is told what only a person can mend. A login that another program has left
    behind counts only where it is in use: nobody has stored it.
    """
    found = {
        one.status
        for provider in status.health
        for one in provider.profiles
        if one.may_end and not (one.profile.kind is CredentialKind.CLI and one.status is CredentialStatus.MISSING)
    }
    if status.missing or found & {CredentialStatus.EXPIRED, CredentialStatus.MISSING}:
        return exit_codes.FAILED
    return exit_codes.USAGE if CredentialStatus.EXPIRING in found else exit_codes.OK


def models_in_use(agent: Snapshot) -> list[ModelRef]:
    """The default, the model for images, and what stands in for them."""
    rules = agent.agent
    images = [rules.image_model] if rules.image_model is not None else []
    return [rules.default, *rules.fallbacks, *images, *rules.image_fallbacks]


def missing(agent: Snapshot, resolution: Resolution) -> list[str]:
    """Providers of the models in use that have no credential that may be used. A program with a login of its own needs none, but
    where its login is known that one has to be good."""
    catalog = agent.rules.catalog.providers
    found = []
    for ref in models_in_use(agent):
        entry = catalog.get(ref.provider)
        placed = resolution.placed if ref == resolution.selected.ref else agent.placed(ref)
        if entry is not None and entry.api == OWN_LOGIN and all(one.profile is None for one in placed):
            continue
        if not any(one.position is not None for one in placed):
            found.append(ref.provider)
    return list(dict.fromkeys(found))


def shown_providers(agent: Snapshot) -> list[str]:
    """Providers in use first, then the others that are configured or have a credential."""
    in_use = [ref.provider for ref in models_in_use(agent)]
    offered = agent.offered
    return list(dict.fromkeys([*in_use, *(p for p in agent.rules.catalog.providers if p in offered)]))


def offered_aliases(agent: Snapshot) -> dict[str, ModelRef]:
    """The aliases of providers that this agent is offered."""
    aliases = agent.rules.catalog.aliases
    offered = agent.offered
    return {alias: ref for alias, ref in aliases.items() if ref.provider in offered}


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
