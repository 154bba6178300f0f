"""A world whose bot speaks without being asked, on one platform, and what it has said."""

from core.announcements import Announcer
from core.messages import Inbound, Reply, reply_from_json
from core.offers import Offers
from core.ports import InboxItem, InboxState
from core.watch.choices import EndedChoices
from core.watch.credentials import EndingCredentials
from core.watch.pins import LostPins
from core.watch.returns import Returns
from core.watch.rounds import Watch
from tests.fakes.announcements import FakeAnnouncements, FakeWatchedSessions
from tests.fakes.chat_platform import FakePlatform
from tests.world import World


class AnnouncingWorld(World):
    """`said` is what was announced, by lane, oldest first; `taken` are the items that were handed on for delivery."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.platform = FakePlatform("telegram")
        self.taken: list[InboxItem] = []
        self.busy = False
        self.stored = FakeAnnouncements(self.inbox, self.sessions, self.shown)
        self.restart()

    def restart(self) -> None:
        """A process of its own, which knows nothing but what is stored."""
        offers = Offers(self.shown, self.snapshots, self.clock)
        owners = lambda: self.rules.access.owners  # noqa: E731
        self.announcer = Announcer(self.stored, self.chats, offers, owners, self.redact, self.clock)
        self.announcer.serve(self.platform, self.taken.append)
        self.watched = FakeWatchedSessions(self.sessions, self.shown, self.chats)
        self.watch = self.watching()

    def watching(self) -> Watch:
        pins = LostPins(self.announcer, self.snapshots, self.watched, self.inbox, self.clock)
        credentials = EndingCredentials(self.announcer, self.snapshots, self.inbox, self.clock)
        return Watch(
            {
                "ended": EndedChoices(self.announcer, self.snapshots, self.watched, self.clock).tell,
                "pins": lambda: pins.tell(self.rules.agents),
                "credentials": lambda: credentials.tell(self.rules.agents),
                "back": Returns(self.announcer, self.snapshots, self.watched, lambda key: self.busy, self.clock).tell,
            },
            self.clock,
        )

    def inbound(self, text: str, **changes: object) -> Inbound:  # type: ignore[override]
        key = str(changes.get("key", "agent:main:telegram:default:direct:1"))
        place = key.split(":")
        chat = f"person:{place[5]}" if place[4] == "direct" else place[5]
        return super().inbound(text, **{"chat": chat, "account": "default", **changes})  # type: ignore[arg-type]

    async def look(self) -> list[Reply]:
        """One round; what it has said."""
        before = len(self.said)
        await self.watch.look()
        return [reply for _, reply in self.said[before:]]

    @property
    def said(self) -> list[tuple[str, Reply]]:
        items = [item for item in self.inbox.items.values() if item.state is InboxState.ANSWERED]
        return [(item.update.lane, reply_from_json(reply)) for item in items for reply in item.replies]
