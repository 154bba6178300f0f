"""models.json of an installation: what goes in, how it is kept fresh, and what comes out of it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.models_documents import ensure_models_files, sources_of
from bot.models_wiring import model_makings
from bot.paths import Paths
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.secret import Secret
from core.errors import ConfigError
from core.models.catalog import ModelEntry, Price
from core.models.merge import merge
from core.models.ref import ModelRef
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from tests.bot.models_house import ACME, CANARY, PLAIN, House, acme, env_key, settings_of
from tests.fakes.clock import FakeClock
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.inbox import FakeInbox
from tests.fakes.profile_source import FakeProfileSource
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.state_reader import FakeStateReader


@pytest.fixture
def house(state_dir: Path, clock: FakeClock) -> House:
    return House(state_dir, clock)


class TestWhatGoesIn:
    def test_the_providers_of_the_config_and_those_that_have_a_credential(self, house: House) -> None:
        assert house.ensure(PLAIN, env_key("ANTHROPIC_API_KEY#2", "anthropic"))
        written = house.written()
        assert set(written) == {"acme", "anthropic"}
        assert written["acme"] == {"base_url": ACME["base_url"], "api": ACME["api"], "models": [{"id": "small"}]}
        assert written["anthropic"]["api_key"] == "ANTHROPIC_API_KEY"
        opus = next(model for model in written["anthropic"]["models"] if model["id"] == "claude-opus-4-5")
        assert opus == {
            "id": "claude-opus-4-5", "name": "Opus", "context_window": 200_000, "input": ["text", "image"],
            "cost": {"input": 5}, "alias": "opus",
        }  # fmt: skip

    def test_and_the_models_that_the_agent_uses(self, house: House) -> None:
        model = {"primary": "acme/small", "fallbacks": ("groq/some-model", "anthropic/claude-opus-4-5")}
        house.ensure({**PLAIN, "agents": {"defaults": {"model": model}}})
        written = house.written()
        assert set(written) == {"acme", "anthropic", "groq"}
        assert written["groq"]["models"] == [{"id": "some-model"}]
        assert "api_key" not in written["groq"]

    @pytest.mark.parametrize(
        ("given", "environ", "marker"),
        [
            pytest.param(CANARY, {}, "secretref-managed", id="a literal key"),
            pytest.param("${ACME_API_KEY}", {"ACME_API_KEY": CANARY}, "ACME_API_KEY", id="out of a variable"),
            pytest.param("${MINE}", {"MINE": CANARY}, "secretref-managed", id="of a name that others take for a key"),
            pytest.param({"source": "env", "id": "ACME_API_KEY"}, {}, "ACME_API_KEY", id="a reference to a variable"),
            pytest.param({"source": "env", "id": "MINE"}, {}, "secretref-managed", id="to one of that kind"),
            pytest.param({"source": "env", "id": "OPENAI_API_KEY"}, {}, "OPENAI_API_KEY", id="to a declared one"),
            pytest.param({"source": "file", "provider": "f", "id": "/k"}, {}, "secretref-managed", id="to a file"),
            pytest.param({"source": "exec", "provider": "x", "id": "k"}, {}, "secretref-managed", id="to a command"),
        ],
    )
    def test_a_key_of_the_config_becomes_a_marker(
        self, house: House, given: object, environ: dict[str, str], marker: str
    ) -> None:
        secrets = {"providers": {"f": {"source": "file", "path": "/f"}, "x": {"source": "exec", "command": "/x"}}}
        house.ensure({**acme(api_key=given), "secrets": secrets}, **environ)
        assert house.written()["acme"]["api_key"] == marker
        assert CANARY not in house.path().read_text()

    def test_headers_are_markers_whatever_they_hold(self, house: House) -> None:
        house.ensure(acme(headers={"X-Key": CANARY, "X-Team": "red", "X-Env": {"source": "env", "id": "TEAM"}}))
        assert house.written()["acme"]["headers"] == {
            "X-Env": "secretref-env:TEAM", "X-Key": "secretref-managed", "X-Team": "secretref-managed"
        }  # fmt: skip

    def test_replace_is_the_config_alone(self, house: House) -> None:
        house.keep({"old": {"apiKey": CANARY}})
        tree = {"models": {"mode": "replace", "providers": {"acme": ACME}}}
        house.ensure(tree, env_key("ANTHROPIC_API_KEY", "anthropic"))
        assert house.written() == {
            "acme": {"base_url": ACME["base_url"], "api": ACME["api"], "models": [{"id": "small"}]}
        }

    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="$"), max_size=12),
        st.sampled_from(["api_key", "headers", "both"]),
    )
    def test_no_secret_of_the_config_is_in_it(self, text: str, where: str) -> None:
        secret = f"CANARY{text}"
        changes: dict[str, Any] = {"api_key": secret} if where != "headers" else {}
        changes |= {"headers": {"authorization": secret, "x-other": secret}} if where != "api_key" else {}
        settings = settings_of({**acme(**changes), "env": {"ACME_API_KEY": secret}})
        house = House(Path("/nowhere"), FakeClock())
        profile = AuthProfile(id="acme:a", provider="acme", kind=CredentialKind.API_KEY, secret=Secret(secret))
        held = ProfileSet(profiles={p.id: p for p in (profile, env_key("ACME_API_KEY", "acme"))})
        result = merge(sources_of(house.makings(settings), "main", held), {})
        assert "CANARY" not in json.dumps(result)
        assert "CANARY" not in repr(sources_of(house.makings(settings), "main", held))


class TestKeepingItFresh:
    def test_nothing_is_asked_or_written_where_nothing_has_changed(self, house: House) -> None:
        assert house.ensure(PLAIN)
        asked, before = house.library.asked, house.path().stat()
        assert not house.ensure(PLAIN)
        assert (house.library.asked, house.path().stat()) == (asked, before)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda h: h.ensure(acme(models=("small", "big"))), id="the config"),
            pytest.param(lambda h: h.ensure(PLAIN, env_key("GROQ_API_KEY", "groq")), id="a key of the environment"),
            pytest.param(lambda h: setattr(h.library, "edition", "2") or h.ensure(PLAIN), id="the library, or the day"),
            pytest.param(lambda h: h.path().unlink() or h.ensure(PLAIN), id="the file is gone"),
        ],
    )
    def test_it_is_made_anew_when_something_changes(self, house: House, change: Any) -> None:
        house.ensure(PLAIN)
        assert change(house)

    @pytest.mark.parametrize("content", ["{", "[]"])
    def test_a_file_that_cannot_be_read_is_left_alone_and_told_once_in_the_log(
        self, house: House, content: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.keep({})
        house.path().write_text(content)
        assert not house.ensure(PLAIN)
        assert house.path().read_text() == content
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert str(house.path()) in record.message
        assert record.message.count("\n") == 0

    def test_every_agent_has_its_own(self, house: House) -> None:
        tree = {**PLAIN, "agents": {"list": {"writer": {"model": "anthropic/claude-opus-4-5"}}}}
        makings = house.makings(settings_of(tree))
        assert ensure_models_files(makings, {"main": ProfileSet(), "writer": ProfileSet()})
        assert set(house.written()) == {"acme"}
        assert set(house.written("writer")) == {"acme", "anthropic"}

    def test_c226_a_key_that_gives_way_to_a_marker_is_told_without_it(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.keep({"acme": {"apiKey": CANARY}, "old": {"apiKey": CANARY}})
        house.ensure(PLAIN)
        assert house.written()["acme"]["api_key"] == CANARY, "kept where nothing takes its place"
        assert not caplog.records
        house.ensure(PLAIN, env_key("ACME_API_KEY", "acme"))
        assert house.written()["acme"]["api_key"] == "ACME_API_KEY"
        assert house.written()["old"] == {"apiKey": CANARY}
        assert "the plain key of acme was taken out" in caplog.text
        assert CANARY not in caplog.text


class TestCredentials:
    def look(self, house: House, provider: str, entry: Mapping[str, Any], **environ: str) -> ProfileSet:
        house.keep({provider: entry})
        return house.credentials(**environ).load("main")

    @pytest.mark.parametrize(
        ("provider", "key", "environ", "secret"),
        [
            pytest.param("acme", "ollama-local", {}, None, id="C199 a local marker"),
            pytest.param("acme", "ALLCAPS_SAMPLE", {}, "ALLCAPS_SAMPLE", id="C200 unknown capitals are a key"),
            pytest.param("acme", "abc123", {}, "abc123", id="C202 a short key"),
            pytest.param("acme", f" {CANARY}\n", {}, CANARY, id="blanks around a key"),
            pytest.param(
                "acme", "ACME_API_KEY", {"ACME_API_KEY": CANARY}, None, id="a variable is a candidate by itself"
            ),
            pytest.param("acme", "secretref-managed", {}, None, id="kept elsewhere"),
            pytest.param("acme", "custom-local", {}, None, id="custom-local"),
            pytest.param("acme", "oauth:acme", {}, None, id="a login"),
            pytest.param("acme", "", {}, None, id="nothing"),
            pytest.param("old", "OLD_API_KEY", {"OLD_API_KEY": CANARY}, CANARY, id="a variable that nobody else reads"),
            pytest.param("old", "OLD_API_KEY", {}, None, id="one that is not set"),
            pytest.param("old", CANARY, {}, CANARY, id="of a provider that only the file has"),
        ],
    )
    def test_which_keys_are_candidates(
        self, house: House, provider: str, key: str, environ: dict[str, str], secret: str | None
    ) -> None:
        address = {"baseUrl": ACME["base_url"], "api": ACME["api"]}
        found = self.look(house, provider, {**address, "apiKey": key}, **environ)
        if secret is None:
            assert not found.profiles
            return
        profile = found.profiles[f"models.json:{provider}"]
        assert profile.secret == Secret(secret)
        assert (profile.kind, profile.provider) == (CredentialKind.CONFIG, provider)
        assert profile.source == f"models.json: {house.path()}"
        assert profile.from_environment, "it serves where nothing better does"

    def test_a_plain_key_is_told_with_what_to_do_and_never_shown(self, house: House) -> None:
        house.keep({"acme": {"apiKey": CANARY, "headers": {"X-Key": f"h-{CANARY}"}}})
        credentials = house.credentials()
        found = credentials.load("main")
        told = f"{house.path()}: the key of acme is plain text; `remoteclaw secrets audit` shows it."
        assert found.problems == (told,)
        assert CANARY not in repr(found)
        assert set(credentials.secrets()) == {Secret(CANARY), Secret(f"h-{CANARY}")}, "for redaction"

    def test_a_key_is_not_sent_to_another_address_than_its_own(self, house: House) -> None:
        found = self.look(house, "anthropic", {"baseUrl": "https://proxy.test", "apiKey": CANARY})
        assert not found.profiles
        assert "belongs to https://proxy.test and is not sent to https://api.anthropic.com" in found.problems[1]
        same = self.look(house, "anthropic", {"baseUrl": "https://api.anthropic.com:443/v1", "apiKey": CANARY})
        assert set(same.profiles) == {"models.json:anthropic"}

    @pytest.mark.parametrize(
        "tree",
        [pytest.param(acme(api_key="sk-1"), id="a key of its own"), pytest.param(acme(auth="none"), id="none needed")],
    )
    def test_what_the_config_says_of_keys_wins(self, house: House, tree: Mapping[str, Any]) -> None:
        house.keep({"acme": {"apiKey": CANARY}})
        found = house.credentials(tree).load("main")
        assert not found.profiles
        assert found.problems, "told all the same"

    def test_a_reference_is_one(self, house: House) -> None:
        found = self.look(house, "acme", {"apiKey": "${ELSEWHERE}"})
        profile = found.profiles["models.json:acme"]
        assert profile.ref is not None
        assert (profile.ref.source, profile.ref.id, profile.secret) == ("env", "ELSEWHERE", None)
        assert not found.problems

    @pytest.mark.parametrize(
        ("entry", "why"),
        [
            pytest.param(
                {"apiKey": CANARY, "api": "x"}, "its base_url is not an http or https address", id="no address"
            ),
            pytest.param({"baseUrl": "http://h", "apiKey": CANARY}, "it names no API kind", id="no API kind"),
        ],
    )
    def test_a_provider_that_cannot_be_used_is_told(self, house: House, entry: Mapping[str, Any], why: str) -> None:
        found = self.look(house, "old", entry)
        assert found.problems == (f"{house.path()}: the provider old is not used: {why}.",)
        assert not found.profiles

    def test_one_that_the_config_had_is_gone_with_it(self, house: House) -> None:
        house.ensure(PLAIN)
        found = house.credentials({"models": {"providers": {"zeta": ACME}}}).load("main")
        assert (dict(found.profiles), found.problems) == ({}, ())

    def test_another_agent_reads_through_to_main(self, house: House) -> None:
        house.keep({"acme": {"apiKey": "sk-main"}, "groq": {"apiKey": "sk-groq"}})
        house.keep({"acme": {"apiKey": "sk-own"}}, "writer")
        found = house.credentials().load("writer").profiles
        secrets = {name: profile.secret for name, profile in found.items()}
        assert secrets == {"models.json:acme": Secret("sk-own"), "models.json:groq": Secret("sk-groq")}

    def test_a_change_is_seen_at_once_and_the_same_object_means_none(self, house: House) -> None:
        credentials = house.credentials()
        first = credentials.load("main")
        assert credentials.load("main") is first
        house.keep({"acme": {"apiKey": CANARY}})
        second = credentials.load("main")
        assert set(second.profiles) == {"models.json:acme"}
        assert credentials.load("main") is second

    def test_a_wrong_reference_is_a_problem_and_no_key(self, house: House) -> None:
        house.keep({"acme": {"apiKey": "${_FOO}"}})
        found = house.credentials().load("main")
        assert not found.profiles
        (told,) = found.problems
        assert "the key of acme is not used: the id of an env reference must be a variable name" in told

    def test_a_broken_file_is_a_problem_and_takes_nothing_away(self, house: House) -> None:
        house.keep({})
        house.path().chmod(0o644)
        found = house.credentials().load("main")
        assert "open to other users" in found.problems[0]
        assert not found.unreadable


class TestRules:
    OLD: Mapping[str, Any] = {
        "old": {
            "baseUrl": "http://127.0.0.1:9/v1",
            "api": "openai-completions",
            "models": [{"id": "x", "contextWindow": 9}],
        }
    }

    def test_a_provider_of_an_older_installation_can_be_named(self, house: House) -> None:
        settings = settings_of(
            {**PLAIN, "agents": {"defaults": {"model": "old/x", "models": {"old/x": {"alias": "o"}}}}}
        )
        with pytest.raises(ConfigError, match="names no provider"):
            house.rules(settings)
        house.keep(self.OLD)
        rules = house.rules(settings)
        assert (rules.agents["main"].default, rules.catalog.aliases["o"]) == (
            ModelRef("old", "x"),
            ModelRef("old", "x"),
        )
        assert not rules.catalog.providers["old"].is_configured
        house.keep({"old": {**self.OLD["old"], "models": [{"id": "other"}]}})
        assert house.rules(settings).agents["main"].default == ModelRef("old", "x"), (
            "a list that changes breaks no config"
        )

    def test_an_agent_has_the_catalogue_of_its_own_file(self, house: House, clock: FakeClock) -> None:
        house.keep({"acme": {"models": [{"id": "small", "name": "Of main"}]}})
        house.keep({**self.OLD, "acme": {"models": [{"id": "small", "name": "Of writer"}]}}, "writer")
        agents = {"defaults": {"model": "acme/small"}, "list": {"writer": {"model": "old/x"}, "other": {}}}
        rules = house.rules(settings_of({**PLAIN, "agents": agents}))
        state = FakeStateReader(FakeSessionStore(FakeInbox()), FakeHealthStore())
        source = SnapshotSource(lambda: rules, FakeProfileSource(), state, clock)
        seen = {name: source.take(SessionKey(name, "main")).rules.catalog for name in ("main", "writer", "other")}
        names = {agent: catalog.providers["acme"].models[0].name for agent, catalog in seen.items()}
        assert names == {"main": "Of main", "writer": "Of writer", "other": "Of main"}
        assert [agent for agent, catalog in seen.items() if "old" in catalog.providers] == ["writer"]
        changed = rules.with_catalogs(lambda catalog: replace(catalog, aliases={"a": ModelRef("acme", "small")}))
        assert all(changed.of(agent).catalog.aliases for agent in seen)

    def test_a_list_that_came_later_never_makes_the_config_wrong(self, house: House) -> None:
        settings = settings_of({**PLAIN, "agents": {"defaults": {"model": "small"}}})
        house.keep({"groq": {"models": [{"id": "small"}]}})
        assert house.rules(settings).agents["main"].default == ModelRef("acme", "small")

    def test_the_librarys_data_reach_the_catalogue(self, house: House, state_dir: Path) -> None:
        settings = settings_of({"agents": {"defaults": {"model": "anthropic/claude-opus-4-5"}}, **PLAIN})
        paths = Paths(state_dir, state_dir / "config.toml")
        makings = model_makings(settings, paths, {}, house.rules(settings))
        assert ensure_models_files(makings, {"main": ProfileSet()})
        entry = house.rules(settings).catalog.entry(ModelRef("anthropic", "claude-opus-4-5"))
        assert entry == ModelEntry(
            ref=ModelRef("anthropic", "claude-opus-4-5"),
            aliases=("opus",),
            context_window=200_000,
            name="Claude Opus 4.5",
            inputs=("text", "image"),
            price=Price(input=5, output=25, cache_read=0.5, cache_write=6.25),
        )
