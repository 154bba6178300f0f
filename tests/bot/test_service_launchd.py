"""`remoteclaw service` with launchd."""

import os
import plistlib
import sys
from pathlib import Path

import pytest

from tests.bot.service_host import Host, make_host


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return make_host(tmp_path, state_dir, monkeypatch, capsys)


class TestLaunchd:
    def install(self, host: Host, *more: str) -> tuple[int, str, str]:
        return host.service("install", "--manager", "launchd", *more)

    def test_the_agent_is_a_property_list_that_keeps_the_gateway_alive(self, host: Host) -> None:
        host.tools.answer("launchctl", "bootout", err="Boot-out failed: 3: No such process", code=3)
        host.tools.answer("launchctl", "print", err="Could not find service", code=113)
        assert self.install(host)[0] == 0
        agent = plistlib.loads(host.agent.read_bytes())
        program = Path(sys.executable).parent / "remoteclaw"
        assert agent["Label"] == "remoteclaw"
        assert agent["ProgramArguments"] == [str(program), "gateway"]
        assert agent["KeepAlive"] == {"SuccessfulExit": False}
        assert agent["ThrottleInterval"] == 10
        assert agent["SoftResourceLimits"] == agent["HardResourceLimits"] == {"Core": 0}
        assert agent["EnvironmentVariables"]["REMOTECLAW_STATE_DIR"] == str(host.state)
        assert agent["StandardErrorPath"] == str(host.state / "launchd.log")
        assert f"launchctl bootstrap gui/{os.getuid()} {host.agent}" in host.tools.calls()

    @pytest.mark.parametrize("verb", ["install", "restart"])
    def test_what_runs_is_taken_out_and_loaded_when_launchd_has_let_go_of_it(self, host: Host, verb: str) -> None:
        host.tools.answer("launchctl", "print", code=113)
        self.install(host)
        host.tools.calls()
        loaded = "state = running\n\tpid = 4711"
        host.tools.answer("launchctl", "print", out=loaded, first=3)
        host.tools.answer("launchctl", "bootout", err="Boot-out failed: 36: Operation now in progress", code=36)
        host.tools.answer("launchctl", "bootstrap", err="Bootstrap failed: 5: Input/output error", code=5, first=2)
        assert host.service(verb, "--manager", "launchd")[0] == 0
        verbs = [call.split()[1] for call in host.tools.calls()]
        assert verbs == ["print", "bootout", "print", "print", "print", *["bootstrap"] * 3, "print"]

    def test_status_restart_and_uninstall_go_by_what_launchd_knows(self, host: Host) -> None:
        host.tools.answer("launchctl", "print", err="Could not find service", code=113)
        code, _, err = host.service("restart", "--manager", "launchd")
        assert (code, f"There is no {host.agent}." in err) == (1, True)
        self.install(host)
        shown = "gui/501/remoteclaw = {\n\tstate = running\n\tpid = 4711\n\tlast exit code = 1\n}"
        host.tools.answer("launchctl", "print", out=shown, first=1)
        code, out, _ = host.service("status", "--manager", "launchd")
        assert (code, "State: running · pid 4711" in out, "Failed" in out) == (0, True, False)
        waits = "gui/501/remoteclaw = {\n\tstate = spawn scheduled\n\tlast exit code = 1\n}"
        (host.state / "launchd.log").write_text("begun\nremoteclaw: The vault is sealed.\n")
        host.tools.answer("launchctl", "print", out=waits, first=1)
        code, out, _ = host.service("status", "--manager", "launchd")
        assert (code, "Failed: exit code 1; its last line: remoteclaw: The vault is sealed." in out) == (1, True)
        assert host.service("uninstall", "--manager", "launchd")[0] == 0
        assert not host.agent.exists()
        assert host.service("status", "--manager", "launchd")[0] == 1

    def test_what_launchd_refuses_is_left_to_be_done_by_hand(self, host: Host) -> None:
        host.tools.answer("launchctl", "print", code=113)
        host.tools.answer("launchctl", "bootstrap", err="Bootstrap failed: 125: Domain does not support it", code=125)
        code, _, err = self.install(host)
        assert (code, "Run by hand: launchctl bootstrap" in err, "Bootstrap failed: 125" in err) == (1, True, True)
        assert [call.split()[1] for call in host.tools.calls()].count("bootstrap") == 1

    def test_what_cannot_be_stopped_is_not_removed(self, host: Host) -> None:
        host.tools.answer("launchctl", "print", code=113)
        self.install(host)
        host.tools.answer("launchctl", "bootout", err="Boot-out failed: 1: Operation not permitted", code=1)
        code, _, err = host.service("uninstall", "--manager", "launchd")
        assert (code, "Operation not permitted" in err, host.agent.exists()) == (1, True, True)

    def test_a_foreign_agent_is_not_touched(self, host: Host) -> None:
        host.agent.parent.mkdir(parents=True)
        host.agent.write_bytes(plistlib.dumps({"Label": "remoteclaw"}))
        code, _, err = self.install(host)
        assert (code, "was not made by" in err) == (1, True)

    def test_what_launchd_has_not_is_refused(self, host: Host) -> None:
        assert self.install(host, "--system")[0] == 2
        assert self.install(host, "--credential", f"a={host.state}/config.toml")[0] == 2
