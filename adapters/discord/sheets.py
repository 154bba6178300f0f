"""Which messages belong together: a reply of several, whose last one has the buttons, is replaced as a whole by a press."""

from collections import OrderedDict
from collections.abc import Sequence

from adapters.discord.destination import Destination

_REMEMBERED = 500


class Sheets:
    """The earlier messages of replies with buttons, found by the id of the last one.

    In memory: those that only their sender sees can be reached for fifteen minutes and by their own interaction alone. After a
    restart they stay as they are, and only the pressed message is replaced.
    """

    def __init__(self) -> None:
        self._earlier: OrderedDict[str, tuple[Destination, tuple[str, ...]]] = OrderedDict()

    def remember(self, destination: Destination, refs: Sequence[str]) -> None:
        """The messages of one reply, in order."""
        if len(refs) > 1:
            self._earlier[refs[-1][1:]] = (destination, tuple(refs[:-1]))
            while len(self._earlier) > _REMEMBERED:
                self._earlier.popitem(last=False)

    async def clear(self, message: str) -> None:
        """Remove what came before this message, which shows something else now."""
        destination, refs = self._earlier.pop(message, (None, ()))
        for ref in refs:
            if destination is not None:
                await destination.delete(ref)
