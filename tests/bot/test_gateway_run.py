"""The gateway process: platforms side by side, one that fails, and a stop that loses nothing."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.health_http import loopback_address
from bot.instance import only_instance, tell_service_manager
from bot.run import Operation, serve
from core.announcements import Announcer
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret, SecretRef
from core.errors import BotError, ConfigError, StorageError, StoreError
from core.messages import Reply, ReplyKind
from core.models.catalog import Catalog
from core.models.ref import ModelRef
from core.offers import Offers
from core.ports import InboxState
from core.resolution.rules import AgentRules, Rules
from core.resolution.source import SnapshotSource
from core.watch.rounds import Watch
from tests.fakes.announcements import FakeAnnouncements, FakeChatBook
from tests.fakes.chat_platform import Accept, FakePlatform
from tests.fakes.clock import FakeClock
from tests.fakes.inbox import FakeInbox
from tests.fakes.profile_source import FakeProfileSource
from tests.fakes.scripted_gateway import ScriptedGateway
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.shown_store import FakeShownStore
from tests.fakes.state_reader import FakeStateReader

ROOT = Path(__file__).parents[2]
PATIENCE = 10
REFUSED = ConfigError("channels.telegram.token", "is refused.")


@dataclass
class FakeApp:
    """What `serve` needs of the application."""

    platforms: tuple[FakePlatform, ...]
    gateway: ScriptedGateway = field(default_factory=ScriptedGateway)
    inbox: FakeInbox = field(default_factory=FakeInbox)
    clock: FakeClock = field(default_factory=FakeClock)
    profiles: FakeProfileSource = field(default_factory=FakeProfileSource)
    rules: Rules = Rules(  # noqa: RUF009 - frozen
        agents={name: AgentRules(id=name, default=ModelRef("acme", "small")) for name in ("main", "writer")},
        catalog=Catalog(),
    )
    refreshes: dict[tuple[str, str], int] = field(default_factory=dict)
    looks: int = 0
    """How often the watch has looked."""

    def __post_init__(self) -> None:
        sessions, shown = FakeSessionStore(self.inbox), FakeShownStore()
        offers = Offers(shown, self.snapshots, self.clock)
        stored, chats = FakeAnnouncements(self.inbox, sessions, shown), FakeChatBook()
        self.announcer = Announcer(stored, chats, offers, lambda: self.owners, str, self.clock)
        self.watch = Watch({"looks": self.look}, FakeClock(jumps=False))
        self.owners: set[str] = set()

    async def look(self) -> None:
        self.looks += 1

    @property
    def snapshots(self) -> SnapshotSource:
        return SnapshotSource(lambda: self.rules, self.profiles, FakeStateReader(), self.clock)


@asynccontextmanager
async def running(app: FakeApp, **options: object) -> AsyncIterator[Operation]:
    """Serve until the block ends, then stop in order."""
    operation = Operation(stop=asyncio.Event(), environ={}, **options)  # type: ignore[arg-type]
    async with asyncio.timeout(PATIENCE):
        serving = asyncio.create_task(serve(app, operation))  # type: ignore[arg-type]
        try:
            yield operation
        finally:
            operation.stop.set()
            await serving


async def until(predicate: Callable[[], bool]) -> None:
    """Return when it is so; `running` bounds the wait."""
    while not predicate():  # noqa: ASYNC110 - nothing else tells of it
        await asyncio.sleep(0.001)


async def request(address: tuple[str, int], text: str) -> tuple[int, dict[str, str], dict[str, object]]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(text.encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return int(status.split()[1]), headers, json.loads(body)


async def get(address: tuple[str, int], path: str) -> tuple[int, dict[str, object]]:
    status, _, body = await request(address, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return status, body


def health_address(caplog: pytest.LogCaptureFixture) -> tuple[str, int]:
    told = next(message for message in caplog.messages if message.startswith("Health is answered at "))
    return "127.0.0.1", int(told.rsplit(":", 1)[1].removesuffix("/readyz."))


class TestServing:
    async def test_every_platform_is_answered_side_by_side(self) -> None:
        one, two = FakePlatform("one"), FakePlatform("two")
        app = FakeApp((one, two))
        async with running(app):
            await one.say("hang")
            await two.say("hi")
            assert await two.has_delivered(1) == ["echo hi"]
            app.gateway.release.set()

    async def test_what_an_earlier_process_left_is_answered_first(self) -> None:
        platform = FakePlatform()
        app = FakeApp((platform,))
        await app.inbox.receive([platform.update("old", "left over")], app.clock.now())
        async with running(app):
            await platform.say("new")
            assert await platform.has_delivered(2) == ["echo left over", "echo new"]

    async def test_what_is_announced_is_delivered_while_it_runs_and_the_watch_looks_at_once(self) -> None:
        platform = FakePlatform()
        app = FakeApp((platform,))
        app.owners = {"fake:1"}
        async with running(app):
            await platform.say("hi")
            await platform.has_delivered(1)
            for key in ("one", "two", "one"):
                await app.announcer.tell_owners(key, Reply(kind=ReplyKind.NOTICE, text=f"look at {key}"))
            assert await platform.has_delivered(3) == ["echo hi", "look at one", "look at two"]
            assert app.looks == 1
        assert [item.state for item in app.inbox.items.values()] == [InboxState.DONE] * 3

    async def test_a_platform_that_is_refused_while_it_runs_is_told_once_and_answers_what_waited_after_a_reload(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "bot")
        platform, good = FakePlatform("telegram", fails=REFUSED), FakePlatform("good")
        app = FakeApp((platform, good))
        app.owners = {"telegram:1"}
        async with running(app, tokens=lambda: {"telegram": Secret("1:new")}) as operation:
            await platform.say("hi")
            await platform.has_delivered(1)
            platform.refused = REFUSED
            platform.fail.set()
            await platform.deaf.wait()
            await app.announcer.tell_owners("key", Reply(kind=ReplyKind.NOTICE, text="look"))
            await good.say("hi")
            await good.has_delivered(1)
            await until(lambda: platform.tried > 1)
            platform.refused = None
            platform.fail.clear()
            operation.reloaded.set()
            assert await platform.has_delivered(2) == ["echo hi", "look"]
            assert not platform.closed
        told = [message for message in caplog.messages if message.startswith("telegram (default)")]
        assert told == [
            "telegram (default): connected",
            "telegram (default): channels.telegram.token: is refused.",
            "telegram (default): connects anew, with another token",
            "telegram (default): connected",
            "telegram (default): stopped",
        ]
        assert all(record.exc_info is None for record in caplog.records)

    async def test_a_delivery_that_is_refused_makes_the_platform_connect_anew(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        platform = FakePlatform()
        async with running(FakeApp((platform,))):
            await platform.listening.wait()
            platform.refused = REFUSED
            await platform.say("hi")
            await until(lambda: platform.tried == 2)
            assert platform.delivered == []
            platform.refused = None
            assert await platform.has_delivered(1) == ["echo hi"]
        assert sum("is refused" in message for message in caplog.messages) == 1

    async def test_one_that_is_refused_at_the_start_is_waited_for_while_another_is_connected(self) -> None:
        bad, good = FakePlatform("telegram"), FakePlatform("good")
        bad.refused = REFUSED
        async with running(FakeApp((bad, good))) as operation:
            await good.listening.wait()
            await until(lambda: bad.tried == 1)
            bad.refused = None
            operation.reloaded.set()
            await bad.listening.wait()
            assert (bad.tried, good.tried) == (2, 1)

    async def test_only_another_token_makes_one_connect_anew_that_is_well(self) -> None:
        platform, held = FakePlatform("telegram"), {"telegram": Secret("1:first")}
        platform.take_token(held["telegram"])
        async with running(FakeApp((platform,)), tokens=lambda: held) as operation:
            await platform.listening.wait()
            for token, tried in (("1:first", 1), ("1:second", 2)):
                held["telegram"] = Secret(token)
                operation.reloaded.set()
                await until(lambda: not operation.reloaded.is_set())
                await until(lambda count=tried: platform.tried == count)
            await platform.say("hi")
            assert await platform.has_delivered(1) == ["echo hi"]

    async def test_a_new_token_is_not_blamed_for_what_was_wrong_with_the_one_before(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Cut(FakePlatform):
            is_cut = asyncio.Event()

            async def run(self, accept: Accept, on_state: Callable[[str], None]) -> None:
                if len(self.tokens) == 1:
                    on_state("disconnected: no route")
                    self.is_cut.set()
                    await asyncio.Event().wait()
                await super().run(accept, on_state)

        platform, good = Cut("telegram"), FakePlatform("good")
        platform.refused = REFUSED
        held = {"telegram": Secret("1:first")}
        caplog.set_level(logging.INFO)
        async with running(FakeApp((platform, good)), listen="127.0.0.1:0", tokens=lambda: held) as operation:
            await good.listening.wait()
            address = health_address(caplog)
            refused = "telegram (default): channels.telegram.token: is refused."
            await until(lambda: refused in caplog.messages)
            assert (await get(address, "/readyz"))[1]["reasons"] == [refused]
            operation.reloaded.set()
            await platform.is_cut.wait()
            reasons = (await get(address, "/readyz"))[1]["reasons"]
            assert reasons == ["telegram (default): disconnected: no route"]
            held["telegram"] = Secret("1:second")
            operation.reloaded.set()
            await until(lambda: caplog.messages.count(refused) == 2)
            tried = platform.tried
            operation.reloaded.set()
            await until(lambda: platform.tried > tried)
            assert (await get(address, "/readyz"))[1]["reasons"] == [refused]
        assert caplog.messages.count(refused) == 2, "once for each token"

    async def test_what_ends_unexpectedly_is_tried_again_and_its_traceback_is_written_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        platform = FakePlatform(fails=OSError("a bug"))
        async with running(FakeApp((platform,))) as operation:
            await platform.listening.wait()
            platform.refused = OSError("a bug")
            platform.fail.set()
            await platform.deaf.wait()
            for times in (2, 3):
                operation.reloaded.set()
                await until(lambda count=times: platform.tried >= count)
            platform.refused = None
            platform.fail.clear()
            operation.reloaded.set()
            await platform.say("hi")
            assert await platform.has_delivered(1) == ["echo hi"]
        assert sum(record.exc_info is not None for record in caplog.records) == 1

    async def test_where_nobody_was_ever_connected_and_all_are_refused_the_process_ends_with_the_reason(self) -> None:
        bad, worse = FakePlatform("bad"), FakePlatform("worse")
        bad.refused, worse.refused = ConfigError("a", "x"), OSError("a bug")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(BotError, match=r"a: x|worse .* ended unexpectedly"):
                await serve(FakeApp((bad, worse)), Operation(stop=asyncio.Event(), environ={}))  # type: ignore[arg-type]
        assert bad.closed
        assert worse.closed

    async def test_no_enabled_platform_is_told_with_the_setting(self) -> None:
        with pytest.raises(ConfigError, match=r"channels: no chat platform is enabled\. Set channels\.telegram"):
            await serve(FakeApp(()), Operation(stop=asyncio.Event(), environ={}))  # type: ignore[arg-type]

    async def test_every_change_of_state_is_one_info_line(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "bot.serving")
        platform = FakePlatform()
        async with running(FakeApp((platform,))):
            await platform.listening.wait()
            for state in ("connected", "reconnecting", "reconnecting", "connected"):
                platform.on_state(state)
        lines = [m for m in caplog.messages if m.startswith("fake (default)")]
        states = ["connected", "reconnecting", "connected", "stopped"]
        assert lines == [f"fake (default): {state}" for state in states]


class TestStopping:
    async def test_a_running_answer_is_delivered_before_the_platform_is_closed(self) -> None:
        journal: list[str] = []
        platform = FakePlatform(journal=journal)
        app = FakeApp((platform,))
        async with running(app) as operation:
            await platform.say("hang")
            await app.gateway.waiting.wait()
            operation.stop.set()
            await platform.deaf.wait()
            assert platform.delivered == []
            app.gateway.release.set()
        assert journal == ["fake no longer listens", "fake delivers", "fake closed"]
        assert app.inbox.items[1].state is InboxState.DONE

    async def test_an_answer_that_takes_too_long_stays_for_the_next_start(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        platform = FakePlatform()
        app = FakeApp((platform,))
        async with running(app, drain_seconds=0.01):
            await platform.say("hang")
            await app.gateway.waiting.wait()
        assert app.gateway.cancelled == 1
        assert app.inbox.items[1].state is InboxState.NEW
        assert "fake (default): 1 not answered in time; the next start takes them up." in caplog.messages

    async def test_cancelling_waits_for_no_answer(self) -> None:
        platform = FakePlatform()
        app = FakeApp((platform,))
        serving = asyncio.create_task(serve(app, Operation(stop=asyncio.Event(), environ={})))  # type: ignore[arg-type]
        async with asyncio.timeout(PATIENCE):
            await platform.say("hang")
            await app.gateway.waiting.wait()
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
        assert platform.closed
        assert app.inbox.items[1].state is InboxState.NEW

    async def test_a_platform_that_cannot_be_closed_does_not_keep_the_others_open(self) -> None:
        class Stuck(FakePlatform):
            async def close(self) -> None:
                raise OSError("no")

        other = FakePlatform("other")
        async with running(FakeApp((Stuck("stuck"), other))):
            await other.listening.wait()
        assert other.closed


class TestHealth:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("127.0.0.1:18789", ("127.0.0.1", 18789)),
            ("[::1]:1", ("::1", 1)),
            ("localhost:0", ("127.0.0.1", 0)),
            ("127.8.9.1:80", ("127.8.9.1", 80)),
        ],
    )
    def test_loopback_is_where_health_is_served(self, text: str, address: tuple[str, int]) -> None:
        assert loopback_address(text) == address

    @pytest.mark.parametrize(
        "text", ["0.0.0.0:80", "192.168.1.2:80", "[::]:80", "example.com:80", ":80", "80", "127.0.0.1:", "127.0.0.1:x"]
    )
    def test_any_other_address_is_refused_with_the_setting(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"^gateway\.listen: "):
            loopback_address(text)

    async def test_a_taken_port_is_told_with_the_setting(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(ConfigError, match=r"gateway\.listen: .* cannot be listened on"):
                async with running(FakeApp((FakePlatform(),)), listen=listen):
                    pass

    async def test_ready_means_every_platform_connected_and_the_database_answering(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Inbox(FakeInbox):
            broken = False

            async def get_mark(self, platform: str, account: str) -> str | None:
                if self.broken:
                    raise StorageError("storage", "The database is locked.")
                return None

        one, two, inbox = FakePlatform("one"), FakePlatform("two"), Inbox()
        caplog.set_level(logging.INFO, "bot.run")
        async with running(FakeApp((one, two), inbox=inbox), listen="127.0.0.1:0") as operation:
            await one.listening.wait()
            await two.listening.wait()
            address = ("127.0.0.1", int(caplog.messages[0].rsplit(":", 1)[1].removesuffix("/readyz.")))
            states = {"one (default)": "connected", "two (default)": "connected"}
            assert await get(address, "/readyz") == (
                200,
                {"status": "ready", "reasons": [], "platforms": states, "notes": []},
            )
            two.on_state("disconnected: no route")
            inbox.broken = True
            status, body = await get(address, "/readyz?verbose=1")
            assert status == 503
            assert body["reasons"] == ["two (default): disconnected: no route", "database: The database is locked."]
            assert await get(address, "/healthz") == (200, {"status": "ok"})
            assert not operation.stop.is_set()

    async def test_an_unresolved_secret_is_named_and_not_ready(self, caplog: pytest.LogCaptureFixture) -> None:
        platform = FakePlatform()
        app = FakeApp((platform,))
        ref = SecretRef("env", "default", "NOT_SET")
        work = AuthProfile(
            id="acme:work", provider="acme", kind=CredentialKind.API_KEY, ref=ref, ref_error="is not set"
        )
        app.profiles.put(work)
        caplog.set_level(logging.INFO, "bot.run")
        async with running(app, listen="127.0.0.1:0"):
            await platform.listening.wait()
            address = ("127.0.0.1", int(caplog.messages[0].rsplit(":", 1)[1].removesuffix("/readyz.")))
            status, body = await get(address, "/readyz")
            assert (status, body["reasons"]) == (503, ["secret of acme:work: not resolved"])
            app.profiles.put(replace(work, secret=Secret("sk-now-it-is-there")))
            assert (await get(address, "/readyz"))[0] == 200

    async def test_nothing_but_get_and_its_three_pages_is_offered(self, caplog: pytest.LogCaptureFixture) -> None:
        platform = FakePlatform()
        caplog.set_level(logging.INFO, "bot.run")
        async with running(FakeApp((platform,)), listen="127.0.0.1:0"):
            await platform.listening.wait()
            address = ("127.0.0.1", int(caplog.messages[0].rsplit(":", 1)[1].removesuffix("/readyz.")))
            status, body = await get(address, "/favicon.ico")
            assert (status, body["paths"]) == (404, ["/healthz", "/readyz", "/metrics"])
            for path in ("/healthz", "/metrics"):
                assert (await request(address, f"DELETE {path} HTTP/1.1\r\n\r\n"))[0] == 405
            status, headers, _ = await request(address, "POST /healthz HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
            assert (status, headers["allow"]) == (405, "get, head")
            for nonsense in (b"\r\n\r\n", b"\x16\x03\x01\x00\n\n", b"GET " + b"x" * 100_000):
                _, writer = await asyncio.open_connection(*address)
                writer.write(nonsense)
                writer.close()
            assert (await get(address, "/healthz"))[0] == 200


class TestInstance:
    def test_a_second_gateway_is_refused_with_the_first_ones_pid(self, state_dir: Path) -> None:
        with (
            only_instance(state_dir),
            pytest.raises(StoreError, match=rf"pid {os.getpid()}\) already serves") as caught,
            only_instance(state_dir),
        ):
            pass
        assert caught.value.code == "gateway_running"
        with only_instance(state_dir):
            assert (state_dir / "gateway.lock").stat().st_mode & 0o777 == 0o600

    def test_a_state_directory_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"gateway\.lock cannot be written"), only_instance(tmp_path / "none"):
            pass

    @pytest.mark.parametrize("prefix", ["", "@"])
    def test_the_service_manager_hears_of_the_state(self, prefix: str, tmp_path: Path) -> None:
        name = f"{prefix}{tmp_path}/notify" if not prefix else f"@remoteclaw-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(PATIENCE)
            manager.bind(f"\0{name[1:]}" if prefix else name)
            tell_service_manager("READY=1", {"NOTIFY_SOCKET": name})
            assert manager.recv(100) == b"READY=1"

    def test_without_a_service_manager_nobody_is_told(self, tmp_path: Path) -> None:
        tell_service_manager("READY=1", {})
        tell_service_manager("READY=1", {"NOTIFY_SOCKET": f"{tmp_path}/gone"})
        tell_service_manager("READY=1", {"NOTIFY_SOCKET": "vsock:2:1"})


class TestProcess:
    """The real thing in a process of its own: its database, its lock, its signals."""

    @pytest.fixture(autouse=True)
    def _installation(self, state_dir: Path) -> None:
        config = """
            [models.providers.acme]
            base_url = "http://127.0.0.1:9/v1"
            api = "openai-completions"
            models = ["small"]
            auth = "none"
            [agents.defaults]
            model = "acme/small"
            [access]
            owners = ["telegram:1"]
        """
        (state_dir / "config.toml").write_text(config)

    def start(self, *command: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-m", *command], env=environment, **streams)  # type: ignore[call-overload, no-any-return]

    def gateway(self, *texts: str) -> subprocess.Popen[str]:
        return self.start("tests.fakes.gateway_process", *texts)

    def test_sigterm_lets_a_running_answer_end_and_exits_with_0(self) -> None:
        with self.gateway("please hold") as process:
            assert process.stdout
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "delivered answer to please hold\n"
            assert process.wait(PATIENCE) == 0

    def test_a_second_signal_stops_at_once_and_the_next_start_answers(self) -> None:
        with self.gateway("hold on, never mind") as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            while "Stopping" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 130
            assert "Traceback" not in process.stderr.read()
        with self.gateway() as process:
            assert process.stdout
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)

    def test_ctrl_c_exits_with_130(self) -> None:
        with self.gateway("hi") as process:
            assert process.stdout
            assert [process.stdout.readline() for _ in range(2)] == ["asked\n", "delivered answer to hi\n"]
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130

    def test_a_second_gateway_on_the_same_state_is_refused(self) -> None:
        with self.gateway("hi") as first:
            assert first.stdout
            assert first.stdout.readline() == "asked\n"
            with self.start("bot", "gateway") as second:
                _, told = second.communicate(timeout=PATIENCE)
            assert second.returncode == 1
            assert told.startswith(f"remoteclaw: A gateway (pid {first.pid}) already serves ")
            assert len(told.splitlines()) == 1
            first.send_signal(signal.SIGTERM)
            assert first.wait(PATIENCE) == 0

    def test_without_an_enabled_platform_it_says_what_to_set(self) -> None:
        with self.start("bot", "gateway") as process:
            _, told = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
        assert "channels: no chat platform is enabled." in told
        assert len(told.splitlines()) == 1
