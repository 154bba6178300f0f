"""Values that use every field, so that a field which is lost on the way is missed."""

from datetime import UTC, datetime, timedelta

from core.auth.health import Lane, Window
from core.auth.profiles import PinMode
from core.errors import FailureReason
from core.models.ref import ModelRef
from core.ports import Update
from core.sessions.key import SessionKey
from core.sessions.session import AutoPin, Choice, Decision, Pin, Served

NOW = datetime(2026, 3, 1, 12, 30, 15, 123457, tzinfo=UTC)
KEY = SessionKey("main", "telegram:bot:group:-100200")
TOPIC = KEY.in_thread("7")

PIN = Pin(profile="acme:wörk 😀", mode=PinMode.PREFER, set_by="telegram:1", set_at=NOW, order_fingerprint="0f1e")
LASTING = Choice(model=ModelRef("acme", "Large/v2@x:1"), pin=PIN, set_by="telegram:1", set_at=NOW)
UNTIL = Choice(
    model=None,
    pin=PIN,
    set_by="discord:2",
    set_at=NOW + timedelta(microseconds=1),
    expires_at=NOW + timedelta(hours=2),
)
ONCE = Choice(model=ModelRef("acme", "small"), pin=None, set_by="telegram:1", set_at=NOW, turns_left=1)
AUTO = AutoPin(profile="acme:home", provider="acme", set_at=NOW, used_at=NOW, order_fingerprint="aa")
SERVED = Served(ModelRef("acme", "small"), None, NOW)


def decision(number: int) -> Decision:
    return Decision(
        at=NOW + timedelta(seconds=number),
        actor="telegram:1",
        action="select",
        before="",
        after=f"acme/small@{number}",
        reason="asked for",
    )


def window(model: str = "", until: datetime | None = None, lane: Lane = Lane.COOLDOWN) -> Window:
    return Window(
        lane=lane, reason=FailureReason.RATE_LIMIT, model=model, since=NOW, until=until, step=2, failed_at=NOW
    )


def update(key: str, lane: str = "chat:1", account: str = "bot") -> Update:
    payload = {"text": f"hello {key} 😀 \ud83d", "nested": {"list": [1, None, True]}}
    return Update(platform="telegram", account=account, key=key, lane=lane, payload=payload)
