"""`models list --refresh`: what came of asking the providers, for people and as JSON."""

import argparse
import os
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain
from bot.models_refresh import NO_CREDENTIALS, OK, RefreshRow, refresh_models

if TYPE_CHECKING:
    from bot.app import Inspection
    from bot.interrupts import Interrupts
    from bot.models_documents import Makings


def refresh(args: argparse.Namespace) -> tuple[RefreshRow, ...]:
    """Ask, and keep the answers in the agent's models.json. Raises BotError, and KeyboardInterrupt where a signal has ended it: not
    before a login that is being refreshed is stored."""
    from bot.cli.models_auth import agent_named
    from bot.cli.models_opened import opened
    from bot.interrupts import run_interruptible
    from bot.models_wiring import model_makings
    from bot.paths import Paths

    paths = Paths.of(os.environ)
    settings, inspection, _ = opened(paths)
    agent = agent_named(args.agent, inspection.rules.agents)
    makings = model_makings(settings, paths, inspection.credentials.environment, inspection.rules)
    rows: list[RefreshRow] = []

    async def asking(_: "Interrupts") -> int:
        rows.extend(await _asked(inspection, makings, args.provider, agent))
        return exit_codes.OK

    if run_interruptible(asking) == exit_codes.INTERRUPTED:
        raise KeyboardInterrupt
    return tuple(row for row in rows if row.outcome != NO_CREDENTIALS or args.provider is not None)


async def _asked(
    inspection: "Inspection", makings: "Makings", provider: str | None, agent: str
) -> tuple[RefreshRow, ...]:
    from bot.app import provider_client

    client = provider_client(inspection)
    try:
        return await refresh_models(inspection, makings, client, provider, agent)
    finally:
        await client.close()


def tell(rows: tuple[RefreshRow, ...]) -> None:
    """One line for each provider, beside the list and not in it."""
    for row in rows:
        if row.outcome != OK:
            complain(f"{row.provider} did not give its list ({row.outcome}). {row.detail}".rstrip())
            continue
        changes = [f"{len(names)} {word}" for names, word in ((row.added, "new"), (row.gone, "gone")) if names]
        count = "1 model" if row.models == 1 else f"{row.models} models"
        complain(f"{', '.join([f'{row.provider} lists {count}', *changes])}.")
    if not rows:
        complain("No provider has a credential to ask with. See `remoteclaw models status`.")


def has_failed(rows: tuple[RefreshRow, ...]) -> bool:
    """Whether a provider that was asked has not answered, or there was none to ask."""
    return not rows or any(row.outcome != OK for row in rows)


def view(rows: tuple[RefreshRow, ...]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "provider": row.provider,
            "outcome": row.outcome,
            "profile": row.profile,
            "models": row.models,
            "added": list(row.added),
            "gone": list(row.gone),
            "detail": row.detail or None,
        }
        for row in rows
    ]
