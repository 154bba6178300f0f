"""Questions between their arrival and the end of their turn: what can still be changed about them."""

from dataclasses import dataclass, field

from core.chat.lanes import Ticket
from core.chat.stop import Stop
from core.sessions.key import SessionKey


@dataclass(slots=True, eq=False)
class UnderWay:
    """One question. `source` as in the history; `text` is what it reads since it was edited, None as it came."""

    session: SessionKey
    source: str
    ticket: Ticket
    stop: Stop = field(default_factory=Stop)
    begun: bool = False
    """It is being answered: an edit comes too late for it."""
    dropped: bool = False
    """It was taken back while it waited, and is not asked."""
    text: str | None = None
    edits: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it was answered, or is none."""
        return self.ticket.left.is_set()

    async def over(self) -> None:
        """Returns when it is over."""
        await self.ticket.left.wait()

    def edit(self, text: str) -> int:
        """It reads so now. Gives the number of the edit, so that whoever waits for the end knows whether another one followed."""
        if not self.begun:
            self.text = text
        self.edits += 1
        return self.edits

    def take_back(self) -> None:
        """It is not asked; or the answer that is being given ends, and nothing of it is remembered."""
        self.dropped = True
        if self.begun:
            self.stop.forgets = True
            self.stop.ask()
