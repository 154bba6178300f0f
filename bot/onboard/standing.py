"""How an installation stands: which model answers, and which credential serves it. Asked of the resolver, as a turn asks it."""

from typing import TYPE_CHECKING

from bot import onboard_wiring as wiring
from bot.cli.models_auth_line import line_of
from core.errors import BotError
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from bot.cli.models_auth import Desk
    from bot.onboard.draft import Draft
    from core.auth.profiles import AuthProfile
    from core.resolution.snapshot import Snapshot

_ANY = ""


def as_it_is(desk: "Desk") -> "Snapshot | None":
    """What a new session of the agent finds; None where the config names no model, or one that is not there."""
    try:
        return wiring.snapshot(desk.settings, desk.paths, desk.stores, desk.agent)
    except BotError:
        return None


def answering_model(desk: "Desk") -> str | None:
    """The model that answers in a new session, also where no setting names it; None: nothing answers yet."""
    snapshot = as_it_is(desk)
    if snapshot is not None:
        return str(snapshot.agent.default)
    choice = desk.settings.agents.defaults.model
    return choice.primary if choice is not None else None


def first_credential(draft: "Draft", provider: str) -> "AuthProfile | None":
    """What the next request to a provider would carry, or would once it is back in service: with the answers so far, and without
    what is only about to be stored."""
    stores, settings = draft.stores(), draft.settings
    try:
        snapshot = wiring.snapshot(settings, draft.desk.paths, stores, draft.desk.agent)
        line = snapshot.placed(ModelRef(provider, _ANY))
    except (
        BotError
    ):  # no model is named yet, so there is no session to ask for, and nothing is remembered of a credential
        line = line_of(provider, stores.source.load(draft.desk.agent), settings, stores.clock.now()).placed()
    return next((placed.profile for placed in line if placed.position is not None), None)


def what_else_serves(desk: "Desk", name: str, model: ModelRef) -> str | None:
    """What is to be told where another credential than the one that was chosen serves a model; None: that one serves it."""
    from core.resolution import words

    snapshot = as_it_is(desk)
    if snapshot is None:
        return None
    first = next(iter(snapshot.usable(model)), None)
    if first is not None and first.id == name:
        return None
    placed = snapshot.stands(model, name)
    if placed is None:
        why = f"{name} is no credential of {model.provider}"
    elif placed.left_out:
        why = f"{name} is not in the order of {model.provider}, so it is not tried"
    elif placed.usable:
        why = f"{name} comes after it"
    else:
        why = f"{name} is {words.state(placed, snapshot.now)}"
    serves = f"{first.id} serves {model}" if first is not None else f"Nothing serves {model} now"
    return f"{serves}: {why}. See `remoteclaw models status`."
