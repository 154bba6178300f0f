"""Which of the program's own sessions holds which conversation, so that the next question goes on in it.

A conversation is known by all that was said in it, and by nothing else: after `/new`, an edited message, another model's answer or
a trimmed history it is another one, whose words are then given whole. What is remembered is lost with the process, and nothing is
lost by that. A session is taken by one question at a time: what breaks off in it is never gone on with.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

from core.sessions.history import Message, Role

_MOST = 512


class Conversations:
    """The newest ones."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, str] = OrderedDict()

    def take(self, before: Iterable[Message]) -> str | None:
        """The session that holds exactly this, which then holds it no more; None where there is none."""
        return self._sessions.pop(_digest(before), None)

    def keep(self, messages: Iterable[Message], answer: str, session: str) -> None:
        """The session holds these messages and the answer to them."""
        self._sessions[_digest([*messages, Message(Role.ASSISTANT, answer)])] = session
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)


def _digest(messages: Iterable[Message]) -> bytes:
    whole = hashlib.sha256()
    for message in messages:
        parts = [message.role.value.encode(), message.text.encode("utf-8", "surrogatepass")]
        parts += [part for image in message.images for part in (image.media_type.encode(), image.data)]
        for part in (str(len(parts)).encode(), *parts):
            whole.update(hashlib.sha256(part).digest())
    return whole.digest()
