"""`secrets audit`: what it finds in each file, what it says, how it exits, and that no secret is ever shown."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.secret_places import secret_fields, takes_reference
from tests.bot.secrets_stage import CONFIG, TOKEN, WORK, Host, key, private, ref
from tests.fakes.secret_store import python_command, shell_command

PROVIDER = '[models.providers.acme]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\nmodels = ["m"]\n'


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, state_dir, capsys)


def found(host: Host, *flags: str) -> list[tuple[str, str, str]]:
    """(code, severity, path) of every finding."""
    return [(f["code"], f["severity"], f["json_path"]) for f in host.audit(*flags)["findings"]]


def test_an_installation_without_anything_is_clean(host: Host) -> None:
    assert host.secrets("audit", "--check") == (
        0,
        "Secrets audit: clean. plaintext=0, unresolved=0, shadowed=0, legacy=0.\n",
        "",
    )


def test_every_secret_of_every_file_is_found_and_none_is_shown(host: Host) -> None:
    host.furnish()
    host.config.chmod(0o600)
    code, out, _ = host.secrets("audit")
    assert (code, out.splitlines()) == (
        0,
        [
            "Secrets audit: findings. plaintext=6, unresolved=0, shadowed=0, legacy=0.",
            f"- [PLAINTEXT_FOUND] {host.config}:channels.telegram.token A secret stands here as it is.",
            f"- [PLAINTEXT_FOUND] {host.config}:models.providers.acme.api_key A secret stands here as it is.",
            f'- [PLAINTEXT_FOUND] {host.store()}:profiles."acme:work".key A secret stands here as it is.',
            f'- [PLAINTEXT_FOUND] {host.store()}:profiles."acme:token".token A secret stands here as it is.',
            f'- [PLAINTEXT_FOUND] {host.store("writer")}:profiles."acme:own".key A secret stands here as it is.',
            f"- [PLAINTEXT_FOUND] {host.dotenv}:ACME_API_KEY A variable holds a secret as it is.",
        ],
    )
    assert host.secrets("audit", "--check")[0] == 1


def test_a_file_that_others_can_open_makes_its_plain_secrets_worse(host: Host) -> None:
    host.furnish()
    host.config.chmod(0o644)
    found = host.audit()["findings"]
    assert {f["message"] for f in found if f["file"] == str(host.config)} == {
        "A secret stands here as it is, and the file is open to other users (mode 0644)."
    }
    assert not any("other users" in f["message"] for f in found if f["file"] != str(host.config))


def test_the_json_has_what_scripts_read(host: Host) -> None:
    host.keep({"acme:work": key(WORK)})
    finding = {
        "code": "PLAINTEXT_FOUND",
        "severity": "warn",
        "file": str(host.store()),
        "json_path": 'profiles."acme:work".key',
        "message": "A secret stands here as it is.",
        "provider": "acme",
        "profile_id": "acme:work",
    }
    assert host.audit("--check") == {
        "version": 1,
        "status": "findings",
        "resolution": {"refs_checked": 0, "skipped_exec_refs": 0, "resolvability_complete": True},
        "files_scanned": [str(host.store())],
        "summary": {
            "plaintext_count": 1,
            "unresolved_ref_count": 0,
            "shadowed_ref_count": 0,
            "legacy_residue_count": 0,
        },
        "findings": [finding],
    }


PLAIN, SHADOWED, UNRESOLVED, LEGACY = (
    ("PLAINTEXT_FOUND", "warn"),
    ("REF_SHADOWED", "warn"),
    ("REF_UNRESOLVED", "error"),
    ("LEGACY_RESIDUE", "warn"),
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            'headers = { Authorization = "Bearer sk-CANARY-0123" }', [(*PLAIN, "headers.Authorization")], id="header"
        ),
        pytest.param('headers = { X-Title = "A gateway at home" }', [], id="header of no secret"),
        pytest.param('headers = { Authorization = "Bearer ${SET}" }', [], id="scheme and variable"),
        pytest.param(
            'headers = { Authorization = "Bearer sk-CANARY${SET}" }', [(*PLAIN, "headers.Authorization")], id="both"
        ),
        pytest.param('api_key = "${SET}"', [], id="variable"),
        pytest.param('api_key = "${UNSET}"', [(*UNRESOLVED, "api_key")], id="variable that is not set"),
        pytest.param('api_key = "$${SET}"', [(*PLAIN, "api_key")], id="escaped"),
        pytest.param('api_key = { source = "env", id = "SET" }', [], id="reference"),
        pytest.param('api_key = { source = "env", id = "UNSET" }', [(*UNRESOLVED, "api_key")], id="broken reference"),
        pytest.param('api_key = { source = "env", id = "lower" }', [(*UNRESOLVED, "api_key")], id="wrong reference"),
        pytest.param(
            'api_key = { source = "file", provider = "no", id = "/a" }', [(*UNRESOLVED, "api_key")], id="no provider"
        ),
        pytest.param('api_key = "  "', [], id="blank"),
        pytest.param("api_key = 5", [], id="no text"),
    ],
)
def test_a_field_of_the_config_is_judged_by_what_stands_there(
    host: Host, monkeypatch: pytest.MonkeyPatch, line: str, expected: list[tuple[str, str, str]]
) -> None:
    monkeypatch.setenv("SET", "sk-CANARY-of-a-variable")
    host.config.write_text(PROVIDER + line)
    assert found(host) == [(code, severity, f"models.providers.acme.{path}") for code, severity, path in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[database]\nurl = "sqlite:////tmp/x.db"', []),
        ('[database]\nurl = "postgresql://me:CANARY-pw@h/db"', [(*PLAIN, "database.url")]),
        ('[database]\nurl = "postgresql+psycopg://u:CANARY-pw@h/db"', [(*PLAIN, "database.url")]),
        ('[database]\nurl = "postgresql://me:${SET}@h/db"', []),
        ('[env]\nACME_API_KEY = "sk-CANARY-0123"\nLANG = "C"', [(*PLAIN, "env.ACME_API_KEY")]),
        ('[env.vars]\nMAX_TOKENS = "100000"\nDB_PASSWORD = "CANARY-pw"', [(*PLAIN, "env.vars.DB_PASSWORD")]),
        ('[channels.discord]\nenabled = false\ntoken = "${UNSET}"', []),
        ('[channels.discord]\nenabled = false\ntoken = "CANARY-token"', [(*PLAIN, "channels.discord.token")]),
        ('[channels.discord]\nenabled = false\ntoken = { source = "env", id = "UNSET" }', []),
        (
            '[secrets.providers.v]\nsource = "exec"\ncommand = "/bin/true"\nenv = { VAULT_TOKEN = "CANARY-vt", A = "b" }',
            [(*PLAIN, "secrets.providers.v.env.VAULT_TOKEN")],
        ),
    ],
    ids=[
        "url",
        "password",
        "password beside a driver",
        "password by variable",
        "env",
        "env.vars",
        "off",
        "off plain",
        "off reference",
        "provider",
    ],
)
def test_so_is_every_other_place_of_a_secret(
    host: Host, monkeypatch: pytest.MonkeyPatch, text: str, expected: list[tuple[str, str, str]]
) -> None:
    monkeypatch.setenv("SET", "CANARY-pw")
    host.config.write_text(text)
    assert found(host) == expected


def test_the_places_are_those_that_the_settings_declare() -> None:
    secret = {"token": "", "webhook": {"secret_token": ""}}
    tree = {
        "channels": {"telegram": secret, "discord": {"token": "", "enabled": True}},
        "models": {
            "providers": {"acme": {"api_key": "", "headers": {"X": ""}, "models": ["m", {"id": "n"}], "api": ""}}
        },
        "database": {"url": ""},
        "env": {"A": "", "vars": {"B": ""}, "shell_env": {"enabled": True}},
        "secrets": {"providers": {"v": {"env": {"C": ""}, "path": ""}}, "defaults": {"env": "x"}},
        "nonsense": {"token": ""},
    }
    takes = {".".join(map(str, field.path)): field.takes_ref for field in secret_fields(tree)}
    assert takes == {
        "channels.telegram.token": True,
        "channels.telegram.webhook.secret_token": True,
        "channels.discord.token": True,
        "models.providers.acme.api_key": True,
        "models.providers.acme.headers.X": True,
        "database.url": True,
        "env.A": False,
        "env.vars.B": False,
        "secrets.providers.v.env.C": False,
    }
    assert all(takes_reference(path.split(".")) is takes_ref for path, takes_ref in takes.items())
    assert not any(map(takes_reference, ([], ["models"], ["nonsense", "token"], ["agents", "defaults", "model"])))


BROKEN = ref("/nothing")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param({"type": "api_key", "key": WORK}, [(*PLAIN, "key")], id="key"),
        pytest.param({"type": "api_key", "apiKey": WORK}, [(*PLAIN, "apiKey")], id="older key"),
        pytest.param({"mode": "token", "token": TOKEN}, [(*PLAIN, "token")], id="token of an older type"),
        pytest.param({"type": "api_key", "key": "${ACME}"}, [], id="variable"),
        pytest.param({"type": "api_key", "key": "${UNSET}"}, [(*UNRESOLVED, "key")], id="variable that is not set"),
        pytest.param({"type": "api_key", "keyRef": ref("/token")}, [], id="reference"),
        pytest.param({"type": "api_key", "key": ref("/token")}, [], id="reference in its place"),
        pytest.param({"type": "api_key", "keyRef": BROKEN}, [(*UNRESOLVED, "keyRef")], id="broken"),
        pytest.param({"type": "api_key", "keyRef": {"source": "x"}}, [(*UNRESOLVED, "keyRef")], id="wrong"),
        pytest.param(
            {"type": "api_key", "keyRef": 5, "key": WORK}, [(*UNRESOLVED, "keyRef"), (*PLAIN, "key")], id="both"
        ),
        pytest.param({"type": "api_key", "keyRef": ref("/token"), "key": WORK}, [(*SHADOWED, "key")], id="shadowed"),
        pytest.param(
            {"type": "api_key", "keyRef": BROKEN, "key": WORK},
            [(*UNRESOLVED, "keyRef"), (*SHADOWED, "key")],
            id="broken shadow",
        ),
        pytest.param({"type": "oauth", "access": "CANARY-at", "refresh": "CANARY-rt"}, [], id="oauth"),
        pytest.param(
            {"type": "oauth", "access": ref("/token")}, [(*UNRESOLVED, "access")], id="oauth with a reference"
        ),
        pytest.param(
            {"type": "oauth", "tokenRef": ref("/token")}, [(*UNRESOLVED, "tokenRef")], id="oauth with tokenRef"
        ),
        pytest.param({"type": "unknown", "key": WORK}, [(*PLAIN, "key")], id="type of no kind"),
        pytest.param([], [], id="no object"),
    ],
)
def test_a_stored_profile_is_judged_by_what_stands_there(
    host: Host, monkeypatch: pytest.MonkeyPatch, entry: Any, expected: list[tuple[str, str, str]]
) -> None:
    monkeypatch.setenv("ACME", "sk-CANARY-of-a-variable")
    host.config.write_text(f'[secrets.providers.vault]\nsource = "file"\npath = "{host.keys}"\n')
    host.keep({"a b": entry})
    assert found(host) == [(code, severity, f'profiles."a b".{path}') for code, severity, path in expected]


def test_a_profile_that_the_config_calls_oauth_must_not_be_a_reference(host: Host) -> None:
    host.config.write_text('[auth.profiles.a]\nprovider = "acme"\nmode = "oauth"\n')
    host.keep({"a": {"type": "token", "provider": "acme", "tokenRef": ref("HOME", "default", "env")}})
    (finding,) = host.audit()["findings"]
    assert (finding["code"], finding["message"]) == ("REF_UNRESOLVED", "OAuth + SecretRef is not supported.")


MARKERS = [
    "secretref-managed",
    "secretref-env:X",
    "oauth:acme",
    "ollama-local",
    "ACME_API_KEY",
    "ANTHROPIC_API_KEY",
    "${X}",
]


def test_a_catalogue_holds_markers_and_no_keys(host: Host) -> None:
    providers: dict[str, Any] = {f"p{n}": {"api_key": text} for n, text in enumerate(MARKERS) if text != "ACME_API_KEY"}
    providers["acme"] = {"apiKey": "ACME_API_KEY", "headers": {"Authorization": "secretref-env:X", "X-Title": "x"}}
    path = host.store().with_name("models.json")
    private(path, json.dumps({"providers": providers}))
    assert found(host) == []
    providers["zeta"] = {
        "apiKey": "ALL_CAPS_BUT_NO_VARIABLE",
        "headers": {"X-Api-Key": WORK},
        "models": [{"id": "m", "headers": {"Authorization": f"Bearer {WORK}"}}],
    }
    private(path, json.dumps({"providers": providers}))
    assert found(host) == [
        (*PLAIN, "providers.zeta.apiKey"),
        (*PLAIN, "providers.zeta.headers.X-Api-Key"),
        (*PLAIN, "providers.zeta.models[0].headers.Authorization"),
    ]


def test_older_layouts_are_residue(host: Host) -> None:
    private(host.store().with_name("auth.json"), json.dumps({"acme": {"type": "api_key", "key": WORK}, "version": 1}))
    private(host.state / "credentials" / "oauth.json", json.dumps({"acme": {"access": "CANARY-at"}}))
    assert found(host) == [(*LEGACY, "acme"), ("LEGACY_RESIDUE", "info", "")]
    private(host.store().with_name("auth.json"), json.dumps({"profiles": {"x": {"provider": "acme", "token": TOKEN}}}))
    assert found(host)[0] == (*LEGACY, "profiles.x")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda path: path.write_text('{"profiles": {"a": "sk-CANARY'), "is not valid JSON", id="cut"),
        pytest.param(lambda path: path.write_text("[" * 100_000), "is not valid JSON", id="too deep"),
        pytest.param(lambda path: path.write_text("[]"), "holds no JSON object", id="list"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe"), "is not UTF-8 text", id="no text"),
        pytest.param(lambda path: path.write_bytes(b" " * (5 * 2**20 + 1)), "is larger than 5 MiB", id="too large"),
        pytest.param(_fifo, "is not a regular file", id="pipe"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "", id="folder"),
    ],
)
@pytest.mark.parametrize("name", ["auth-profiles.json", "auth.json", "models.json"])
def test_a_file_that_cannot_be_read_leaves_it_open_what_it_refers_to(
    host: Host, name: str, change: Callable[[Path], None], words: str
) -> None:
    path = host.store().with_name(name)
    private(path, "{}")
    change(path)
    (finding,) = host.audit()["findings"]
    assert (finding["code"], finding["file"], finding["json_path"]) == ("REF_UNRESOLVED", str(path), "")
    assert words in finding["message"]


def test_a_config_that_is_wrong_elsewhere_is_looked_at_all_the_same(host: Host) -> None:
    host.furnish()
    host.config.write_text(f"{CONFIG}\n[nonsense]\nx = 1\n")
    assert host.audit()["summary"]["plaintext_count"] == 6


@pytest.mark.parametrize(
    "text",
    ['[secrets.providers.vault]\nsource = "nothing"\n', "secrets = 5", "not toml"],
    ids=["provider", "table", "file"],
)
def test_without_its_providers_no_reference_is_judged(host: Host, text: str) -> None:
    host.config.write_text(text)
    host.keep({"a": key("", ref("/token")), "b": key("", ref("HOME", "default", "env"))})
    report = host.audit()
    assert report["status"] == "unresolved"
    assert {finding["file"] for finding in report["findings"]} == {str(host.config)}
    assert report["resolution"] == {"refs_checked": 0, "skipped_exec_refs": 0, "resolvability_complete": False}


def test_commands_are_run_only_where_that_is_allowed_and_then_once(host: Host, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    body = f"open({str(runs)!r}, 'a').write('x')\nanswer({{i: 'sk-CANARY' for i in asked['ids'] if i != 'no'}})"
    host.config.write_text(f'[secrets.providers.v]\nsource = "exec"\ncommand = "{python_command(tmp_path, body)}"\n')
    host.keep({name: key("", ref(name, "v", "exec")) for name in ("a", "b", "no")})
    report = host.audit()
    assert report["resolution"] == {"refs_checked": 0, "skipped_exec_refs": 3, "resolvability_complete": False}
    assert "--allow-exec runs the commands" in host.secrets("audit")[1]
    assert not runs.exists()
    report = host.audit("--allow-exec")
    assert report["resolution"] == {"refs_checked": 3, "skipped_exec_refs": 0, "resolvability_complete": True}
    assert [finding["json_path"] for finding in report["findings"]] == ["profiles.no.keyRef"]
    assert runs.read_text() == "x"


def test_what_a_command_says_is_not_repeated(host: Host, tmp_path: Path) -> None:
    command = shell_command(tmp_path, "echo sk-CANARY >&2; echo sk-CANARY; exit 3")
    host.config.write_text(f'[secrets.providers.v]\nsource = "exec"\ncommand = "{command}"\n')
    host.keep({"a": key("", ref("a", "v", "exec"))})
    assert "exited with code 3" in host.audit("--allow-exec")["findings"][0]["message"]


def test_only_twenty_are_told_and_the_rest_counted(host: Host) -> None:
    host.keep({f"a{n}": key(WORK) for n in range(25)})
    lines = host.secrets("audit")[1].splitlines()
    assert len(lines) == 22
    assert lines[-1] == "... 5 more (--json shows all)"


def test_one_agent_can_be_chosen(host: Host) -> None:
    host.furnish()
    files = host.audit("--agent", "Writer")["files_scanned"]
    assert str(host.store("writer")) in files
    assert str(host.store()) not in files
    code, out, err = host.secrets("audit", "--agent", "nobody")
    assert (code, out) == (2, "")
    assert err == 'remoteclaw: Unknown agent id "nobody". Known agents: main, writer.\n'


def test_a_name_cannot_move_the_cursor_or_begin_a_line(host: Host) -> None:
    host.keep({"a\n- [X] \x1b[31m": key(WORK)})
    lines = host.secrets("audit")[1].splitlines()
    assert len(lines) == 2
    assert lines[1].isprintable()


def test_nothing_is_written(host: Host) -> None:
    host.furnish()
    before = sorted(path for path in host.state.rglob("*"))
    files = host.files()
    host.audit()
    assert sorted(path for path in host.state.rglob("*")) == before
    assert host.files() == files
