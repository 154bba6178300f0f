"""The choices of the picker with their words: a provider, a model, a credential, and what stands beside them on every step."""

from collections.abc import Callable

from core.auth.order import Placed
from core.commands import picker_links as links
from core.commands.picker_choices import Choices
from core.commands.picker_page import Group, Option
from core.messages import Tone
from core.models.ref import ModelRef
from core.resolution import words
from core.resolution.labels import brief_state, label, shorten, tone_of
from core.resolution.resolver import Resolution
from core.resolution.view import standing
from core.screening import HIDDEN

PROVIDER, MODEL, CREDENTIAL = "provider", "model", "credential"
QUESTION = "Which model?"
_NAME = 40
"""Characters of a name inside the words about something else."""


def provider_option(choices: Choices, name: str) -> Option:
    """How many models it has, and whether something can serve them."""
    models = choices.models(name)
    state = choices.state(models[0] if models else ModelRef(name, ""))
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}" if models else "any model"
    return Option(
        label=label(name, count, state),
        command=links.models(name),
        press=links.models(name),
        selected=name == choices.current.provider,
        tone=_tone(state),
    )


def provider_group(choices: Choices) -> Group:
    """All providers."""
    return Group(
        name=PROVIDER, title="Providers", options=[provider_option(choices, name) for name in choices.providers()]
    )


def model_option(choices: Choices, ref: ModelRef, back: str = "") -> Option:
    """A press leads to its credentials; its number chooses it. `back` is where Back leads from there."""
    alias, state = choices.alias(ref), choices.state(ref)
    entry = choices.snapshot.rules.catalog.entry(ref)
    known = [str(ref)] if alias else []
    known += [entry.name] if entry is not None and entry.name and entry.name != ref.name else []
    return Option(
        label=label(alias or str(ref), state),
        line=label(f"{alias} = {ref}" if alias else str(ref), state),
        command=links.use(ref),
        press=links.credentials(ref, back=back),
        selected=ref == choices.current,
        detail=" · ".join(known),
        tone=_tone(state),
        data={"ref": str(ref), "alias": alias, "profile": None, "state": _state_word(choices, ref)},
    )


def credential_option(choices: Choices, ref: ModelRef, placed: Placed) -> Option:
    """One credential: chosen, it is pinned together with the model."""
    profile, now = placed.profile, choices.snapshot.now
    titled = f" ({shorten(profile.label, _NAME)})" if profile is not None and profile.label else ""
    used = choices.snapshot.health_of(profile).last_used if profile is not None else None
    known = [profile.kind.value, *([f"used {words.ago(used, now)}"] if used else [])] if profile is not None else []
    return Option(
        label=label(f"{placed.id}{titled}", brief_state(placed, now)),
        command=links.use(ref, placed.id),
        selected=ref == choices.current and placed.id == _pinned(choices),
        detail=" · ".join(known),
        tone=Tone(tone_of(placed)),
        data=_credential_data(choices, ref, placed.id, standing(placed)[0]),
    )


def automatic_option(choices: Choices, ref: ModelRef) -> Option:
    """No credential in particular: who would serve then."""
    resolution = choices.automatic(ref)
    found = resolution.next.profile is not None
    state = _state_word(choices, ref)
    return Option(
        label=label("Automatic", who_serves(choices, resolution, ref)),
        command=links.use(ref, automatic=True),
        selected=ref == choices.current and _pinned(choices) is None,
        tone=Tone.GOOD if found else Tone.BAD,
        data=_credential_data(choices, ref, None, state),
    )


def who_serves(choices: Choices, resolution: Resolution, ref: ModelRef) -> str:
    """The credential that comes next, or why there is none, in a few words."""
    upcoming = resolution.next
    if upcoming.profile is None:
        asks = "asks first: what is left costs" if resolution.withheld else ""
        return asks or choices.state(ref)
    profile = choices.snapshot.credentials.profiles.get(upcoming.profile)
    name = HIDDEN if profile is not None and not choices.may_see(profile) else shorten(upcoming.profile, _NAME)
    return f"{name} is next" if upcoming.model == ref else f"{name} with {shorten(str(upcoming.model), _NAME)} is next"


def pager(page: int, pages: int, link: Callable[[int], str]) -> list[Option]:
    """Back and forth through the pages, and which one this is."""
    if pages == 1:
        return []
    wanted = [("◀", page - 1)] if page > 1 else []
    wanted += [(f"{page}/{pages}", page), *([("▶", page + 1)] if page < pages else [])]
    return [Option(label=name, command=link(to), press=link(to)) for name, to in wanted]


def beside(choices: Choices, back: str = "", on_credentials: bool = False) -> list[Option]:
    """What can be done on every step: search, go back, leave the choice to the program, look closer, put it away."""
    resolution = choices.resolution
    is_free = not choices.snapshot.is_locked
    found = [Option(label="Search", command=links.find(1), press=links.find(1), asks=QUESTION)]
    if back:
        found.append(Option(label="Back", command=back, press=back))
    if is_free and _pinned(choices) is not None and not on_credentials:
        found.append(Option(label="Automatic", command="/model auto"))
    if is_free and resolution.selected.choice is not None:
        found.append(Option(label="Default", command="/model default"))
    found.append(Option(label="Status", command="/model status", press="/model status"))
    return [*found, Option(label="Cancel", command=links.cancel(), press=links.cancel())]


def _pinned(choices: Choices) -> str | None:
    pinned = choices.resolution.pinned
    return pinned.profile if pinned is not None and pinned.pin is not None else None


def _credential_data(choices: Choices, ref: ModelRef, profile: str | None, state: str) -> dict[str, str | None]:
    return {"ref": str(ref), "alias": choices.alias(ref), "profile": profile, "state": state}


def _state_word(choices: Choices, ref: ModelRef) -> str:
    placed = choices.snapshot.placed(ref)
    return next((standing(one)[0] for one in placed if one.position is not None), "ineligible")


def _tone(state: str) -> Tone:
    if state == "ready":
        return Tone.GOOD
    return Tone.WAITING if state.startswith("back in") else Tone.BAD
