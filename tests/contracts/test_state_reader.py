"""What core may rely on from a reader of the state: the fake, the gateway's, and the command line's."""

from dataclasses import replace

import pytest

from core.auth.health import ProfileHealth
from core.resolution.ports import State
from core.sessions.ports import TurnRecord
from core.sessions.session import Session
from tests.contracts.conftest import Stores
from tests.contracts.values import AUTO, KEY, LASTING, NOW, ONCE, SERVED, TOPIC, UNTIL, window


def test_an_empty_database_reads_as_empty_sessions(readable: Stores):
    assert readable.state.read([KEY, TOPIC]) == State({KEY: Session(key=KEY), TOPIC: Session(key=TOPIC)}, ())
    assert readable.state.read([]) == State({}, ())


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(Session(key=KEY, choices=(LASTING, UNTIL, ONCE), undo=(UNTIL, ONCE)), id="stacks in order"),
        pytest.param(Session(key=KEY, undo=(), autos=(AUTO,), served=SERVED, epoch=4), id="undo to nothing"),
        pytest.param(Session(key=KEY, choices=(LASTING,)), id="no undo"),
    ],
)
async def test_a_session_reads_as_it_was_saved(readable: Stores, session):
    saved = await readable.sessions.save_choice(session, [])
    assert readable.state.read([KEY]).sessions == {KEY: saved}


async def test_only_the_sessions_asked_for_are_read_each_with_its_own(readable: Stores):
    chat = await readable.sessions.save_choice(Session(key=KEY, choices=(LASTING,)), [])
    topic = await readable.sessions.save_choice(Session(key=TOPIC, choices=(ONCE, UNTIL)), [])
    assert readable.state.read([TOPIC]).sessions == {TOPIC: topic}
    assert readable.state.read([TOPIC, KEY, TOPIC]).sessions == {TOPIC: topic, KEY: chat}


async def test_every_change_is_seen_by_the_very_next_read(readable: Stores):
    session = Session(key=KEY)
    for choices in [(LASTING,), (LASTING, ONCE), (), (UNTIL,)]:
        session = await readable.sessions.save_choice(replace(session, choices=choices), [])
        assert readable.state.read([KEY]).sessions[KEY] == session
    record = TurnRecord(key=KEY, epoch=0, version=4, messages=(), session=replace(session, autos=(AUTO,)), decisions=())
    await readable.sessions.finish_turn(record)
    assert readable.state.read([KEY]).sessions[KEY].autos == (AUTO,)


async def test_health_is_read_whole_whatever_sessions_are_asked_for(readable: Stores):
    records = [
        ProfileHealth(profile="acme:a", fingerprint="1", last_used=NOW),
        ProfileHealth(profile="acme:b", fingerprint="1", windows=(window("large", NOW), window())),
        ProfileHealth(profile="acme:b", fingerprint="2", windows=(window(),)),
    ]
    for health in reversed(records):
        await readable.health.update_health(health.profile, health.fingerprint, lambda _, health=health: health)
    assert readable.state.read([]).health == readable.state.read([KEY]).health == tuple(records)
