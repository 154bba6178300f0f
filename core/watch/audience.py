"""Who reads an announcement: nobody is told by it what they may not see, and nobody who may not chat here any more."""

from dataclasses import dataclass, replace

from core.access import Action, Verdict, decide
from core.announcements import Announcer
from core.commands.visibility import sees
from core.messages import Ingress, Sender
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees


@dataclass(frozen=True, slots=True)
class Audience:
    """`person` is the sender key that buttons are made for."""

    person: str
    sees: Sees
    hidden: tuple[str, ...]


async def audience(announcer: Announcer, snapshot: Snapshot, concerned: str) -> Audience | None:
    """Who reads what is said in the session's chat. None: it cannot be reached, or nobody may chat there any more.

    In a private chat that is its person. In a group it is the person concerned (a sender key), as with a reply to them; what
    roles they have is not known here, so they count as having none.
    """
    there = await announcer.whereabouts(snapshot.session.key)
    if there is None:
        return None
    platform, _, number = concerned.partition(":")
    person = there.sender if there.place.direct else Sender(platform, number)
    said = replace(there, ingress=Ingress.MESSAGE, sender=person, mentioned=True)
    access = snapshot.rules.access
    if decide(said, Action.CHAT, access) is not Verdict.ALLOW:
        return None
    may_see = sees(person, access)
    hidden = tuple(p.id for p in snapshot.credentials.profiles.values() if not may_see(p))
    return Audience(person.key, may_see, hidden)
