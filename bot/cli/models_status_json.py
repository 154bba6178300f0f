"""The JSON of `models status`. Keys are only ever added: scripts and monitors read them."""

from datetime import timedelta
from typing import Any

from bot.cli.models_status import Status, models_in_use, offered_aliases, shown_providers
from bot.cli.models_status_auth import longest, named, provider_rows
from core.auth.health import Window
from core.auth.variables import Origin
from core.durations import iso
from core.resolution.credential_health import ENDING_KINDS, WARN_AFTER, CredentialHealth, ProviderHealth
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import provider_view, session_view


def view(status: Status) -> dict[str, Any]:
    """Everything, as the same resolver and the same snapshot say it."""
    agent, rules = status.agent, status.agent.agent
    data: dict[str, Any] = {
        "config_path": str(status.paths.config),
        "agent": rules.id,
        "agent_dir": str(status.paths.agent(rules.id)),
        "default": str(rules.default),
        "default_model": _as_written(status),
        "resolved_default": str(rules.default),
        "fallbacks": [str(ref) for ref in rules.fallbacks],
        "image_model": str(rules.image_model) if rules.image_model is not None else None,
        "image_fallbacks": [str(ref) for ref in rules.image_fallbacks],
        "aliases": {alias: str(ref) for alias, ref in offered_aliases(agent).items()},
        "allow": list(rules.allow),
        "allowed": list(rules.allow),
    }
    if status.names_agent:
        source = "agent" if rules.own_default else "defaults"
        data["model_config"] = {"default_source": source, "fallbacks_source": source}
    data |= {
        "auth": _auth(status),
        "providers": [provider_view(agent, status.resolution, provider) for provider in shown_providers(agent)],
        "missing_providers_in_use": list(status.missing),
        "problems": list(status.problems),
    }
    if status.asked is not None:
        data["session"] = session_view(status.asked, resolve(status.asked))
    return data


def _as_written(status: Status) -> str:
    """The default as the config has it, where the config has one."""
    rules, agents = status.agent.agent, status.settings.agents
    own = agents.list[rules.id].model if rules.own_default else None
    written = own or agents.defaults.model
    return written.primary if written is not None else str(rules.default)


def _auth(status: Status) -> dict[str, Any]:
    agent, environment = status.agent, status.environment
    rows = provider_rows(agent, status.resolution, [ref.provider for ref in models_in_use(agent)])
    ending = {health.provider: sum(one.may_end for one in health.profiles) for health in status.health}
    views = [_provider_health(health) for health in status.health]
    return {
        "store_path": str(status.paths.auth_store(agent.agent.id)),
        "shell_env_fallback": {
            "enabled": environment.asks_shell,
            "applied_keys": list(environment.named(Origin.LOGIN_SHELL)),
        },
        "providers_with_oauth": [f"{provider} ({count})" for provider, count in ending.items() if count],
        "missing_providers_in_use": list(status.missing),
        "providers": rows,
        "unusable_profiles": _unusable(agent),
        "oauth": {
            "warn_after_ms": _milliseconds(WARN_AFTER),
            "profiles": [one for view in views for one in view["profiles"]],
            "providers": views,
        },
    }


def _unusable(agent: Snapshot) -> list[dict[str, Any]]:
    """What is cooling or disabled, soonest back first; what only a new credential brings back comes last."""
    found = [(profile, longest(windows)) for profile, windows in agent.open_windows().items()]
    found.sort(key=lambda pair: (pair[1].until is None, pair[1].until or agent.now, pair[0]))
    return [_outage(agent, profile, window) for profile, window in found]


def _outage(agent: Snapshot, profile: str, window: Window) -> dict[str, Any]:
    left = window.until - agent.now if window.until is not None else None
    return {
        "profile_id": profile,
        "provider": agent.credentials.profiles[profile].provider,
        "kind": window.lane.value,
        "reason": window.reason.value,
        "model_scope": window.model or None,
        "until": iso(window.until),
        "remaining_ms": _milliseconds(left),
    }


def _provider_health(health: ProviderHealth) -> dict[str, Any]:
    return {
        "provider": health.provider,
        "status": health.status.value,
        "expires_at": iso(health.expires_at),
        "remaining_ms": _milliseconds(health.remaining),
        "profiles": [_profile_health(one) for one in health.profiles],
    }


def _profile_health(health: CredentialHealth) -> dict[str, Any]:
    profile = health.profile
    is_ending = profile.kind in ENDING_KINDS
    return {
        "profile_id": profile.id,
        "provider": profile.provider,
        "type": profile.kind.value,
        "status": health.status.value,
        "reads": health.reads,
        "reason_code": health.reason.value if health.reason is not None else None,
        "expires_at": iso(health.expires_at),
        "remaining_ms": _milliseconds(health.remaining),
        "refreshable": profile.refreshable if is_ending else False,
        "source": "store",
        "label": named(profile),
    }


def _milliseconds(span: timedelta | None) -> int | None:
    return None if span is None else span // timedelta(milliseconds=1)
