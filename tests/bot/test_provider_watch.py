"""Providers that do not answer and credentials that they refuse: one line when it begins, one when it is over, a note meanwhile."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.ops.provider_watch import ProviderWatch
from core.auth.health import after_failure, after_success
from core.auth.secret import Secret
from core.errors import Failure, FailureReason, StorageError
from tests.world import World

MINUTE = timedelta(minutes=1)


class Desk:
    """A watch over a world."""

    def __init__(self) -> None:
        self.world = World()
        self.watch = ProviderWatch(lambda: ["main"], self.world.snapshots, self.world.clock)

    def turns(self, *attempts: tuple[str, str, str]) -> None:
        made = [{"model": model, "profile": profile, "outcome": outcome} for model, profile, outcome in attempts]
        self.watch.turned({"outcome": "ok", "attempts": made})

    async def fails(self, profile: str, reason: FailureReason) -> None:
        now = self.world.clock.now()
        await self._change(profile, lambda health: after_failure(health, Failure(reason=reason), "acme/small", now))

    async def serves(self, profile: str) -> None:
        now = self.world.clock.now()
        await self._change(profile, lambda health: after_success(health, "acme/small", now, now))

    async def _change(self, name: str, change: Any) -> None:
        profile = self.world.credentials.load("main").profiles[name]
        await self.world.health.update_health(name, profile.fingerprint or "", change)
        self.watch.look()


@pytest.fixture
def desk(caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.INFO, "bot.ops.provider_watch")
    return Desk()


@pytest.mark.parametrize("outcome", ["network", "timeout", "overloaded"])
def test_a_provider_that_does_not_answer_is_noted_until_it_does(
    desk: Desk, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk.turns(("acme/small", "acme:work", outcome), ("acme/small", "acme:work", "ok"))
    assert desk.watch.notes() == (), "a retry has served"
    for _ in range(3):
        desk.turns(("acme/small", "acme:work", outcome), ("zeta/opus-1", "zeta:me", "ok"))
    (note,) = desk.watch.notes()
    assert note == f"acme did not answer ({outcome}) when it was asked last, at {desk.world.clock.now():%H:%M:%S} UTC."
    desk.turns(("acme/small", "acme:work", "rate_limit"))
    assert desk.watch.notes() == ()
    said = [f"acme does not answer ({outcome}); each message tries again.", "acme answers again."]
    assert caplog.messages == said


async def test_a_credential_that_is_refused_is_noted_until_it_serves(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.fails("acme:work", FailureReason.AUTH)
    (note,) = desk.watch.notes()
    assert note.startswith("acme:work is refused by its provider (auth), and is tried again after ")
    desk.world.clock.advance(11 * MINUTE)
    desk.watch.look()
    assert desk.watch.notes() == (
        "acme:work is refused by its provider (auth), and is tried again with the next message.",
    )
    await desk.fails("acme:work", FailureReason.AUTH)
    assert len(caplog.messages) == 1, "no line for every time that it is tried"
    desk.world.clock.advance(3 * 60 * MINUTE)
    desk.watch.look()
    assert desk.watch.notes() == (), "nobody has asked for it for long"
    await desk.serves("acme:work")
    assert caplog.messages == [note, "acme:work is not refused any more."]


async def test_a_login_that_is_lost_is_noted_until_it_is_another_one(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.fails("acme:work", FailureReason.AUTH_PERMANENT)
    assert desk.watch.notes() == ("acme:work is refused by its provider (auth_permanent), until it is changed.",)
    profile = desk.world.credentials.load("main").profiles["acme:work"]
    desk.world.credentials.put(replace(profile, secret=Secret("sk-another"), fingerprint="another0"))
    desk.watch.look()
    assert (desk.watch.notes(), len(caplog.messages)) == ((), 2)


async def test_a_rate_limit_is_nothing_to_note(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.fails("acme:work", FailureReason.RATE_LIMIT)
    assert (desk.watch.notes(), caplog.messages) == ((), [])


def test_a_key_of_the_environment_is_noted_by_what_becomes_of_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for outcome in ("auth", "auth", "network"):
        desk.turns(("zeta/opus-1", "env:ZETA_API_KEY", outcome), ("zeta/opus-1", "env:ZETA_API_KEY", outcome))
    assert "env:ZETA_API_KEY is refused by its provider (auth)." in desk.watch.notes()
    desk.turns(("zeta/opus-1", "env:ZETA_API_KEY", "ok"))
    assert desk.watch.notes() == ()
    assert [message for message in caplog.messages if message.startswith("env:")] == [
        "env:ZETA_API_KEY is refused by its provider (auth).",
        "env:ZETA_API_KEY is not refused any more.",
    ]


@pytest.mark.parametrize("error", [StorageError("storage", "The database is locked."), RuntimeError("a mistake")])
async def test_what_cannot_be_looked_at_changes_nothing(
    desk: Desk, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.fails("acme:work", FailureReason.BILLING)
    before = desk.watch.notes()

    def fails(key: object) -> object:
        raise error

    desk.world.snapshots.take = fails  # type: ignore[method-assign, assignment]
    for _ in range(3):
        desk.watch.look()
    assert desk.watch.notes() == before
    assert sum(record.exc_info is not None for record in caplog.records) == isinstance(error, RuntimeError)
