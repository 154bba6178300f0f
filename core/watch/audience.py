"""Who reads an announcement: nobody is told by it what they may not see, and nobody who may not chat here any more."""

from dataclasses import dataclass, replace

from core.access import Action, Verdict, decide
from core.announcements import Announcer
from core.commands.visibility import reader
from core.messages import Ingress
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

    In a private chat that is its person. In a group everybody reads it, and the buttons are for the person concerned (a sender
    key), who counts as having the roles by which they were let in there last; a press is asked about anew.
    """
    there = await announcer.whereabouts(snapshot.session.key, concerned)
    if there is None:
        return None
    said = replace(there, ingress=Ingress.MESSAGE, mentioned=True)
    access = snapshot.rules.access
    if decide(said, Action.CHAT, access) is not Verdict.ALLOW:
        return None
    may_see = reader(said, access).sees
    hidden = tuple(p.id for p in snapshot.credentials.profiles.values() if not may_see(p))
    return Audience(said.sender.key, may_see, hidden)
