"""Providers that do not answer and credentials that they refuse: one line when it begins, one when it is over, a note meanwhile."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.ops.provider_watch import ProviderWatch
from core.auth.health import after_failure, after_success
from core.auth.profiles import CredentialKind, ProfileSet
from core.auth.secret import Secret
from core.errors import Failure, FailureReason, StorageError
from tests.world import World, profile

ENV = "env:ZETA_API_KEY"
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

    def has_key(self, fingerprint: str | None) -> None:
        """The environment's key of zeta; None: there is none."""
        if fingerprint is None:
            self.world.credentials.remove(ENV)
        else:
            kind = CredentialKind.ENV
            self.world.credentials.put(profile(ENV, kind, provider="zeta", fingerprint=fingerprint))

    async def _change(self, name: str, change: Any) -> None:
        held = self.world.credentials.load("main").profiles[name]
        await self.world.health.update_health(name, held.fingerprint or "", change)
        self.watch.look()


@pytest.fixture
def desk(caplog: pytest.LogCaptureFixture) -> Desk:
    caplog.set_level(logging.INFO, "bot.ops.provider_watch")
    return Desk()


@pytest.mark.parametrize("outcome", ["network", "timeout"])
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


def test_a_provider_that_is_overloaded_is_not_said_to_be_silent(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.turns(("acme/small", "acme:work", "overloaded"))
    assert desk.watch.notes() == (
        f"acme was overloaded when it was asked last, at {desk.world.clock.now():%H:%M:%S} UTC.",
    )
    desk.turns(("acme/small", "acme:work", "ok"))
    said = ["acme is overloaded; each message tries again.", "acme is not overloaded any more."]
    assert (desk.watch.notes(), caplog.messages) == ((), said)


def test_the_silence_of_a_provider_that_nobody_asks_is_noted_for_an_hour(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.turns(("acme/small", "acme:work", "network"))
    desk.world.clock.advance(59 * MINUTE)
    assert len(desk.watch.notes()) == 1
    desk.world.clock.advance(MINUTE)
    assert desk.watch.notes() == ()
    desk.turns(("acme/small", "acme:work", "network"))
    assert (len(desk.watch.notes()), len(caplog.messages)) == (1, 1)


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
    held = desk.world.credentials.load("main").profiles["acme:work"]
    desk.world.credentials.put(replace(held, secret=Secret("sk-another"), fingerprint="another0"))
    desk.watch.look()
    assert (desk.watch.notes(), len(caplog.messages)) == ((), 2)


async def test_a_rate_limit_is_nothing_to_note(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.fails("acme:work", FailureReason.RATE_LIMIT)
    assert (desk.watch.notes(), caplog.messages) == ((), [])


def test_a_key_of_the_environment_is_noted_by_what_becomes_of_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.has_key("one")
    for outcome in ("auth", "auth", "network"):
        desk.turns(("zeta/opus-1", "env:ZETA_API_KEY", outcome), ("zeta/opus-1", "env:ZETA_API_KEY", outcome))
    assert "env:ZETA_API_KEY is refused by its provider (auth)." in desk.watch.notes()
    desk.turns(("zeta/opus-1", "env:ZETA_API_KEY", "ok"))
    assert desk.watch.notes() == ()
    assert [message for message in caplog.messages if message.startswith("env:")] == [
        "env:ZETA_API_KEY is refused by its provider (auth).",
        "env:ZETA_API_KEY is not refused any more.",
    ]


@pytest.mark.parametrize("other", [pytest.param("two", id="replaced"), pytest.param(None, id="removed")])
def test_a_key_of_the_environment_that_is_another_one_has_no_note(
    desk: Desk, other: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    desk.has_key("one")
    desk.turns(("zeta/opus-1", ENV, "auth"))
    desk.watch.look()
    assert desk.watch.notes() == (f"{ENV} is refused by its provider (auth).",)
    desk.has_key(other)
    desk.watch.look()
    assert desk.watch.notes() == ()
    if other:
        desk.turns(("zeta/opus-1", ENV, "auth"))
        desk.watch.look()
        assert len(desk.watch.notes()) == 1, "the other one is refused too"
    assert f"{ENV} is not refused any more." in caplog.messages


async def test_a_store_that_cannot_be_read_for_a_while_changes_no_note(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.has_key("one")
    desk.turns(("zeta/opus-1", ENV, "auth"))
    await desk.fails("acme:work", FailureReason.AUTH)
    before, said = desk.watch.notes(), list(caplog.messages)
    held = desk.world.credentials.load("main")
    for credentials in (ProfileSet(unreadable=True), held):
        desk.world.credentials._sets["main"] = credentials
        desk.watch.look()
        assert (desk.watch.notes(), caplog.messages) == (before, said)
    assert len(before) == 2


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
