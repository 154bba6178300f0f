"""An operator beside a running gateway: its numbers, its signs of life, its sessions, and a word to the owners."""

import http.client
import json
import os
import re
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.installation import KEYS, PATIENCE, Gateway, Installation, until
from tests.e2e.telegram_stage import ONE, TWO, Stage
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("operations")

SESSION = "agent:main:telegram:default:direct:1001"
QUESTION = "how-is-the-weather-in-bergen"


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        config = stage.house.state / "config.toml"
        config.write_text(config.read_text() + '\n[gateway]\nlisten = "127.0.0.1:0"\n')
        yield stage


class Manager:
    """The service manager's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(PATIENCE)

    def hears(self) -> str:
        return self._socket.recv(200).decode()

    def drains(self) -> None:
        """Forget what was told so far."""
        self._socket.settimeout(0)
        try:
            while True:
                self._socket.recv(200)
        except BlockingIOError:
            self._socket.settimeout(PATIENCE)

    def is_told_nothing_for(self, seconds: float) -> bool:
        self.drains()
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(200)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def address(gateway: Gateway) -> tuple[str, int]:
    found = re.search(r"http://([^:]+):(\d+)/readyz", gateway.says("Health is answered"))
    assert found
    return found[1], int(found[2])


def page(gateway: Gateway) -> tuple[str, str]:
    connection = http.client.HTTPConnection(*address(gateway), timeout=PATIENCE)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        return str(answer.getheader("Content-Type")), answer.read().decode()
    finally:
        connection.close()


def numbers(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by name and labels, as an independent parser reads the page."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def number(gateway: Gateway, name: str, **labels: str) -> float | None:
    return numbers(page(gateway)[1]).get((f"remoteclaw_{name}", frozenset(labels.items())))


class TestMetrics:
    def test_turns_attempts_credentials_and_deliveries_are_counted_and_nobody_is_named(self, stage: Stage) -> None:
        chat = stage.telegram.private(stage.ada)
        with stage.gateway() as gateway:
            end = stage.serves(stage.ada, chat, QUESTION)
            (served,) = [key for key in KEYS.values() if key.endswith(end)]
            stage.provider.script[served] = [status(429, {"retry-after": "3600"})]
            assert stage.serves(stage.ada, chat, f"{QUESTION} again") != end
            until(lambda: number(gateway, "turns_total", outcome="ok") == 2)
            assert number(gateway, "attempts_total", provider="acme", outcome="ok") == 2
            assert number(gateway, "attempts_total", provider="acme", outcome="rate_limit") == 1
            assert number(gateway, "turn_seconds_count", outcome="ok") == 2
            assert number(gateway, "credentials", provider="acme", state="cooling") == 1
            assert number(gateway, "credentials", provider="acme", state="ready") == 1
            assert number(gateway, "platform_connected", platform="telegram") == 1
            assert number(gateway, "database_up") == 1
            until(
                lambda: (
                    number(gateway, "deliveries_total", platform="telegram", kind="answer", outcome="delivered") == 2
                )
            )
            kind, text = page(gateway)
            assert kind == "text/plain; version=0.0.4; charset=utf-8"
            out = [labels for name, labels in numbers(text) if name == "remoteclaw_credential_out_until_seconds"]
            assert [dict(labels)["reason"] for labels in out] == ["rate_limit"]
            assert re.fullmatch(r"[0-9a-f]{8}", dict(out[0])["credential"])
            assert 'remoteclaw_build_info{python="' in text
            for private in (*KEYS, *KEYS.values(), ONE, TWO, QUESTION, ":1001", "Ada", stage.telegram.token):
                assert private not in text

    def test_what_waits_in_the_inbox_is_counted_while_it_waits(self, stage: Stage) -> None:
        chat = stage.telegram.private(stage.ada)
        with stage.gateway() as gateway:
            assert number(gateway, "inbox_items", platform="telegram", state="new") == 0
            gate = stage.telegram.hold("sendMessage")
            stage.ada.says(chat, "/whoami")
            until(lambda: number(gateway, "inbox_items", platform="telegram", state="new") == 1)
            gate.open()
            until(lambda: number(gateway, "inbox_items", platform="telegram", state="new") == 0)


class TestServiceManager:
    def test_signs_of_life_come_at_half_the_interval_until_the_process_hangs(
        self, stage: Stage, manager: Manager
    ) -> None:
        with Gateway(stage.house, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000") as gateway:
            assert manager.hears() == "READY=1"
            assert [manager.hears() for _ in range(3)] == ["WATCHDOG=1"] * 3
            os.kill(gateway.process.pid, signal.SIGSTOP)
            os.waitpid(gateway.process.pid, os.WUNTRACED)
            assert manager.is_told_nothing_for(0.6)
            os.kill(gateway.process.pid, signal.SIGCONT)
            assert manager.hears() == "WATCHDOG=1"
            gateway.process.send_signal(signal.SIGTERM)
            until(lambda: manager.hears() == "STOPPING=1")
            assert gateway.process.wait(PATIENCE) == 0

    def test_one_that_is_ended_by_its_watchdog_shows_where_it_stood_and_leaves_no_core(self, stage: Stage) -> None:
        """A manager sends SIGABRT. The core of a process would hold every credential in clear."""
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        try:
            gateway = stage.gateway()
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limits)
        with gateway:
            gateway.says("Health is answered")
            assert "Max core file size        0 " in Path(f"/proc/{gateway.process.pid}/limits").read_text()
            gateway.process.send_signal(signal.SIGABRT)
            assert gateway.process.wait(PATIENCE) == -signal.SIGABRT
        assert "Fatal Python error: Aborted\n" in gateway.log
        assert not any(private in "".join(gateway.log) for private in (*KEYS.values(), stage.telegram.token))

    def test_a_watchdog_that_means_another_process_is_told_nothing(self, stage: Stage, manager: Manager) -> None:
        with Gateway(stage.house, NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000", WATCHDOG_PID="1") as gateway:
            assert manager.hears() == "READY=1"
            gateway.says("connected")
            assert gateway.stop() == 0
            assert manager.hears() == "STOPPING=1"


class TestSessions:
    def test_a_session_is_shown_and_cleared_beside_the_gateway_and_its_chat_is_told(self, stage: Stage) -> None:
        chat = stage.telegram.private(stage.ada)
        with stage.gateway():
            stage.asks(stage.ada, chat, "/model large@acme:home strict")
            stage.serves(stage.ada, chat, QUESTION)
            until(lambda: stage.house.rows("select count(*) from history") == [(2,)])
            (row,) = stage.house.run("sessions", "list", "--json").json["sessions"]
            assert (row["session"], row["platform"], row["messages"]) == (SESSION, "telegram", 2)
            assert (row["model"]["ref"], row["pin"]["profile"], row["pin"]["mode"]) == (
                "acme/large",
                "acme:home",
                "strict",
            )
            shown = stage.house.run("sessions", "show", SESSION)
            assert "pinned strict by telegram:1001" in shown.out
            assert QUESTION not in shown.out + json.dumps(row)
            refused = stage.house.run("sessions", "clear", SESSION)
            assert (refused.code, stage.house.rows("select count(*) from history")) == (2, [(2,)])
            cleared = stage.house.run("sessions", "clear", SESSION, "--yes")
            assert (cleared.code, cleared.err) == (0, "")
            assert stage.house.rows("select count(*) from history") == [(0,)]
            before = len(stage.provider.seen)
            told = stage.asks(stage.ada, chat, "hello anew")
            assert told.text.startswith("acme/large@acme:home has ended: the operator has cleared it on the host.")
            assert "/model undo" in told.text
            until(lambda: len(stage.provider.seen) > before)
            request = stage.provider.seen[-1]
            assert QUESTION not in json.dumps(request.body)
            assert request.body["model"] == "small"


class TestNotify:
    def test_the_owners_are_told_once_and_others_are_not(self, stage: Stage) -> None:
        ada, bob = stage.telegram.private(stage.ada), stage.telegram.private(stage.bob)
        with stage.gateway():
            done = stage.house.run("notify", "--once", "disk", "the disk is nearly full")
            assert (done.code, done.out) == (0, "Told to 1 of 1 owners.\n")
            done = stage.house.run("notify", "--once", "disk", "the disk is nearly full, still")
            assert (done.code, done.out) == (0, "Told already to 1 of 1 owners: nothing was sent.\n")
            done = stage.house.run("notify", "--once", "disk", "--json", "the disk is nearly full, still")
            assert (done.code, done.json) == (0, {"owners": 1, "told": 0, "told_already": 1})
            again = stage.house.run("notify", typed="and another thing\n")
            assert again.code == 0
            stage.telegram.wait(lambda: len(ada.answers) == 2)
            assert [m.text for m in ada.answers] == ["the disk is nearly full", "and another thing"]
            assert bob.answers == []
            too_long = stage.house.run("notify", "x" * 2001)
            assert (too_long.code, too_long.out) == (1, "")
        gone = stage.house.run("notify", "hello")
        assert (gone.code, "No gateway serves" in gone.err) == (1, True)
