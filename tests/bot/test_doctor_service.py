"""What the doctor says of the gateway, of the file that starts it, and of the variables that it sees."""

import socket
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bot.control import SOCKET
from tests.bot.doctor_damages import unit
from tests.bot.doctor_house import CANARY, House

KEY = f"sk-{CANARY}"


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(state_dir, capsys)


def variables(house: House) -> set[tuple[str, str, str]]:
    """What is told of variables: check, verdict, name."""
    found = house.checks()[1]
    return {
        (c["id"], c["verdict"], c["about"]) for c in found if c["id"].startswith("service.") and c["verdict"] != "ok"
    }


class TestVariables:
    def test_a_key_of_this_shell_alone_is_told_with_where_it_belongs(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_API_KEY", KEY)
        (check,) = [check for check in house.checks()[1] if check["id"] == "service.variable"]
        assert check["verdict"] == "note"
        assert check["text"] == "ACME_API_KEY is set in this shell alone: a service would not have it."
        assert str(house.state / ".env") in check["next"]

    @pytest.mark.parametrize("has_unit", [False, True])
    @pytest.mark.parametrize("place", [".env", "config.toml"])
    def test_one_that_a_service_finds_in_a_file_is_not_of_this_shell_alone(
        self, place: str, has_unit: bool, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = f"\nACME_API_KEY={KEY}\n" if place == ".env" else f'\n[env.vars]\nACME_API_KEY = "{KEY}"\n'
        house.write(place, (house.state / place).read_text() + line)
        monkeypatch.setenv("ACME_API_KEY", KEY)
        if has_unit:
            unit(house, Path("/bin/sh"))
        assert variables(house) == set()

    def test_what_every_service_has_is_not_told(self, house: House) -> None:
        house.configure("http://127.0.0.1:9/v1", "http://127.0.0.1:9/${HOME}")
        assert variables(house) == set()

    @pytest.mark.parametrize("in_place", ["unit", "drop-in", "file of a drop-in"])
    def test_with_a_unit_it_is_a_warning_unless_the_unit_sets_it(
        self, in_place: str, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = unit(house, Path("/bin/sh"))
        monkeypatch.setenv("ACME_API_KEY", KEY)
        assert variables(house) == {("service.variable", "warning", "ACME_API_KEY")}
        drop_in = path.with_name(f"{path.name}.d")
        drop_in.mkdir()
        if in_place == "unit":
            path.write_text(path.read_text().replace("UMask", f'Environment="ACME_API_KEY={KEY}"\nUMask'))
        elif in_place == "drop-in":
            (drop_in / "mine.conf").write_text(f"[Service]\nEnvironment=ACME_API_KEY={KEY}\n")
        else:
            file = house.write("more.env", f"ACME_API_KEY='{KEY}'\n")
            (drop_in / "mine.conf").write_text(f"[Service]\nEnvironmentFile=-{file}\n")
        assert variables(house) == set()

    def test_what_only_the_unit_sets_is_told_and_what_another_drop_in_takes_back_is_not(self, house: House) -> None:
        path = unit(house, Path("/bin/sh"))
        drop_in = path.with_name(f"{path.name}.d")
        drop_in.mkdir()
        (drop_in / "10.conf").write_text(f"[Service]\nEnvironment=ACME_API_KEY={KEY}\n")
        assert variables(house) == {("service.elsewhere", "note", "ACME_API_KEY")}
        (drop_in / "20.conf").write_text("[Service]\nEnvironment=\n")
        assert variables(house) == set()


class TestUnit:
    def test_one_without_a_program_is_told_so(self, house: House) -> None:
        path = unit(house, Path("/bin/sh"))
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "ExecStart" not in line))
        (told,) = [check["text"] for check in house.checks()[1] if check["id"] == "service.program"]
        assert told == f"{path} starts no program."


class TestAGatewayThatIsThere:
    @pytest.fixture
    def hanging(self, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """One that takes connections and says nothing, as a stopped process does."""
        (house.state / "gateway.lock").write_text("0\n")
        monkeypatch.chdir(house.state)  # a socket's path must be short
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(SOCKET)
            listener.listen()
            yield

    @pytest.mark.usefixtures("hanging")
    def test_one_that_does_not_answer_is_no_gateway_that_serves(self, house: House) -> None:
        house.write(".env", "")
        found = {check["id"]: check for check in house.checks()[1]}
        assert found["service.silent"]["verdict"] == "error"
        assert "service.gateway" not in found
        told = found["telegram.token"]  # whether it has one cannot be seen from here
        assert told["verdict"] == "warning"
        assert "does not start" not in told["text"]


class Unready(BaseHTTPRequestHandler):
    """`/readyz` of a gateway that is not ready."""

    def do_GET(self) -> None:
        content = b'{"reasons": ["telegram (default): is not connected.", "the database does not answer"]}'
        self.send_response_only(503)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_the_reasons_of_readyz_are_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.state)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(SOCKET)
    listener.listen()

    def answer() -> None:
        channel, _ = listener.accept()
        with channel:
            channel.recv(4096)
            channel.sendall(b'{"ok": true}\n')

    with closing(listener), ThreadingHTTPServer(("127.0.0.1", 0), Unready) as server:
        house.configure("", f'[gateway]\nlisten = "127.0.0.1:{server.server_port}"\n')
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        threads = [Thread(target=answer, daemon=True), serving]
        for thread in threads:
            thread.start()
        (told,) = [check["text"] for check in house.checks()[1] if check["id"] == "service.unready"]
        server.shutdown()
        for thread in threads:
            thread.join()
    assert told == "The gateway is not ready: telegram (default): is not connected; the database does not answer."
