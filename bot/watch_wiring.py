"""What speaks without being asked, and what watches for the occasions."""

from typing import TYPE_CHECKING

from bot.log import redact

if TYPE_CHECKING:
    from adapters.storage.engine import Database
    from bot.installation import Installation
    from core.announcements import Announcer
    from core.clock import Clock
    from core.gateway import Gateway
    from core.pairing import Pairing
    from core.ports import Inbox
    from core.resolution.source import SnapshotSource
    from core.sessions.ports import ShownStore
    from core.watch.rounds import Watch


def make_herald(
    database: "Database", shown: "ShownStore", snapshots: "SnapshotSource", installation: "Installation", clock: "Clock"
) -> tuple["Announcer", "Pairing"]:
    """Who speaks, on the platforms that it is given later (those are made with the gateway, which needs it); and pairing, which
    has things to say."""
    from adapters.storage.announcements import SqlAnnouncements
    from adapters.storage.chats import SqlChatBook
    from adapters.storage.pairings import SqlPairingStore
    from core.announcements import Announcer
    from core.offers import Offers
    from core.pairing import Pairing

    announcer = Announcer(
        SqlAnnouncements(database),
        SqlChatBook(database),
        Offers(shown, snapshots, clock),
        lambda: installation.rules.access.owners,
        redact,
        clock,
    )
    return announcer, Pairing(SqlPairingStore(database), clock, announcer)


def make_watch(
    database: "Database",
    announcer: "Announcer",
    pairing: "Pairing",
    snapshots: "SnapshotSource",
    inbox: "Inbox",
    installation: "Installation",
    gateway: "Gateway",
    clock: "Clock",
) -> "Watch":
    """Every kind of thing that is watched for."""
    from adapters.storage.watched import SqlWatchedSessions
    from core.watch.choices import EndedChoices
    from core.watch.credentials import EndingCredentials
    from core.watch.pins import LostPins
    from core.watch.returns import Returns
    from core.watch.rounds import Watch

    watched = SqlWatchedSessions(database)
    pins = LostPins(announcer, snapshots, watched, inbox, clock)
    credentials = EndingCredentials(announcer, snapshots, inbox, clock)
    rounds = {
        "choices that have ended": EndedChoices(announcer, snapshots, watched, clock).tell,
        "pins without a profile": lambda: pins.tell(installation.rules.agents),
        "credentials that end": lambda: credentials.tell(installation.rules.agents),
        "credentials that are back": Returns(announcer, snapshots, watched, gateway.busy, clock).tell,
        "people to be paired": lambda: pairing.catch_up(installation.rules.access),
    }
    return Watch(rounds, clock)
