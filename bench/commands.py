"""Commands through the real core on the real store, against what no acknowledged change can do without: one durable commit.

The commit is sqlite3's own, of one small row, with the same journal and the same promise (WAL, synchronous=FULL).
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.installation import OWNER, install, opened
from bench.raw_commit import RawCommits
from bench.rounds import Case, Group
from bot.app import App, build_app
from core.messages import Inbound, Ingress, Place, Reply, ReplyKind
from core.sessions.key import SessionKey

_COMMANDS = 40
_KEY = SessionKey("main", "telegram:default:direct:1")


@asynccontextmanager
async def commands(directory: Path) -> AsyncIterator[Group]:
    """Choosing, pinning, looking, and the picker, for an installation with 20 models and 10 credentials."""
    environ = install(directory, profiles=10)
    settings, paths = opened(environ)
    async with build_app(settings, paths, environ=environ, platforms=()) as app:
        with RawCommits(directory / "raw.db") as raw:
            base = "a durable commit"
            yield Group(
                [
                    Case(base, lambda: raw.measure(_COMMANDS)),
                    Case("/model <alias>", lambda: _say(app, ("/model m1", "/model m2"), ReplyKind.NOTICE), base),
                    Case(
                        "/model <ref>@<profile>",
                        lambda: _say(app, ("/model m1@p1", "/model m2@p2"), ReplyKind.NOTICE),
                        base,
                    ),
                    Case("/model (the picker)", lambda: _say(app, ("/model",), ReplyKind.PICKER), base),
                    Case("/model status", lambda: _say(app, ("/model status",), ReplyKind.STATUS), base),
                    Case("/whoami", lambda: _say(app, ("/whoami",), ReplyKind.NOTICE), base),
                ]
            )


async def _say(app: App, texts: tuple[str, ...], expected: ReplyKind) -> float:
    begin = time.perf_counter()
    for n in range(_COMMANDS):
        inbound = Inbound(
            ingress=Ingress.MESSAGE,
            sender=OWNER,
            session=_KEY,
            place=Place(direct=True),
            text=texts[n % len(texts)],
            mentioned=True,
        )
        kinds = [event.kind async for event in app.gateway.handle(inbound) if isinstance(event, Reply)]
        assert kinds[-1] is expected
    return (time.perf_counter() - begin) / _COMMANDS
