"""What stands in the chat for a reply: its messages one by one, with what is under them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from telegram import ForceReply

from adapters.telegram.keyboard import Keys, keyboard, prompt
from adapters.telegram.render import render
from adapters.telegram.splitting import Piece
from core.messages import Reply


@dataclass(frozen=True, slots=True)
class Screen:
    """One message. `spare` is what it says where its keys are refused: blocks need not name what the buttons offer."""

    piece: Piece
    keys: Keys | None = None
    spare: Piece | None = None

    @property
    def asks(self) -> bool:
        """Whether it asks for an answer. Telegram does not let such a message be edited."""
        return isinstance(self.keys, ForceReply)

    @property
    def unformatted(self) -> "Screen":
        """The same words without their formats."""
        return replace(self, piece=self.piece.plain)

    @property
    def without_keys(self) -> "Screen":
        """The words alone."""
        return Screen(self.spare or self.piece)


def screens(reply: Reply) -> tuple[Screen, ...]:
    """The messages that show a reply; buttons go under the last one. Where they do not all fit, the text names the choices."""
    keys: Keys | None
    if reply.prompt:
        keys, complete = prompt(reply), True
    else:
        keys, complete = keyboard(reply)
    in_words = replace(reply, blocks=())
    pieces = render(reply if complete else in_words)
    if not pieces:
        return ()
    words = render(in_words) if reply.blocks and keys is not None else ()
    spare = words[0] if len(words) == 1 and len(pieces) == 1 else None
    return (*(Screen(piece) for piece in pieces[:-1]), Screen(pieces[-1], keys, spare))


def digest(shown: Sequence[Screen]) -> str:
    """What tells these messages from others: the same words with the same formats and keys have the same digest."""
    told = [(asdict(screen.piece), screen.keys and screen.keys.to_dict()) for screen in shown]
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()
