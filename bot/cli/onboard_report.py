"""What `remoteclaw onboard` says of its result: what was done, what was checked, and what comes next."""

from typing import Any

from bot.onboard.channels import CHANNELS, is_served
from bot.onboard.draft import Draft, Verdict
from bot.onboard.finishing import Done
from core.sessions.key import DEFAULT_AGENT

_VERDICTS = {Verdict.OK: "Checked", Verdict.FAILED: "Failed", Verdict.UNKNOWN: "Unclear"}
_WIDTH = 27


def lines(draft: Draft, done: Done) -> list[str]:
    """For people."""
    found = [f"Updated {path}" for path in done.changed] or ["Nothing had to be changed."]
    if draft.credential is not None:
        found.append(f"Credential: {draft.credential.name} ({draft.credential.words})")
    if draft.model is not None:
        found.append(f"Default model: {draft.model}")
    found += [f"{name.capitalize()}: {bot}" for name, bot in draft.bots.items()]
    found += [f"Owner: {owner}" for owner in draft.owners]
    found += [f"{_VERDICTS[check.verdict]}: {check.detail}" for check in draft.checks]
    found += done.service
    if draft.invitation is not None:
        found.append(f"Add the bot to your server: {draft.invitation}")
    steps = _next(draft, done)
    width = max(_WIDTH, *(len(command) + 1 for command, _ in steps))
    return [*found, "", "Next:", *(f"  {command:<{width}}{about}" for command, about in steps)]


def view(draft: Draft, done: Done) -> dict[str, Any]:
    """As JSON."""
    credential = draft.credential
    return {
        "agent": draft.desk.agent,
        "config_path": str(draft.desk.paths.config),
        "changed": [str(path) for path in done.changed],
        "provider": credential.provider if credential is not None else None,
        "profile": credential.name if credential is not None else None,
        "model": draft.model,
        "bots": draft.bots,
        "invitation": draft.invitation,
        "owners": list(draft.owners),
        "service": bool(done.service),
        "checks": [
            {"what": check.what, "name": check.name, "verdict": check.verdict.value, "detail": check.detail}
            for check in draft.checks
        ],
        "notes": list(dict.fromkeys(draft.notes)),
        "next": [command for command, _ in _next(draft, done)],
    }


def _next(draft: Draft, done: Done) -> list[tuple[str, str]]:
    """Commands, and what they are for."""
    agent = draft.desk.agent
    steps = [("remoteclaw chat" if agent == DEFAULT_AGENT else f"remoteclaw chat --agent {agent}", "chat here")]
    if any(is_served(draft, channel) for channel in CHANNELS):
        steps += _serving(done)
        if not (draft.owners or draft.desk.settings.access.owners):
            steps.append(
                (
                    "remoteclaw pairing approve CODE --owner",
                    "once you have written to the bot: it answers with the code",
                )
            )
    return [*steps, ("remoteclaw doctor", "see whether everything is right")]


def _serving(done: Done) -> list[tuple[str, str]]:
    gateway = done.gateway
    if gateway is not None and done.is_behind:
        if gateway.is_service:
            return [("remoteclaw service restart", "let the gateway that runs serve what is new")]
        return [
            ("remoteclaw gateway", f"once you have ended the one that runs (pid {gateway.pid}) without what is new")
        ]
    if done.service or gateway is not None:
        return [("remoteclaw service status", "see how the gateway stands")]
    return [("remoteclaw gateway", "serve the chat platforms")]
