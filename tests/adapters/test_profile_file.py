"""auth-profiles.json: read as it is now, tolerant of older writers, and never the reason for a crash."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.secret_sources.env import EnvSource
from adapters.storage.profile_file import AuthProfileFiles
from core.auth.eligibility import judge
from core.auth.profiles import CredentialKind, ProfileSet
from core.auth.refs import resolve_ref
from core.auth.secret import Secret, SecretRef

CANARY = "sk-canary-0123456789abcdef"


def write(state: Path, store: object, agent: str = "main", name: str = "auth-profiles.json") -> Path:
    path = state / "agents" / agent / "agent" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store if isinstance(store, bytes) else json.dumps(store).encode())
    path.chmod(0o600)
    return path


def key(provider: str = "acme", value: Any = "sk-1", **more: Any) -> dict[str, Any]:
    return {"type": "api_key", "provider": provider, "key": value, **more}


def load(state: Path, agent: str = "main") -> ProfileSet:
    return AuthProfileFiles(state).load(agent)


def one(state: Path, entry: object):
    write(state, {"version": 1, "profiles": {"acme:work": entry}})
    found = load(state)
    assert found.problems == ()
    return found.profiles["acme:work"]


def test_without_a_store_there_is_nothing_and_no_problem(state_dir: Path):
    assert load(state_dir) == ProfileSet()


def test_an_api_key_is_read(state_dir: Path):
    profile = one(state_dir, key("ACME", "sk-1", email="me@example.com", metadata={"accountId": "7", "n": 1}))
    assert (profile.id, profile.provider, profile.kind) == ("acme:work", "acme", CredentialKind.API_KEY)
    assert profile.secret == Secret("sk-1")
    assert profile.metadata == {"accountId": "7", "email": "me@example.com"}
    assert profile.source.endswith("agents/main/agent/auth-profiles.json")
    assert profile.fingerprint is None


def test_a_token_keeps_its_expiry_unjudged(state_dir: Path):
    profile = one(state_dir, {"type": "token", "provider": "z.ai", "token": "t", "expires": "soon"})
    assert (profile.kind, profile.provider, profile.expires) == (CredentialKind.TOKEN, "zai", "soon")


@pytest.mark.parametrize(
    ("access", "refresh", "refreshable"), [("a", "r", True), ("a", "", False), ("", "r", True), ("a", None, False)]
)
def test_oauth_is_refreshable_if_it_has_a_refresh_token(state_dir: Path, access: str, refresh: Any, refreshable: bool):
    profile = one(state_dir, {"type": "oauth", "provider": "a", "access": access, "refresh": refresh, "expires": 9})
    assert profile.secret == (Secret(access) if access else None)
    assert (profile.refreshable, profile.expires) == (refreshable, 9)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"mode": "api_key", "provider": "acme", "key": "sk-1"}, id="mode for type"),
        pytest.param({"type": "api_key", "provider": "acme", "apiKey": "sk-1"}, id="apiKey for key"),
        pytest.param({"type": "api_key", "provider": " Acme ", "key": " sk\r\n-1\u2028 "}, id="line breaks and blanks"),
        pytest.param({"type": "api_key", "provider": "acme", "key": "sk-\ud8001"}, id="half of a surrogate pair"),
    ],
)
def test_what_older_writers_wrote_differently_is_understood(state_dir: Path, entry: dict[str, Any]):
    assert one(state_dir, entry).secret == Secret("sk-1")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param(key(value="sk 1-CANARY"), "holds a blank", id="blank"),
        pytest.param(key(value="sk-\u00e9-CANARY"), "holds a character that is not ASCII", id="accent"),
        pytest.param(key(value="sk\x07-CANARY"), "holds a control character", id="control"),
        pytest.param({"type": "token", "provider": "acme", "token": "t\u00a0k-CANARY"}, "holds a blank", id="token"),
        pytest.param({"type": "oauth", "provider": "acme", "access": "a b-CANARY"}, "holds a blank", id="oauth"),
    ],
)
def test_a_secret_that_no_request_can_carry_is_as_good_as_none_and_told(
    state_dir: Path, entry: dict[str, Any], words: str
):
    path = write(state_dir, {"profiles": {"acme:odd": entry, "acme:good": key()}})
    files = AuthProfileFiles(state_dir)
    found = files.load()
    assert found.problems == (
        f"{path}: the secret of profile 'acme:odd' {words}, which no request can carry. Store it again.",
    )
    assert judge(found.profiles["acme:odd"], "acme", datetime(2026, 5, 4, tzinfo=UTC)) == "missing_credential"
    assert found.profiles["acme:good"].secret == Secret("sk-1")
    assert any("CANARY" in secret.reveal() for secret in files.secrets()), "it is hidden all the same"


REF = {"source": "env", "provider": "default", "id": "ACME_KEY"}
OTHER = {"source": "file", "provider": "vault", "id": "/acme/key"}


@pytest.mark.parametrize(
    ("entry", "ref"),
    [
        pytest.param({"keyRef": REF}, SecretRef("env", "default", "ACME_KEY"), id="keyRef"),
        pytest.param({"key": REF}, SecretRef("env", "default", "ACME_KEY"), id="a reference as the key"),
        pytest.param({"key": "${ACME_KEY}"}, SecretRef("env", "default", "ACME_KEY"), id="a variable as the key"),
        pytest.param(
            {"key": REF, "keyRef": OTHER}, SecretRef("file", "vault", "/acme/key"), id="the explicit one wins"
        ),
        pytest.param({"key": "plain", "keyRef": REF}, SecretRef("env", "default", "ACME_KEY"), id="and before the key"),
        pytest.param({"keyRef": {"source": "env", "id": "K"}}, SecretRef("env", "default", "K"), id="older two keys"),
    ],
)
def test_references_stay_unresolved(state_dir: Path, entry: dict[str, Any], ref: SecretRef):
    profile = one(state_dir, {"type": "api_key", "provider": "acme", **entry})
    assert (profile.ref, profile.secret) == (ref, None)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"type": "api_key", "keyRef": REF}, id="C26 keyRef"),
        pytest.param({"type": "api_key", "key": "${ACME_KEY}"}, id="C26 a variable as the key"),
        pytest.param({"type": "token", "token": "${ACME_KEY}"}, id="C28 a variable as the token"),
        pytest.param({"type": "token", "tokenRef": REF}, id="C28 tokenRef"),
    ],
)
def test_the_reference_of_an_entry_gives_its_variable(state_dir: Path, entry: dict[str, Any]):
    ref = one(state_dir, {"provider": "acme", **entry}).ref
    assert ref is not None
    assert resolve_ref(ref, {"env": EnvSource({"ACME_KEY": "sk-1"})}) == Secret("sk-1")


def test_an_oauth_entry_with_a_reference_is_told_field_by_field(state_dir: Path):
    entry = {"type": "oauth", "provider": "a", "access": REF, "tokenRef": "${A}", "refresh": "r"}
    write(state_dir, {"profiles": {"a": entry, "b": key()}})
    write(state_dir, {"profiles": {"c": {**entry, "access": "a"}}}, agent="writer")
    found = load(state_dir, "writer")
    assert found.oauth_references == (("c", "tokenRef"), ("a", "access"), ("a", "tokenRef"))
    assert list(found.profiles) == ["b"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param("text", "not an object", id="no object"),
        pytest.param(None, "not an object", id="null"),
        pytest.param({"provider": "a", "key": CANARY}, "type is not one of", id="no type"),
        pytest.param({"type": CANARY, "provider": "a"}, "type is not one of", id="other type"),
        pytest.param({"type": ["api_key"], "provider": "a"}, "type is not one of", id="type is a list"),
        pytest.param({"type": "api_key", "key": CANARY}, "names no provider", id="no provider"),
        pytest.param({"type": "api_key", "provider": " "}, "names no provider", id="blank provider"),
        pytest.param({"type": "api_key", "provider": "a", "key": 5}, "key is not a string", id="number"),
        pytest.param({"type": "api_key", "provider": "a", "keyRef": CANARY}, "is not a reference", id="text as ref"),
        pytest.param({"type": "token", "provider": "a", "token": {"source": CANARY}}, "source of a", id="bad ref"),
        pytest.param({"type": "oauth", "provider": "a", "access": REF}, "OAuth + SecretRef", id="oauth by reference"),
        pytest.param({"type": "oauth", "provider": "a", "keyRef": REF}, "OAuth + SecretRef", id="oauth with keyRef"),
    ],
)
def test_a_broken_entry_is_named_and_hides_no_other(state_dir: Path, entry: object, words: str):
    write(state_dir, {"profiles": {"bad:one": entry, "good": key()}})
    found = load(state_dir)
    assert list(found.profiles) == ["good"]
    (problem,) = found.problems
    assert "auth-profiles.json" in problem
    assert "'bad:one'" in problem
    assert words in problem
    assert CANARY not in problem


@pytest.mark.parametrize("name", ["", "  ", "x" * 300, "a\nb", "a\x1b[0mb"])
def test_an_id_that_could_not_be_shown_is_refused(state_dir: Path, name: str):
    write(state_dir, {"profiles": {name: key()}})
    (problem,) = load(state_dir).problems
    assert problem.isprintable()
    assert len(problem) < 300


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n", "is empty", id="blank"),
        pytest.param(b'{"profiles": {"a": "' + CANARY.encode(), "not valid JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "not valid JSON", id="bytes"),
        pytest.param(b"[" * 100_000, "not valid JSON", id="nested without end"),
        pytest.param(b'{"expires": ' + b"9" * 5000 + b"}", "not valid JSON", id="a number without end"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'{"profiles": []}', "'profiles' is not an object", id="profiles is a list"),
        pytest.param(b'{"order": []}', "'order' is not an object", id="order is a list"),
        pytest.param(b'{"order": {"a": "b"}}', "the order of 'a' is not a list", id="an order is a text"),
        pytest.param(b" " * (8 * 1024 * 1024 + 1), "larger than 8 MiB", id="too large"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(state_dir: Path, content: bytes, words: str):
    path = write(state_dir, content)
    (problem,) = load(state_dir).problems
    assert problem.startswith(str(path))
    assert words in problem
    assert CANARY not in problem


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o666])
def test_a_file_that_others_can_read_or_write_is_not_used_and_the_cure_is_named(state_dir: Path, mode: int):
    path = write(state_dir, {"profiles": {"a": key(value=CANARY)}})
    path.chmod(mode)
    files = AuthProfileFiles(state_dir)
    found = files.load("main")
    assert found.profiles == {}
    assert found.problems == (
        f"{path}: open to other users (mode {mode:04o}), so it is not used. Run: chmod 600 {path}",
    )
    path.chmod(0o600)
    assert list(files.load("main").profiles) == ["a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_used(state_dir: Path):
    path = write(state_dir, {"profiles": {"a": key()}})
    os.chown(path, 12345, -1)
    found = load(state_dir)
    assert found.profiles == {}
    assert "belongs to another user" in found.problems[0]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a directory"])
def test_what_is_no_file_blocks_nobody(state_dir: Path, make: Any):
    path = write(state_dir, {})
    path.unlink()
    make(path)
    path.chmod(0o700)
    assert "not a regular file" in load(state_dir).problems[0]


def test_a_link_is_followed_and_its_target_is_judged(state_dir: Path, tmp_path: Path):
    path = write(state_dir, {})
    target = tmp_path / "elsewhere.json"
    target.write_text(json.dumps({"profiles": {"a": key()}}))
    target.chmod(0o600)
    path.unlink()
    path.symlink_to(target)
    assert list(load(state_dir).profiles) == ["a"]
    target.chmod(0o644)
    assert "open to other users" in load(state_dir).problems[0]


class TestOrder:
    def test_is_read_from_the_store_under_normalised_providers(self, state_dir: Path):
        write(state_dir, {"order": {"Z.AI": [" a ", "b", "a", "", 5], "none": []}})
        found = load(state_dir)
        assert found.order == {"zai": ("a", "b")}
        assert found.problems == ()

    def test_of_auth_state_wins_provider_by_provider(self, state_dir: Path):
        write(state_dir, {"order": {"a": ["1"], "b": ["2"]}})
        write(state_dir, {"order": {"b": ["3"]}, "usageStats": {}}, name="auth-state.json")
        assert load(state_dir).order == {"a": ("1",), "b": ("3",)}

    def test_of_auth_state_may_be_readable_by_others_but_not_writable(self, state_dir: Path):
        path = write(state_dir, {"order": {"b": ["3"]}}, name="auth-state.json")
        path.chmod(0o644)
        assert load(state_dir).order == {"b": ("3",)}
        path.chmod(0o664)
        assert load(state_dir).order == {}


class TestAnotherAgent:
    def test_reads_through_to_main_for_what_it_lacks(self, state_dir: Path):
        write(state_dir, {"profiles": {"a": key(value="1"), "b": key(value="2")}, "order": {"x": ["a"], "y": ["b"]}})
        write(state_dir, {"profiles": {"b": key(value="3")}, "order": {"y": ["a"]}}, agent="writer")
        found = load(state_dir, "writer")
        assert {name: p.secret for name, p in found.profiles.items()} == {"a": Secret("1"), "b": Secret("3")}
        assert found.order == {"x": ("a",), "y": ("a",)}
        assert load(state_dir).profiles["b"].secret == Secret("2")

    def test_gets_nothing_from_main_while_its_own_store_cannot_be_used(self, state_dir: Path):
        write(state_dir, {"profiles": {"a": key()}})
        path = write(state_dir, {"profiles": {"a": key()}}, agent="writer")
        files = AuthProfileFiles(state_dir)
        path.chmod(0o640)
        assert files.load("writer").profiles == {}
        path.unlink()
        assert list(files.load("writer").profiles) == ["a"]

    def test_is_told_what_is_wrong_with_main(self, state_dir: Path):
        write(state_dir, b"{")
        assert "agents/main/agent" in load(state_dir, "writer").problems[0]

    @pytest.mark.parametrize("agent", ["../../elsewhere", "/etc", "a/../../b", ""])
    def test_cannot_have_an_id_that_leads_elsewhere(self, state_dir: Path, tmp_path: Path, agent: str):
        write(tmp_path, {"profiles": {"stolen": key()}}, agent="elsewhere")
        assert load(state_dir, agent) == ProfileSet()


class TestChanges:
    def test_are_seen_by_the_very_next_load_also_within_one_tick_of_the_clock(self, state_dir: Path):
        files = AuthProfileFiles(state_dir)
        for n in range(300):
            write(state_dir, {"profiles": {"a": key(value=f"sk-{n:05d}")}})
            assert files.load("main").profiles["a"].secret == Secret(f"sk-{n:05d}")

    def test_are_seen_if_the_time_of_the_file_is_set_back(self, state_dir: Path):
        path = write(state_dir, {"profiles": {"a": key(value="1")}})
        os.utime(path, (1, 1))
        files = AuthProfileFiles(state_dir)
        files.load("main")
        write(state_dir, {"profiles": {"a": key(value="2")}})
        os.utime(path, (1, 1))
        assert files.load("main").profiles["a"].secret == Secret("2")

    def test_of_nothing_give_the_same_object(self, state_dir: Path):
        write(state_dir, {"profiles": {"a": key()}})
        files = AuthProfileFiles(state_dir)
        assert files.load("main") is files.load("main")
        assert files.load("writer") is files.load("writer")

    def test_to_a_missing_and_back_to_a_present_file_are_seen(self, state_dir: Path):
        files = AuthProfileFiles(state_dir)
        assert files.load("main").profiles == {}
        path = write(state_dir, {"profiles": {"a": key()}})
        assert list(files.load("main").profiles) == ["a"]
        path.unlink()
        assert files.load("main").profiles == {}


def test_every_confidential_text_is_known_for_redaction(state_dir: Path):
    oauth = {"type": "oauth", "provider": "a", "access": "acc", "refresh": "ref", "idToken": "idt"}
    write(state_dir, {"profiles": {"a": oauth, "b": key(value="sk")}})
    files = AuthProfileFiles(state_dir)
    shown = repr(files.load("main")) + repr(files.secrets())
    assert {secret.reveal() for secret in files.secrets()} == {"acc", "ref", "idt", "sk"}
    assert "acc'" not in shown
    assert "Secret(***)" in shown


def test_problems_are_bounded(state_dir: Path):
    write(state_dir, {"profiles": {f"p{n}": None for n in range(500)}})
    found = load(state_dir)
    assert len(found.problems) == 21
    assert found.problems[-1] == "... and 480 more."


_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from(["api_key", "token", "oauth", "acme", "sk-1", "${A}", "env", "default", "\ud800", "z.ai"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(
                    ["profiles", "order", "type", "mode", "provider", "key", "keyRef", "token", "tokenRef"]
                ),
                st.sampled_from(["access", "refresh", "expires", "source", "id", "metadata", "email", "acme:work"]),
                st.text(max_size=5),
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)
_STORES = st.fixed_dictionaries({}, optional={"profiles": st.dictionaries(st.text(max_size=5), _JSON), "order": _JSON})


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(store=st.one_of(_JSON, _STORES).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_is_in_the_files_it_is_a_profile_set(state_dir: Path, store: bytes):
    write(state_dir, store)
    write(state_dir, store, name="auth-state.json")
    files = AuthProfileFiles(state_dir)
    found = files.load("writer")
    assert isinstance(found, ProfileSet)
    assert all(profile.id == name for name, profile in found.profiles.items())
    assert all(problem.isprintable() for problem in found.problems)
    assert repr(files.secrets()).count("Secret(***)") == len(files.secrets())
