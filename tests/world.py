"""A whole core with fakes at its ends: people type, and see what is answered and which credential served."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from core.announcements import Announcer
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.chat.turn import Turns
from core.commands.checks import Checks
from core.gateway import Gateway
from core.messages import Delta, Event, Inbound, Ingress, Place, Reply, ReplyKind, Sender, TurnReport
from core.models.catalog import Catalog, ModelEntry, ProviderEntry
from core.models.ref import ModelRef
from core.offers import Offers
from core.pairing import Pairing
from core.resolution.resolver import Resolution, resolve
from core.resolution.rules import AccessRules, AgentRules, Rules
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from tests.fakes.announcements import FakeAnnouncements, FakeChatBook
from tests.fakes.clock import FakeClock
from tests.fakes.credential_check import FakeCredentialCheck
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.inbox import FakeInbox
from tests.fakes.pairing_store import FakePairingStore
from tests.fakes.profile_source import FakeProfileSource
from tests.fakes.provider_client import FakeProviderClient
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.shown_store import FakeShownStore
from tests.fakes.state_reader import FakeStateReader
from tests.fakes.turn_guard import FakeTurnGuard

DIRECT = "agent:main:telegram:default:direct:1"
GROUP = "agent:main:telegram:default:group:-100"
OWNER, ALLOWED, STRANGER = "telegram:1", "telegram:2", "telegram:3"


def profile(name: str, kind: CredentialKind = CredentialKind.API_KEY, **changes: object) -> AuthProfile:
    """A usable profile, its provider taken from the conventional id."""
    given = {"provider": name.split(":")[0], "secret": Secret(f"sk-{name}"), "fingerprint": name[-4:], **changes}
    return AuthProfile(id=name, kind=kind, **given)  # type: ignore[arg-type]


def provider(name: str, *models: str, aliases: dict[str, str] | None = None, is_open: bool = False) -> ProviderEntry:
    """A provider with models; `aliases` maps a model to its alias."""
    entries = tuple(
        ModelEntry(ref=ModelRef(name, m), aliases=(aliases[m],) if aliases and m in aliases else ()) for m in models
    )
    return ProviderEntry(
        id=name, base_url=f"http://{name}.test/v1", api="openai-completions", models=entries, is_open=is_open
    )


def rules(*providers: ProviderEntry, default: str = "acme/small", **changes: object) -> Rules:
    """The rules of a small installation."""
    found = providers or (
        provider(
            "acme", "small", "large", "vertex-claude@20251001", "@cf/meta/llama", "gemma@q8_0", aliases={"large": "big"}
        ),
        provider("zeta", "opus-1", "sonnet-1", aliases={"opus-1": "opus"}),
    )
    catalog = Catalog({p.id: p for p in found}, {a: m.ref for p in found for m in p.models for a in m.aliases})
    given = {
        "agents": {"main": AgentRules(id="main", default=ModelRef.parse(default))},
        "access": AccessRules(owners=frozenset({OWNER}), allow=frozenset({ALLOWED})),
        **changes,
    }
    return Rules(catalog=catalog, **given)  # type: ignore[arg-type]


@dataclass
class World:
    """`say` types; `served` lists the profile ids of the requests that reached the provider."""

    rules: Rules = field(default_factory=rules)
    profiles: Iterable[AuthProfile] = field(
        default_factory=lambda: [profile("acme:work"), profile("acme:home"), profile("zeta:me"), profile("zeta:a@b.c")]
    )

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.inbox = FakeInbox()
        used: dict[str, int | None] = {}
        self.sessions = FakeSessionStore(self.inbox, used=used)
        self.health = FakeHealthStore()
        self.shown = FakeShownStore(used)
        self.provider = FakeProviderClient()
        self.check = FakeCredentialCheck()
        self.pairings = FakePairingStore(self.inbox)
        self.chats = FakeChatBook()
        self.credentials = FakeProfileSource(self.profiles)
        self.rewire()
        self.events: list[Event] = []

    def rewire(self) -> None:
        """Put the parts together; again after one was replaced."""
        self.sessions.health = self.health
        reader = FakeStateReader(self.sessions, self.health, self.pairings)
        self.snapshots = SnapshotSource(lambda: self.rules, self.credentials, reader, self.clock)
        turns = Turns(self.snapshots, self.sessions, self.health, self.provider, self.clock)
        checks = Checks(self.snapshots, self.health, self.check)
        self.announcer = Announcer(
            FakeAnnouncements(self.inbox, self.sessions, self.shown),
            self.chats,
            Offers(self.shown, self.snapshots, self.clock),
            lambda: self.rules.access.owners,
            self.redact,
            self.clock,
        )
        self.pairing = Pairing(self.pairings, self.clock, self.announcer)
        self.gateway = Gateway(
            self.snapshots,
            self.sessions,
            self.shown,
            turns,
            self.clock,
            self.redact,
            FakeTurnGuard(),
            checks,
            self.pairing,
            self.announcer,
        )

    def redact(self, text: str) -> str:
        """Every key of `profile` is `sk-<id>`."""
        for known in self.credentials.load("main").profiles:
            text = text.replace(f"sk-{known}", "***")
        return text

    @property
    def served(self) -> list[str]:
        return self.provider.served

    def inbound(self, text: str, *, by: str = OWNER, key: str = DIRECT, **changes: object) -> Inbound:
        platform, _, name = by.partition(":")
        session = SessionKey.parse(key)
        direct = ":direct:" in key
        place = Place(direct=direct, ids=() if direct else (f"{platform}:{key.split(':')[5]}",))
        inbound = Inbound(
            ingress=Ingress.MESSAGE,
            sender=Sender(platform, name),
            session=session,
            place=place,
            text=text,
            mentioned=True,
        )
        return replace(inbound, **changes)  # type: ignore[arg-type]

    async def do(self, inbound: Inbound, item: int | None = None) -> list[Reply]:
        """Everything that is answered; `self.events` has the events of the last inbound."""
        self.events = [event async for event in self.gateway.handle(inbound, item)]
        return [event for event in self.events if isinstance(event, Reply)]

    async def say(self, text: str, **where: object) -> Reply:
        """The last reply that is no notice after the answer: what a person looks at."""
        replies = await self.do(self.inbound(text, **where))  # type: ignore[arg-type]
        texts = [r for r in replies if r.kind is not ReplyKind.NOTICE]
        return (texts or replies or [Reply(kind=ReplyKind.TEXT, text="")])[-1]

    async def press(self, reply: Reply, label: str, **where: object) -> list[Reply]:
        """Press the button whose label begins so."""
        button = next(b for b in reply.buttons if b.label.startswith(label))
        inbound = self.inbound("", ingress=Ingress.BUTTON, token=reply.token, number=button.n, **where)  # type: ignore[arg-type]
        return await self.do(inbound)

    def resolution(self, key: str = DIRECT) -> Resolution:
        return resolve(self.snapshots.take(SessionKey.parse(key)))

    def notices(self) -> str:
        return "\n".join(e.text for e in self.events if isinstance(e, Reply) and e.kind is ReplyKind.NOTICE)

    def report(self) -> dict[str, object]:
        return dict(next(e for e in self.events if isinstance(e, TurnReport)).data)

    def deltas(self) -> str:
        return "".join(e.text for e in self.events if isinstance(e, Delta))

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
