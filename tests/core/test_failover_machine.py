"""Whatever happens, an attempt goes only where the resolver said, and health says only what the failures mean (product.md 6).

A random history over the whole core: messages, pins, failures of every kind, steps of the clock, edits of the order and the
labels. The provider and the health store look at every request and every write as it happens.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.auth.health import Lane, ProfileHealth
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Counted, TextDelta, Usage
from core.errors import Failure, FailureReason
from core.messages import Reply
from core.models.ref import ModelRef
from core.resolution.resolver import insisted, resolve
from core.resolution.rules import AgentRules, CrossBilling
from core.sessions.key import SessionKey
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.provider_client import FakeProviderClient
from tests.world import DIRECT, GROUP, World, profile, rules

KEYS = (DIRECT, GROUP)
PROFILES = ("acme:a", "acme:b", "acme:c", "zeta:x", "zeta:y")
COMMANDS = (
    "/model small", "/model big", "/model opus", "/model auto", "/model default", "/model @a", "/model @b prefer",
    "/model @c once", "/model big@acme:b for 2m", "/model opus@zeta:y", "/model undo", "/new", "/compact",
)  # fmt: skip
HELD_AGAINST = (
    FailureReason.RATE_LIMIT,
    FailureReason.BILLING,
    FailureReason.AUTH,
    FailureReason.AUTH_PERMANENT,
)
FAILURES = st.lists(st.sampled_from([*FailureReason, *HELD_AGAINST]), max_size=3)
BACK = st.sampled_from([None, 5, 400, 10**6])


class Watched(FakeProviderClient):
    """Asks `before` at every request, and counts what it has served."""

    def __init__(self, before: Callable[[CompletionRequest], None]) -> None:
        super().__init__()
        self._before = before
        self.counted = 0

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        self._before(request)
        self.usage = Usage(len(request.messages), 1)
        async for piece in super().complete(request):
            if isinstance(piece, Completed):
                self.counted += self.usage.input_tokens
            yield piece


class WatchedHealth(FakeHealthStore):
    """Asks `at_write` about every change."""

    def __init__(self, at_write: Callable[[ProfileHealth, ProfileHealth], None]) -> None:
        super().__init__()
        self._at_write = at_write

    async def update_health(
        self, profile: str, fingerprint: str, change: Callable[[ProfileHealth], ProfileHealth]
    ) -> None:
        def watched(before: ProfileHealth) -> ProfileHealth:
            after = change(before)
            self._at_write(before, after)
            return after

        await super().update_health(profile, fingerprint, watched)


class WatchedWorld(World):
    """A World whose provider and health store are looked at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.watch: Callable[[CompletionRequest], None] = lambda _: None
        self.judge: Callable[[ProfileHealth, ProfileHealth], None] = lambda *_: None
        self.provider = Watched(lambda request: self.watch(request))
        self.health = WatchedHealth(lambda before, after: self.judge(before, after))
        self.rewire()


class Failover(RuleBasedStateMachine):
    """The machine; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    @initialize(
        fallbacks=st.booleans(),
        crossing=st.sampled_from(list(CrossBilling)),
        billing=st.lists(st.sampled_from([None, "subscription", "metered"]), min_size=5, max_size=5),
        account=st.booleans(),
    )
    def begin(self, fallbacks: bool, crossing: CrossBilling, billing: list[str | None], account: bool) -> None:
        main = AgentRules(
            id="main",
            default=ModelRef("acme", "small"),
            fallbacks=(ModelRef("zeta", "opus-1"),) if fallbacks else (),
        )
        held = [
            profile(
                name,
                CredentialKind.API_KEY,
                billing=billing[n],
                account="one" if account and name in ("acme:a", "acme:b") else None,
            )
            for n, name in enumerate(PROFILES)
        ]
        self.world = WatchedWorld(rules=rules(agents={"main": main}, cross_billing=crossing), profiles=held)
        self.wrong: list[AssertionError] = []
        self.world.watch = self._kept(self._looks_right)
        self.world.judge = self._kept(self._is_fair)
        self.key = DIRECT
        self.insists = False
        self.card: Reply | None = None
        self.asked: CompletionRequest | None = None

    def _kept(self, look: Callable[..., None]) -> Callable[..., None]:
        """The gateway answers every error politely, also that of a test; so it is kept until the step is over."""

        def keeping(*what: object) -> None:
            try:
                look(*what)
            except AssertionError as error:
                self.wrong.append(error)

        return keeping

    def _looks_right(self, request: CompletionRequest) -> None:
        """At the moment of a request."""
        self.asked = request
        assert request.profile is not None
        snapshot = self.world.snapshots.take(SessionKey.parse(self.key))
        resolution = resolve(snapshot)
        allowed = [*resolution.candidates, *(insisted(resolution) if self.insists else ())]
        pair = (request.endpoint.provider, request.model, request.profile.id)
        assert pair in [(c.model.provider, c.model.name, c.profile.id) for c in allowed]
        out = snapshot.block(request.profile, ModelRef(request.endpoint.provider, request.model))
        assert out is None or (self.insists and resolution.pinned is not None)

    def _is_fair(self, before: ProfileHealth, after: ProfileHealth) -> None:
        """At a write of health, which follows the request at once."""
        assert self.asked is not None
        model = f"{self.asked.endpoint.provider}/{self.asked.model}"
        now = self.world.clock.now()
        fresh = [window for window in after.windows if window not in before.windows]
        for window in fresh:
            assert window.reason in HELD_AGAINST
            assert window.model == (model if window.lane is Lane.COOLDOWN else "")
            old = next((w for w in before.windows if (w.lane, w.model) == (window.lane, window.model)), None)
            if window.step:
                assert old is not None
                if window.step > old.step:
                    assert old.until is not None
                    assert old.until <= now < old.until + 2 * (old.until - old.since)
        gone = [window for window in before.windows if window not in after.windows and window not in fresh]
        assert all(window.model in ("", model) for window in gone)

    def _do(self, text: str) -> list[Reply]:
        replies = self.runner.run(self.world.do(self.world.inbound(text, key=self.key)))
        assert not any(reply.code == "internal" for reply in replies)
        return replies

    @rule(key=st.sampled_from(KEYS), text=st.sampled_from(COMMANDS))
    def command(self, key: str, text: str) -> None:
        self.key = key
        self._do(text)

    @rule(key=st.sampled_from(KEYS), outcomes=st.lists(FAILURES, min_size=5, max_size=5), back=BACK)
    def message(self, key: str, outcomes: list[list[FailureReason]], back: int | None) -> None:
        """A message, and what each credential would answer to it."""
        self.key = key
        self._script(outcomes, back)
        replies = self._do("hello")
        self.card = replies[-1] if replies and replies[-1].code is not None else None

    def _script(self, outcomes: list[list[FailureReason]], back: int | None) -> None:
        at = self.world.clock.now() + timedelta(seconds=back) if back is not None else None
        for name, reasons in zip(PROFILES, outcomes, strict=True):
            self.world.provider.script[name] = [Failure(reason=reason, retry_at=at) for reason in reasons]

    @rule(outcomes=st.lists(FAILURES, min_size=5, max_size=5), back=BACK)
    def try_again(self, outcomes: list[list[FailureReason]], back: int | None) -> None:
        if self.card is None or not any(button.label == "Try again" for button in self.card.buttons):
            return
        card, self.card = self.card, None
        self._script(outcomes, back)
        self.insists = True
        self.runner.run(self.world.press(card, "Try again", key=self.key))
        self.insists = False

    @rule(seconds=st.sampled_from([1, 29, 30, 31, 61, 119, 301, 5 * 3600, 2 * 86400]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds=seconds)

    @rule(ids=st.lists(st.sampled_from(PROFILES[:3]), unique=True, max_size=3))
    def order(self, ids: list[str]) -> None:
        self.world.credentials.order("acme", *ids)

    @rule(name=st.sampled_from(PROFILES))
    def replace_key(self, name: str) -> None:
        held = self.world.credentials.load("main").profiles[name]
        self.world.credentials.put(replace(held, fingerprint=f"{held.fingerprint}'"))

    @invariant()
    def nothing_went_wrong_on_the_way(self) -> None:
        if wrong := getattr(self, "wrong", []):
            raise wrong[0]

    @invariant()
    def what_was_served_is_recorded(self) -> None:
        if not hasattr(self, "world"):
            return
        recorded = sum(one.input_tokens for spent in self.world.sessions.spent.values() for one in spent)
        assert recorded == self.world.provider.counted

    def teardown(self) -> None:
        self.runner.close()


Failover.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestFailover = Failover.TestCase
