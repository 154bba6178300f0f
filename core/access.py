"""Who may do what, where (product.md 8). Closed: what no row allows is not done.

Every way into the gateway has a row in `TABLE`; a new kind of ingress without one fails at import. Being allowed in a
private chat gives no right to anybody else in a group, nor to oneself where it came by pairing; being listed gives a group's
members the right to chat, not to command.
"""

from enum import StrEnum

from core.messages import Inbound, Ingress
from core.resolution.rules import AccessRules


class Verdict(StrEnum):
    """allow; ignore: as if nothing had been said; refuse: a short private answer, for what the platform expects one to."""

    ALLOW = "allow"
    IGNORE = "ignore"
    REFUSE = "refuse"


class Identity(StrEnum):
    """What a sender is to this installation, here."""

    OWNER = "owner"
    ALLOWED = "allowed"
    MEMBER = "member"
    """Of a listed group."""
    STRANGER = "stranger"


class Action(StrEnum):
    """What is asked for."""

    CHAT = "chat"
    COMMAND = "command"


_A, _I, _R = Verdict.ALLOW, Verdict.IGNORE, Verdict.REFUSE
_ORDER = (Identity.OWNER, Identity.ALLOWED, Identity.MEMBER, Identity.STRANGER)
TABLE: dict[tuple[Ingress, Action], dict[Identity, Verdict]] = {
    (Ingress.MESSAGE, Action.CHAT): dict(zip(_ORDER, (_A, _A, _A, _I), strict=True)),
    (Ingress.MESSAGE, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _I, _I), strict=True)),
    (Ingress.COMMAND, Action.CHAT): dict(zip(_ORDER, (_A, _A, _R, _R), strict=True)),
    (Ingress.COMMAND, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _R, _R), strict=True)),
    (Ingress.BUTTON, Action.CHAT): dict(zip(_ORDER, (_A, _A, _A, _R), strict=True)),
    (Ingress.BUTTON, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _R, _R), strict=True)),
    (Ingress.SUGGEST, Action.CHAT): dict(zip(_ORDER, (_A, _A, _I, _I), strict=True)),
    (Ingress.SUGGEST, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _I, _I), strict=True)),
    (Ingress.EDIT, Action.CHAT): dict(zip(_ORDER, (_A, _A, _A, _I), strict=True)),
    (Ingress.EDIT, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _I, _I), strict=True)),
    (Ingress.DELETION, Action.CHAT): dict(zip(_ORDER, (_A, _A, _A, _I), strict=True)),
    (Ingress.DELETION, Action.COMMAND): dict(zip(_ORDER, (_A, _A, _I, _I), strict=True)),
}
_missing = [(ingress, action) for ingress in Ingress for action in Action if (ingress, action) not in TABLE]
if _missing:
    raise RuntimeError(f"access has no row for {_missing}")


def identify(inbound: Inbound, access: AccessRules) -> Identity:
    """What the sender is. Only ids count; a name gives nothing."""
    if inbound.sender.key in access.owners:
        return Identity.OWNER
    if inbound.sender.key in access.allow or admitting_roles(inbound, access):
        return Identity.ALLOWED
    if inbound.place.direct and inbound.sender.key in access.paired:
        return Identity.ALLOWED
    if not inbound.place.direct and not access.groups.isdisjoint(inbound.place.ids):
        return Identity.MEMBER
    return Identity.STRANGER


def admitting_roles(inbound: Inbound, access: AccessRules) -> tuple[str, ...]:
    """The sender's roles that are allowed. Roles are those of the guild that they write in: elsewhere they have none."""
    if inbound.place.direct:
        return ()
    sender = inbound.sender
    return tuple(role for role in sender.roles if f"{sender.platform}:role:{role}" in access.allow)


def decide(inbound: Inbound, action: Action, access: AccessRules) -> Verdict:
    """The verdict. In a group, a message that does not name the bot is not for it; a command needs no mention. A deletion whose
    author is not known may be carried out: it finds only what the chat remembers, says nothing, and platforms let nobody delete
    but authors and moderators."""
    if inbound.ingress is Ingress.DELETION and not inbound.sender.id:
        return Verdict.ALLOW
    if (
        inbound.ingress is Ingress.MESSAGE
        and action is Action.CHAT
        and not inbound.place.direct
        and not inbound.mentioned
    ):
        return Verdict.IGNORE
    verdict = TABLE[inbound.ingress, action][identify(inbound, access)]
    if verdict is Verdict.IGNORE and inbound.sender.platform == "terminal" and inbound.ingress is Ingress.MESSAGE:
        return Verdict.REFUSE  # a terminal waits for an answer to every line
    return verdict
