"""From a typed profile text to a profile that this sender may pin for this provider."""

from core.auth.eligibility import serves
from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider
from core.commands.command import Asker
from core.commands.visibility import sees
from core.errors import Suggestion, UserError, shown
from core.models.lookup import quote
from core.models.ref import ModelRef

MOST_OFFERED = 20
"""Buttons under an error: fewer than every platform's limit."""
MOST_NAMED = 60


def find_profile(asker: Asker, text: str, model: ModelRef) -> AuthProfile:
    """The profile that `text` names: its id, or its name at the model's provider (`work` for `anthropic:work`).

    Raises UserError profile_wrong_provider or profile_not_found. One that the sender may not see does not exist.
    """
    visible = visible_profiles(asker)
    provider = credential_provider(model.provider)
    found = [
        profile
        for wanted in (text, f"{model.provider}:{text}", f"{provider}:{text}")
        if (profile := visible.get(wanted) or _any_case(visible, wanted)) is not None
    ]
    fitting = next((p for p in found if serves(p, provider)), None)
    if fitting is not None:
        return fitting
    if found:
        raise UserError(
            "profile_wrong_provider",
            f"{found[0].id} is a credential of {found[0].provider}, but {model} needs one of {model.provider}. "
            "Nothing was changed.",
            _offer(asker, provider),
        )
    raise not_found(asker, text, model)


def not_found(asker: Asker, text: str, model: ModelRef) -> UserError:
    """The error for a profile that does not exist, or not for this sender."""
    provider = credential_provider(model.provider)
    return UserError(
        "profile_not_found",
        f"No profile {shown(text)} for {model.provider}. Nothing was changed.",
        _offer(asker, provider),
        tuple(Suggestion(f"/model {quote(str(model), name)}", name) for name in _named(asker, provider)[:MOST_OFFERED]),
    )


def visible_profiles(asker: Asker) -> dict[str, AuthProfile]:
    """The profiles that the sender may see and pin."""
    may_see = sees(asker.sender, asker.snapshot.rules.access)
    return {name: p for name, p in asker.snapshot.credentials.profiles.items() if may_see(p)}


def _any_case(visible: dict[str, AuthProfile], wanted: str) -> AuthProfile | None:
    same = [p for name, p in visible.items() if name.lower() == wanted.lower()]
    return same[0] if len(same) == 1 else None


def _named(asker: Asker, provider: str) -> list[str]:
    """The provider's profiles that an answer may name."""
    profiles = asker.snapshot.credentials.profiles.values()
    return [p.id for p in profiles if asker.reader.sees(p) and serves(p, provider)]


def _offer(asker: Asker, provider: str) -> str:
    ids = _named(asker, provider)
    if not ids:
        return f"You may pin none of {provider}; /model auto uses what there is."
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return f"You may pin: {', '.join(ids[:MOST_NAMED])}{more}."
