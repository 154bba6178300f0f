"""The line of a provider's credentials as the resolver would have it, for what the commands of `models auth` say about it."""

from datetime import datetime
from typing import TYPE_CHECKING

from core.auth.order import Line, explicit_order, line
from core.auth.profiles import ProfileSet
from core.auth.provider_names import credential_provider

if TYPE_CHECKING:
    from bot.config.settings import Settings


def line_of(provider: str, credentials: ProfileSet, settings: "Settings", now: datetime) -> Line:
    """The line, with none of them cooling or disabled."""
    named: dict[str, list[str]] = {}
    for name, profile in settings.auth.profiles.items():
        named.setdefault(profile.provider, []).append(name)
    damaged = {credential_provider(other) for other in credentials.damaged}
    return line(
        provider,
        credentials,
        explicit_order(provider, credentials.order, settings.auth.order),
        explicit_order(provider, named) or (),
        lambda _: None,
        lambda _: None,
        now,
        surroundings=not credentials.unreadable and credential_provider(provider) not in damaged,
    )
