"""Session keys: `agent:<agentId>:<platform>:<account>:<kind>:<id>[:thread:<id>]`, lower case (product.md 3)."""

import re
from dataclasses import dataclass, replace

_AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_THREAD = ":thread:"
DEFAULT_AGENT = "main"
ONE_FOR_ALL = "main"
"""The chat of the one session that all private chats share where `session.dm_scope` is "main"."""
DM_SCOPES = (ONE_FOR_ALL, "per-peer", "per-channel-peer", "per-account-channel-peer")


def agent_id(text: str) -> str:
    """A valid agent id made of any text: `My Agent!` -> `my-agent`; nothing usable -> `main`."""
    lowered = text.strip().lower()
    if _AGENT.fullmatch(lowered):
        return lowered
    return re.sub(r"[^a-z0-9_-]+", "-", lowered).strip("-_")[:64] or DEFAULT_AGENT


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Names one conversation. `chat` is everything between the agent and the thread."""

    agent: str
    chat: str
    thread: str | None = None

    def __str__(self) -> str:
        base = f"agent:{self.agent}:{self.chat}"
        return base if self.thread is None else f"{base}{_THREAD}{self.thread}"

    @property
    def parent(self) -> "SessionKey | None":
        """The chat that a thread or topic belongs to and inherits from."""
        return None if self.thread is None else replace(self, thread=None)

    def in_thread(self, thread: str) -> "SessionKey":
        """The session of a thread of this chat."""
        return replace(self, thread=thread.lower())

    @classmethod
    def parse(cls, text: str) -> "SessionKey":
        """Read a key as `str` prints it. Raises ValueError, naming what is wrong."""
        lowered = text.strip().lower()
        prefix, _, rest = lowered.partition(":")
        agent, _, chat = rest.partition(":")
        chat, _, thread = chat.partition(_THREAD)
        if prefix != "agent" or not _AGENT.fullmatch(agent):
            raise ValueError(f"{text!r} is not a session key: it begins with agent:<agentId>:")
        if not chat or any(not part or part.isspace() for part in chat.split(":")) or any(c.isspace() for c in lowered):
            raise ValueError(f"{text!r} is not a session key: it has an empty part or a blank")
        if _THREAD in lowered and not thread:
            raise ValueError(f"{text!r} is not a session key: the thread has no id")
        return cls(agent, chat, thread or None)


def direct_key(agent: str, platform: str, account: str, peer: str, scope: str = DM_SCOPES[-1]) -> SessionKey:
    """The session of a private chat, as wide as `session.dm_scope` says."""
    chats = {
        ONE_FOR_ALL: ONE_FOR_ALL,
        "per-peer": f"direct:{peer}",
        "per-channel-peer": f"{platform}:direct:{peer}",
        "per-account-channel-peer": f"{platform}:{account}:direct:{peer}",
    }
    return SessionKey(agent, chats[scope].lower())


def chat_key(agent: str, platform: str, account: str, kind: str, chat: str) -> SessionKey:
    """The shared session of a group or channel."""
    return SessionKey(agent, f"{platform}:{account}:{kind}:{chat}".lower())
