"""A snapshot keeps what it has answered, and only that."""

from dataclasses import replace
from datetime import timedelta

from core.auth.profiles import ProfileSet
from core.models.ref import ModelRef
from core.resolution.snapshot import Snapshot
from core.sessions.key import SessionKey
from core.sessions.session import Session
from tests.fakes.clock import START
from tests.world import profile, rules

MODEL = ModelRef("acme", "small")


def snapshot(*names: str) -> Snapshot:
    return Snapshot(
        now=START,
        rules=rules(),
        session=Session(key=SessionKey("main", "main")),
        parent=None,
        credentials=ProfileSet(profiles={name: profile(name) for name in names}),
    )


def test_the_same_question_has_the_very_same_answer():
    taken = snapshot("acme:a", "acme:b")
    assert taken.placed(MODEL) is taken.placed(MODEL)
    assert [placed.id for placed in taken.placed(MODEL)] == ["acme:a", "acme:b"]


def test_a_changed_snapshot_answers_anew():
    taken = snapshot("acme:a", "acme:b")
    taken.placed(MODEL)
    changed = replace(taken, credentials=ProfileSet(profiles={"acme:b": profile("acme:b")}))
    assert [placed.id for placed in changed.placed(MODEL)] == ["acme:b"]


def test_what_was_asked_is_no_difference_between_two_snapshots():
    asked, other = snapshot("acme:a"), snapshot("acme:a")
    asked.placed(MODEL)
    assert asked == other
    assert asked != replace(other, now=START + timedelta(seconds=1))
