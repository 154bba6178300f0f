"""The test run itself: it reaches nobody, has no home and no credentials."""

import asyncio
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.system_clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.socket_guard import SocketGuard


@pytest.mark.parametrize(
    ("host", "setting"),
    [
        ("api.telegram.org", "channels.telegram.api_base_url"),
        ("gateway.discord.gg", "channels.discord.api_base_url"),
        ("api.acme.example", "models.providers.<id>.base_url"),
        ("192.0.2.1", "models.providers.<id>.base_url"),
        ("2001:db8::1", "models.providers.<id>.base_url"),
    ],
)
def test_an_address_beyond_this_machine_is_refused_and_the_forgotten_setting_named(
    host: str, setting: str, socket_guard: SocketGuard
):
    with pytest.raises(OSError, match="forgot") as caught:
        socket.create_connection((host, 443), timeout=0.1)
    assert f"{host}:443" in str(caught.value)
    assert setting in str(caught.value)
    assert socket_guard.refused
    socket_guard.refused.clear()


async def test_asyncio_is_guarded_too(socket_guard: SocketGuard):
    with pytest.raises(OSError, match="forgot"):
        await asyncio.open_connection("192.0.2.1", 80)
    assert socket_guard.refused
    socket_guard.refused.clear()


async def test_loopback_and_unix_sockets_work(tmp_path: Path):
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("localhost", port)
        writer.close()
        await writer.wait_closed()
    local = await asyncio.start_unix_server(lambda r, w: w.close(), tmp_path / "s")
    async with local:
        _, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.close()
        await writer.wait_closed()


def test_home_is_an_empty_directory_also_for_a_process():
    program = "import pathlib; print(list(pathlib.Path.home().iterdir()))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert ended.stdout == "[]\n"
    assert Path.home() != Path(f"/home/{os.environ.get('USER', 'x')}")


def test_no_credential_of_the_environment_is_left():
    assert [name for name in os.environ if "_API_KEY" in name or name.startswith("REMOTECLAW_")] == []


def test_the_state_directory_of_a_test_is_private(state_dir: Path):
    assert state_dir.stat().st_mode & 0o777 == 0o700
    assert os.environ["REMOTECLAW_STATE_DIR"] == str(state_dir)


async def test_a_sleep_moves_the_fake_clock(clock: FakeClock):
    before = clock.now()
    await clock.sleep(90)
    assert clock.now() - before == timedelta(seconds=90)
    assert clock.slept == [90]


async def test_a_sleep_can_also_wait_for_the_test():
    clock = FakeClock(jumps=False)
    naps = [asyncio.create_task(clock.sleep(seconds)) for seconds in (10, 20)]
    await clock.sleeping(2)
    clock.advance(timedelta(seconds=10))
    await naps[0]
    assert not naps[1].done()
    clock.advance(timedelta(seconds=10))
    await naps[1]


async def test_the_system_clock_tells_the_time_in_utc():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    await clock.sleep(0)
