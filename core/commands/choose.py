"""Choosing: a ModelRequest and a snapshot -> the session as it would be. Pure; `/model` and `models explain` both use it."""

from dataclasses import dataclass, replace

from core.auth.eligibility import serves
from core.auth.order import order_fingerprint
from core.auth.profiles import AuthProfile
from core.commands.command import Asker
from core.commands.model_request import Form, ModelRequest
from core.commands.pin_lookup import find_profile, visible_profiles
from core.commands.visibility import sees
from core.errors import UserError
from core.models.lookup import Found
from core.models.ref import ModelRef
from core.models.selector import Selector, eight_digit_profile
from core.resolution.resolver import Resolution, resolve
from core.sessions.session import Choice, Pin, Session


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a request leads to. `released` is a pin that ended because the model's provider changed; `kept` one that stayed."""

    session: Session
    action: str
    near: str | None = None
    unlisted: bool = False
    released: Pin | None = None
    kept: bool = False


def choose(asker: Asker, request: ModelRequest) -> Chosen:
    """Apply a select, auto, default, undo or mode request. Raises UserError; nothing is stored here."""
    _unlocked(asker)
    chosen = _chosen(asker, request, resolve(asker.snapshot))
    check_pins(asker, chosen.session)
    return chosen


def asked_for(selector: Selector, chosen: Chosen) -> str:
    """What was asked for, as a decision keeps it: a credential by its whole id, which is taken out for who may not see it."""
    pin = chosen.session.choices[-1].pin if chosen.action == "pin" else None
    if pin is None:
        return selector.model
    return f"{selector.model if selector.profile is not None else ''}@{pin.profile}"


def check_pins(asker: Asker, after: Session) -> None:
    """Raises UserError if the session would have a pin that it has not and that the asker may not give, or see."""
    now = asker.snapshot.now
    before = asker.snapshot.session.standing(now)
    for choice in after.standing(now):
        if choice.pin is not None and not _may_set(asker, choice.pin, before):
            raise UserError(
                "profile_not_found",
                "That would pin a credential which you may not pin. Nothing was changed.",
                "Choose another with /model.",
            )


def _may_set(asker: Asker, pin: Pin, before: tuple[Choice, ...]) -> bool:
    """A pin that stood before stays; a new, changed or returning one must be the asker's to give."""
    profile = asker.snapshot.credentials.profiles.get(pin.profile)
    stood = any(choice.pin == pin for choice in before)
    return stood or profile is None or sees(asker.sender, asker.snapshot.rules.access)(profile)


def _chosen(asker: Asker, request: ModelRequest, before: Resolution) -> Chosen:
    match request.form:
        case Form.SELECT:
            return _select(asker, request, before)
        case Form.AUTO:
            return Chosen(_auto(asker, request, before), "release")
        case Form.DEFAULT:
            return Chosen(_default(asker, request), "default")
        case Form.MODE:
            return Chosen(_mode(asker, request, before), "mode")
    try:
        return Chosen(asker.snapshot.session.undone(asker.snapshot.now), "undo")
    except LookupError:
        raise UserError(
            "usage", "There is no earlier choice in this session to go back to.", "See /model why."
        ) from None


def _unlocked(asker: Asker) -> None:
    if asker.snapshot.is_locked:
        raise UserError(
            "selection_locked",
            "The model of this session is fixed by the configuration (session.locked).",
            "Ask an owner, or use another chat.",
        )


def _select(asker: Asker, request: ModelRequest, before: Resolution) -> Chosen:
    snapshot = asker.snapshot
    selector = _profile_of_digits(asker, request.selector or Selector(""))
    alone = _profile_alone(selector)
    if alone is not None:
        pinned = _pin_only(asker, alone, before.selected.ref)
        if pinned is not None:
            model = before.selected.choice.model if before.selected.choice else None
            return Chosen(_pinned(asker, request, model, pinned, before, lasting_model=True), "pin")
    found = snapshot.lookup.find(selector) if request.ref is None else Found(request.ref)
    near = selector.model if found.near else None
    model = None if found.ref == snapshot.agent.default else found.ref
    # Chosen from a list, the model in force stays as it is, with its own end.
    stays = request.ref is not None and found.ref == before.selected.ref and before.selected.dropped is None
    if selector.profile is not None:
        profile = find_profile(asker, selector.profile, found.ref)
        return Chosen(_pinned(asker, request, model, profile, before, stays), "pin", near, not found.listed)
    if request.release and stays and before.selected.choice is not None and before.selected.choice.pin is not None:
        return Chosen(_auto(asker, request, before), "release")
    if request.mode is not None:
        raise UserError(
            "usage",
            f"`{request.mode}` is a way to pin, but no profile is named.",
            "Write /model <model>@<profile> strict.",
        )
    held = before.selected.choice.pin if before.selected.choice and not request.release else None
    # One that is inherited would become the asker's own choice.
    fits = (
        held is not None
        and _serves(asker, held, found.ref.provider)
        and _may_set(asker, held, snapshot.session.standing(snapshot.now))
    )
    session = _apply(asker, request, model, held if fits else None)
    return Chosen(session, "select", near, not found.listed, None if fits else held, fits)


def _profile_of_digits(asker: Asker, selector: Selector) -> Selector:
    """`model@20251001` is a pin only if such a profile exists and fits the model in front of it (model-command.md 1.5)."""
    other = eight_digit_profile(selector)
    profile = visible_profiles(asker).get(other.profile or "") if other else None
    if other is None or profile is None:
        return selector
    found = asker.snapshot.lookup.exact(other.model)
    fits = found is not None and serves(profile, found.ref.provider)
    return other if fits else selector


def _profile_alone(selector: Selector) -> str | None:
    """The profile text of `@work` or `@"odd name"`; None if a model is named."""
    if not selector.model and selector.profile is not None:
        return selector.profile
    return (
        selector.model[1:] if selector.model.startswith("@") and not selector.quoted and not selector.profile else None
    )


def _pin_only(asker: Asker, text: str, model: ModelRef) -> AuthProfile | None:
    """The profile of `/model @text`; None if no such profile exists and the text may be a model id."""
    try:
        return find_profile(asker, text, model)
    except UserError as error:
        if error.code == "profile_not_found" and ("/" in text or asker.snapshot.lookup.exact(f"@{text}") is not None):
            return None
        raise


def _serves(asker: Asker, pin: Pin, provider: str) -> bool:
    profile = asker.snapshot.credentials.profiles.get(pin.profile)
    return profile is not None and serves(profile, provider)


def _pinned(
    asker: Asker,
    request: ModelRequest,
    model: ModelRef | None,
    profile: AuthProfile,
    before: Resolution,
    lasting_model: bool = False,
) -> Session:
    pin = Pin(
        profile=profile.id,
        mode=request.mode or profile.pin_mode,
        set_by=asker.sender.key,
        set_at=asker.snapshot.now,
        order_fingerprint=order_fingerprint(asker.snapshot.order(profile.provider)),
    )
    held = before.selected.choice
    if lasting_model and held is not None and held.is_temporary and request.span is None and not request.once:
        # The model's own end still holds, and the pin ends with it.
        return _amend(asker, replace(held, pin=pin))
    return _apply(asker, request, model, pin)


def _auto(asker: Asker, request: ModelRequest, before: Resolution) -> Session:
    held = before.selected.choice
    if held is None or held.pin is None:
        raise UserError(
            "usage", "Nothing is pinned in this session.", "The credential is chosen automatically; see /model status."
        )
    if held.is_temporary and request.span is None and not request.once:
        return _amend(asker, replace(held, pin=None))
    return _apply(asker, request, held.model, None)


def _default(asker: Asker, request: ModelRequest) -> Session:
    session, now = asker.snapshot.session, asker.snapshot.now
    if session.key.parent is None and request.span is None and not request.once:
        return session.released(now)
    return _apply(asker, request, None, None)


def _mode(asker: Asker, request: ModelRequest, before: Resolution) -> Session:
    held = before.selected.choice
    if held is None or held.pin is None or request.mode is None:
        raise UserError(
            "usage", "Nothing is pinned in this session.", "Pin with /model @<profile>, then choose strict or prefer."
        )
    pin = replace(held.pin, mode=request.mode, set_by=asker.sender.key, set_at=asker.snapshot.now)
    return _amend(asker, replace(held, pin=pin))


def _apply(asker: Asker, request: ModelRequest, model: ModelRef | None, pin: Pin | None) -> Session:
    now = asker.snapshot.now
    choice = Choice(
        model=model,
        pin=pin,
        set_by=asker.sender.key,
        set_at=now,
        expires_at=now + request.span if request.span is not None else None,
        turns_left=1 if request.once else None,
    )
    return asker.snapshot.session.chosen(choice, now)


def _amend(asker: Asker, choice: Choice) -> Session:
    session, now = asker.snapshot.session, asker.snapshot.now
    # An inherited choice is not this session's to change: it takes it over, changed.
    return session.amended(choice, now) if session.current(now) else session.chosen(choice, now)
