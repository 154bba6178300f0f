"""What `models status` says of credentials (credentials.md 7.1), as JSON and for people, from real stores and a real database.

The vectors C202 and C208 mask a key by some of its characters. They are not ours: product.md 1 allows no character of a secret
in any output, so a fingerprint stands there, and `test_nothing_of_a_secret_is_shown` looks for every piece.
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest

from adapters.storage.engine import open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.migrate import ensure
from bot.cli.output import harmless, on_one_line, say_json
from core.auth.health import Lane, ProfileHealth, Window
from core.errors import FailureReason
from tests.bot.test_models_cli import CONFIG, HOUR, Host, key, token
from tests.e2e.test_json_shapes import TIME, differences
from tests.fakes.claude_cli import FakeClaude, credentials

ROOT = Path(__file__).parents[2]
DAY = 24 * HOUR
MAYBE = (int, None)
HEALTH = {
    "profile_id": str, "provider": str, "type": ("api_key", "token", "oauth"),
    "status": ("ok", "static", "expiring", "expired", "missing"), "reads": str, "reason_code": (str, None),
    "expires_at": (TIME, None), "remaining_ms": MAYBE, "refreshable": bool, "source": ("store",), "label": str,
}  # fmt: skip
AUTH = {
    "store_path": str,
    "shell_env_fallback": {"enabled": bool, "applied_keys": [str]},
    "providers_with_oauth": [str],
    "missing_providers_in_use": [str],
    "unusable_profiles": [
        {
            "profile_id": str, "provider": str, "kind": ("cooldown", "disabled"), "reason": str,
            "model_scope": (str, None), "until": (TIME, None), "remaining_ms": MAYBE,
        }
    ],
    "oauth": {
        "warn_after_ms": int,
        "profiles": [HEALTH],
        "providers": [
            {
                "provider": str, "status": ("ok", "static", "expiring", "expired", "missing"),
                "expires_at": (TIME, None), "remaining_ms": MAYBE, "profiles": [HEALTH],
            }
        ],
    },
}  # fmt: skip
ROW = {
    "provider": str,
    "effective": {"kind": ("profiles", "env", "config", "models.json", "missing"), "detail": str},
    "profiles": {"count": int, "oauth": int, "token": int, "api_key": int, "labels": [str]},
}
REF = {"source": "env", "provider": "default", "id": "GONE"}
LOGIN = '[auth.oauth.zeta]\ntoken_url = "https://id.zeta.test/token"\nclient_id = "a-client"\n'
"""Where logins of zeta are refreshed: without it one that has ended has ended."""


def now() -> int:
    return int(time.time() * 1000)


def login(provider: str, expires: object, **more: object) -> dict[str, Any]:
    return {"type": "oauth", "provider": provider, "access": "tok-0123456789", "expires": expires, **more}


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    host = Host(state_dir, capsys)
    host.configure(f"{CONFIG}\n{LOGIN}")
    return host


def rows(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["provider"]: row for row in found["auth"]["providers"]}


async def put_out(host: Host, windows: Mapping[str, tuple[Window, ...]]) -> None:
    """Record windows of credentials in the database, as a gateway would."""
    seen = host.json()["providers"]
    prints = {c["profile"]: c["fingerprint"] for provider in seen for c in provider["candidates"]}
    path = host.state / "remoteclaw.db"
    ensure(path)
    with open_database(path) as database:
        for name, out in windows.items():
            record = ProfileHealth(profile=name, fingerprint=prints[name], windows=out)
            await SqlHealthStore(database).update_health(name, prints[name], lambda _, record=record: record)


def out(lane: Lane, reason: FailureReason, left: timedelta | None, model: str = "") -> Window:
    at = datetime.now(UTC)
    return Window(
        lane=lane, reason=reason, model=model, since=at, until=None if left is None else at + left, step=0
    )  # fmt: skip


class TestJson:
    def test_it_has_every_field_of_its_shape(self, host: Host) -> None:
        host.keep({
            "acme:work": key("acme"), "zeta:t": token("zeta", now() + 5 * HOUR),
            "zeta:me": login("zeta", now() + DAY, refresh="r-0123456789", email="ada@example.com"),
        })  # fmt: skip
        auth = host.json()["auth"]
        providers = auth.pop("providers")
        assert differences(auth, AUTH) == []
        assert differences([{k: v for k, v in row.items() if k in ROW} for row in providers], [ROW]) == []
        assert auth["oauth"]["warn_after_ms"] == DAY
        assert auth["providers_with_oauth"] == ["zeta (2)"]
        assert auth["store_path"] == str(host.state / "agents" / "main" / "agent" / "auth-profiles.json")
        assert [one["profile_id"] for one in auth["oauth"]["profiles"]] == ["acme:work", "zeta:me", "zeta:t"]
        (zeta,) = (one for one in auth["oauth"]["providers"] if one["provider"] == "zeta")
        assert (zeta["status"], 0 < zeta["remaining_ms"] <= 5 * HOUR) == ("expiring", True)

    def test_the_default_is_given_as_it_is_written_and_as_what_it_means(self, host: Host) -> None:
        host.configure(CONFIG.replace('primary = "acme/small"', 'primary = "big"'))
        found = host.json()
        assert (found["default_model"], found["resolved_default"], found["default"]) == (
            "big", "acme/large", "acme/large",
        )  # fmt: skip
        assert "model_config" not in found
        assert "Default       : acme/large (from big)" in host.shows().splitlines()

    def test_with_an_agent_it_says_whose_the_settings_are(self, host: Host) -> None:
        assert host.json("--agent", "main")["model_config"] == {
            "default_source": "defaults", "fallbacks_source": "defaults",
        }  # fmt: skip
        assert host.json("--agent", "writer")["model_config"]["default_source"] == "agent"
        assert host.json("--agent", "writer")["default_model"] == "zeta/opus-1"
        shown = host.shows("--agent", "writer").splitlines()
        assert "Default (agent): zeta/opus-1" in shown
        assert "Fallbacks (0) (agent): -" in shown

    def test_models_for_images_are_in_use_too(self, host: Host) -> None:
        images = 'image_model = { primary = "opus", fallbacks = ["acme/large"] }\n'
        host.configure(CONFIG.replace("[agents.list.writer]", f"{images}[agents.list.writer]"))
        host.keep({"acme:work": key("acme")})
        found = host.json("--agent", "main")
        assert (found["image_model"], found["image_fallbacks"]) == ("zeta/opus-1", ["acme/large"])
        assert found["missing_providers_in_use"] == ["zeta"]
        shown = host.shows().splitlines()
        assert "Image model   : zeta/opus-1" in shown
        assert "Image fallbacks (1): acme/large" in shown

    def test_keys_of_the_login_shell_are_named(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        shown = host.shows().splitlines()
        assert "Shell env     : off" in shown
        (Path(os.environ["HOME"]) / ".profile").write_text("export ZETA_API_KEY=sk-of-the-login-shell\n")
        monkeypatch.setenv("SHELL", "/bin/sh")
        host.configure(f"{CONFIG}\n[env.shell_env]\nenabled = true\n")
        host.keep({"acme:work": key("acme")})
        found = host.json()
        assert found["auth"]["shell_env_fallback"] == {"enabled": True, "applied_keys": ["ZETA_API_KEY"]}
        assert rows(found)["zeta"]["env"]["source"] == "shell env: ZETA_API_KEY"
        assert "Shell env     : on (applied: ZETA_API_KEY)" in host.shows().splitlines()

    def test_what_is_allowed_is_the_policy_in_force(self, host: Host) -> None:
        host.configure(f'{CONFIG}\n[model_policy]\nallow = ["acme/*"]\n')
        assert host.json()["allowed"] == ["acme/*"]
        assert "Configured models (1): acme/*" in host.shows().splitlines()

    def test_a_character_that_a_terminal_obeys_is_escaped_and_the_text_is_the_same(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        value = {"name": "a\x1b[31m\x9b2J\u202eé·\n"}
        say_json(value)
        shown = capsys.readouterr().out
        assert json.loads(shown) == value
        assert not {"\x1b", "\x9b", "\u202e"} & set(shown)
        assert "é·" in shown


class TestProviders:
    def test_each_credential_is_named_without_its_secret(self, host: Host) -> None:
        host.keep({
            "acme:a": key("acme"),
            "acme:b": {"type": "api_key", "provider": "acme"},
            "acme:c": {"type": "api_key", "provider": "acme", "keyRef": REF},
            "acme:t": token("acme"),
            "zeta:me": login("zeta", now() + DAY, email="ada@example.com"),
            "zeta:no": login("zeta", now() + DAY, access=""),
        })  # fmt: skip
        found = rows(host.json())
        acme = found["acme"]["profiles"]
        assert (acme["count"], acme["api_key"], acme["token"], acme["oauth"]) == (4, 3, 1, 0)
        one, *others = acme["labels"]
        assert len(one) == len("acme:a=fp:12345678")
        assert one.startswith("acme:a=fp:")
        assert others[:2] == ["acme:b=missing", "acme:c=ref(env:default:GONE) [unresolved_ref]"]
        assert others[2].startswith("acme:t=token:fp:")
        assert found["zeta"]["profiles"]["labels"] == ["zeta:me=OAuth (ada@example.com)", "zeta:no=missing"]
        line = next(line for line in host.shows().splitlines() if line.startswith("- zeta effective"))
        assert line == (
            "- zeta effective=profiles:zeta:me | profiles=2 (oauth=2, token=0, api_key=0) | "
            "zeta:me=OAuth (ada@example.com), zeta:no=missing"
        )

    def test_nothing_of_a_secret_is_shown(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """In the place of C202 and C208: no piece of four characters of any secret, whatever its kind."""
        secrets = {name: f"Qz{n}w-{name}-jkmq{n}" for n, name in enumerate(("KEY", "TOK", "ACC", "REF", "ENV", "CFG"))}
        monkeypatch.setenv("ACME_API_KEY", secrets["ENV"])
        monkeypatch.setenv("CONFIGURED", secrets["CFG"])
        host.configure(CONFIG.replace('models = ["small"', 'api_key = "${CONFIGURED}"\nmodels = ["small"'))
        host.keep({
            "zeta:k": key("zeta", secrets["KEY"]), "zeta:t": token("zeta", None, secrets["TOK"]),
            "zeta:o": login("zeta", now(), access=secrets["ACC"], refresh=secrets["REF"]),
        })  # fmt: skip
        shown = host.shows() + host.shows("--json") + host.shows("--plain")
        for secret in secrets.values():
            pieces = {secret[at : at + 4] for at in range(len(secret) - 3)}
            assert not {piece for piece in pieces if piece in shown}
        row = rows(host.json())["acme"]
        assert row["env"]["source"].endswith("ACME_API_KEY")
        assert row["config"]["source"] == "models.providers.acme.api_key"
        assert {row["env"]["value"][:3], row["config"]["value"][:3]} == {"fp:"}

    def test_what_is_effective_is_what_the_next_request_carries(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_API_KEY", "sk-of-the-environment")
        open_one = (
            '[models.providers.open]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\nauth = "none"\n'
        )
        host.configure(open_one + CONFIG)
        host.keep({"zeta:old": token("zeta", 1_000)})
        found = host.json()
        assert {name: row["effective"] for name, row in rows(found).items()} == {
            "acme": {"kind": "env", "detail": "env:ACME_API_KEY"},
            "open": {"kind": "config", "detail": "none:open"},
            "zeta": {"kind": "missing", "detail": "expired"},
        }
        assert found["providers"][0]["candidates"][0]["profile"] == "env:ACME_API_KEY"
        host.keep({"acme:work": key("acme"), "acme:home": key("acme", "sk-other")})
        found = host.json()
        assert rows(found)["acme"]["effective"] == {"kind": "profiles", "detail": "acme:work"}
        assert "env" in rows(found)["acme"], "a key that does not serve is shown all the same"
        assert "zeta" not in rows(found), "a provider without any credential has no row"

    def test_a_key_that_lies_in_models_json_is_shown_as_one(self, host: Host) -> None:
        """C199, C200: a marker is no credential, a key is one."""
        host.keep({"acme:work": key("acme")})
        document = host.state / "agents" / "main" / "agent" / "models.json"
        for given, kind in (("ollama-local", "missing"), ("ALLCAPS_SAMPLE", "models.json")):
            document.touch(0o600)
            document.write_text(json.dumps({"providers": {"zeta": {"apiKey": given, "models": []}}}))
            found = host.json()
            row = rows(found).get("zeta", {"effective": {"kind": "missing"}})
            assert row["effective"]["kind"] == kind
        assert row["models_json"]["value"].startswith("fp:")
        assert row["models_json"]["source"] == f"models.json: {document}"
        assert f" | models.json={row['models_json']['value']} | source=models.json: {document}" in host.shows()

    async def test_what_is_out_is_told_with_its_time_and_the_next_one_is_effective(self, host: Host) -> None:
        host.keep({"acme:a": key("acme"), "acme:b": key("acme", "sk-b"), "acme:c": key("acme", "sk-c")})
        await put_out(host, {
            "acme:a": (out(Lane.COOLDOWN, FailureReason.RATE_LIMIT, timedelta(minutes=5, seconds=30), "acme/small"),),
            "acme:b": (
                out(Lane.DISABLED, FailureReason.AUTH_PERMANENT, None),
                out(Lane.COOLDOWN, FailureReason.RATE_LIMIT, timedelta(minutes=1)),
            ),
            "acme:c": (out(Lane.DISABLED, FailureReason.BILLING, timedelta(hours=4, minutes=1)),),
        })  # fmt: skip
        found = host.json()
        listed = [(one["profile_id"], one["kind"], one["reason"]) for one in found["auth"]["unusable_profiles"]]
        assert listed == [
            ("acme:a", "cooldown", "rate_limit"),
            ("acme:c", "disabled", "billing"),
            ("acme:b", "disabled", "auth_permanent"),
        ], "soonest back first"
        first, _, last = found["auth"]["unusable_profiles"]
        assert (first["model_scope"], 0 < first["remaining_ms"] <= 330_000) == ("acme/small", True)
        assert (last["until"], last["remaining_ms"]) == (None, None)
        labels = [label.partition(" ")[2] for label in rows(found)["acme"]["profiles"]["labels"]]
        assert labels == ["[cooldown 6m]", "[disabled:auth_permanent]", "[disabled:billing 4h 1m]"]
        assert host.models("--check")[0] == 1, "zeta has nothing"
        host.configure(CONFIG.replace(', fallbacks = ["zeta/opus-1"]', ""))
        assert host.models("--check")[0] == 0, "what is out comes back by itself"

    async def test_a_rate_limit_holds_for_the_whole_account(self, host: Host) -> None:
        account = "".join(f'[auth.profiles."acme:{n}"]\nprovider = "acme"\naccount = "one"\n' for n in "ab")
        host.configure(CONFIG + account)
        host.keep({"acme:a": key("acme"), "acme:b": key("acme", "sk-b")})
        await put_out(host, {"acme:a": (out(Lane.COOLDOWN, FailureReason.RATE_LIMIT, timedelta(minutes=9)),)})
        found = host.json()
        assert [one["profile_id"] for one in found["auth"]["unusable_profiles"]] == ["acme:a", "acme:b"]
        assert {c["state"] for c in found["providers"][0]["candidates"]} == {"cooling"}


class TestUnsetVariable:
    """One that a provider's key or header needs takes that provider out of service, and stops nothing else."""

    @pytest.mark.parametrize("line", ['api_key = "${GONE}"', 'headers = { X-Key = "${GONE}" }'], ids=["key", "header"])
    def test_only_its_provider_is_out(self, host: Host, line: str) -> None:
        beta = f'[models.providers.beta]\nbase_url = "http://127.0.0.1:9"\napi = "openai-completions"\nmodels = ["m"]\n{line}'
        host.configure(f"{beta}\n{CONFIG}")
        host.keep(
            {"acme:work": key("acme"), "zeta:me": key("zeta"), "beta:me": key("beta")} if "headers" in line else SERVED
        )
        found = host.json()
        states = {c["profile"]: (c["state"], c["reason"]) for p in found["providers"] for c in p["candidates"]}
        name = "beta:me" if "headers" in line else "config:beta"
        assert states == {
            "acme:work": ("ready", None),
            "zeta:me": ("ready", None),
            name: ("ineligible", "unresolved_ref"),
        }
        probed = host.json("--probe", "--probe-provider", "beta")["probes"]["results"]
        (row,) = (row for row in probed if row["profile_id"] == name)
        assert row["reason_code"] == "unresolved_ref"
        assert "The environment variable GONE is missing or empty. " in row["error"]


class TestUnreadableStore:
    """Nobody knows what it holds, so nothing takes its place: what is said must not send anybody after an order or a variable."""

    @pytest.fixture
    def blind(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
        monkeypatch.setenv("ACME_API_KEY", "sk-0123456789")
        (host.state / "agents" / "main" / "agent" / "auth-profiles.json").write_text("{")
        return host

    def test_status_says_that_the_store_cannot_be_read(self, blind: Host) -> None:
        assert rows(blind.json())["acme"]["effective"] == {"kind": "missing", "detail": "store_unreadable"}
        shown = blind.shows()
        assert "- acme effective=missing:store_unreadable | env=" in shown
        advice = next(line for line in shown.splitlines() if line.startswith("- acme is in use"))
        assert "the store, or an entry of it, cannot be read" in advice
        assert "ACME_API_KEY" not in advice
        assert "See the notes below." in advice
        assert "Note: " in shown
        assert blind.models("--check")[0] == 1

    def test_a_probe_names_the_providers_of_which_not_all_is_known(self, blind: Host) -> None:
        probes = blind.json("--probe")["probes"]
        assert (probes["results"], probes["unreadable_providers"]) == ([], ["acme", "zeta"])
        shown = blind.shows("--probe", "--probe-provider", "acme").partition("Auth probes\n")[2]
        assert shown == (
            "- acme: not all of its credentials are known, because the store, or an entry of it, cannot be read; see the "
            "notes.\nNo probe targets.\n"
        )

    def test_one_damaged_entry_says_so_for_its_provider_alone(self, host: Host) -> None:
        host.keep({"acme:odd": {"type": "api_key", "provider": "acme", "key": 5}, "zeta:me": key("zeta", "")})
        shown = host.shows()
        assert "- acme is in use, and its credentials are not known" in shown
        assert "- zeta is in use and has no credential that may be used. Run `" in shown


class TestEnds:
    def test_each_token_and_login_is_told_with_the_time_that_is_left(self, host: Host) -> None:
        at = now()
        host.keep({
            "acme:k": key("acme"),
            "zeta:1": token("zeta"), "zeta:2": token("zeta", at + 30 * DAY), "zeta:3": token("zeta", at + 3 * HOUR),
            "zeta:4": token("zeta", at - 48 * HOUR), "zeta:5": token("zeta", 0), "zeta:6": token("zeta", None, ""),
            "zeta:7": login("zeta", at + HOUR, refresh="r-0123456789", email="ada@example.com"),
            "zeta:8": login("zeta", at - HOUR, refresh="r-0123456789"),
            "zeta:9": login("zeta", None, refresh="r-0123456789"),
        })  # fmt: skip
        shown = host.shows().splitlines()
        begin = shown.index("OAuth/token status")
        assert shown[begin + 1 : shown.index("", begin)] == [
            "- zeta",
            "  - zeta:1 static",
            "  - zeta:2 ok expires in 30d",
            "  - zeta:3 expiring expires in 3h",
            "  - zeta:4 expired 2d ago",
            "  - zeta:5 unknown expires unknown [invalid_expires]",
            "  - zeta:6 unknown expires unknown [missing_credential]",
            "  - zeta:7 (ada@example.com) expiring, refreshable expires in 1h",
            "  - zeta:8 expired, refreshable",
            "  - zeta:9 unknown expires unknown",
        ]
        assert any(re.match(r"  \d. zeta:8 · oauth · expired, refreshable · ", line) for line in shown)
        assert any(line.startswith("  – zeta:4 · token · expired 2d ago") for line in shown)
        found = {one["profile_id"]: one for one in host.json()["auth"]["oauth"]["profiles"]}
        assert (found["zeta:8"]["status"], found["zeta:8"]["reads"]) == ("ok", "expired, refreshable")
        assert (found["zeta:5"]["status"], found["zeta:5"]["reason_code"]) == ("missing", "invalid_expires")
        assert (found["zeta:4"]["reason_code"], found["zeta:4"]["remaining_ms"] < 0) == ("expired", True)
        assert found["acme:k"]["status"] == "static"

    def test_without_any_it_says_so(self, host: Host) -> None:
        shown = host.shows().splitlines()
        assert shown[shown.index("OAuth/token status") + 1] == "- none"

    def test_one_view_tells_one_span(self, host: Host) -> None:
        host.keep({"zeta:old": token("zeta", now() - 10_000 * DAY - 18 * HOUR)})
        spans = re.findall(r"expired (.+?) ago", host.shows())
        assert len(spans) == 2
        assert len(set(spans)) == 1


SERVED = {"acme:work": key("acme"), "zeta:me": key("zeta")}
CHECKS = [
    pytest.param({}, 1, id="C206 an empty store"),
    pytest.param(SERVED, 0, id="C207 keys"),
    pytest.param({**SERVED, "zeta:o": login("zeta", 1, refresh="r-0123456789")}, 0, id="a login that refreshes"),
    pytest.param({**SERVED, "zeta:o": login("zeta", 1)}, 1, id="C207 a login that is over"),
    pytest.param({**SERVED, "zeta:o": login("zeta", "soon")}, 1, id="C207 a login with an odd end"),
    pytest.param({**SERVED, "zeta:t": token("zeta", 0)}, 1, id="C193 a token with an odd end"),
    pytest.param({**SERVED, "zeta:t": token("zeta")}, 0, id="a token without an end"),
    pytest.param(
        {**SERVED, "x:t": {"type": "token", "provider": "x", "tokenRef": REF}}, 1, id="a reference to nothing"
    ),
    pytest.param({**SERVED, "x:k": {"type": "api_key", "provider": "x", "keyRef": REF}}, 0, id="keys do not count"),
    pytest.param({"acme:work": key("acme"), "zeta:x": key("eta")}, 1, id="C207 a fallback without anything"),
]


class TestCheck:
    @pytest.mark.parametrize(("profiles", "code"), CHECKS)
    def test_the_exit_code_is_the_same_in_every_form(self, host: Host, profiles: dict[str, Any], code: int) -> None:
        host.keep(profiles)
        assert [host.models("--check", *form)[0] for form in ((), ("--json",), ("--plain",))] == [code] * 3

    def test_what_ends_within_a_day_is_two(self, host: Host) -> None:
        """C207."""
        host.keep({**SERVED, "zeta:t": token("zeta", now() + 5 * HOUR)})
        assert host.models("--check", "--plain") == (2, "acme/small\n", "")

    def test_a_program_with_a_login_of_its_own_needs_no_credential(self, host: Host) -> None:
        """C203."""
        host.configure(
            '[models.providers.claude-cli]\napi = "claude-cli"\nmodels = ["opus"]\n'
            '[agents.defaults]\nmodel = "claude-cli/opus"\n'
        )
        host.keep({})
        assert host.json()["missing_providers_in_use"] == []
        assert host.models("--check")[0] == 0

    @pytest.mark.parametrize(
        ("model", "program", "code"),
        [
            pytest.param("claude-cli/opus", False, 1, id="in use, without its program"),
            pytest.param("anthropic/claude-opus-4-5", False, 0, id="not in use, without its program"),
            pytest.param("claude-cli/opus", True, 0, id="in use, with its program"),
        ],
    )
    def test_a_login_of_a_program_is_judged_as_its_candidate_is(
        self, model: str, program: bool, code: int, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        credentials(Path.home() / ".claude", expiresAt=now() + 5 * HOUR)
        monkeypatch.setenv("PATH", str(FakeClaude(tmp_path / "fake").bin) if program else "/usr/bin")
        host.configure(f'[agents.defaults]\nmodel = "{model}"\n[models.providers.claude-cli]\nmodels = ["opus"]\n')
        host.keep({"anthropic:work": key("anthropic")})
        status = host.json()
        (health,) = [one for one in status["auth"]["oauth"]["profiles"] if one["profile_id"] == "anthropic:claude-cli"]
        (candidate,) = [
            one
            for provider in status["providers"]
            if provider["provider"] == "claude-cli"
            for one in provider["candidates"]
            if one["profile"] == "anthropic:claude-cli"
        ]
        known = (health["status"], health["reads"], health["reason_code"])
        if program:
            assert known == ("ok", "expiring, refreshable", None)
            assert (candidate["state"], candidate["reason"]) == ("ready", None)
        else:
            assert known == ("missing", "missing", "missing_credential")
            assert (candidate["state"], candidate["reason"]) == ("ineligible", "missing_credential")
        assert status["missing_providers_in_use"] == (["claude-cli"] if code else [])
        assert [host.models("--check", *form)[0] for form in ((), ("--json",), ("--plain",))] == [code] * 3
        told = "- claude-cli is in use, and its login does not serve. Install the Claude CLI, run `claude` and log in with /login."
        assert (told in host.models("status")[1].splitlines()) is bool(code)

    @pytest.mark.parametrize("agent", ["unknown", "UNKNOWN", " unknown "])
    @pytest.mark.parametrize("command", [("status",), ("--json",), ("explain",), ("auth", "list")], ids=" ".join)
    def test_an_unknown_agent_is_named_with_those_that_there_are(
        self, host: Host, command: tuple[str, ...], agent: str
    ) -> None:
        """C205."""
        code, shown, error = host.models(*command, "--agent", agent)
        assert (code, shown) == (1, "")
        assert error == 'remoteclaw: Unknown agent id "unknown". Configured agents: main, writer.\n'

    @pytest.mark.parametrize("agent", ["", "!!!", "..", "main\n../x", "\x1b[31m"])
    def test_what_is_no_agent_id_is_not_taken_for_another(self, host: Host, agent: str) -> None:
        code, shown, error = host.models("status", "--agent", agent)
        assert (code, shown) == (1, "")
        assert error.startswith("remoteclaw: Unknown agent id ")
        assert "\x1b" not in error


class TestText:
    def test_names_from_outside_cannot_write_lines_or_move_the_cursor(self, host: Host) -> None:
        host.keep({
            **SERVED,
            "zeta:o": login("zeta", 1, email="a\x1b]0;x\x07\n- zeta ok\u202e", displayName="b\x9b31m\r\nMissing auth"),
        })  # fmt: skip
        for shown in (host.shows(), host.shows("auth", "list")):
            assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(shown)
            assert "Missing auth" not in shown.splitlines()
            assert "- zeta ok" not in shown.splitlines()

    def test_what_is_shown_stays_readable(self) -> None:
        assert harmless("é · ↳ 日本\n\tx") == "é · ↳ 日本\n\tx"
        assert harmless("\x1b[2J\x9b\ud800") == "\\x1b[2J\\x9b\\ud800"
        assert on_one_line("a\nb\tc") == "a\\nb\\tc"

    def test_the_flags_may_stand_before_the_word_explain(self, host: Host) -> None:
        assert host.json("--agent", "writer", "explain") == host.json("explain", "--agent", "writer")
        assert json.loads(host.shows("--json", "explain"))["agent"] == "main"


class TestBeforeAnythingIsConfigured:
    def test_a_key_that_was_exported_is_shown_with_its_source(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (host.state / "config.toml").unlink()
        host.keep({})
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-0123456789")
        assert host.shows("--plain") == "openrouter/auto\n"
        shown = host.shows("--check")
        assert "  1. env:OPENROUTER_API_KEY · env · ready · next" in shown
        assert f"Note: There is no configuration at {host.state}/config.toml." in shown
        row = rows(host.json())["openrouter"]
        assert row["env"]["source"].endswith("OPENROUTER_API_KEY")

    def test_a_credential_that_was_stored_before_a_model_was_named_is_shown(self, host: Host) -> None:
        host.configure('[auth.profiles."openrouter:manual"]\nprovider = "openrouter"\n')
        host.keep({"openrouter:manual": token("openrouter")})
        shown = host.shows()
        assert "  1. openrouter:manual · token · ready · next" in shown
        assert "Note: No model is configured" in shown

    def test_with_nothing_at_all_it_says_what_to_do(self, host: Host) -> None:
        """C206, on a fresh state directory."""
        (host.state / "config.toml").unlink()
        host.keep({})
        code, shown, error = host.models("status", "--check", "--plain")
        assert (code, shown) == (1, "")
        assert "remoteclaw onboard" in error


class TestOnATerminal:
    @pytest.mark.parametrize(
        ("environment", "coloured"),
        [({"TERM": "xterm-256color"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
        ids=["colours", "dumb", "not wanted"],
    )
    def test_states_have_colours_where_they_are_wanted_and_the_text_is_the_same(
        self, host: Host, environment: dict[str, str], coloured: bool
    ) -> None:
        given = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        terminal: Any = pexpect.spawn(
            sys.executable, ["-m", "bot", "models"], env={**given, "PYTHONPATH": str(ROOT), **environment},
            encoding="utf-8", timeout=30, dimensions=(24, 60),
        )  # fmt: skip
        terminal.expect(pexpect.EOF)
        terminal.close()
        text = terminal.before.replace("\r\n", "\n")
        assert ("\x1b[32mready\x1b[0m" in text) is coloured
        assert ("\x1b" in text) is coloured
        if not coloured:
            assert text == host.shows()
