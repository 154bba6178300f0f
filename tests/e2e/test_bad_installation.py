"""What a damaged or wrong installation is told: which file or setting, why, and what to do. Never a traceback."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Ended, Installation, error, turn
from tests.fakes.provider_server import ThreadedProviderServer

COMMANDS = [("chat", "-m", "hi"), ("models", "status"), ("gateway",), ("config", "validate")]


def is_a_sentence(ended: Ended, lines: int = 1) -> bool:
    """It failed, with at most so many lines and without a traceback."""
    told = ended.err.splitlines()
    return (
        (ended.code, ended.out) == (1, "")
        and 0 < len(told) <= lines
        and told[0].startswith("remoteclaw: ")
        and "Traceback" not in ended.err
    )


class TestConfig:
    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
    def test_without_one_it_says_how_to_make_one(self, house: Installation, command: tuple[str, ...]) -> None:
        (house.state / "config.toml").unlink()
        ended = house.run(*command)
        assert is_a_sentence(ended), ended
        assert "remoteclaw onboard" in ended.err
        assert "make demo" in ended.err
        assert not house.database.exists()

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ('[models.providers.acme]\nbase_url = "http://127.0.0.1/"\napi = "smoke-signals"', "models.providers.acme.api"),
            ('[models.providers.acme]\nbase_url = "nonsense"', "models.providers.acme.base_url"),
            ('[failover]\ndeadline = 90', "failover.deadline"),
            ('[failover]\ndeadlines = "90s"', "failover.deadlines"),
            ('[access]\nowners = ["telegram:ada"]', "access.owners"),
            ('[channels.telegram]\ntoken = "1:${NOT_SET_ANYWHERE}"', "channels.telegram.token"),
            ('[models.providers.acme]\nbase_url = "http://127.0.0.1/${NOT_SET_ANYWHERE}"', "models.providers.acme.base_url"),
            ('[gateway]\nlisten = "18789"', "gateway.listen"),
            ('[agents.defaults]\nmodel = "nobody/nothing"', "agents.defaults.model"),
            ('[agents.defaults\nmodel = "x"', "line"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named_by_its_dotted_path(self, house: Installation, text: str, path: str) -> None:
        (house.state / "config.toml").write_text(text)
        ended = house.run("chat", "-m", "hi")
        assert is_a_sentence(ended, lines=4), ended
        assert path in ended.err
        assert str(house.state / "config.toml") in ended.err or path == "agents.defaults.model"
        assert not house.database.exists(), "a wrong configuration starts nothing"

    def test_a_token_whose_variable_is_missing_stops_the_gateway_alone(self, house: Installation) -> None:
        config = house.state / "config.toml"
        config.write_text(f'{config.read_text()}\n[channels.telegram]\ntoken = "${{NOT_SET_ANYWHERE}}"\n')
        ended = house.run("gateway")
        assert is_a_sentence(ended), ended
        assert "channels.telegram.token: The environment variable NOT_SET_ANYWHERE is missing or empty." in ended.err
        assert house.run("models", "status").code == 0

    def test_all_mistakes_are_told_at_once(self, house: Installation) -> None:
        (house.state / "config.toml").write_text(
            '[failover]\ndeadline = "soon"\n[acces]\nowners = []\n[log]\nlevel = 3\n'
        )
        ended = house.run("config", "validate")
        assert is_a_sentence(ended, lines=6)
        assert all(path in ended.err for path in ("failover.deadline", "acces", "log.level"))


def test_an_address_for_health_that_others_could_reach_is_refused(house: Installation) -> None:
    with_platform(house)
    with (house.state / "config.toml").open("a") as config:
        config.write('[gateway]\nlisten = "0.0.0.0:18789"\n')
    ended = house.run("gateway")
    assert "gateway.listen: 0.0.0.0 is not a loopback address." in ended.err
    assert ended.code == 1


class TestProfileStore:
    def spoil(self, house: Installation, how: str) -> None:
        match how:
            case "broken":
                house.write_store('{"version": 1, "profiles": {"acme:work": {"key": "sk-half')
            case "empty":
                house.write_store("")
            case "directory":
                house.store.unlink()
                house.store.mkdir()
            case "open":
                house.store.chmod(0o644)
            case "list":
                house.write_store("[]")

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ("broken", "is not valid JSON"),
            ("empty", "is empty"),
            ("directory", "is not a regular file"),
            ("open", "chmod 600"),
            ("list", "is not a JSON object"),
        ],
    )
    def test_one_that_cannot_be_used_is_named_and_no_other_key_slips_in(
        self, house: Installation, server: ThreadedProviderServer, how: str, why: str
    ) -> None:
        self.spoil(house, how)
        events = house.say("hi", "/model status")
        assert error(events[:1]) == "no_credentials"
        assert f"Note: {house.store}" in events[-1]["text"]
        assert why in events[-1]["text"]
        assert "sk-half" not in str(events)
        found = house.run("models", "status", "--json")
        assert found.code == 0
        assert [why in problem for problem in found.json["problems"]] == [True]
        assert not server.seen

    def test_it_serves_again_as_soon_as_it_is_mended(self, house: Installation, server: ThreadedProviderServer) -> None:
        self.spoil(house, "open")
        with house.chat() as chat:
            assert error(chat.say("hi")) == "no_credentials"
            house.store.chmod(0o600)
            assert turn(chat.say("hi"))["profile"] == "acme:work"

    def test_a_bad_entry_is_named_and_the_good_ones_serve(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.write_store(
            '{"version": 1, "profiles": {"acme:odd": {"type": "carrier-pigeon", "provider": "acme"}, "acme:seven": 7,'
            ' "acme:work": {"type": "api_key", "provider": "acme", "key": "sk-the-good-one"}}}'
        )
        events = house.say("hi", "/model status")
        assert turn(events)["profile"] == "acme:work"
        assert server.seen[0].key == "sk-the-good-one"
        for name in ("acme:odd", "acme:seven"):
            assert f"{house.store}: profile '{name}' is not used" in events[-1]["text"]


class TestDatabase:
    def test_one_of_a_later_version_is_left_untouched(self, house: Installation) -> None:
        house.run("db", "upgrade")
        with closing(sqlite3.connect(house.database, isolation_level=None)) as db:
            db.execute("pragma journal_mode = delete")
            db.execute("update alembic_version set version_num = '9999'")
        before = house.database.read_bytes()
        for command in (("chat", "-m", "hi"), ("db", "upgrade"), ("gateway",)):
            if command == ("gateway",):
                with_platform(house)
            ended = house.run(*command)
            assert is_a_sentence(ended), ended
            assert str(house.database) in ended.err
            assert "newer" in ended.err or "later" in ended.err
        assert house.database.read_bytes() == before

    @pytest.mark.parametrize(
        "content", [b"this is no database, but a letter\n" * 50, b"SQLite format 3\0" + b"\xff" * 5000]
    )
    def test_a_file_that_is_no_database_is_left_untouched(self, house: Installation, content: bytes) -> None:
        house.database.write_bytes(content)
        ended = house.run("chat", "-m", "hi")
        assert is_a_sentence(ended), ended
        assert str(house.database) in ended.err
        assert house.database.read_bytes() == content

    def test_a_directory_in_its_place_is_told(self, house: Installation) -> None:
        house.database.mkdir()
        ended = house.run("chat", "-m", "hi")
        assert is_a_sentence(ended), ended
        assert str(house.database) in ended.err


UNPRIVILEGED = """
import ctypes, os, sys
for capability in (1, 2):  # even root is now bound by permissions
    os.geteuid() or ctypes.CDLL(None).prctl(24, capability) == 0 or sys.exit("capabilities cannot be dropped")
os.execv(sys.executable, [sys.executable, "-m", "bot", *sys.argv[1:]])
"""


def with_platform(house: Installation) -> None:
    with (house.state / "config.toml").open("a") as config:
        config.write('\n[channels.telegram]\ntoken = "1:x"\napi_base_url = "http://127.0.0.1:9"\n')


class TestStateDirectory:
    @pytest.mark.parametrize("command", [("chat", "-m", "hi"), ("gateway",), ("db", "upgrade")])
    def test_a_file_in_its_place_is_told(self, house: Installation, tmp_path: Path, command: tuple[str, ...]) -> None:
        in_its_place = tmp_path / "occupied"
        in_its_place.write_text("")
        config = str(house.state / "config.toml")
        ended = house.run(*command, REMOTECLAW_STATE_DIR=str(in_its_place), REMOTECLAW_CONFIG_PATH=config)
        assert is_a_sentence(ended), ended
        assert str(in_its_place) in ended.err
        assert "REMOTECLAW_STATE_DIR" in ended.err

    def test_one_that_cannot_be_made_is_told(self, house: Installation) -> None:
        config = str(house.state / "config.toml")
        ended = house.run("chat", "-m", "hi", REMOTECLAW_STATE_DIR="/proc/nobody", REMOTECLAW_CONFIG_PATH=config)
        assert is_a_sentence(ended), ended
        assert "/proc/nobody" in ended.err

    @pytest.mark.parametrize("command", [("chat", "-m", "hi"), ("db", "upgrade"), ("gateway",)])
    def test_one_that_cannot_be_written_is_told(self, house: Installation, command: tuple[str, ...]) -> None:
        with_platform(house)
        house.state.chmod(0o500)
        house.command = [sys.executable, "-c", UNPRIVILEGED]
        ended = house.run(*command)
        house.state.chmod(0o700)
        assert is_a_sentence(ended), ended
        assert str(house.state) in ended.err

    def test_one_that_is_open_to_others_is_said_and_serves(self, house: Installation) -> None:
        house.state.chmod(0o755)
        events = house.say("hi", "/model status")
        assert turn(events)["outcome"] == "ok"
        assert f"chmod 700 {house.state}" in events[-1]["text"]


def test_no_provider_is_told_with_the_next_step(house: Installation) -> None:
    (house.state / "config.toml").write_text("")
    house.keep({})
    ended = house.run("chat", "-m", "hi")
    assert is_a_sentence(ended), ended
    assert "remoteclaw onboard" in ended.err
    assert "make demo" in ended.err


def test_a_key_without_a_profile_store_is_enough(house: Installation, server: ThreadedProviderServer) -> None:
    house.store.unlink()
    house.say("hi", ACME_API_KEY=KEYS["acme:work"])
    assert [seen.key for seen in server.seen] == [KEYS["acme:work"]]
