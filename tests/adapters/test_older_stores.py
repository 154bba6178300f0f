"""Older store layouts: seen at once, imported once, and nothing lost whatever happens meanwhile."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from bot.system_clock import SystemClock
from core.auth.profiles import CredentialKind
from core.auth.secret import Secret, SecretRef
from core.errors import StoreError
from tests.adapters.older_child import FAR, KEY, LOGIN, OLDER, lay_out, on_disk, printed
from tests.adapters.older_stage import (
    AUTH,
    CANARY,
    MAIN,
    SHARED,
    STATE,
    STORE,
    WRITER,
    bring_in,
    content,
    secrets,
    writer_of,
)
from tests.fakes.health_store import FakeHealthStore

REF = {"source": "env", "provider": "default", "id": "OPENAI_API_KEY"}


class TestVectors:
    @pytest.mark.parametrize(
        ("older", "entry"),
        [
            pytest.param(
                {"type": "oauth", **LOGIN}, {"provider": "anthropic", "type": "oauth", **LOGIN}, id="C31 a login"
            ),
            pytest.param(
                {"provider": "anthropic", "mode": "api_key", "apiKey": "sk-x"},
                {"provider": "anthropic", "type": "api_key", "key": "sk-x"},
                id="C32 older spelling",
            ),
            pytest.param(
                {"type": "api_key", "provider": "claude", "key": "k", "email": "a@b.c", "new": [1]},
                {"type": "api_key", "provider": "claude", "key": "k", "email": "a@b.c", "new": [1]},
                id="what else it says stays",
            ),
            pytest.param(
                {"type": "api_key", "key": REF},
                {"type": "api_key", "provider": "anthropic", "keyRef": REF},
                id="a reference in the place of the key",
            ),
        ],
    )
    def test_auth_json_becomes_default_profiles_and_goes(
        self, state_dir: Path, older: dict[str, Any], entry: dict[str, Any]
    ) -> None:
        lay_out(state_dir, {AUTH: {"anthropic": older}})
        (said,) = writer_of(state_dir).import_older()
        assert said == f"Imported anthropic:default from {state_dir / AUTH}."
        assert content(state_dir) == {"version": 1, "profiles": {"anthropic:default": entry}}
        assert not (state_dir / AUTH).exists()

    def test_c34_bad_entries_are_named_in_their_order_and_stay(self, state_dir: Path) -> None:
        bad = {"no-type": {"provider": "a"}, "no-provider": {"type": "token", "provider": 5}, "text": CANARY}
        lay_out(state_dir, {AUTH: {**bad, "good": {"type": "api_key", "key": "k"}}})
        found = AuthProfileFiles(state_dir).load()
        assert list(found.profiles) == ["good:default"]
        reasons = ("its type is not one of", "it names no provider", "it is not an object")
        assert all(reason in problem for reason, problem in zip(reasons, found.problems, strict=True))
        said = writer_of(state_dir).import_older()
        assert all(reason in problem for reason, problem in zip(reasons, said[1:], strict=True))
        assert CANARY not in " ".join((*said, *found.problems))
        assert content(state_dir, AUTH) == bad
        assert AuthProfileFiles(state_dir).load().problems == found.problems

    @pytest.mark.parametrize(
        ("entry", "kept"),
        [
            pytest.param({"key": REF}, {"keyRef": REF}, id="C35 a reference as the key"),
            pytest.param(
                {"key": {**REF, "id": "OTHER"}, "keyRef": REF}, {"keyRef": REF}, id="C37 the explicit one stays"
            ),
            pytest.param({"key": "sk-plain", "keyRef": REF}, {"keyRef": REF}, id="C38 no plain text beside it"),
        ],
    )
    def test_a_reference_is_kept_in_its_own_field(
        self, state_dir: Path, entry: dict[str, Any], kept: dict[str, Any]
    ) -> None:
        body = {"type": "api_key", "provider": "openai"}
        lay_out(state_dir, {STORE: {"profiles": {"openai:default": {**body, **entry}}}})
        profile = AuthProfileFiles(state_dir).load().profiles["openai:default"]
        assert (profile.ref, profile.secret) == (SecretRef("env", "default", "OPENAI_API_KEY"), None)
        writer_of(state_dir).put("x", KEY)
        assert content(state_dir)["profiles"]["openai:default"] == {**body, **kept}

    async def test_c40_bookkeeping_and_state_file_go(self, state_dir: Path) -> None:
        lay_out(state_dir)
        health = FakeHealthStore()
        await bring_in(state_dir, health)
        assert content(state_dir).keys() == {"version", "profiles", "order", "imported"}
        assert content(state_dir)["order"] == {"acme": ["acme:home", "acme:work"], "zeta": ["zeta:default"]}
        assert not (state_dir / STATE).exists()
        assert {profile for profile, _ in health.health} == {"acme:work", "zeta:default"}

    def test_c41_oauth_json_becomes_a_default_profile_and_stays(self, state_dir: Path) -> None:
        lay_out(state_dir, {SHARED: {"vendor": LOGIN}})
        writer_of(state_dir).import_older()
        assert content(state_dir)["profiles"] == {"vendor:default": {"type": "oauth", "provider": "vendor", **LOGIN}}
        assert content(state_dir, SHARED) == {"vendor": LOGIN}

    async def test_c43_a_key_that_is_replaced_meanwhile_stays_and_has_no_past(self, state_dir: Path) -> None:
        stats = {"acme:work": {"cooldownUntil": FAR, "cooldownReason": "rate_limit"}}
        lay_out(state_dir, {STORE: {"profiles": {"acme:work": KEY}, "usageStats": stats}})

        class Overtaken(FakeHealthStore):
            async def update_health(self, *given: Any) -> None:
                writer_of(state_dir).put("acme:work", {**KEY, "key": "sk-fresh-new"})
                await super().update_health(*given)

        health = Overtaken()
        await bring_in(state_dir, health)
        assert content(state_dir) == {"version": 1, "profiles": {"acme:work": {**KEY, "key": "sk-fresh-new"}}}
        assert list(health.health) == [("acme:work", printed(Secret(KEY["key"])))]

    async def test_c44_an_agent_without_files_gets_none(self, state_dir: Path) -> None:
        lay_out(state_dir, {STORE: {"profiles": {"acme:work": KEY}}})
        before = on_disk(state_dir)
        assert await bring_in(state_dir) == ()
        assert secrets(state_dir, "writer") == {"acme:work": KEY["key"]}
        assert on_disk(state_dir) == before
        assert not (state_dir / "agents/writer").exists()
        assert not (state_dir / MAIN / ".auth-profiles.json.guard").exists(), "not even a lock was taken"


class TestReading:
    def test_shows_everything_before_anything_is_imported_and_writes_nothing(self, state_dir: Path) -> None:
        lay_out(state_dir)
        before = on_disk(state_dir)
        found = AuthProfileFiles(state_dir).load()
        assert {n: (p.provider, p.kind, Path(p.source).name) for n, p in found.profiles.items()} == {
            "acme:work": ("acme", CredentialKind.API_KEY, "auth-profiles.json"),
            "zeta:default": ("zeta", CredentialKind.API_KEY, "auth.json"),
            "vendor:default": ("vendor", CredentialKind.OAUTH, "oauth.json"),
        }
        assert found.order == {"acme": ("acme:home", "acme:work"), "zeta": ("zeta:default",)}
        assert secrets(state_dir, "writer") == {
            **secrets(state_dir),
            "acme:default": "tok-confidential",
        }
        assert on_disk(state_dir) == before

    async def test_shows_the_same_after_the_import(self, state_dir: Path) -> None:
        lay_out(state_dir)
        before = [(secrets(state_dir, a), AuthProfileFiles(state_dir).load(a).order) for a in ("main", "writer")]
        await bring_in(state_dir)
        assert before == [
            (secrets(state_dir, a), AuthProfileFiles(state_dir).load(a).order) for a in ("main", "writer")
        ]

    def test_knows_the_secrets_of_older_files_for_redaction(self, state_dir: Path) -> None:
        lay_out(state_dir)
        files = AuthProfileFiles(state_dir)
        files.load()
        known = {secret.reveal() for secret in files.secrets()}
        assert known == {KEY["key"], "sk-zeta-confidential", LOGIN["access"], LOGIN["refresh"]}

    def test_sees_a_change_of_an_older_file_at_once(self, state_dir: Path) -> None:
        lay_out(state_dir, {AUTH: {"zeta": {"type": "api_key", "key": "1"}}})
        files = AuthProfileFiles(state_dir)
        assert files.load() is files.load()
        (state_dir / AUTH).write_text(json.dumps({"zeta": {"type": "api_key", "key": "2"}}))
        assert files.load().profiles["zeta:default"].secret == Secret("2")

    def test_an_id_of_the_store_wins_and_auth_json_before_oauth_json(self, state_dir: Path) -> None:
        entry = {"type": "api_key", "provider": "a"}
        lay_out(
            state_dir,
            {
                STORE: {"profiles": {"a:default": {**entry, "key": "store"}}},
                AUTH: {"a": {**entry, "key": "auth"}, "b": {**entry, "key": "auth"}},
                SHARED: {"a": LOGIN, "b": LOGIN, "c": LOGIN},
            },
        )
        expected = {"a:default": "store", "b:default": "auth", "c:default": LOGIN["access"]}
        assert secrets(state_dir) == expected
        writer_of(state_dir).import_older()
        assert secrets(state_dir) == expected

    @pytest.mark.parametrize("name", [AUTH, SHARED])
    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            pytest.param(lambda path: path.chmod(0o644), "open to other users", id="open to others"),
            pytest.param(lambda path: path.write_text("{"), "is not valid JSON", id="cut off"),
            pytest.param(lambda path: path.write_text("[]"), "is not a JSON object", id="a list"),
            pytest.param(lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "not a regular file", id="a pipe"),
        ],
    )
    async def test_an_older_file_that_cannot_be_used_lets_no_other_key_slip_in(
        self, state_dir: Path, name: str, damage: Callable[[Path], object], words: str
    ) -> None:
        lay_out(state_dir)
        damage(state_dir / name)
        found = AuthProfileFiles(state_dir).load()
        assert found.unreadable
        assert "acme:work" in found.profiles, "what the store has serves on"
        (problem,) = found.problems
        assert problem.startswith(str(state_dir / name))
        assert words in problem
        said = await bring_in(state_dir)
        assert any(words in sentence for sentence in said)
        assert (state_dir / name).exists()
        assert CANARY not in " ".join(said)

    async def test_a_store_that_cannot_be_used_is_no_matter_of_older_files_where_there_are_none(
        self, state_dir: Path
    ) -> None:
        lay_out(state_dir, {STORE: {"profiles": []}})
        assert await bring_in(state_dir) == ()

    def test_beside_a_store_that_cannot_be_used_older_files_say_nothing(self, state_dir: Path) -> None:
        lay_out(state_dir)
        (state_dir / STORE).write_text('{"profiles": []}')
        found = AuthProfileFiles(state_dir).load()
        assert (dict(found.profiles), found.unreadable) == ({}, True)
        with pytest.raises(StoreError, match=r"'profiles' is not an object\. Nothing was changed"):
            writer_of(state_dir).import_older()
        assert content(state_dir, AUTH) == OLDER[AUTH]

    def test_a_bad_entry_names_the_provider_whose_key_it_may_be(self, state_dir: Path) -> None:
        lay_out(state_dir, {AUTH: {"Z.AI": "sk"}})
        assert AuthProfileFiles(state_dir).load().damaged == {"zai"}

    def test_a_login_by_reference_is_told_as_one(self, state_dir: Path) -> None:
        lay_out(state_dir, {SHARED: {"vendor": {**LOGIN, "access": REF}}})
        assert AuthProfileFiles(state_dir).load().oauth_references == (("vendor:default", "access"),)

    def test_a_file_of_that_name_in_todays_layout_is_told(self, state_dir: Path) -> None:
        lay_out(state_dir, {AUTH: {"version": 1, "profiles": {"a": KEY}}})
        found = AuthProfileFiles(state_dir).load()
        assert found.problems == (f"{state_dir / AUTH}: is laid out as auth-profiles.json, so it is not used.",)
        writer_of(state_dir).import_older()
        assert content(state_dir, AUTH)["profiles"] == {"a": KEY}

    def test_another_folder_of_oauth_json_is_read_and_imported(self, state_dir: Path, tmp_path: Path) -> None:
        lay_out(tmp_path / "else", {"oauth.json": {"vendor": LOGIN}})
        assert "vendor:default" in AuthProfileFiles(state_dir, tmp_path / "else").load().profiles
        ProfileWriter(state_dir, "main", SystemClock(), oauth_dir=tmp_path / "else").import_older()
        assert "vendor:default" in content(state_dir)["profiles"]


class TestImport:
    async def test_says_what_came_from_where_and_no_secret(self, state_dir: Path) -> None:
        lay_out(state_dir)
        said = await bring_in(state_dir)
        assert said == (
            f"Imported zeta:default from {state_dir / AUTH}.",
            f"Imported vendor:default from {state_dir / SHARED}.",
            f"Imported the order of 'acme' from {state_dir / STATE}.",
            "Imported cooldowns and last use of acme:work, zeta:default (agent main).",
            f"Imported acme:default from {state_dir / WRITER / 'auth.json'}.",
        )
        assert await bring_in(state_dir) == ()
        assert all(mode == 0o600 for mode, _ in on_disk(state_dir).values())

    def test_comes_before_any_other_change(self, state_dir: Path) -> None:
        lay_out(state_dir)
        writer_of(state_dir).put("new", KEY)
        assert set(content(state_dir)["profiles"]) == {"acme:work", "zeta:default", "vendor:default", "new"}
        assert not (state_dir / AUTH).exists()
        assert content(state_dir, STATE).keys() == {"version", "usageStats"}, "that is for the database"

    def test_only_main_takes_the_logins_of_all_agents(self, state_dir: Path) -> None:
        lay_out(state_dir)
        writer_of(state_dir, "writer").import_older()
        assert set(content(state_dir, WRITER + "auth-profiles.json")["profiles"]) == {"acme:default"}

    async def test_an_order_that_is_set_afterwards_wins_and_stays(self, state_dir: Path) -> None:
        lay_out(state_dir)
        assert writer_of(state_dir).has_order("acme")
        await bring_in(state_dir)
        writer_of(state_dir).set_order("acme", ["acme:work"])
        await bring_in(state_dir)
        assert AuthProfileFiles(state_dir).load().order["acme"] == ("acme:work",)

    def test_orders_are_normalised_and_of_one_spelling(self, state_dir: Path) -> None:
        order = {"Z.AI": [" a ", "", 5, "a", "b"], "none": [], "odd": "x", "acme": ["acme:work"]}
        lay_out(state_dir, {STORE: {"order": {"z-ai": ["old"], "other": ["c"]}}, STATE: {"order": order}})
        seen = AuthProfileFiles(state_dir).load().order
        writer_of(state_dir).import_older()
        assert content(state_dir)["order"] == {"zai": ["a", "b"], "other": ["c"], "acme": ["acme:work"]}
        assert AuthProfileFiles(state_dir).load().order == seen

    @pytest.mark.parametrize("files", [(AUTH,), (SHARED,), (AUTH, SHARED)], ids=["auth", "oauth", "both"])
    def test_what_was_removed_does_not_come_back(self, state_dir: Path, files: tuple[str, ...]) -> None:
        login = {"vendor": {"type": "oauth", **LOGIN}}
        lay_out(state_dir, dict.fromkeys(files, login))
        writer = writer_of(state_dir)
        assert writer.own_provider("vendor:default") == "vendor"
        writer.remove("vendor:default")
        for _ in range(2):
            writer.import_older()
            assert secrets(state_dir) == {}

    def test_a_login_of_another_provider_that_appears_later_is_imported(self, state_dir: Path) -> None:
        lay_out(state_dir, {SHARED: {"vendor": LOGIN}})
        writer_of(state_dir).remove("vendor:default")
        (state_dir / SHARED).write_text(json.dumps({"vendor": LOGIN, "other": LOGIN}))
        writer_of(state_dir).import_older()
        assert set(content(state_dir)["profiles"]) == {"other:default"}

    def test_another_credential_of_an_id_that_the_store_has_stays_where_it_is(self, state_dir: Path) -> None:
        older = {"acme": {"type": "api_key", "key": "sk-older"}, "zeta": {"type": "api_key", "key": "z"}}
        store = {"version": 1, "profiles": {"acme:default": KEY}}
        lay_out(state_dir, {STORE: store, AUTH: older})
        said = writer_of(state_dir).import_older()
        assert said[1] == f"{state_dir / AUTH}: 'acme' is not imported: the store has acme:default already."
        assert content(state_dir, AUTH) == {"acme": older["acme"]}
        assert content(state_dir)["profiles"]["acme:default"] == KEY
        writer_of(state_dir).remove("acme:default")
        found = AuthProfileFiles(state_dir).load()
        assert list(found.profiles) == ["zeta:default"], "the older one does not take its place"
        assert found.problems == (f"{state_dir / AUTH}: 'acme' is not used: 'acme:default' was in the store before.",)
        assert writer_of(state_dir).import_older() == ()

    def test_the_state_file_keeps_what_nobody_knows(self, state_dir: Path) -> None:
        lay_out(state_dir, {STATE: {"version": 1, "lastGood": {"a": "b"}, "order": {"a": ["b"]}, "invented": 1}})
        writer_of(state_dir).import_older()
        assert content(state_dir, STATE) == {"version": 1, "invented": 1}

    @pytest.mark.parametrize("name", [AUTH, STATE])
    @pytest.mark.parametrize("empty", [{}, {"version": 1}])
    def test_an_empty_older_file_goes(self, state_dir: Path, name: str, empty: dict[str, Any]) -> None:
        lay_out(state_dir, {name: empty})
        assert writer_of(state_dir).import_older() == ()
        assert on_disk(state_dir) == {}
