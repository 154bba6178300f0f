"""Who may see and pin a profile (product.md 5.1, 8): to anybody else it answers exactly like one that does not exist."""

from collections.abc import Callable

from core.auth.profiles import AuthProfile
from core.messages import Sender
from core.resolution.rules import AccessRules

Sees = Callable[[AuthProfile], bool]


def is_owner(sender: Sender, access: AccessRules) -> bool:
    """Whether the sender owns the installation."""
    return sender.key in access.owners


def sees(sender: Sender, access: AccessRules) -> Sees:
    """Which profiles this sender may see and pin. `pin_allow` names `owners`, sender keys, or `discord:role:<id>`."""
    owner = is_owner(sender, access)
    names = {sender.key, *(f"{sender.platform}:role:{role}" for role in sender.roles)}
    return lambda profile: owner or profile.pin_allow is None or not names.isdisjoint(profile.pin_allow)
