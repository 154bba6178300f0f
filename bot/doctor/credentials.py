"""Credentials: how long they stay good, what keeps them out, and whether what is in use has one at all (credentials.md 7.5).

Who would serve is the resolver's answer, as everywhere.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.documents import is_known
from bot.doctor.orders import CLAUDE_CLI
from bot.doctor.renamed import renamed_login
from bot.doctor.scene import Scene
from bot.doctor.steps import typed
from core.auth.cli_login import PROVIDER as CLI_PROVIDER
from core.auth.eligibility import Eligibility, judge
from core.auth.health import Lane, Window
from core.auth.profiles import AuthProfile, CredentialKind
from core.durations import format_duration
from core.errors import FailureReason
from core.resolution.credential_health import STORED_KINDS, CredentialHealth, CredentialStatus, credential_health
from core.resolution.words import moment
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from core.resolution.snapshot import Snapshot

_REFUSED = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT)
_MISMATCH = {
    Eligibility.PROVIDER_MISMATCH: ("credential.provider", "names the provider {config} for it, and it is for {own}"),
    Eligibility.MODE_MISMATCH: ("credential.mode", "says that it is of the kind {mode}, and it is {kind}"),
}


def checks(scene: Scene) -> Iterator[Check]:
    """Each stored credential once, whichever agents share it; then what the agents in use find."""
    seen: set[tuple[str, str]] = set()
    found: list[Check] = []
    for agent in scene.agents:
        fresh = [p for p in scene.profiles(agent).profiles.values() if (p.source, p.id) not in seen]
        seen |= {(profile.source, profile.id) for profile in fresh}
        snapshot = scene.snapshot(agent)
        windows = snapshot.open_windows() if snapshot is not None else {}
        found += [check for profile in fresh for check in _profile(profile, windows.get(profile.id, ()), agent, scene)]
        found += _alike([profile for profile in fresh if profile.kind in STORED_KINDS])
        found += _in_use(agent, scene)
    yield from found
    yield from _absent(scene)


def _profile(profile: AuthProfile, windows: Iterable[Window], agent: str, scene: Scene) -> Iterator[Check]:
    if profile.kind in STORED_KINDS:
        yield from _life(credential_health(profile, scene.now), agent)
        verdict = judge(profile, profile.provider, scene.now)
        if verdict in _MISMATCH:
            name, words = _MISMATCH[verdict]
            told = words.format(
                config=profile.config_provider, own=profile.provider, mode=profile.config_mode, kind=profile.kind.value
            )
            step = f'Correct auth.profiles."{profile.id}" in {scene.paths.config}.'
            yield warning(name, profile.id, f"{profile.id} does not serve: the config {told}.", step)
    for window in windows:
        yield _out(profile, window, agent, scene)


def _life(health: CredentialHealth, agent: str) -> Iterator[Check]:
    profile, step = health.profile, renewal(health.profile, agent)
    name = profile.id
    if profile.kind is CredentialKind.CLI and health.status is CredentialStatus.MISSING:
        return  # what its program lacks is told with the program
    if health.reason is Eligibility.MISSING_CREDENTIAL:
        yield error("credential.missing", name, f"{name} is stored without a credential.", step)
    elif health.reason is Eligibility.INVALID_EXPIRES:
        told = f"{name} does not serve: its `expires` is no moment in milliseconds since 1970."
        yield warning("credential.invalid_expires", name, told, step)
    elif health.status is CredentialStatus.EXPIRED:
        ago = f" {format_duration(-health.remaining)} ago" if health.remaining is not None else ""
        yield warning("credential.expired", name, f"{name} expired{ago}.", step)
    elif health.status is CredentialStatus.EXPIRING:
        left = format_duration(health.remaining or timedelta())
        yield warning("credential.expiring", name, f"{name} expires in {left}.", step)
    elif health.status is CredentialStatus.MISSING and health.reason is None:
        yield warning("credential.invalid_expires", name, f"{name}: nobody knows when this login ends.", step)
    elif health.lapse is not None:
        yield ok("credential.refreshable", name, f"{name} is {health.reads}: it is refreshed when it is used.")


def renewal(profile: AuthProfile, agent: str) -> str:
    """The command that stores this credential anew."""
    owner = "" if agent == DEFAULT_AGENT else " --agent {agent}"
    tail = f"--provider {{provider}} --profile-id {{name}}{owner}"
    if profile.kind is CredentialKind.CLI:
        return "Run `claude` on this host and log in with /login"
    if profile.kind is CredentialKind.OAUTH:
        command = f"Run: remoteclaw models auth login {tail}"
    elif profile.kind is CredentialKind.TOKEN and profile.provider == "anthropic":
        command = f"Run `claude setup-token`, then: remoteclaw models auth setup-token --profile-id {{name}}{owner}"
    else:
        word = "paste-token" if profile.kind is CredentialKind.TOKEN else "paste-api-key"
        command = f"Run: remoteclaw models auth {word} {tail}"
    return typed(command, "Store it again", provider=profile.provider, name=profile.id, agent=agent)


def _out(profile: AuthProfile, window: Window, agent: str, scene: Scene) -> Check:
    until = f"until {moment(window.until, scene.now)}" if window.until is not None else "until it is replaced"
    scope = f" for {window.model}" if window.model else ""
    again = typed("remoteclaw models auth clear {name}", "remoteclaw models auth clear", name=profile.id)
    if window.lane is Lane.COOLDOWN:
        told = f"{profile.id} is cooling{scope} {until} ({window.reason.value})."
        return note("credential.cooling", profile.id, told, f"Wait, or use another one; or: {again}")
    told = f"{profile.id} is disabled {until} ({window.reason.value})."
    if window.reason in _REFUSED:
        step = f"{renewal(profile, agent)}; or once its provider accepts it again: {again}"
    elif window.reason is FailureReason.BILLING:
        step = f"Top it up at its provider, then: {again}"
    else:
        step = f"Wait, or use another one; or: {again}"
    return warning("credential.disabled", profile.id, told, step)


def _alike(profiles: list[AuthProfile]) -> Iterator[Check]:
    """Two names of one secret share its limits: a rotation between them gains nothing."""
    by_secret: dict[tuple[str, str], list[str]] = {}
    for profile in profiles:
        if profile.secret:
            by_secret.setdefault((profile.provider, profile.secret.reveal()), []).append(profile.id)
    for ids in by_secret.values():
        if len(ids) > 1:
            told = f"{' and '.join(ids)} hold the same secret, so they share its limits."
            command = "Remove one of them: remoteclaw models auth logout {name}"
            yield note("credential.same", ids[0], told, typed(command, "Remove one of them.", name=ids[-1]))


def _in_use(agent: str, scene: Scene) -> Iterator[Check]:
    from bot.cli.models_status import missing
    from core.resolution.resolver import NextReason, resolve
    from core.resolution.words import next_words

    snapshot = scene.snapshot(agent)
    if snapshot is None:
        return
    resolution = resolve(snapshot)
    lacking = missing(snapshot, resolution)
    for provider in lacking:
        yield _nothing(provider, agent, snapshot)
    upcoming = resolution.next
    if upcoming.profile is not None:
        told = f"A new session of {agent} is served by {next_words(snapshot, resolution)}."
        yield ok("credential.next", agent, told)
    elif upcoming.reason is NextReason.ALL_UNAVAILABLE and not lacking:
        told = f"A new session of {agent} is served by {next_words(snapshot, resolution)}."
        yield warning("credential.all_out", agent, told, "Wait, or add a credential: remoteclaw models auth add")


def _nothing(provider: str, agent: str, snapshot: "Snapshot") -> Check:
    if snapshot.is_blind(provider):
        told = f"{provider} is in use by {agent}, and its credentials are not known: the store cannot be read in full."
        return error("credential.none", provider, told, "Mend the store; no other key takes their place.")
    if provider == CLI_PROVIDER:
        told = f"{provider} is in use by {agent}, and its login does not serve."
        return error("credential.none", provider, told, "Install the Claude CLI, run `claude` and log in with /login.")
    told = f"{provider} is in use by {agent} and has no credential that may be used."
    return error("credential.none", provider, told, f"Run: remoteclaw models auth add --provider {provider}")


def _absent(scene: Scene) -> Iterator[Check]:
    """Profiles that the config names and no agent has. What cannot be read may have them."""
    if scene.settings is None or scene.agents != scene.every_agent:
        return
    for name, profile in scene.settings.auth.profiles.items():
        if name != CLAUDE_CLI and not any(is_known(name, agent, scene) for agent in scene.every_agent):
            told = f'The config names auth.profiles."{name}", and no agent stores it.'
            command = "Store it: remoteclaw models auth add --provider {provider} --profile-id {name}"
            step = typed(command, "Store it.", provider=profile.provider, name=name)
            yield renamed_login(name, profile, scene) or warning("credential.absent", name, told, step)
