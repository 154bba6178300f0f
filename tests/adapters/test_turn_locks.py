"""Turns of one session exclude each other across processes."""

import asyncio
import subprocess
import sys
from pathlib import Path

from adapters.storage.turn_locks import TurnLocks
from core.sessions.key import SessionKey
from tests.fakes.clock import FakeClock

KEY = SessionKey.parse("agent:main:telegram:default:direct:1")
OTHER = SessionKey.parse("agent:main:telegram:default:direct:2")
HOLDER = """
import asyncio, sys
from pathlib import Path
from adapters.storage.turn_locks import TurnLocks
from bot.system_clock import SystemClock
from core.sessions.key import SessionKey
async def main():
    async with TurnLocks(Path(sys.argv[1]), SystemClock()).hold(SessionKey.parse(sys.argv[2])):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


async def test_a_session_waits_for_its_turn_in_another_process_and_others_do_not(tmp_path: Path) -> None:
    path = tmp_path / "db.turns"
    command = (sys.executable, "-c", HOLDER, str(path), str(KEY))
    holder = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    clock = FakeClock(jumps=False)
    locks = TurnLocks(path, clock)
    async with locks.hold(OTHER):
        pass

    async def turn() -> str:
        async with locks.hold(KEY):
            return "ours"

    waiting = asyncio.create_task(turn())
    await clock.sleeping()
    assert not waiting.done()
    holder.kill()
    await holder.communicate()
    clock.set(clock.now().replace(year=2030))
    assert await asyncio.wait_for(waiting, 5) == "ours", "a process that dies lets go"
    locks.close()


async def test_the_file_is_private_and_keeps_nothing(tmp_path: Path) -> None:
    locks = TurnLocks(tmp_path / "db.turns", FakeClock())
    async with locks.hold(KEY), locks.hold(OTHER):
        pass
    locks.close()
    assert ((tmp_path / "db.turns").stat().st_mode & 0o777, (tmp_path / "db.turns").stat().st_size) == (0o600, 0)
