"""`remoteclaw models auth logout`: nothing else comes into service without a word, and no name of it is left behind."""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.bot.test_models_auth import CONFIG, Host, key, served

ROOT = Path(__file__).parents[2]
THREE = {name: key("acme") for name in ("acme:a", "acme:b", "acme:c")}
NAME, LOGIN = "acme:me", {"type": "oauth", "provider": "acme", "access": "access-0", "refresh": "refresh-0"}
HAD = "the order of acme had only this one, so it is gone; now these serve:"


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(state_dir, capsys, monkeypatch)
    host.config.write_text(CONFIG)
    return host


def note(words: str) -> str:
    return f"remoteclaw: Note: {words}\n"


class TestServesNow:
    def test_the_last_one_of_an_order_says_who_serves_without_it(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        host.keep(THREE, order={"acme": ["acme:a"]})
        code, out, err = host.auth("logout", "acme:a", "--yes", "--json")
        assert (code, err) == (0, note(f"{HAD} acme:b, acme:c."))
        assert (json.loads(out)["serves_now"], json.loads(out)["orders_changed"]) == (["acme:b", "acme:c"], [])
        assert served(capsys) == {"acme:b", "acme:c"}

    def test_an_order_of_the_config_counts_like_one_of_the_store(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        host.keep(THREE)
        host.config.write_text(f'{CONFIG}[auth.order]\nacme = ["acme:a"]\n')
        assert host.auth("logout", "acme:a", "--yes")[2] == note(f"{HAD} acme:b, acme:c.")
        assert "acme:a" not in host.config.read_text()
        assert served(capsys) == {"acme:b", "acme:c"}

    def test_an_agents_order_gives_way_to_that_of_main(self, host: Host) -> None:
        host.keep(THREE, order={"acme": ["acme:b"]})
        host.keep({"acme:own": key("acme")}, agent="writer", order={"acme": ["acme:own"]})
        code, out, err = host.auth("logout", "acme:own", "--yes", "--agent", "writer", "--json")
        assert (code, err) == (0, note(f"{HAD} acme:b."))
        assert json.loads(out)["serves_now"] == ["acme:b"]

    def test_the_only_one_that_the_config_names_keeps_the_others_out_as_an_order_does(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        host.keep(THREE)
        host.config.write_text(f'{CONFIG}[auth.profiles."acme:a"]\nprovider = "acme"\n')
        err = host.auth("logout", "acme:a", "--yes")[2]
        assert err == note("without acme:a, these serve now: acme:b, acme:c.")
        assert served(capsys) == {"acme:b", "acme:c"}

    def test_a_key_of_the_environment_that_stands_in_is_told(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_API_KEY", "sk-of-the-environment")
        host.keep({"acme:a": key("acme")})
        assert host.auth("logout", "acme:a", "--yes")[2] == note("without acme:a, these serve now: env:ACME_API_KEY.")

    @pytest.mark.parametrize(
        "order", [pytest.param({}, id="no order"), pytest.param({"acme": ["acme:a", "acme:b"]}, id="one with another")]
    )
    def test_where_nothing_comes_into_service_nothing_is_said(self, host: Host, order: dict[str, Any]) -> None:
        host.keep(THREE, order=order)
        found = host.json("logout", "acme:a", "--yes")
        assert found["serves_now"] == (["acme:b"] if order else ["acme:b", "acme:c"])

    @pytest.mark.parametrize("said", [b"n\n", b"\xff\n"], ids=["no", "no text"])
    def test_it_is_told_before_anybody_agrees(self, host: Host, said: bytes) -> None:
        host.keep(THREE, order={"acme": ["acme:a"]})
        would = "the order of acme has only this one, so it would be gone; then these serve: acme:b, acme:c."
        code, out, err = host.auth("logout", "acme:a")
        assert (code, out) == (2, "")
        assert err == note(would) + "remoteclaw: Removing acme:a needs a yes. Add --yes.\n"
        before = host.store().read_bytes()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "PYTHONIOENCODING": "utf-8:strict"}
        command = ["-m", "bot", "models", "auth", "logout", "acme:a"]
        terminal: Any = pexpect.spawn(
            sys.executable, command, env=environment, encoding="utf-8", codec_errors="replace", timeout=20
        )
        terminal.expect_exact(would)
        terminal.expect_exact("[y/N] ")
        os.write(terminal.child_fd, said)
        terminal.expect_exact("Nothing was removed.")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert (terminal.exitstatus, host.store().read_bytes()) == (2, before)


class TestOtherAgents:
    def test_their_orders_lose_what_they_read_through(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.keep(THREE)
        host.keep({"acme:own": key("acme")}, agent="writer", order={"acme": ["acme:a", "acme:own"]})
        code, out, err = host.auth("logout", "acme:a", "--yes", "--json")
        assert (code, err) == (0, note("the order of acme at agent writer has lost it, too."))
        assert json.loads(out)["orders_changed"] == ["writer"]
        assert host.stored("writer")["order"] == {"acme": ["acme:own"]}

    def test_one_that_had_no_other_is_gone_and_told(self, host: Host) -> None:
        host.keep(THREE)
        host.keep({}, agent="writer", order={"acme": ["acme:a"]})
        err = host.auth("logout", "acme:a", "--yes")[2]
        assert err == note(
            "the order of acme at agent writer had only this one, so it is gone; now these serve: acme:b, acme:c."
        )
        assert "order" not in host.stored("writer")

    def test_what_an_agent_has_itself_keeps_its_place(self, host: Host) -> None:
        host.keep(THREE)
        host.keep({"acme:a": key("acme")}, agent="writer", order={"acme": ["acme:a"]})
        assert host.json("logout", "acme:a", "--yes")["orders_changed"] == []
        assert host.stored("writer")["order"] == {"acme": ["acme:a"]}

    def test_an_order_that_cannot_be_changed_is_told_and_what_is_done_is_done(self, host: Host) -> None:
        host.keep(THREE)
        host.keep({}, agent="writer", order={"acme": ["acme:a"]})
        lock = host.store("writer").with_name("auth-profiles.json.lock")
        lock.mkdir()  # nothing can take this away
        os.utime(lock, (1, 1))
        code, out, err = host.auth("logout", "acme:a", "--yes")
        assert (code, out) == (1, "")
        assert "The credential is removed, but an order still names it, of agent writer: " in err
        assert "acme:a" not in host.stored()["profiles"]


class TestWhatARefreshHasLeft:
    """A refresh that is killed leaves its tokens beside the stores (adapters.storage.refresh_record)."""

    def leave(self, host: Host) -> Path:
        digest = hashlib.sha256(NAME.encode()).hexdigest()[:16]
        before = hashlib.sha256(b"access-0\nrefresh-0").hexdigest()
        left = host.store().with_name(f".auth-profiles.json.{digest}.{before[:16]}.refreshed")
        left.touch(0o600)
        new = {"access": "access-1", "refresh": "refresh-1"}
        left.write_text(json.dumps({"profile": NAME, "provider": "acme", "before": before, "entry": new}))
        return left

    def test_goes_with_the_login(self, host: Host) -> None:
        host.keep({NAME: LOGIN})
        left = self.leave(host)
        assert host.does("logout", NAME, "--yes") == f"Removed auth profile: {NAME}\n"
        assert not left.exists()

    def test_stays_while_another_agent_has_the_same_login(self, host: Host) -> None:
        host.keep({NAME: LOGIN})
        host.keep({NAME: LOGIN}, agent="writer")
        left = self.leave(host)
        host.does("logout", NAME, "--yes")
        assert "access-1" in left.read_text()

    def test_goes_when_a_key_takes_the_place_of_the_login(self, host: Host) -> None:
        host.keep({NAME: LOGIN})
        left = self.leave(host)
        host.does("paste-api-key", "--provider", "acme", "--profile-id", NAME, given="sk-new-0123456789")
        assert not left.exists()

    def test_is_told_where_it_cannot_be_taken_away(self, host: Host) -> None:
        host.keep({NAME: LOGIN})
        left = self.leave(host)
        left.unlink()
        left.mkdir()  # nothing can take this away
        code, out, err = host.auth("logout", NAME, "--yes")
        assert (code, out) == (1, "")
        assert f"Tokens that an earlier refresh of {NAME} has left are still there: " in err
        assert str(left) in err
        assert NAME not in host.stored()["profiles"]
