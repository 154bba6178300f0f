"""The login of the Claude command line among the credentials: found, judged, preferred, left alone. Real files, no process."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.claude_cli.executable import Executable
from adapters.storage.guarded_file import GuardedFile
from adapters.storage.profile_file import AuthProfileFiles
from bot.claude_login import ClaudeLogin
from bot.claude_wiring import Claude
from bot.config.load import settings_from
from bot.paths import Paths
from core.auth.cli_login import LOGIN_ID, read_login
from core.auth.eligibility import Eligibility, judge
from core.auth.order import Placed, line
from core.auth.profiles import CredentialKind, ProfileSet
from core.resolution.credential_health import CredentialStatus, credential_health
from tests.fakes.claude_cli import FakeClaude, credentials
from tests.fakes.clock import START

HOUR = 3_600_000
NOW_MS = int(START.timestamp() * 1000)
ACCESS, REFRESH = "sk-ant-oat01-" + "a" * 80, "sk-ant-ort01-" + "r" * 80


class Host:
    """A home with the program and its login, and a state directory."""

    def __init__(self, home: Path, state: Path) -> None:
        self.home, self.state = home, state
        self.fake = FakeClaude(home / "fake")
        self.environ = {"HOME": str(home), "PATH": f"{self.fake.bin}:/usr/bin"}
        self.config: dict[str, Any] = {}

    @property
    def claude(self) -> Claude:
        return Claude(
            settings_from(self.config, self.environ), Paths(self.state, self.state / "config.toml"), self.environ
        )

    def keep(self, **profiles: dict[str, Any]) -> None:
        path = self.state / "agents" / "main" / "agent" / "auth-profiles.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1, "profiles": profiles}))
        path.chmod(0o600)

    def load(self) -> ProfileSet:
        return self.claude.with_login(AuthProfileFiles(self.state)).load("main")

    def line(
        self, provider: str, order: list[str] | None = None, configured: tuple[str, ...] = ()
    ) -> tuple[Placed, ...]:
        loaded = self.load()
        return line(provider, loaded, order, configured, lambda _: None, lambda _: None, START).placed()

    def names(self, provider: str, **more: Any) -> list[str]:
        return [one.id for one in self.line(provider, **more) if one.position is not None]


@pytest.fixture
def host(tmp_path: Path, state_dir: Path) -> Host:
    return Host(tmp_path / "home", state_dir)


def key(value: str = "sk-ant-api03-key") -> dict[str, Any]:
    return {"type": "api_key", "provider": "anthropic", "key": value}


def test_a_found_login_is_a_credential_of_the_command_line(host: Host) -> None:
    path = credentials(host.home / ".claude")
    found = host.load().profiles[LOGIN_ID]
    assert (found.provider, found.kind, found.source) == ("claude-cli", CredentialKind.CLI, str(path))
    assert (found.label, found.billing) == ("Claude max", "subscription")
    assert judge(found, "claude-cli", START) is Eligibility.OK
    assert host.load().problems == ()


def test_without_a_login_there_is_none_and_nothing_is_said(host: Host) -> None:
    assert host.load() == AuthProfileFiles(host.state).load("main")
    (host.home / ".claude").mkdir()
    (host.home / ".claude" / ".credentials.json").write_text('{"mcpOAuth": {}}')
    (host.home / ".claude" / ".credentials.json").chmod(0o600)
    assert (dict(host.load().profiles), host.load().problems) == ({}, ())


def test_the_programs_own_variable_says_where_its_login_is(host: Host, tmp_path: Path) -> None:
    credentials(tmp_path / "elsewhere")
    host.environ["CLAUDE_CONFIG_DIR"] = str(tmp_path / "elsewhere")
    assert LOGIN_ID in host.load().profiles


def test_neither_token_is_in_a_profile_that_is_shown_nor_written_to_the_store(host: Host) -> None:
    credentials(host.home / ".claude")
    host.keep()
    files = host.claude.with_login(AuthProfileFiles(host.state))
    shown = repr(files.load("main"))
    assert ACCESS not in shown
    assert REFRESH not in shown
    assert {secret.reveal() for secret in files.secrets()} >= {ACCESS, REFRESH}, "what must not be logged is known"
    assert all(ACCESS not in path.read_text(errors="replace") for path in host.state.rglob("*") if path.is_file())


def test_a_changed_file_is_seen_at_once_and_an_unchanged_one_gives_the_same_object(host: Host) -> None:
    path = credentials(host.home / ".claude")
    files = host.claude.with_login(AuthProfileFiles(host.state))
    first = files.load("main")
    assert files.load("main") is first
    credentials(host.home / ".claude", access="sk-ant-oat01-" + "b" * 80)
    second = files.load("main")
    assert second is not first
    assert second.profiles[LOGIN_ID].secret != first.profiles[LOGIN_ID].secret
    path.unlink()
    assert LOGIN_ID not in files.load("main").profiles


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("{", "is not valid JSON", id="broken"),
        pytest.param("", "is empty", id="empty"),
        pytest.param("[]", "is not a JSON object", id="a list"),
        pytest.param('{"claudeAiOauth": 5}', "claudeAiOauth is not an object", id="a number"),
        pytest.param('{"claudeAiOauth": {}}', "accessToken is missing", id="no token"),
        pytest.param('{"claudeAiOauth": {"accessToken": "  "}}', "accessToken is missing", id="a blank token"),
        pytest.param('{"claudeAiOauth": {"accessToken": "SECRET"}}', "expiresAt is not a time", id="no end"),
        pytest.param(
            '{"claudeAiOauth": {"accessToken": "SECRET", "expiresAt": "soon"}}', "expiresAt is not", id="a word"
        ),
        pytest.param('{"claudeAiOauth": {"accessToken": "SECRET", "expiresAt": 0}}', "expiresAt is not", id="zero"),
        pytest.param('{"claudeAiOauth": {"accessToken": "SECRET", "expiresAt": NaN}}', "expiresAt is not", id="NaN"),
        pytest.param('{"claudeAiOauth": {"accessToken": "SECRET", "expiresAt": true}}', "expiresAt is not", id="true"),
    ],
)
def test_a_broken_file_is_a_problem_that_names_it_and_shows_nothing_of_it(content: str, words: str, host: Host) -> None:
    path = credentials(host.home / ".claude")
    path.write_text(content)
    loaded = host.load()
    (problem,) = loaded.problems
    assert str(path) in problem
    assert words in problem
    assert "SECRET" not in problem
    assert LOGIN_ID not in loaded.profiles


def test_a_file_that_others_can_read_is_not_used(host: Host) -> None:
    path = credentials(host.home / ".claude")
    path.chmod(0o644)
    (problem,) = host.load().problems
    assert f"chmod 600 {path}" in problem


def test_a_login_without_its_program_is_shown_and_does_not_serve(host: Host) -> None:
    credentials(host.home / ".claude")
    host.keep(**{"anthropic:work": key()})
    host.fake.path.unlink()
    loaded = host.load()
    assert judge(loaded.profiles[LOGIN_ID], "claude-cli", START) is Eligibility.MISSING_CREDENTIAL
    (problem,) = loaded.problems
    assert problem.startswith(
        "anthropic:claude-cli does not serve: the command 'claude' of the Claude CLI was not found."
    )
    assert host.names("claude-cli") == []
    assert host.names("anthropic") == ["anthropic:work"]
    assert loaded.profiles[LOGIN_ID].billing is None, "what cannot serve keeps no key from serving"
    health = credential_health(loaded.profiles[LOGIN_ID], START)
    assert (health.status, health.reads, health.reason) == (
        CredentialStatus.MISSING,
        "missing",
        Eligibility.MISSING_CREDENTIAL,
    )


@pytest.mark.parametrize("place", [".local/bin", ".claude/local"])
def test_the_program_is_found_where_it_installs_itself(place: str, host: Host) -> None:
    """A service's PATH often lacks both."""
    credentials(host.home / ".claude")
    (host.home / place).mkdir(parents=True)
    (host.home / place / "claude").symlink_to(host.fake.path)
    host.environ["PATH"] = "/usr/bin:relative:"
    assert host.claude.executable() == str(host.home / place / "claude")


@pytest.mark.parametrize(
    ("command", "found"),
    [
        pytest.param("{bin}/claude", True, id="a path"),
        pytest.param("~/fake/bin/claude", True, id="below the home"),
        pytest.param("fake/bin/claude", False, id="a relative path"),
        pytest.param("claude-2", False, id="another name"),
        pytest.param("{bin}", False, id="a folder"),
    ],
)
def test_the_config_names_the_program(command: str, found: bool, host: Host) -> None:
    host.config = {"claude_cli": {"command": command.format(bin=host.fake.bin)}}
    assert (host.claude.executable() is not None) is found


def test_one_setting_leaves_the_login_alone(host: Host) -> None:
    credentials(host.home / ".claude")
    host.config = {"claude_cli": {"enabled": False}}
    assert LOGIN_ID not in host.load().profiles
    assert host.load().problems == ()


class TestExpiry:
    """credentials.md 9.4: with a refresh token it is a login that its program keeps alive, without one a token."""

    def test_a_login_that_its_program_renews_serves_after_its_access_token_has_ended(self, host: Host) -> None:
        credentials(host.home / ".claude", expiresAt=NOW_MS - HOUR)
        found = host.load().profiles[LOGIN_ID]
        assert judge(found, "claude-cli", START) is Eligibility.OK
        health = credential_health(found, START)
        assert (health.status, health.reads) == (CredentialStatus.OK, "expired, refreshable")
        assert found.refreshable is False, "the refresh token is not ours to spend"

    def test_a_login_that_nobody_renews_ends(self, host: Host) -> None:
        credentials(host.home / ".claude", refresh=None, expiresAt=NOW_MS - HOUR)
        found = host.load().profiles[LOGIN_ID]
        assert judge(found, "claude-cli", START) is judge(found, "anthropic", START) is Eligibility.EXPIRED
        assert credential_health(found, START).status is CredentialStatus.EXPIRED

    def test_one_that_ends_within_a_day_is_told(self, host: Host) -> None:
        credentials(host.home / ".claude", refresh=None, expiresAt=NOW_MS + HOUR)
        assert credential_health(host.load().profiles[LOGIN_ID], START).status is CredentialStatus.EXPIRING


class TestOrder:
    def test_it_is_the_only_credential_of_the_command_line(self, host: Host) -> None:
        credentials(host.home / ".claude")
        host.keep(**{"anthropic:work": key()})
        assert [one.id for one in host.line("claude-cli")] == [LOGIN_ID]

    def test_it_comes_first_for_anthropic(self, host: Host) -> None:
        credentials(host.home / ".claude")
        token = {"type": "token", "provider": "anthropic", "token": "sk-ant-oat01-" + "s" * 80}
        host.keep(**{"anthropic:work": key(), "anthropic:manual": token})
        assert host.names("anthropic") == [LOGIN_ID, "anthropic:manual", "anthropic:work"]

    def test_it_comes_first_where_the_config_names_profiles(self, host: Host) -> None:
        credentials(host.home / ".claude")
        host.keep(**{"anthropic:work": key(), "anthropic:home": key("b")})
        assert host.names("anthropic", configured=("anthropic:work",)) == [LOGIN_ID, "anthropic:work"]

    @pytest.mark.parametrize(
        "order", [["anthropic:work"], ["anthropic:work", LOGIN_ID], [LOGIN_ID], ["anthropic:gone"]]
    )
    def test_an_order_is_kept_as_it_is(self, order: list[str], host: Host) -> None:
        credentials(host.home / ".claude")
        host.keep(**{"anthropic:work": key()})
        wanted = [name for name in order if name != "anthropic:gone"]
        assert host.names("anthropic", order=order) == wanted

    def test_left_out_of_anthropics_order_it_serves_the_command_line_all_the_same(self, host: Host) -> None:
        credentials(host.home / ".claude")
        host.keep(**{"anthropic:work": key()})
        (out,) = [one for one in host.line("anthropic", order=["anthropic:work"]) if one.id == LOGIN_ID]
        assert out.reason is Eligibility.EXCLUDED_BY_AUTH_ORDER
        assert host.names("claude-cli") == [LOGIN_ID]

    @pytest.mark.parametrize(
        ("provider", "lends"),
        [
            pytest.param({"models": ["claude-opus-4-5"]}, True, id="a list of models"),
            pytest.param({"base_url": "https://api.anthropic.com"}, True, id="the same address"),
            pytest.param({"base_url": "https://proxy.example/anthropic"}, False, id="an address of the operator's own"),
            pytest.param({"base_url": "https://x.example", "api": "openai-completions"}, False, id="another kind"),
        ],
    )
    def test_where_the_operator_sends_anthropics_requests_elsewhere_it_does_not_go_round_that(
        self, provider: dict[str, Any], lends: bool, host: Host
    ) -> None:
        credentials(host.home / ".claude")
        host.config = {"models": {"providers": {"anthropic": provider}}}
        assert (LOGIN_ID in host.names("anthropic")) is lends
        assert host.names("claude-cli") == [LOGIN_ID]

    @pytest.mark.parametrize("provider", ["anthropic", "claude-cli"])
    def test_the_config_may_say_more_of_it_under_either_provider(
        self, provider: str, host: Host, state_dir: Path
    ) -> None:
        credentials(host.home / ".claude")
        profile = host.load().profiles[LOGIN_ID]
        named = type(profile)(**{f: getattr(profile, f) for f in profile.__slots__} | {"config_provider": provider})
        for asked in ("anthropic", "claude-cli"):
            assert judge(named, asked, START) is Eligibility.OK
        assert judge(named, "openai", START) is Eligibility.PROVIDER_MISMATCH


def test_a_stored_profile_of_an_older_version_gives_way_and_is_told(host: Host) -> None:
    credentials(host.home / ".claude")
    old = {"type": "oauth", "provider": "claude-cli", "access": "old", "refresh": "old", "expires": NOW_MS + HOUR}
    host.keep(**{LOGIN_ID: old})
    loaded = host.load()
    assert loaded.profiles[LOGIN_ID].kind is CredentialKind.CLI
    assert loaded.problems == (
        "anthropic:claude-cli is stored too, as older versions did. The login of the Claude CLI counts; see `remoteclaw doctor`.",
    )


def test_the_keychain_of_macos_is_told_as_not_readable(host: Host) -> None:
    login = ClaudeLogin(
        GuardedFile(host.home / ".claude" / ".credentials.json"),
        host.claude.executable,
        "claude",
        lends=True,
        has_keychain=True,
    )
    (problem,) = login.look().problems
    assert "keychain, which is not read" in problem
    assert 'models.providers.claude-cli.auth = "none"' in problem
    host.fake.path.unlink()
    assert login.look().problems == ()


@pytest.mark.parametrize(
    ("plan", "kept"), [("max", "max"), ("team_5x", "team_5x"), ("", ""), ("<b>", ""), (7, ""), (None, ""), ("ü", "")]
)
def test_a_plan_is_one_word_or_nothing(plan: object, kept: str) -> None:
    login = read_login({"claudeAiOauth": {"accessToken": "a", "expiresAt": 1e12, "subscriptionType": plan}})
    assert login is not None
    assert login.plan == kept


class TestWhereTheProgramIs:
    """It matters at every message, so it is not searched for at every message."""

    @pytest.mark.parametrize(
        ("content", "asked"),
        [
            pytest.param(None, 0, id="no file"),
            pytest.param("{", 0, id="a broken file"),
            pytest.param('{"claudeAiOauth": {"accessToken": "a", "expiresAt": 1e12}}', 3, id="a login"),
        ],
    )
    def test_it_is_asked_for_only_where_there_may_be_a_login(
        self, content: str | None, asked: int, tmp_path: Path
    ) -> None:
        path = tmp_path / ".credentials.json"
        if content is not None:
            path.touch(0o600)
            path.write_text(content)
        calls: list[int] = []

        def executable() -> str:
            calls.append(1)
            return "/bin/claude"

        login = ClaudeLogin(GuardedFile(path), executable, "claude", lends=True, has_keychain=False)
        assert login.look() is login.look() is login.look()
        assert len(calls) == asked

    def test_the_search_path_is_searched_again_only_when_it_is_gone(self, host: Host, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        for folder in (first, second):
            folder.mkdir()
        place = Executable("claude", f"{first}:{second}", host.home)
        assert place.find() is None
        (second / "claude").symlink_to(host.fake.path)
        assert place.find() == str(second / "claude"), "it may be installed at any time"
        (first / "claude").symlink_to(host.fake.path)
        assert place.find() == str(second / "claude"), "it is there, so nothing is searched"
        (second / "claude").unlink()
        assert place.find() == str(first / "claude")
        (first / "claude").unlink()
        assert place.find() is None


def test_looking_for_it_costs_little(host: Host) -> None:
    """It is looked for with every message."""
    credentials(host.home / ".claude")
    files = host.claude.with_login(AuthProfileFiles(host.state))
    files.load("main")
    begun = time.process_time()
    for _ in range(200):
        files.load("main")
    assert time.process_time() - begun < 0.5
