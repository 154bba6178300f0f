"""Logins in real stores, refreshed at a real token server by real processes: one at a time, never half, never lost."""

import asyncio
import hashlib
import json
import multiprocessing
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.login_files import LoginFiles
from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from bot.system_clock import SystemClock
from core.auth.oauth import Tokens
from core.auth.secret import Secret
from core.errors import ProviderError, StoreError
from tests.adapters import refresh_child
from tests.adapters.refresh_child import NAME, ready
from tests.fakes.token_server import HANG_UP, LOST, REDIRECT, SLOW, ScriptedTokenServer

MINUTE = 60_000
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.adapters.refresh_child"])


def now() -> int:
    return int(time.time() * 1000)


def keep(state: Path, agent: str = "main", **changes: object) -> Path:
    """A store with a login that ends in a minute, and another profile."""
    path = state / "agents" / agent / "agent" / "auth-profiles.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    entry = {
        "type": "oauth", "provider": "acme", "access": "access-0", "refresh": "refresh-0", "expires": now() + MINUTE,
        "email": "ada@example.org", "fromElsewhere": {"kept": True}, **changes,
    }  # fmt: skip
    other = {"type": "api_key", "provider": "acme", "key": "sk-other"}
    path.write_text(json.dumps({"version": 1, "profiles": {NAME: entry, "acme:k": other}, "order": {"acme": [NAME]}}))
    return path


def entry(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["profiles"][NAME]
    return found


def _left_of(path: Path, before: str) -> Path:
    """Where a refresh of these tokens leaves what is not in the store yet."""
    digest = hashlib.sha256(NAME.encode()).hexdigest()[:16]
    return path.with_name(f".{path.name}.{digest}.{before[:16]}.refreshed")


def _version(access: str = "access-0", refresh: str = "refresh-0") -> str:
    return hashlib.sha256(f"{access}\n{refresh}".encode()).hexdigest()


def _leave(path: Path, before: str, fields: dict[str, object], provider: str = "acme") -> Path:
    """What a refresh leaves beside the stores that is killed before it reaches them."""
    left = _left_of(path, before)
    left.touch(0o600)
    left.write_text(json.dumps({"profile": NAME, "provider": provider, "before": before, "entry": fields}))
    return left


def _end(path: Path) -> None:
    """The token of a store has ended."""
    document = json.loads(path.read_text())
    document["profiles"][NAME]["expires"] = now() - MINUTE
    path.write_text(json.dumps(document))


def left_beside(path: Path) -> list[str]:
    """Everything beside the store but the locks, which stay."""
    return sorted(p.name for p in path.parent.iterdir() if not p.name.endswith((".refresh", ".guard")) and p != path)


@pytest.fixture
def server() -> Iterator[ScriptedTokenServer]:
    with ScriptedTokenServer() as server:
        yield server


async def test_the_new_tokens_take_the_place_of_the_old_ones_and_nothing_else_changes(
    state_dir: Path, server: ScriptedTokenServer
) -> None:
    path = keep(state_dir)
    before = json.loads(path.read_text())
    assert await ready(state_dir, server.url) == "access-1"
    after = json.loads(path.read_text())
    found = after["profiles"].pop(NAME)
    old = before["profiles"].pop(NAME)
    assert after == before
    assert (found["access"], found["refresh"], found["email"], found["fromElsewhere"]) == (
        "access-1", "refresh-1", "ada@example.org", old["fromElsewhere"],
    )  # fmt: skip
    assert abs(found["expires"] - now() - 3_600_000) < 10_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert left_beside(path) == []
    (form,) = server.seen
    assert (form["grant_type"], form["client_id"]) == ("refresh_token", "client")


async def test_a_server_that_does_not_rotate_leaves_the_refresh_token(state_dir: Path) -> None:
    path = keep(state_dir)
    with ScriptedTokenServer(rotates=False) as server:
        assert await ready(state_dir, server.url) == "access-1"
    assert entry(path)["refresh"] == "refresh-0"


async def test_the_client_of_a_stored_login_is_the_one_that_it_was_made_with(
    state_dir: Path, server: ScriptedTokenServer
) -> None:
    keep(state_dir, clientId="another-client")
    assert await ready(state_dir, server.url) == "access-1"
    assert server.seen[0]["client_id"] == "another-client"


async def test_another_agent_reads_through_and_the_refresh_is_written_where_the_login_lives(
    state_dir: Path, server: ScriptedTokenServer
) -> None:
    path = keep(state_dir)
    assert await ready(state_dir, server.url, agent="writer") == "access-1"
    assert entry(path)["access"] == "access-1"
    assert not (state_dir / "agents" / "writer").exists()


@pytest.mark.parametrize(
    ("own", "main", "served"),
    [
        pytest.param({}, {"expires": now() + 90 * MINUTE}, "main", id="C220 valid, and main's is newer"),
        pytest.param({"expires": "NaN"}, {}, "main", id="C220 an end that means nothing"),
        pytest.param({"expires": now() + 90 * MINUTE}, {}, "own", id="its own is newer"),
        pytest.param({"email": "bob@example.org"}, {"expires": now() + 90 * MINUTE}, "own", id="another account"),
        pytest.param({"accountId": "2"}, {"expires": now() + 90 * MINUTE}, "own", id="perhaps another account"),
        pytest.param({"email": None}, {"expires": now() + 90 * MINUTE, "email": None}, "own", id="nobody knows whose"),
        pytest.param({"provider": "zeta"}, {"expires": now() + 90 * MINUTE}, "own", id="another provider"),
        pytest.param({"type": "token", "token": "own"}, {"expires": now() + 90 * MINUTE}, "own", id="no login"),
    ],
)
def test_an_agents_copy_of_a_login_yields_to_the_one_that_main_has_refreshed_since(
    state_dir: Path, own: dict[str, Any], main: dict[str, Any], served: str
) -> None:
    keep(state_dir, access="main", **main)
    keep(state_dir, agent="writer", access="own", **own)
    found = AuthProfileFiles(state_dir).load("writer").profiles[NAME]
    assert found.secret == Secret(served)
    assert found.source.endswith(f"/{'main' if served == 'main' else 'writer'}/agent/auth-profiles.json")


async def test_a_login_of_an_older_file_is_refreshed_in_the_store(state_dir: Path, server: ScriptedTokenServer) -> None:
    older = state_dir / "agents" / "main" / "agent" / "auth.json"
    older.parent.mkdir(parents=True)
    older.touch(0o600)
    login = {"type": "oauth", "access": "access-0", "refresh": "refresh-0", "expires": now()}
    older.write_text(json.dumps({"acme": login}))
    made, files = refresh_child.refresher(state_dir, server.url)
    found = await made.ready(files.load().profiles["acme:default"])
    assert found.secret == Secret("access-1")


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        pytest.param(500, "timeout", id="500"),
        pytest.param(503, "timeout", id="503"),
        pytest.param(429, "overloaded", id="429"),
        pytest.param(404, "network", id="404"),
        pytest.param(HANG_UP, "network", id="hung up before it did anything"),
        pytest.param(REDIRECT, "network", id="a redirect is not followed"),
        pytest.param(b"<html>", "network", id="a web page"),
        pytest.param(b'"text"', "network", id="no object"),
        pytest.param(b"[" * 100_000, "network", id="nested too deeply"),
        pytest.param(b"{}", "network", id="an empty object"),
        pytest.param(b"x" * 300_000, "network", id="a huge body"),
        pytest.param((200, {"access_token": "a b"}), "network", id="a token that no request can carry"),
        pytest.param((400, {"error": "invalid_client"}), "auth", id="the client is not known"),
        pytest.param((400, {"error": "invalid_grant"}), "auth_permanent", id="the login is lost"),
        pytest.param((200, {"error": "bad_refresh_token"}), "auth_permanent", id="lost, and said with 200"),
        pytest.param((200, {"error": "invalid_client", "access_token": "x"}), "auth", id="an error beside a token"),
    ],
)
async def test_whatever_the_server_does_instead_the_store_stays_and_the_next_try_may_succeed(
    state_dir: Path, server: ScriptedTokenServer, step: Any, outcome: str
) -> None:
    path = keep(state_dir, expires=now() - MINUTE)
    before = path.read_bytes()
    server.script.append(step)
    assert await ready(state_dir, server.url) == outcome
    assert (path.read_bytes(), left_beside(path)) == (before, [])
    assert len(server.seen) == 1
    assert await ready(state_dir, server.url) == "access-1"


async def test_a_server_that_does_not_answer_is_given_up(state_dir: Path, server: ScriptedTokenServer) -> None:
    keep(state_dir, expires=now() - MINUTE)
    server.script.append(SLOW)
    assert await ready(state_dir, server.url, seconds=0.2) == "timeout"


async def test_nobody_there_is_a_network_failure(state_dir: Path) -> None:
    keep(state_dir, expires=now() - MINUTE)
    with ScriptedTokenServer() as server:
        gone = server.url
    assert await ready(state_dir, gone) == "network"


async def test_a_lost_answer_is_asked_for_again_with_what_is_stored(state_dir: Path) -> None:
    path = keep(state_dir, expires=now() - MINUTE)
    with ScriptedTokenServer(LOST, lenient=True) as server:
        assert await ready(state_dir, server.url) == "network"
        assert entry(path)["access"] == "access-0"
        assert await ready(state_dir, server.url) == "access-2"


async def test_a_lost_answer_of_a_server_that_allows_for_none_is_a_lost_login(state_dir: Path) -> None:
    keep(state_dir, expires=now() - MINUTE)
    with ScriptedTokenServer(LOST) as server:
        assert await ready(state_dir, server.url) == "network"
        assert await ready(state_dir, server.url) == "auth_permanent"


@pytest.mark.parametrize("agents", [("main", "main"), ("main", "writer")], ids=["one agent", "two agents"])
def test_two_processes_at_once_send_one_refresh_and_both_serve(
    state_dir: Path, tmp_path: Path, agents: tuple[str, str]
) -> None:
    keep(state_dir)
    with ScriptedTokenServer(SLOW) as server:
        told = [tmp_path / f"{n}.json" for n in range(2)]
        processes = [
            PROCESSES.Process(target=refresh_child.run, args=(str(state_dir), server.url, agent, str(path)))
            for agent, path in zip(agents, told, strict=True)
        ]
        for process in processes:
            process.start()
        assert server.arrived.acquire(timeout=20)
        assert not server.arrived.acquire(timeout=0.5), "the second one has asked as well"
        server.release()
        for process in processes:
            process.join(20)
            assert process.exitcode == 0
    assert [json.loads(path.read_text()) for path in told] == ["access-1", "access-1"]
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("lenient", "every"), [(True, 4), (False, 1)], ids=["a server that takes the last two", "a strict server"]
)
def test_a_kill_at_any_step_leaves_the_old_login_the_new_one_or_one_that_the_next_run_finishes(
    tmp_path: Path, lenient: bool, every: int
) -> None:
    """A strict server whose answer was not written down yet cannot be saved from: two steps of many."""
    outcomes = []
    for step in range(1, 200, every):
        state = tmp_path / f"{step}"
        path, copy = keep(state, email=None), keep(state, "writer", email=None)
        with ScriptedTokenServer(lenient=lenient) as server:
            process = PROCESSES.Process(target=refresh_child.die, args=(str(state), server.url, step))
            process.start()
            process.join(20)
            _age_half_written_lock(path)
            _age_half_written_lock(copy)
            written = "".join(p.read_text() for p in path.parent.iterdir())
            is_known = server.refresh in written or (lenient and server.before in written)
            before = len(server.seen)
            said = [_next_run(state, server.url, agent) for agent in ("main", "writer")]
            if process.exitcode == 0:
                break
            assert process.exitcode == -9
            outcomes.append((before, len(server.seen) - before, is_known))
            if is_known:
                assert said == [f"access-{server.given}"] * 2
                assert [entry(path)["refresh"], entry(copy)["refresh"]] == [server.refresh] * 2
            else:
                assert (said, before, lenient) == (["auth_permanent"] * 2, 1, False)
            left = next((p for p in path.parent.iterdir() if p.name.endswith(".refreshed")), None)
            assert left is None or entry(path)["refresh"] in left.read_text(), "what is left is what is stored"
    else:
        pytest.fail("it never came to an end")
    assert {(0, 1, True), (1, 0, True)} <= set(outcomes), "killed before it was sent, and after it was kept"
    assert sum(not is_known for _, _, is_known in outcomes) == (0 if lenient else 2)


def _age_half_written_lock(path: Path) -> None:
    """Nobody knows whose a lock without a whole claim is, so it counts for half a minute. That is over."""
    lock = path.with_name(f"{path.name}.lock")
    if lock.exists() and not lock.read_text().endswith("}"):
        os.utime(lock, (0, 0))


def _next_run(state: Path, url: str, agent: str = "main") -> str:
    return asyncio.run(ready(state, url, agent))


class TestTheWrite:
    @staticmethod
    def files(state: Path) -> tuple[LoginFiles, AuthProfileFiles]:
        return LoginFiles(state, SystemClock()), AuthProfileFiles(state)

    @staticmethod
    def tokens(name: str) -> Tokens:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return Tokens(access=Secret(name), refresh=Secret(f"r-{name}"), expires=None, obtained=at)

    async def test_a_newer_token_of_another_program_stays(self, state_dir: Path) -> None:
        path = keep(state_dir)
        logins, files = self.files(state_dir)
        profile = files.load().profiles[NAME]
        before = await logins.read(profile)
        keep(state_dir, access="theirs", refresh="their-refresh")
        assert before is not None
        await logins.renew(profile, before, self.tokens("ours"))
        assert (entry(path)["access"], left_beside(path)) == ("theirs", [])

    async def test_a_login_that_was_removed_meanwhile_stays_away(self, state_dir: Path) -> None:
        path = keep(state_dir)
        logins, files = self.files(state_dir)
        profile = files.load().profiles[NAME]
        before = await logins.read(profile)
        ProfileWriter(state_dir, "main", SystemClock()).remove(NAME)
        assert before is not None
        await logins.renew(profile, before, self.tokens("ours"))
        assert NAME not in json.loads(path.read_text())["profiles"]
        assert await logins.read(profile) is None

    async def test_an_end_that_the_server_does_not_tell_is_none(self, state_dir: Path) -> None:
        path = keep(state_dir)
        logins, files = self.files(state_dir)
        profile = files.load().profiles[NAME]
        before = await logins.read(profile)
        assert before is not None
        await logins.renew(profile, before, self.tokens("ours"))
        assert "expires" not in entry(path)

    async def test_what_could_not_be_written_is_written_by_the_next_one(
        self, state_dir: Path, server: ScriptedTokenServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another program holds the store's lock for too long; the tokens wait beside the store."""
        path = keep(state_dir, expires=now() - MINUTE)
        lock = path.with_name(f"{path.name}.lock")
        made, files = refresh_child.refresher(state_dir, server.url)
        monkeypatch.setattr("adapters.storage.sidecar_lock._LONGEST_MS", 1)
        monkeypatch.setattr("adapters.storage.sidecar_lock._SHORTEST_MS", 1)
        lock.write_text(json.dumps({"pid": 1, "createdAt": datetime.now(UTC).isoformat()}))
        with pytest.raises(Exception, match="file lock timeout"):
            await made.ready(files.load().profiles[NAME])
        assert entry(path)["access"] == "access-0"
        (left,) = [p for p in path.parent.iterdir() if p.name.endswith(".refreshed")]
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
        lock.unlink()
        assert await ready(state_dir, server.url) == "access-1"
        assert (entry(path)["refresh"], len(server.seen), left.exists()) == (server.refresh, 1, False)

    @pytest.mark.parametrize(
        "content", [b"", b"\0" * 100, b"{", b"[]", b'{"profile": "acme:me"}', b'{"profile": "other"}']
    )
    async def test_what_lies_there_and_is_none_of_ours_is_put_away(
        self, state_dir: Path, server: ScriptedTokenServer, content: bytes
    ) -> None:
        path = keep(state_dir)
        left = _left_of(path, _version())
        left.touch(0o600)
        left.write_bytes(content)
        assert await ready(state_dir, server.url) == "access-1"
        assert not left.exists()

    async def test_what_lies_there_and_cannot_be_read_stays_until_it_can_be(
        self, state_dir: Path, server: ScriptedTokenServer
    ) -> None:
        path = keep(state_dir, expires=now() - MINUTE)
        logins, files = self.files(state_dir)
        profile = files.load().profiles[NAME]
        fields = {"access": "kept", "refresh": "kept-refresh", "expires": now() + 90 * MINUTE}
        left = _leave(path, _version(), fields)
        left.chmod(0o640)
        with pytest.raises(StoreError, match="open to other users"):
            await logins.read(profile)
        assert await ready(state_dir, server.url) == "network"
        assert (left.exists(), server.seen, entry(path)["access"]) == (True, [], "access-0")
        left.chmod(0o600)
        assert await ready(state_dir, server.url) == "kept"
        assert (left.exists(), entry(path)["refresh"]) == (False, "kept-refresh")

    async def test_an_id_that_is_another_providers_by_now_is_neither_read_nor_sent_nor_written(
        self, state_dir: Path, server: ScriptedTokenServer
    ) -> None:
        path = keep(state_dir)
        made, files = refresh_child.refresher(state_dir, server.url)
        logins, _ = self.files(state_dir)
        profile = files.load().profiles[NAME]
        before = await logins.read(profile)
        assert before is not None
        keep(state_dir, provider="zeta")
        _leave(path, before.version, {"access": "access-1"})
        stored = path.read_bytes()
        assert await logins.read(profile) is None
        with pytest.raises(ProviderError, match="not stored any more"):
            await made.ready(profile)
        assert (path.read_bytes(), server.seen) == (stored, [])
        await logins.renew(profile, before, self.tokens("ours"))
        assert path.read_bytes() == stored

    @pytest.mark.parametrize("agents", [("main", "writer"), ("reader", "writer")])
    async def test_copies_of_one_login_in_two_agents_are_one_login(
        self, state_dir: Path, server: ScriptedTokenServer, agents: tuple[str, str]
    ) -> None:
        """Nothing tells whose it is, so that only the tokens say that it is the same."""
        stores = [keep(state_dir, agent, email=None, expires=now() - MINUTE) for agent in agents]
        assert await ready(state_dir, server.url, agents[1]) == "access-1"
        assert [entry(path)["refresh"] for path in stores] == [server.refresh] * 2
        assert await ready(state_dir, server.url, agents[0]) == "access-1"
        assert len(server.seen) == 1

    async def test_what_was_left_reaches_the_copies_too_and_no_other_login_of_that_id(
        self, state_dir: Path, server: ScriptedTokenServer
    ) -> None:
        ended = now() - MINUTE
        main, copy = keep(state_dir, expires=ended), keep(state_dir, "writer", expires=ended)
        other = keep(state_dir, "reader", access="theirs", email="bob@example.org", expires=now() + 90 * MINUTE)
        fields = {"access": "kept", "refresh": "kept-refresh", "expires": now() + 90 * MINUTE}
        left = _leave(main, _version(), fields)
        assert await ready(state_dir, server.url, "reader") == "theirs"
        assert await ready(state_dir, server.url, "writer") == "kept"
        assert [entry(path)["access"] for path in (main, copy, other)] == ["kept", "kept", "theirs"]
        assert (left.exists(), server.seen) == (False, [])

    async def test_what_was_left_waits_for_a_store_that_cannot_be_read(
        self, state_dir: Path, server: ScriptedTokenServer
    ) -> None:
        main, writer = keep(state_dir, access="other"), keep(state_dir, "writer", expires=now() - MINUTE, email=None)
        fields = {"access": "kept", "refresh": "kept-refresh", "expires": now() + 90 * MINUTE}
        left = _leave(main, _version(), fields)
        writer.chmod(0o640)
        assert await ready(state_dir, server.url) == "access-1"
        assert left.exists()
        writer.chmod(0o600)
        assert await ready(state_dir, server.url, "writer") == "kept"
        assert not left.exists()

    @pytest.mark.parametrize("trouble", ["unreadable", "locked"])
    async def test_an_agent_whose_store_is_out_of_reach_holds_nobody_up_and_gets_the_last_tokens_later(
        self, state_dir: Path, trouble: str
    ) -> None:
        main, copy = keep(state_dir, email=None), keep(state_dir, "aaa", email=None)
        lock = copy.with_name(f"{copy.name}.lock")
        if trouble == "unreadable":
            copy.chmod(0o644)
        else:
            lock.write_text(json.dumps({"pid": os.getpid(), "createdAt": datetime.now(UTC).isoformat()}))
        with ScriptedTokenServer(expires_in=60) as server:
            assert [await ready(state_dir, server.url) for _ in range(2)] == ["access-1", "access-1"]
            _end(main)
            assert await ready(state_dir, server.url) == "access-2"
            assert (entry(main)["refresh"], entry(copy)["refresh"]) == ("refresh-2", "refresh-0")
            copy.chmod(0o600)
            lock.unlink(missing_ok=True)
            _end(copy)
            before = len(server.seen)
            assert await ready(state_dir, server.url, "aaa") == "access-2"
            assert (entry(copy)["refresh"], len(server.seen) - before) == ("refresh-2", 0)
            assert left_beside(main) == []

    def test_without_room_for_the_answer_nothing_is_sent(
        self, state_dir: Path, tmp_path: Path, server: ScriptedTokenServer
    ) -> None:
        path = keep(state_dir, expires=now() - MINUTE)
        told, before = tmp_path / "told", path.read_bytes()
        process = PROCESSES.Process(target=refresh_child.run_within, args=(str(state_dir), server.url, 4096, str(told)))
        process.start()
        process.join(20)
        assert (process.exitcode, json.loads(told.read_text()), server.seen) == (0, "network", [])
        assert (path.read_bytes(), left_beside(path)) == (before, [])
        assert _next_run(state_dir, server.url)

    def test_what_a_removed_login_has_left_is_put_away_unless_a_copy_waits_for_it(self, state_dir: Path) -> None:
        path = keep(state_dir)
        logins, _ = self.files(state_dir)
        fields: dict[str, object] = {"access": "kept"}
        orphan, wanted = _leave(path, _version("gone"), fields), _leave(path, _version(), fields)
        logins.forget(NAME)
        assert (orphan.exists(), wanted.exists()) == (False, True)
        logins.put("main", NAME, {"type": "oauth", "provider": "acme", "access": "a", "refresh": "r"})
        assert not wanted.exists()

    def test_a_new_login_leaves_nothing_of_the_old_one(self, state_dir: Path) -> None:
        path = keep(state_dir, accountId="1", displayName="Ada")
        logins, _ = self.files(state_dir)
        fresh = {"type": "oauth", "provider": "acme", "access": "a", "refresh": "r", "email": "bob@example.org"}
        logins.put("main", NAME, fresh)
        assert entry(path) == {**fresh, "displayName": "Ada"}

    def test_a_store_that_cannot_be_read_is_not_written_over(self, state_dir: Path) -> None:
        path = keep(state_dir)
        path.write_text("{broken")
        with pytest.raises(StoreError, match="Nothing was changed"):
            self.files(state_dir)[0].put("main", NAME, {"type": "oauth", "provider": "acme", "access": "a"})
        assert path.read_text() == "{broken"
