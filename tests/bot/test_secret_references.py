"""References in an installation: asked for at start, never in the way of the event loop, and broken each for itself."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.providers import SecretProviders
from adapters.storage.profile_file import AuthProfileFiles
from bot.app import build_app
from bot.config.load import settings_from
from bot.config.problems import InvalidConfig
from bot.credentials import CredentialSource
from bot.paths import Paths
from core.auth.eligibility import Eligibility, judge
from core.auth.refs import SOURCES
from core.auth.secret import Secret
from core.errors import BotError
from tests.bot.test_credentials import SALT, URL, key, store
from tests.fakes.clock import START
from tests.fakes.secret_store import python_command, shell_command


def ref(name: str, provider: str = "vault", source: str = "exec") -> dict[str, str]:
    return {"source": source, "provider": provider, "id": name}


def vault(command: str, **more: Any) -> dict[str, Any]:
    return {"secrets": {"providers": {"vault": {"source": "exec", "command": command, **more}}}}


def counting(folder: Path) -> str:
    body = f"open({str(folder / 'runs')!r}, 'a').write('x')\nanswer({{i: 'sk-of-' + i for i in asked['ids']}})"
    return python_command(folder, body)


def source(state: Path, tree: dict[str, Any], learnt: set[str] | None = None) -> CredentialSource:
    settings = settings_from(tree, {})
    table = settings.secrets
    providers = SecretProviders(table.providers, dict(table.defaults), table.resolution, {})
    return CredentialSource(
        settings,
        AuthProfileFiles(state),
        environ={},
        declared={},
        sources=dict.fromkeys(SOURCES, providers),
        salt=SALT,
        learn=(learnt if learnt is not None else set()).update,
    )


async def test_one_run_at_start_serves_all_agents_and_every_load_after_it(state_dir: Path, tmp_path: Path):
    store(state_dir, {"a": key("x", ref("a")), "b": key("x", ref("b"))})
    store(state_dir, {"c": key("x", ref("c"))}, agent="writer")
    provider = {**URL, "api_key": ref("d"), "headers": {"X-Auth": ref("e"), "X-Title": "Claw"}}
    channel = {"telegram": {"token": ref("f")}, "discord": {"token": ref("g"), "enabled": False}}
    more = {"models": {"providers": {"acme": provider}}, "agents": {"list": {"writer": {}}}, "channels": channel}
    learnt: set[str] = set()
    found = source(state_dir, {**vault(counting(tmp_path)), **more}, learnt)
    await found.prepare()
    for _ in range(3):
        assert found.load("main").profiles["a"].secret == Secret("sk-of-a")
        assert found.load("writer").profiles["c"].secret == Secret("sk-of-c")
    assert found.headers() == {"acme": (("X-Auth", "sk-of-e"), ("X-Title", "Claw"))}
    store(state_dir, {"a": key("x", ref("b"))})
    assert found.load("main").profiles["a"].secret == Secret("sk-of-b")
    assert (tmp_path / "runs").read_text() == "x"
    assert {"sk-of-a", "sk-of-c", "sk-of-d", "sk-of-e"} <= learnt


def test_a_look_from_the_host_asks_for_all_together(state_dir: Path, tmp_path: Path):
    store(state_dir, {"a": key("x", ref("a")), "b": key("x", ref("b"))})
    profiles = source(state_dir, vault(counting(tmp_path))).load("main").profiles
    assert [p.secret for p in profiles.values()] == [Secret("sk-of-a"), Secret("sk-of-b")]
    assert (tmp_path / "runs").read_text() == "x"


async def test_a_reference_that_turns_up_later_never_holds_up_the_loop_for_long(state_dir: Path, tmp_path: Path):
    go = tmp_path / "go"
    body = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nanswer({{'a': 'sk-late'}})"
    found = source(state_dir, vault(python_command(tmp_path, body), timeout="30s"))
    await found.prepare()
    store(state_dir, {"a": key("x", ref("a")), "b": key("x", "sk-plain")})
    began = time.monotonic()
    profiles = found.load("main").profiles
    assert found.load("main") is found.load("main")
    assert time.monotonic() - began < 3
    assert judge(profiles["a"], "x", START) is Eligibility.UNRESOLVED_REF
    assert "still being fetched" in profiles["a"].ref_error
    assert profiles["b"].secret == Secret("sk-plain")
    go.touch()
    async with asyncio.timeout(20):
        while found.load("main").profiles["a"].secret is None:  # noqa: ASYNC110 - only asking again shows it
            await asyncio.sleep(0.01)
    assert found.load("main").profiles["a"].secret == Secret("sk-late")


async def test_a_broken_provider_makes_its_own_profiles_unavailable_and_nothing_else(state_dir: Path, tmp_path: Path):
    store(state_dir, {"a": key("x", ref("a")), "b": key("x", "sk-plain"), "c": key("x", ref("c", "nowhere"))})
    found = source(state_dir, vault(shell_command(tmp_path, "echo sk-on-stderr >&2; exit 9")))
    await found.prepare()
    profiles = found.load("main").profiles
    assert "The secret provider 'vault' (exec) exited with code 9." in profiles["a"].ref_error
    assert "'nowhere' of source exec is not configured" in profiles["c"].ref_error
    assert [judge(profiles[name], "x", START).value for name in "abc"] == ["unresolved_ref", "ok", "unresolved_ref"]
    assert "sk-on-stderr" not in repr(profiles)


@pytest.mark.parametrize("auth", ["key", "none"])
def test_a_header_that_gives_nothing_takes_the_credentials_of_its_provider_out(state_dir: Path, auth: str):
    store(state_dir, {"a": key("acme", "sk-a"), "b": key("x", "sk-b")})
    provider = {**URL, "auth": auth, "headers": {"X-Auth": ref("UNSET", "default", "env")}}
    found = source(state_dir, {"models": {"providers": {"acme": provider}}})
    profiles = found.load("main").profiles
    concerned = [profile for profile in profiles.values() if profile.provider == "acme"]
    assert len(concerned) == (2 if auth == "none" else 1)
    for profile in concerned:
        assert judge(profile, "acme", START) is Eligibility.UNRESOLVED_REF
        assert profile.ref_error.startswith("models.providers.acme.headers.X-Auth: The environment variable UNSET")
        assert profile.secret is None
    assert judge(profiles["b"], "x", START) is Eligibility.OK
    assert found.headers() == {"acme": ()}


async def test_an_oauth_profile_is_not_even_asked_for(state_dir: Path, tmp_path: Path):
    store(state_dir, {"a": {"type": "token", "provider": "x", "tokenRef": ref("a")}})
    tree = {**vault(counting(tmp_path)), "auth": {"profiles": {"a": {"provider": "x", "mode": "oauth"}}}}
    found = source(state_dir, tree)
    assert found.load("main").profiles["a"].ref_error == "OAuth + SecretRef is not supported."
    with pytest.raises(BotError, match="OAuth \\+ SecretRef is not supported") as caught:
        await found.prepare()
    assert str(caught.value).splitlines()[1].startswith('- profiles.a.tokenRef: auth.profiles."a".mode is "oauth"')
    assert not (tmp_path / "runs").exists()


async def test_an_installation_sends_the_headers_that_its_references_gave(state_dir: Path, tmp_path: Path):
    provider = {**URL, "models": ["m"], "headers": {"X-Auth": ref("e")}}
    tree = {**vault(counting(tmp_path)), "models": {"providers": {"acme": provider}}}
    environ = {"REMOTECLAW_STATE_DIR": str(state_dir)}
    async with build_app(settings_from(tree, environ), Paths.of(environ), environ=environ, platforms=()) as app:
        assert app.rules.catalog.providers["acme"].headers == (("X-Auth", "sk-of-e"),)
    assert (tmp_path / "runs").read_text() == "x"


def table(**more: Any) -> dict[str, Any]:
    return {"secrets": {"providers": {"vault": more}}}


EXEC = {"source": "exec", "command": "/bin/x"}
FILE = {"source": "file", "path": "/keys"}
AT = "secrets.providers.vault"


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        pytest.param(table(source="store"), f"{AT}.source: must be 'env', 'file' or 'exec'", id="source"),
        pytest.param(table(source="file"), f'{AT}: path is missing, and source is "file"', id="no path"),
        pytest.param(table(source="exec"), f"{AT}: command is missing", id="no command"),
        pytest.param(table(**FILE, args=["x"]), f'{AT}: args means nothing where source = "file"', id="foreign key"),
        pytest.param(table(source="file", path="keys"), f"{AT}.path: must be an absolute path", id="relative path"),
        pytest.param(table(source="exec", command="x"), f"{AT}.command: must be an absolute path", id="relative"),
        pytest.param(table(source="exec", command="/bin/x;id"), f"{AT}.command: must be the path of one", id="shell"),
        pytest.param(table(**FILE, mode="singleValue"), f"{AT}.mode: must be 'json' or 'single_value'", id="mode"),
        pytest.param(table(**FILE, timeout="121s"), f"{AT}.timeout: must be at most 2m", id="timeout"),
        pytest.param(table(**EXEC, no_output_timeout=5), f"{AT}.no_output_timeout: must be a duration", id="number"),
        pytest.param(table(**FILE, max_bytes=20 * 2**20 + 1), f"{AT}.max_bytes: is too large", id="bytes"),
        pytest.param(table(**EXEC, max_output_bytes=0), f"{AT}.max_output_bytes: must be at least 1", id="output"),
        pytest.param(table(**EXEC, args=["x"] * 129), f"{AT}.args: must have at most 128 entries", id="args"),
        pytest.param(table(**EXEC, args=["x" * 1025]), f"{AT}.args[0]: must have at most 1024", id="argument"),
        pytest.param(table(**EXEC, pass_env=["X"] * 129), f"{AT}.pass_env: must have at most 128", id="variables"),
        pytest.param(table(**EXEC, trusted_dirs=["/x"] * 65), f"{AT}.trusted_dirs: must have at most 64", id="folders"),
        pytest.param(table(**EXEC, trusted_dirs=["x"]), f"{AT}.trusted_dirs[0]: must be an absolute path", id="folder"),
        pytest.param(
            table(source="env", allowlist=["X"] * 257), f"{AT}.allowlist: must have at most 256", id="allowlist"
        ),
        pytest.param(table(source="env", allowlist=["x"]), f"{AT}.allowlist[0]: must be a variable name", id="name"),
        pytest.param({"secrets": {"providers": {"Vault": EXEC}}}, "secrets.providers.Vault: must begin", id="alias"),
        pytest.param({"secrets": {"defaults": {"exec": "1"}}}, "secrets.defaults.exec: must begin", id="default"),
        *(
            pytest.param({"secrets": {"resolution": {name: most + 1}}}, f"{name}: is too large", id=name)
            for name, most in (
                ("max_provider_concurrency", 16),
                ("max_refs_per_provider", 4096),
                ("max_batch_bytes", 5 * 2**20),
            )
        ),
    ],
)
def test_a_table_of_secrets_that_is_wrong_is_named(tree: dict[str, Any], words: str):
    with pytest.raises(InvalidConfig) as caught:
        settings_from(tree, {})
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1
