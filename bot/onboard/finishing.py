"""The end: the answers are written, the service is installed, and what is to be known of the result is found out."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.cli.output import complain
from bot.onboard.channels import needs_restart
from bot.onboard.draft import Draft, open_draft
from bot.onboard.keeping import keep, updated
from bot.onboard.service import Running, install, running
from bot.onboard.standing import what_else_serves
from core.errors import BotError


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: the files that differ now, the service's own words, and why it could not be installed. `gateway` is one that
    ran before and still does; `is_behind`: it does not serve what is new."""

    changed: tuple[Path, ...]
    service: tuple[str, ...] = ()
    trouble: BotError | None = None
    gateway: Running | None = None
    is_behind: bool = False


def finish(draft: Draft) -> Done:
    """Write the draft, and what follows from it. Raises BotError for a file that cannot be written."""
    is_new, state = needs_restart(draft), draft.desk.paths.state
    changed = keep(draft)
    try:
        _note_what_serves(draft)
        before = running(state)
        service, trouble = _installed(draft)
        after = running(state) if draft.wants_service else before
    except KeyboardInterrupt:
        if changed:
            complain(f"Broken off. {updated(changed)}")
        raise
    gateway = after if before is not None and after is not None and before.pid == after.pid else None
    return Done(changed=changed, service=service, trouble=trouble, gateway=gateway, is_behind=is_new)


def _installed(draft: Draft) -> tuple[tuple[str, ...], BotError | None]:
    if not draft.wants_service:
        return (), None
    try:
        return install(), None
    except BotError as error:
        return (), error


def _note_what_serves(draft: Draft) -> None:
    """Whatever was chosen, an order, a login that comes first or a cooldown may let another credential serve."""
    credential = draft.credential
    if credential is None or credential.name is None or draft.served is None:
        return
    with suppress(BotError):  # the files are written: what they mean is only looked at
        other = what_else_serves(open_draft(draft.desk.agent).desk, credential.name, draft.served)
        draft.notes += [other] if other is not None else []
