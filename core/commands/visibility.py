"""Who may see and pin a profile (product.md 5.1, 8): to anybody else it answers exactly like one that does not exist.

What somebody may do depends on who they are; what an answer may name, on who reads it. In a shared chat everybody reads, unless
the platform shows the answer to its sender alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.auth.profiles import AuthProfile
from core.messages import Inbound, Sender
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


def _is_open(profile: AuthProfile) -> bool:
    return profile.pin_allow is None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an answer: the profiles that it may name, and whether it may say what is for owners."""

    sees: Sees
    owner: bool


EVERYBODY = Reader(_is_open, owner=False)
"""All who are in a shared chat, whoever they are."""


def reader(inbound: Inbound, access: AccessRules) -> Reader:
    """Who reads what answers this."""
    if inbound.place.direct or inbound.place.alone or inbound.unseen:
        return Reader(sees(inbound.sender, access), is_owner(inbound.sender, access))
    return EVERYBODY


def readers_there(inbound: Inbound, access: AccessRules) -> Reader:
    """Who reads what is told in the chat: a stored change, an answer of a model, what happened meanwhile."""
    return reader(replace(inbound, unseen=False), access)
