"""What a world has told people without being asked, and the buttons under it."""

from core.messages import Reply, reply_from_json
from core.ports import InboxItem
from tests.fakes.chat_platform import FakePlatform
from tests.world import World


class Announced:
    """`replies` are what was announced in private, by person, oldest first."""

    def __init__(self, at: World) -> None:
        self._at = at
        self._items: list[InboxItem] = []
        at.announcer.serve(FakePlatform("telegram"), self._items.append)

    @property
    def replies(self) -> dict[str, list[Reply]]:
        found: dict[str, list[Reply]] = {}
        for item in self._items:
            person = f"telegram:{item.update.lane.partition(':')[2]}"
            found.setdefault(person, []).extend(reply_from_json(reply) for reply in item.replies)
        return found

    async def press(self, person: str, label: str, by: str = "") -> list[Reply]:
        """Press the button under the newest announcement to a person, who does it themselves unless `by` is somebody else."""
        key = f"agent:main:telegram:default:direct:{person.partition(':')[2]}"
        return await self._at.press(self.replies[person][-1], label, by=by or person, key=key)
