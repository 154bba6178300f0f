"""What is counted of answers and of how things stand, and the signs of life for a service manager."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.ops.gathering import Outage, Standing
from bot.ops.measured import MeasuredPlatform
from bot.ops.metrics import Metrics
from bot.ops.watchdog import give_signs_of_life, watchdog_pause
from core.errors import BotError, StorageError
from core.messages import Delta, Event, Inbound, Ingress, Place, Reply, ReplyKind, Sender, TurnReport, Working
from core.ports import Backlog, InboxItem, InboxState, Update
from core.sessions.key import SessionKey
from tests.fakes.chat_platform import FakePlatform
from tests.fakes.clock import FakeClock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = {
    "outcome": "ok",
    "model": "acme/small",
    "profile": "acme:ada@example.org",
    "attempts": [
        {"model": "zeta/opus", "profile": "zeta:me", "outcome": "rate_limit"},
        {"model": "acme/small", "profile": "acme:ada@example.org", "outcome": "ok"},
    ],
    "usage": {"input_tokens": 7, "output_tokens": 3},
    "cost_usd": 0.25,
}
INBOUND = Inbound(
    ingress=Ingress.MESSAGE, sender=Sender("fake", "1"), session=SessionKey("main", "main"), place=Place(direct=True)
)


def item(key: str = "1", state: InboxState = InboxState.NEW) -> InboxItem:
    update = Update(platform="fake", account="default", key=key, lane="room", payload={})
    return InboxItem(id=1, update=update, state=state, received_at=FakeClock().now() - timedelta(seconds=3))


def standing(**more: object) -> Standing:
    empty = Standing(now=NOW, counts={}, outages=(), expiries={}, connected={}, backlog=(), refreshes={})
    return replace(empty, **more)  # type: ignore[arg-type]


def samples(metrics: Metrics, now: Standing | None = None) -> dict[str, float]:
    """`name{label=value}` -> number, as an independent parser reads the page."""
    text = metrics.page(now or standing()).decode()
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Book:
    """`bot.ops.measured.Recorder`"""

    def __init__(self) -> None:
        self.turns: list[tuple[object, bool, bool]] = []
        self.deliveries: list[tuple[str, str, str, float | None]] = []

    def turned(self, report: object, seconds: float, first_text: float | None) -> None:
        self.turns.append((report, seconds >= 0, first_text is not None))

    def delivered(self, platform: str, kind: str, outcome: str, seconds: float | None) -> None:
        self.deliveries.append((platform, kind, outcome, seconds))


class Refusing(FakePlatform):
    """Takes nothing."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        raise self._error


async def these(*events: Event) -> AsyncIterator[Event]:
    for event in events:
        yield event


class TestMeasured:
    async def test_a_turn_is_counted_once_from_its_own_beginning(self) -> None:
        book, platform = Book(), FakePlatform()
        text = Reply(kind=ReplyKind.TEXT, text="hi")
        events = these(Working(), Working(), Delta("h"), text, TurnReport(data=REPORT))
        await MeasuredPlatform(platform, book, FakeClock()).deliver(item(), INBOUND, events)
        assert book.turns == [(REPORT, True, True)]
        assert book.deliveries == [("fake", "answer", "delivered", 3.0)]
        assert platform.delivered == ["hi"], "the platform gets all of it"

    async def test_a_command_is_a_delivery_and_no_turn(self) -> None:
        book = Book()
        events = these(Reply(kind=ReplyKind.NOTICE, text="hi"))
        await MeasuredPlatform(FakePlatform(), book, FakeClock()).deliver(item(), INBOUND, events)
        assert (book.turns, len(book.deliveries)) == ([], 1)

    @pytest.mark.parametrize(
        ("stored", "kind"),
        [
            pytest.param(item("announcement:1:host:x", InboxState.ANSWERED), "announcement", id="announcement"),
            pytest.param(item("7", InboxState.ANSWERED), "answer", id="answered by an earlier process"),
        ],
    )
    async def test_what_was_answered_before_has_no_time_of_its_own(self, stored: InboxItem, kind: str) -> None:
        book = Book()
        await MeasuredPlatform(FakePlatform(), book, FakeClock()).deliver(stored, INBOUND, these())
        assert book.deliveries == [("fake", kind, "delivered", None)]

    @pytest.mark.parametrize("error", [BotError("x", "no"), RuntimeError("bug")], ids=["refused", "unexpected"])
    async def test_what_a_platform_does_not_take_has_failed(self, error: Exception) -> None:
        book = Book()
        with pytest.raises(type(error)):
            await MeasuredPlatform(Refusing(error), book, FakeClock()).deliver(item(), INBOUND, these())
        assert book.deliveries == [("fake", "answer", "failed", None)]

    async def test_a_delivery_that_a_stop_cuts_off_is_counted_as_nothing(self) -> None:
        book = Book()
        with pytest.raises(asyncio.CancelledError):
            await MeasuredPlatform(Refusing(asyncio.CancelledError()), book, FakeClock()).deliver(
                item(), INBOUND, these()
            )
        assert book.deliveries == []


class TestPage:
    def test_what_was_counted_stands_there_without_models_profiles_and_people(self) -> None:
        metrics = Metrics(NOW)
        metrics.turned(REPORT, 1.5, 0.3)
        metrics.turned({**REPORT, "outcome": "failed", "attempts": [], "cost_usd": None}, 2.0, None)
        metrics.delivered("telegram", "announcement", "delivered", None)
        metrics.delivered("telegram", "answer", "delivered", 2.5)
        found = samples(metrics)
        assert found["remoteclaw_turns_total{outcome=ok}"] == 1
        assert found["remoteclaw_turns_total{outcome=failed}"] == 1
        assert found["remoteclaw_attempts_total{outcome=rate_limit,provider=zeta}"] == 1
        assert found["remoteclaw_attempts_total{outcome=ok,provider=acme}"] == 1
        assert found["remoteclaw_tokens_total{kind=input,provider=acme}"] == 14
        assert found["remoteclaw_cost_usd_total{provider=acme}"] == 0.25
        assert found["remoteclaw_turn_seconds_sum{outcome=ok}"] == 1.5
        assert found["remoteclaw_first_text_seconds_count{}"] == 1
        assert found["remoteclaw_deliveries_total{kind=announcement,outcome=delivered,platform=telegram}"] == 1
        assert found["remoteclaw_update_seconds_sum{platform=telegram}"] == 2.5
        assert found["remoteclaw_start_time_seconds{}"] == NOW.timestamp()
        text = metrics.page(standing()).decode()
        assert not any(word in text for word in ("ada@example.org", "zeta:me", "small", "opus", "_created"))

    def test_a_credential_that_is_out_is_named_by_its_fingerprint_with_its_return(self) -> None:
        back = NOW + timedelta(minutes=5)
        out = (
            Outage("acme", "35c04c1b", "cooling", "rate_limit", back),
            Outage("acme", "35c04c1b", "cooling", "rate_limit", NOW),
            Outage("acme", "aaaa1111", "disabled", "auth_permanent", None),
        )
        now = standing(
            outages=out,
            counts={("acme", "cooling"): 1},
            expiries={("acme", "35c04c1b"): back},
            connected={"discord": False},
        )
        found = samples(Metrics(NOW), now)
        name = "remoteclaw_credential_out_until_seconds"
        assert found[f"{name}{{credential=35c04c1b,provider=acme,reason=rate_limit,state=cooling}}"] == back.timestamp()
        assert found[f"{name}{{credential=aaaa1111,provider=acme,reason=auth_permanent,state=disabled}}"] == float(
            "inf"
        )
        assert found["remoteclaw_credentials{provider=acme,state=cooling}"] == 1
        assert found["remoteclaw_credential_expires_seconds{credential=35c04c1b,provider=acme}"] == back.timestamp()
        assert found["remoteclaw_platform_connected{platform=discord}"] == 0

    def test_refreshes_are_counted_by_provider_and_outcome(self) -> None:
        counted = {("acme", "ok"): 3, ("acme", "auth_permanent"): 1, ("zeta", "timeout"): 2}
        found = samples(Metrics(NOW), standing(refreshes=counted))
        assert {name: value for name, value in found.items() if "refreshes" in name} == {
            "remoteclaw_refreshes_total{outcome=auth_permanent,provider=acme}": 1,
            "remoteclaw_refreshes_total{outcome=ok,provider=acme}": 3,
            "remoteclaw_refreshes_total{outcome=timeout,provider=zeta}": 2,
        }

    def test_the_inbox_is_counted_and_a_database_that_does_not_answer_is_told(self) -> None:
        waits = (Backlog("telegram", InboxState.NEW, 4, NOW - timedelta(seconds=90)),)
        found = samples(Metrics(NOW), standing(backlog=waits, connected={"telegram": True}))
        assert found["remoteclaw_inbox_items{platform=telegram,state=new}"] == 4
        assert found["remoteclaw_inbox_oldest_seconds{platform=telegram,state=new}"] == 90
        assert found["remoteclaw_inbox_items{platform=telegram,state=answered}"] == 0
        assert found["remoteclaw_database_up{}"] == 1
        down = samples(Metrics(NOW), standing(backlog=None))
        assert down["remoteclaw_database_up{}"] == 0
        assert not any(name.startswith("remoteclaw_inbox") for name in down)


class TestWatchdog:
    @pytest.mark.parametrize(
        ("environ", "pause"),
        [
            pytest.param({"WATCHDOG_USEC": "120000000"}, 60.0, id="half of what is allowed"),
            pytest.param({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60.0, id="this process"),
            pytest.param({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None, id="another process"),
            pytest.param({}, None, id="none"),
            pytest.param({"WATCHDOG_USEC": "0"}, None, id="zero"),
            pytest.param({"WATCHDOG_USEC": "²"}, None, id="no number"),
            pytest.param({"WATCHDOG_USEC": "-5"}, None, id="negative"),
        ],
    )
    def test_the_pause_is_what_the_manager_asks_for(self, environ: dict[str, str], pause: float | None) -> None:
        assert watchdog_pause(environ) == pause

    async def test_no_sign_is_given_while_the_database_does_not_answer(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "bot.ops.watchdog")
        asked: list[int] = []
        enough = asyncio.Event()
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        manager.bind(str(tmp_path / "notify"))

        async def database() -> None:
            asked.append(1)
            if len(asked) == 5:
                enough.set()
            if len(asked) == 2:
                raise StorageError("storage", "The disk is full.")
            if len(asked) == 3:
                await asyncio.Event().wait()

        living = asyncio.create_task(give_signs_of_life({"NOTIFY_SOCKET": f"{tmp_path}/notify"}, 0.02, database))
        async with asyncio.timeout(10):
            await enough.wait()
        living.cancel()
        heard = 0
        try:
            while manager.recv(100) == b"WATCHDOG=1":
                heard += 1
        except BlockingIOError:
            manager.close()
        assert heard in (2, 3), "the first and those after the third, of which the last may be on its way"
        assert caplog.messages == [
            "The database does not answer; no sign of life is given.",
            "The database answers again.",
        ]
