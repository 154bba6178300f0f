"""Stores, environment and config brought together: what an agent has, with references resolved and fingerprints set."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.env import EnvSource
from adapters.storage.profile_file import AuthProfileFiles
from bot.config.load import settings_from
from bot.credentials import CredentialSource
from core.auth.eligibility import Eligibility, judge
from core.auth.order import line
from core.auth.profiles import CredentialKind, PinMode, ProfileSet
from core.auth.secret import Secret
from tests.fakes.clock import START

SALT = b"s" * 32
URL = {"base_url": "http://127.0.0.1:9/v1", "api": "openai-completions"}


def key(provider: str, value: Any) -> dict[str, Any]:
    return {"type": "api_key", "provider": provider, "key": value}


def store(state: Path, profiles: dict[str, Any], agent: str = "main") -> Path:
    path = state / "agents" / agent / "agent" / "auth-profiles.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1, "profiles": profiles}))
    path.chmod(0o600)
    return path


def source(
    state: Path, tree: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **more: Any
) -> CredentialSource:
    environ = environ or {}
    return CredentialSource(
        settings_from(tree or {}, environ),
        AuthProfileFiles(state),
        environ=environ,
        declared={"vendor": ("VENDOR_TOKEN",)},
        sources={"env": EnvSource(environ)},
        salt=more.pop("salt", SALT),
        **more,
    )


def test_profiles_of_all_origins_are_there(state_dir: Path):
    store(state_dir, {"acme:work": key("acme", "sk-work")})
    tree = {
        "models": {
            "providers": {
                "acme": {**URL, "api_key": "sk-config"},
                "local": {**URL, "auth": "none"},
                "plain": URL,
            }
        }
    }
    environ = {"ACME_API_KEY": "sk-env", "LOCAL_API_KEY": "unused", "VENDOR_TOKEN": "v", "PLAIN_API_KEYS": "p1,p2"}
    found = source(state_dir, tree, environ).load("main")
    assert {p.id: (p.provider, p.kind, p.secret) for p in found.profiles.values()} == {
        "acme:work": ("acme", CredentialKind.API_KEY, Secret("sk-work")),
        "env:ACME_API_KEY": ("acme", CredentialKind.ENV, Secret("sk-env")),
        "env:PLAIN_API_KEYS#1": ("plain", CredentialKind.ENV, Secret("p1")),
        "env:PLAIN_API_KEYS#2": ("plain", CredentialKind.ENV, Secret("p2")),
        "env:VENDOR_TOKEN": ("vendor", CredentialKind.ENV, Secret("v")),
        "config:acme": ("acme", CredentialKind.CONFIG, Secret("sk-config")),
        "none:local": ("local", CredentialKind.NONE, None),
    }


def test_the_env_table_of_the_config_counts_as_environment(state_dir: Path):
    tree = {"models": {"providers": {"acme": URL}}, "env": {"ACME_API_KEY": "sk-table"}}
    assert source(state_dir, tree).load("main").profiles["env:ACME_API_KEY"].secret == Secret("sk-table")


def test_the_config_adds_what_it_knows_of_a_profile(state_dir: Path):
    store(state_dir, {"acme:work": key("acme", "sk-work"), "acme:home": key("acme", "sk-home")})
    tree = {
        "auth": {
            "profiles": {
                "acme:work": {
                    "provider": "Acme",
                    "mode": "api_key",
                    "label": "the company's",
                    "account": "inc",
                    "billing": "metered",
                    "pin_mode": "prefer",
                    "pin_allow": ["owners", "discord:role:3"],
                    "email": "w@example.com",
                    "display_name": "Work",
                }
            }
        }
    }
    profiles = source(state_dir, tree).load("main").profiles
    work, home = profiles["acme:work"], profiles["acme:home"]
    assert (work.label, work.account, work.billing) == ("the company's", "inc", "metered")
    assert (work.pin_mode, work.pin_allow) == (PinMode.PREFER, ("owners", "discord:role:3"))
    assert (work.config_provider, work.config_mode) == ("acme", "api_key")
    assert work.metadata == {"email": "w@example.com", "display_name": "Work"}
    assert (home.label, home.pin_mode, home.pin_allow, home.config_mode) == (None, PinMode.STRICT, None, None)


def test_fingerprints_tell_keys_apart_and_depend_on_the_salt(state_dir: Path):
    store(state_dir, {"a": key("x", "sk-one"), "b": key("x", "sk-two"), "c": key("y", "sk-one")})
    prints = {name: p.fingerprint for name, p in source(state_dir).load("main").profiles.items()}
    assert prints["a"] == prints["c"] != prints["b"]
    assert all(value is not None and len(value) == 8 for value in prints.values())
    assert source(state_dir, salt=b"t" * 32).load("main").profiles["a"].fingerprint != prints["a"]


def test_without_a_salt_there_are_no_fingerprints_and_the_reason_is_told(state_dir: Path):
    store(state_dir, {"a": key("x", "sk-one")})
    found = source(state_dir, salt=None, problems=("fingerprint.salt: is damaged.",)).load("main")
    assert found.profiles["a"].fingerprint is None
    assert found.profiles["a"].secret == Secret("sk-one")
    assert found.problems == ("fingerprint.salt: is damaged.",)


class TestReferences:
    def test_to_a_variable_give_its_value(self, state_dir: Path):
        store(
            state_dir,
            {"a": key("x", "${A_KEY}"), "b": key("x", {"source": "env", "provider": "default", "id": "A_KEY"})},
        )
        profiles = source(state_dir, environ={"A_KEY": " sk-1 "}).load("main").profiles
        assert [p.secret for p in profiles.values()] == [Secret("sk-1"), Secret("sk-1")]
        assert all(p.fingerprint for p in profiles.values())

    @pytest.mark.parametrize(
        ("ref", "words"),
        [
            ({"source": "env", "provider": "default", "id": "NO_KEY"}, "NO_KEY is missing or empty"),
            ({"source": "env", "provider": "other", "id": "A_KEY"}, "'other' of source env is not configured"),
            ({"source": "file", "provider": "default", "id": "value"}, "secret source 'file' is not available"),
            ({"source": "exec", "provider": "default", "id": "x"}, "secret source 'exec' is not available"),
        ],
        ids=["missing", "provider", "file", "exec"],
    )
    def test_that_lead_nowhere_make_that_profile_unavailable_and_no_other(self, state_dir: Path, ref: Any, words: str):
        store(state_dir, {"a": {**key("x", "plain"), "keyRef": ref}, "b": key("x", "sk-b")})
        found = source(state_dir, environ={"A_KEY": "sk-1", "X_API_KEY": "sk-env"})
        loaded = found.load("main")
        profiles = loaded.profiles
        assert words in profiles["a"].ref_error
        assert (profiles["a"].secret, profiles["a"].fingerprint) == (None, None)
        assert judge(profiles["a"], "x", START) is Eligibility.UNRESOLVED_REF
        placed = line("x", loaded, None, (), lambda _: None, lambda _: None, START).placed()
        assert [p.id for p in placed if p.position is not None] == ["b"]

    def test_in_the_config_work_alike(self, state_dir: Path):
        ref = {"source": "env", "provider": "default", "id": "KEPT_ELSEWHERE"}
        tree = {"models": {"providers": {"acme": {**URL, "api_key": ref}}}}
        assert source(state_dir, tree, {"KEPT_ELSEWHERE": "k"}).load("main").profiles["config:acme"].secret == Secret(
            "k"
        )
        broken = source(state_dir, tree).load("main").profiles["config:acme"]
        assert judge(broken, "acme", START) is Eligibility.UNRESOLVED_REF

    def test_are_refused_where_the_config_says_oauth(self, state_dir: Path):
        store(state_dir, {"a": {"type": "token", "provider": "x", "token": "${A_KEY}"}})
        tree = {"auth": {"profiles": {"a": {"provider": "x", "mode": "oauth"}}}}
        profile = source(state_dir, tree, {"A_KEY": "sk-1"}).load("main").profiles["a"]
        assert profile.secret is None
        assert profile.ref_error == "OAuth + SecretRef is not supported."


class TestChanges:
    def test_on_disk_are_seen_by_the_next_load(self, state_dir: Path):
        store(state_dir, {"a": key("x", "sk-1")})
        found = source(state_dir)
        before = found.load("main").profiles["a"]
        store(state_dir, {"a": key("x", "sk-2")})
        after = found.load("main").profiles["a"]
        assert (before.secret, after.secret) == (Secret("sk-1"), Secret("sk-2"))
        assert before.fingerprint != after.fingerprint
        store(state_dir, {})
        assert found.load("main").profiles == {}

    def test_of_nothing_give_the_same_object(self, state_dir: Path):
        store(state_dir, {"a": key("x", "sk-1")})
        found = source(state_dir)
        assert found.load("main") is found.load("main")


def test_a_broken_store_leaves_the_rest_and_is_told(state_dir: Path):
    path = store(state_dir, {"a": key("x", "sk-1")})
    path.write_text("{")
    found = source(state_dir, environ={"VENDOR_TOKEN": "v"}).load("main")
    assert list(found.profiles) == ["env:VENDOR_TOKEN"]
    assert "not valid JSON" in found.problems[0]


def test_another_agent_has_its_own_set(state_dir: Path):
    store(state_dir, {"a": key("x", "sk-1")})
    store(state_dir, {"a": key("x", "sk-2")}, agent="writer")
    found = source(state_dir)
    assert found.load("writer").profiles["a"].secret == Secret("sk-2")
    assert found.load("main").profiles["a"].secret == Secret("sk-1")


def test_everything_confidential_is_learnt_as_it_turns_up(state_dir: Path):
    known: set[str] = set()
    tree = {
        "channels": {
            "telegram": {"token": "1:telegram-token", "webhook": {"url": "https://x", "secret_token": "hook-secret"}},
            "discord": {"enabled": False, "token": "discord-token"},
        },
        "models": {
            "providers": {
                "acme": {**URL, "api_key": "sk-config", "headers": {"X-Auth": "header-auth", "X-Title": "Claw"}}
            }
        },
        "database": {"url": "postgresql://u:db%20word@h/d"},
        "env": {"MY_TOKEN": "token-of-the-table", "LANG": "de_DE.UTF-8-and-more"},
    }
    environ = {"ACME_API_KEY": "sk-env", "OTHER_SECRET": "secret-of-the-environment", "MAX_TOKENS": "4096"}
    found = source(state_dir, tree, environ, learn=known.update)
    assert known == {
        "1:telegram-token",
        "hook-secret",
        "discord-token",
        "sk-config",
        "header-auth",
        "db word",
        "token-of-the-table",
        "sk-env",
        "secret-of-the-environment",
    }
    oauth = {"type": "oauth", "provider": "x", "access": "acc", "refresh": "ref"}
    store(state_dir, {"a": oauth, "b": key("x", "${VIA_REF}")})
    found.load("main")
    assert {"acc", "ref"} <= known
    assert set(found.secret_values()) == known


def test_nothing_of_it_shows_a_secret(state_dir: Path):
    store(state_dir, {"a": key("x", "sk-stored-1")})
    found = source(
        state_dir, {"models": {"providers": {"acme": {**URL, "api_key": "sk-config-1"}}}}, {"X_API_KEY": "sk-env-1"}
    )
    assert "sk-" not in repr(found.load("main"))
    assert isinstance(found.load("main"), ProfileSet)


def test_a_key_of_the_environment_that_no_request_can_carry_is_not_ready(state_dir: Path):
    found = source(state_dir, {"models": {"providers": {"acme": URL}}}, environ={"ACME_API_KEY": "sk two words"})
    held = found.load("main")
    assert held.profiles["env:ACME_API_KEY"].secret is None
    assert any("ACME_API_KEY: the key " in problem for problem in held.problems)
    assert "sk two words" not in " ".join(held.problems)
    assert "sk two words" in found.secret_values()
