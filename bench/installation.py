"""An installation to measure: a config, credentials, and a database with sessions in it."""

import asyncio
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from adapters.storage.engine import open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.migrate import ensure
from adapters.storage.session_rows import choice_values, session_values
from adapters.storage.tables import choices, sessions
from bot.app import App
from bot.config import load_settings
from bot.config.settings import Settings
from bot.paths import Paths
from core.auth.health import ProfileHealth, after_failure, after_success
from core.auth.profiles import PinMode
from core.errors import Failure, FailureReason
from core.messages import Sender
from core.models.ref import ModelRef
from core.sessions.key import SessionKey
from core.sessions.session import Choice, Pin, Session

OWNER = Sender("telegram", "1")
_MODELS = 20
_AT_ONCE = 2_000
_SETTLE_SECONDS = 2.1
"""A store that was written a moment ago is read anew each time, because its times could not tell another change."""


def install(directory: Path, *, profiles: int, base_url: str = "http://127.0.0.1:9/v1") -> Mapping[str, str]:
    """Write a config with 20 models and a store with so many profiles; returns the environment that names them."""
    environ = {"REMOTECLAW_STATE_DIR": str(directory), "HOME": str(directory), "PATH": os.environ.get("PATH", "")}
    paths = Paths.of(environ)
    paths.create()
    directory.chmod(0o700)
    models = ",\n  ".join(f'{{ id = "model-{n}", alias = "m{n}" }}' for n in range(_MODELS))
    paths.config.write_text(
        f'[models.providers.acme]\nbase_url = "{base_url}"\napi = "openai-completions"\nmodels = [\n  {models},\n]\n'
        f'[agents.defaults]\nmodel = "acme/model-0"\n[access]\nowners = ["{OWNER.key}"]\n'
    )
    entries = {
        f"acme:p{n}": {"type": "api_key", "provider": "acme", "key": f"sk-bench-{n:06d}-{'x' * 24}"}
        for n in range(profiles)
    }
    store = paths.agent("main") / "auth-profiles.json"
    store.parent.mkdir(parents=True)
    store.write_text(json.dumps({"version": 1, "profiles": entries}))
    store.chmod(0o600)
    time.sleep(_SETTLE_SECONDS)
    return environ


def opened(environ: Mapping[str, str]) -> tuple[Settings, Paths]:
    """What `build_app` wants to know."""
    paths = Paths.of(environ)
    return load_settings(paths.config, environ), paths


async def use_all(app: App, paths: Paths, cooling: int) -> None:
    """Remember of every credential that it was used, and of the first `cooling` that they are out for a day."""
    now, model = datetime.now(UTC), ModelRef("acme", "model-0")
    out = Failure(reason=FailureReason.RATE_LIMIT, status=429, retry_at=now + timedelta(days=1))

    def after(position: int, health: ProfileHealth) -> ProfileHealth:
        used = after_success(health, str(model), now, now - timedelta(minutes=position))
        return after_failure(used, out, str(model), now) if position < cooling else used

    profiles = app.snapshots.take(SessionKey("main", "telegram:default:direct:0")).credentials.profiles.values()
    with open_database(paths.database) as database:
        store = SqlHealthStore(database)
        changes = ((p, partial(after, n)) for n, p in enumerate(profiles))
        await asyncio.gather(*(store.update_health(p.id, p.fingerprint or "", change) for p, change in changes))
    snapshot = app.snapshots.take(SessionKey("main", "telegram:default:direct:0"))
    assert sum(not placed.usable for placed in snapshot.placed(model)) == cooling
    assert all(snapshot.health_of(profile).last_used for profile in profiles)


async def fill(paths: Paths, count: int) -> None:
    """Put so many sessions with a pin each into the database."""
    ensure(paths.database)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    pin = Pin(profile="acme:p0", mode=PinMode.STRICT, set_by=OWNER.key, set_at=at, order_fingerprint="implicit")
    choice = Choice(model=ModelRef("acme", "model-1"), pin=pin, set_by=OWNER.key, set_at=at)
    keys = [SessionKey("main", f"telegram:default:direct:{n}") for n in range(count)]
    made = [Session(key=key, choices=(choice,), version=1) for key in keys]
    with open_database(paths.database) as database:
        for start in range(0, count, _AT_ONCE):
            part = made[start : start + _AT_ONCE]
            rows = [session_values(session) for session in part]
            chosen = [row for session in part for row in choice_values(session)]
            await database.write(partial(_insert, rows, chosen))


def _insert(rows: list[dict[str, Any]], chosen: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(sessions.insert(), rows)
    connection.execute(choices.insert(), chosen)
