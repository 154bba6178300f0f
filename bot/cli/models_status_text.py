"""`models status` for people: the same facts as its JSON, line by line, and every candidate with what keeps it from serving."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from bot.cli.models_status import Status, shown_providers
from bot.cli.output import on_one_line
from core.auth.cli_login import PROVIDER as OWN_LOGIN
from core.auth.environment import base_name
from core.durations import format_duration
from core.resolution.credential_health import CredentialStatus
from core.resolution.resolver import resolve
from core.resolution.summary import status_lines, summary
from core.resolution.view import everyone

_LABEL = 14


def lines(status: Status, data: Mapping[str, Any]) -> list[str]:
    """`data` is the JSON view of this status."""
    parts = [_models(data), _overview(data["auth"]), _missing(status), _ends(data["auth"])]
    if status.asked is not None:
        asked = status.asked
        parts.append([_line("Session", str(asked.session.key)), *summary(asked, resolve(asked))])
    parts += _candidates(status)
    parts.append([f"Note: {problem}" for problem in data["problems"]])
    return [line for part in parts if part for line in ("", *part)][1:]


def _models(data: Mapping[str, Any]) -> list[str]:
    sources = data.get("model_config", {})
    aliases = [f"{alias} -> {ref}" for alias, ref in data["aliases"].items()]
    written, resolved = data["default_model"], data["resolved_default"]
    found = [
        _line("Config", data["config_path"]),
        _line("Agent", data["agent"]),
        _line("Agent dir", data["agent_dir"]),
        _line(
            "Default", resolved if written == resolved else f"{resolved} (from {written})", sources, "default_source"
        ),
        _line(f"Fallbacks ({len(data['fallbacks'])})", _list(data["fallbacks"]), sources, "fallbacks_source"),
    ]
    images = data["image_fallbacks"]
    return [
        *found,
        _line("Image model", data["image_model"] or "-"),
        _line(f"Image fallbacks ({len(images)})", _list(images)),
        _line(f"Aliases ({len(aliases)})", _list(aliases)),
        _line(f"Configured models ({len(data['allowed'])})", _list(data["allowed"], "all")),
    ]


def _line(label: str, text: str, sources: Mapping[str, str] | None = None, source: str = "") -> str:
    told = f"{label} ({sources[source]})" if sources else label
    return f"{told:<{_LABEL}}: {text}"


def _list(texts: Iterable[str], nothing: str = "-") -> str:
    return ", ".join(texts) or nothing


def _overview(auth: Mapping[str, Any]) -> list[str]:
    logins, shell = auth["providers_with_oauth"], auth["shell_env_fallback"]
    applied = f" (applied: {_list(shell['applied_keys'])})" if shell["applied_keys"] else ""
    return [
        "Auth overview",
        _line("Auth store", auth["store_path"]),
        _line("Shell env", f"{'on' if shell['enabled'] else 'off'}{applied}"),
        _line(f"Providers w/ OAuth/tokens ({len(logins)})", _list(logins)),
        *map(_row, auth["providers"]),
    ]


def _row(row: Mapping[str, Any]) -> str:
    counts = row["profiles"]
    kinds = ", ".join(f"{kind}={counts[kind]}" for kind in ("oauth", "token", "api_key"))
    kind, detail = row["effective"]["kind"], row["effective"]["detail"]
    parts = [f"- {row['provider']} effective={detail if detail.startswith(f'{kind}:') else f'{kind}:{detail}'}"]
    if counts["count"]:
        parts += [f"profiles={counts['count']} ({kinds})", _list(map(on_one_line, counts["labels"]))]
    for key, name in (("env", "env"), ("config", "config"), ("models_json", "models.json")):
        if key in row:
            parts += [f"{name}={on_one_line(row[key]['value'])}", f"source={on_one_line(row[key]['source'])}"]
    return " | ".join(parts)


def _missing(status: Status) -> list[str]:
    found = [_advice(provider, status.agent.is_blind(provider)) for provider in status.missing]
    return ["Missing auth", *found] if found else []


def _advice(provider: str, is_blind: bool) -> str:
    if is_blind:
        return (
            f"- {provider} is in use, and its credentials are not known: the store, or an entry of it, cannot be read. No "
            f"other key takes their place. See the notes below."
        )
    if provider == OWN_LOGIN:
        return f"- {provider} is in use, and its login does not serve. Install the Claude CLI, run `claude` and log in with /login."
    return (
        f"- {provider} is in use and has no credential that may be used. Run `remoteclaw models auth paste-api-key "
        f"--provider {provider}` or `remoteclaw models auth add`, or set {base_name(provider)}_API_KEY."
    )


def _ends(auth: Mapping[str, Any]) -> list[str]:
    found = ["OAuth/token status"]
    for provider in auth["oauth"]["providers"]:
        rows = [one for one in provider["profiles"] if one["type"] in ("oauth", "token", "cli")]
        found += [f"- {provider['provider']}", *map(_end, rows)] if rows else []
    return found if len(found) > 1 else [*found, "- none"]


def _end(row: Mapping[str, Any]) -> str:
    status, left = CredentialStatus(row["status"]), row["remaining_ms"]
    words = "unknown" if status is CredentialStatus.MISSING else row["reads"]
    span = timedelta(milliseconds=left) if left is not None else None
    if status is CredentialStatus.EXPIRED and span is not None:
        words += f" {format_duration(-span)} ago"
    elif status is not CredentialStatus.STATIC and words != "expired, refreshable":
        words += f" expires in {format_duration(span)}" if span is not None else " expires unknown"
    reason = row["reason_code"]
    told = f" [{reason}]" if reason is not None and reason != status.value else ""
    return f"  - {on_one_line(row['label'])} {words}{told}"


def _candidates(status: Status) -> Iterator[list[str]]:
    """Every credential of the providers in use, in the order in which they are tried, for the session where one was named."""
    snapshot = status.asked or status.agent
    resolution = status.resolution if status.asked is None else resolve(status.asked)
    for provider in shown_providers(status.agent):
        yield status_lines(snapshot, resolution, provider, everyone, owner=True)
