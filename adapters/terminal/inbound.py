"""Who speaks in a terminal, in which session, and what a typed line becomes."""

import re
from dataclasses import dataclass, field

from core.blotting import Redact, blot, nothing_known
from core.errors import UserError
from core.messages import FileFetch, Inbound, Ingress, Place, Quoted, Sender
from core.sessions.key import DEFAULT_AGENT, SessionKey, direct_key

PLATFORM = "terminal"
ACCOUNT = "default"
_SENDER = re.compile(r"([a-z][a-z0-9_-]*):([^\s:]+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """One person in one session. Everything typed in a terminal is said by one."""

    sender: Sender
    session: SessionKey
    stream: bool = True
    known: Redact = field(default=nothing_known, repr=False, compare=False)
    """Takes out of a text what is known to be confidential here."""

    def says(
        self,
        text: str,
        ingress: Ingress = Ingress.MESSAGE,
        files: FileFetch | None = None,
        quoted: Quoted | None = None,
    ) -> Inbound:
        """The line as the gateway takes it. In a group's session the bot counts as named: nobody else is listening here."""
        text, has_secret = blot(text, self.known)
        direct = is_direct(self.session)
        place = Place(direct=direct, ids=() if direct else _place_ids(self.session), alone=True)
        return Inbound(
            ingress=ingress,
            sender=self.sender,
            session=self.session,
            place=place,
            text=text,
            has_secret=has_secret,
            mentioned=True,
            stream=self.stream,
            files=files,
            quoted=quoted,
        )


def _place_ids(session: SessionKey) -> tuple[str, ...]:
    """How `access.groups` would name the chat of a key: `telegram:-100` for `telegram:default:group:-100`."""
    parts = session.chat.split(":")
    return (f"{parts[0]}:{parts[-1]}",) if len(parts) > 1 else ()


def sender_of(text: str) -> Sender:
    """Read `platform:id`. Raises UserError (code `usage`) for anything else."""
    found = _SENDER.fullmatch(text.strip())
    if found is None:
        raise UserError("usage", f"{text!r} is not a sender.", "Write platform:id, for example telegram:1001.")
    return Sender(platform=found[1].lower(), id=found[2])


def local_sender(user: str) -> Sender:
    """The person at this machine, under the name of the operating system's user."""
    return Sender(platform=PLATFORM, id=re.sub(r"[\s:]+", "-", user.strip()) or "user", name=user)


def session_of(text: str | None, *, agent: str | None, sender: Sender, dm_scope: str) -> SessionKey:
    """The session that is meant: a full key, a plain name, or (None) the sender's direct session.

    Raises UserError (code `usage`) for a text that is neither, and for a key of another agent than the one asked for.
    """
    if text is None:
        return direct_key(agent or DEFAULT_AGENT, sender.platform, ACCOUNT, sender.id, dm_scope)
    if _NAME.fullmatch(text):
        return SessionKey.parse(f"agent:{agent or DEFAULT_AGENT}:{PLATFORM}:{ACCOUNT}:named:{text}")
    try:
        key = SessionKey.parse(text)
    except ValueError as error:
        hint = "Write a name of letters, digits, - and _, or a whole key (agent:main:telegram:default:direct:1001)."
        raise UserError("usage", f"{error}.", hint) from error
    if agent is not None and agent != key.agent:
        raise UserError(
            "usage", f"The session {key} belongs to agent {key.agent}, not to {agent}.", "Leave --agent out."
        )
    return key


def is_direct(session: SessionKey) -> bool:
    """Whether the key names a private conversation, whatever `session.dm_scope` it was made under."""
    parts = session.chat.split(":")
    return session.chat == "main" or not {"direct", "named"}.isdisjoint(parts[:-1][:3])
