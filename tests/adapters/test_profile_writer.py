"""Writing the credential store: nothing is lost between processes, by a kill, or by a disk that says no."""

import json
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.profile_document import with_order, with_profile, without_profile
from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from adapters.storage.sidecar_lock import ATTEMPTS, SidecarLock
from bot.system_clock import SystemClock
from core.auth.secret import Secret
from core.errors import StoreError
from tests.adapters.store_child import NEW, REPEATED
from tests.fakes.clock import FakeClock

ROOT = Path(__file__).parents[2]
OLD = {
    "version": 1,
    "profiles": {"acme:old": {"type": "api_key", "provider": "acme", "key": "sk-old", "invented": [1, {"a": 1.5}]}},
    "order": {"zeta": ["zeta:x"]},
    "unknown": {"kept": True},
}
ENTRY = {"type": "api_key", "provider": "acme", "key": NEW}
REF = {"source": "env", "provider": "default", "id": "ACME_KEY"}


def store_of(state: Path, name: str = "auth-profiles.json") -> Path:
    return state / "agents" / "main" / "agent" / name


def keep(state: Path, document: object = OLD, name: str = "auth-profiles.json", mode: int = 0o600) -> Path:
    path = store_of(state, name)
    for folder in (path.parents[2], path.parents[1], path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode)
    path.write_text(json.dumps(document))
    path.chmod(mode)
    return path


def writer_of(state: Path) -> ProfileWriter:
    return ProfileWriter(state, "main", SystemClock())


def child(state: Path, what: str, argument: object = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.adapters.store_child", str(state), what, str(argument)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def held_by(state: Path, content: str, age: float = 0.0) -> Path:
    lock = store_of(state, "auth-profiles.json.lock")
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock.write_text(content)
    if age:
        os.utime(lock, (lock.stat().st_mtime - age,) * 2)
    return lock


def claim(pid: object, created: object) -> str:
    return json.dumps({"pid": pid, "createdAt": created.isoformat() if isinstance(created, datetime) else created})


class TestDocument:
    def test_an_edit_keeps_what_it_does_not_know(self, state_dir: Path) -> None:
        path = keep(state_dir)
        writer_of(state_dir).put("acme:new", ENTRY)
        assert json.loads(path.read_text()) == {**OLD, "profiles": {**OLD["profiles"], "acme:new": ENTRY}}  # type: ignore[dict-item]
        assert path.read_text().startswith('{\n  "version": 1')
        assert path.read_text().endswith("}\n")

    def test_a_new_store_is_made_private_with_its_folders(self, state_dir: Path) -> None:
        writer_of(state_dir).put("acme:new", ENTRY)
        path = store_of(state_dir)
        assert json.loads(path.read_text()) == {"version": 1, "profiles": {"acme:new": ENTRY}}
        assert all(f.stat().st_mode & 0o077 == 0 for f in state_dir.rglob("*"))
        assert not list(path.parent.glob("*.lock")) + list(path.parent.glob(".*.tmp"))

    def test_folders_that_are_too_open_are_closed(self, state_dir: Path) -> None:
        path = keep(state_dir)
        path.parent.chmod(0o755)
        writer_of(state_dir).put("acme:new", ENTRY)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_what_is_written_is_what_is_read(self, state_dir: Path) -> None:
        writer_of(state_dir).put("acme:new", {**ENTRY, "key": " sk\r\n-1\u2028 "})
        assert AuthProfileFiles(state_dir).load().profiles["acme:new"].secret == Secret("sk-1")

    @pytest.mark.parametrize("key", ["sk 1", "sk-\u00e9", "sk-\u4e2d", "sk\x07"])
    def test_a_secret_that_no_request_can_carry_is_neither_stored_nor_stripped(self, state_dir: Path, key: str) -> None:
        with pytest.raises(StoreError, match="no request can carry"):
            writer_of(state_dir).put("acme:new", {**ENTRY, "key": key})
        assert not store_of(state_dir).exists()

    def test_an_id_leaves_the_orders_of_a_store_that_has_no_such_profile(self, state_dir: Path) -> None:
        keep(state_dir, {"profiles": {"acme:own": ENTRY}, "order": {"acme": ["acme:own", "acme:gone"], "zeta": ["x"]}})
        writer = writer_of(state_dir)
        assert [writer.leave_orders(name) for name in ("acme:gone", "acme:gone", "x")] == [True, False, True]
        assert not writer_of(state_dir / "empty").leave_orders("acme:gone")
        assert not (state_dir / "empty").exists()
        assert writer.leave_orders("acme:own"), "it is named, and stays: the store has it"
        assert json.loads(store_of(state_dir).read_text())["order"] == {"acme": ["acme:own"]}

    @pytest.mark.parametrize(
        ("entry", "gone"),
        [
            pytest.param({"type": "api_key", "key": "sk-plain", "keyRef": REF}, "key", id="key"),
            pytest.param({"type": "token", "token": "tok-plain", "tokenRef": REF}, "token", id="token"),
            pytest.param({"type": "api_key", "apiKey": "sk-plain", "keyRef": REF}, "apiKey", id="older spelling"),
        ],
    )
    def test_plain_text_beside_a_reference_goes_at_the_next_write(
        self, state_dir: Path, entry: dict[str, Any], gone: str
    ) -> None:
        path = keep(state_dir, {"profiles": {"acme:both": {"provider": "acme", **entry}}})
        writer_of(state_dir).put("acme:new", ENTRY)
        written = json.loads(path.read_text())["profiles"]["acme:both"]
        assert gone not in written
        assert "plain" not in path.read_text()

    def test_a_field_that_means_nothing_for_its_type_never_gets_a_meaning(self, state_dir: Path) -> None:
        oauth = {"type": "oauth", "provider": "acme", "access": "acc", "apiKey": "${ACME_KEY}"}
        path = keep(state_dir, {"version": 1, "profiles": {"acme:login": oauth}})
        writer_of(state_dir).put("acme:new", ENTRY)
        assert json.loads(path.read_text())["profiles"]["acme:login"] == oauth
        assert AuthProfileFiles(state_dir).load().profiles["acme:login"].secret == Secret("acc")

    def test_beside_a_broken_reference_the_text_stays_for_it_may_be_all_there_is(self, state_dir: Path) -> None:
        path = keep(
            state_dir, {"profiles": {"a": {"type": "api_key", "provider": "a", "key": "k", "keyRef": {"x": 1}}}}
        )
        writer_of(state_dir).put("acme:new", ENTRY)
        assert json.loads(path.read_text())["profiles"]["a"]["key"] == "k"

    def test_a_new_credential_leaves_nothing_of_the_old_one_but_its_names(self) -> None:
        before = {"type": "token", "provider": "acme", "tokenRef": REF, "expires": 1, "email": "a@b.c"}
        after = with_profile({"profiles": {"x": before}}, "x", ENTRY)
        assert after["profiles"]["x"] == {**ENTRY, "email": "a@b.c"}

    def test_a_removed_profile_leaves_its_orders_and_an_emptied_order_goes(self) -> None:
        before = {"profiles": {"a": {}, "b": {}}, "order": {"p": ["a", "b"], "q": ["a"], "r": "odd"}}
        assert without_profile(before, "a") == {"profiles": {"b": {}}, "order": {"p": ["b"], "r": "odd"}}

    def test_an_order_replaces_the_one_under_the_providers_other_name(self) -> None:
        before = {"profiles": {}, "order": {"z.ai": ["a"], "acme": ["b"]}}
        assert with_order(before, "zai", ["c"])["order"] == {"acme": ["b"], "zai": ["c"]}
        assert "order" not in with_order(with_order(before, "zai", None), "acme", None)

    def test_an_order_of_the_older_state_file_gives_way(self, state_dir: Path) -> None:
        keep(state_dir)
        state = keep(state_dir, {"version": 1, "order": {"acme": ["acme:gone"]}}, "auth-state.json")
        writer_of(state_dir).set_order("acme", ["acme:old"])
        assert AuthProfileFiles(state_dir).load().order["acme"] == ("acme:old",)
        assert not state.exists(), "nothing was left in it"

    def test_the_state_file_keeps_what_else_it_holds(self, state_dir: Path) -> None:
        keep(state_dir)
        found = {"version": 1, "order": {"acme": ["acme:gone"]}, "usageStats": {"a": {"lastUsed": 1}}}
        state = keep(state_dir, found, "auth-state.json")
        writer_of(state_dir).set_order("acme", None)
        assert json.loads(state.read_text()) == {"version": 1, "usageStats": {"a": {"lastUsed": 1}}}


class TestRefusals:
    @pytest.mark.parametrize("content", ["", "{", "[]", '{"profiles": []}', "\xff"])
    def test_a_store_that_cannot_be_read_is_never_written_over(self, state_dir: Path, content: str) -> None:
        path = keep(state_dir)
        path.write_bytes(content.encode("latin-1"))
        with pytest.raises(StoreError, match="Nothing was changed") as raised:
            writer_of(state_dir).put("acme:new", ENTRY)
        assert str(path) in str(raised.value)
        assert NEW not in str(raised.value)
        assert path.read_bytes() == content.encode("latin-1")

    def test_one_that_is_nested_without_end_is_refused(self, state_dir: Path) -> None:
        path = keep(state_dir)
        nested: Any = 1
        for _ in range(150):
            nested = [nested]
        path.write_text(json.dumps({"profiles": {}, "x": nested}))
        with pytest.raises(StoreError, match=r"nested too deeply\. Nothing was changed"):
            writer_of(state_dir).put("acme:new", ENTRY)

    def test_a_link_is_refused(self, state_dir: Path, tmp_path: Path) -> None:
        path = keep(state_dir)
        target = path.rename(tmp_path / "elsewhere.json")
        path.symlink_to(target)
        with pytest.raises(StoreError, match="is a symbolic link"):
            writer_of(state_dir).put("acme:new", ENTRY)
        assert path.is_symlink()
        assert json.loads(target.read_text()) == OLD

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
    def test_one_that_others_can_open_is_refused(self, state_dir: Path, mode: int) -> None:
        path = keep(state_dir, mode=mode)
        with pytest.raises(StoreError, match=rf" Nothing was changed\. Run: chmod 600 {path}$"):
            writer_of(state_dir).put("acme:new", ENTRY)
        assert json.loads(path.read_text()) == OLD

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    @pytest.mark.parametrize("whose", ["file", "folder"])
    def test_what_belongs_to_another_user_is_refused(self, state_dir: Path, whose: str) -> None:
        path = keep(state_dir)
        os.chown(path if whose == "file" else path.parent, 12345, 12345)
        with pytest.raises(StoreError, match="belongs to another user"):
            writer_of(state_dir).put("acme:new", ENTRY)
        assert json.loads(path.read_text()) == OLD

    def test_a_full_disk_leaves_the_old_store(self, state_dir: Path) -> None:
        path = keep(state_dir)
        process = child(state_dir, "full", 100)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        code, sentence = json.loads(out)
        assert code == "store_write"
        assert "File too large. It is as it was. Free some space" in sentence
        assert NEW not in sentence
        assert json.loads(path.read_text()) == OLD
        assert {p.name for p in path.parent.iterdir()} == {"auth-profiles.json", ".auth-profiles.json.guard"}

    def test_a_full_disk_before_the_lock_changes_nothing_either(self, state_dir: Path) -> None:
        path = keep(state_dir)
        out, _ = child(state_dir, "full", 0).communicate(timeout=20)
        assert "cannot be locked: File too large" in json.loads(out)[1]
        assert not list(path.parent.glob("*.lock"))

    def test_a_directory_that_nobody_can_write_is_told(self, state_dir: Path) -> None:
        # A file in the place of the directory refuses root as well, whom permissions do not stop.
        (state_dir / "agents").write_text("")
        with pytest.raises(StoreError, match="cannot be made"):
            writer_of(state_dir).put("acme:new", ENTRY)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
    def test_a_read_only_directory_is_told(self, state_dir: Path) -> None:
        path = keep(state_dir)
        path.parent.parent.chmod(0o500)
        path.parent.chmod(0o500)
        with pytest.raises(StoreError, match="cannot be locked: Permission denied"):
            writer_of(state_dir).put("acme:new", ENTRY)

    def test_a_change_that_fails_changes_nothing(self, state_dir: Path) -> None:
        path = keep(state_dir)

        def failing(_: dict[str, Any]) -> dict[str, Any]:
            raise StoreError("no", "No.")

        with pytest.raises(StoreError, match="No"):
            writer_of(state_dir).edit(failing)
        assert json.loads(path.read_text()) == OLD
        assert not list(path.parent.glob("*.lock"))


class TestTwoAtOnce:
    def test_processes_that_edit_at_once_lose_nothing(self, state_dir: Path) -> None:
        held_by(state_dir, claim(2**22 + 1, datetime.now(UTC)))  # a dead owner's, which all of them find
        names = ("one", "two", "three")
        started = [child(state_dir, "many", name) for name in names]
        for process in started:
            process.communicate(timeout=60)
        assert [process.returncode for process in started] == [0, 0, 0]
        found = json.loads(store_of(state_dir).read_text())["profiles"]
        assert set(found) == {f"{name}:{n}" for name in names for n in range(REPEATED)}

    def test_threads_of_one_process_take_turns(self, state_dir: Path) -> None:
        writers = [writer_of(state_dir) for _ in range(4)]

        def work(n: int) -> None:
            for m in range(5):
                writers[n].put(f"a{n}:{m}", {**ENTRY, "provider": f"a{n}"})

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(json.loads(store_of(state_dir).read_text())["profiles"]) == 20

    def test_killed_at_every_step_the_store_is_the_old_or_the_new_one(self, state_dir: Path) -> None:
        path = keep(state_dir)
        old, new = OLD, {**OLD, "profiles": {**OLD["profiles"], "acme:new": ENTRY}}  # type: ignore[dict-item]
        seen: list[object] = []
        for step in range(1, 200):
            path.write_text(json.dumps(old))
            process = child(state_dir, "die", step)
            process.communicate(timeout=20)
            code = process.returncode
            found = json.loads(path.read_text())
            assert found in (old, new), f"killed at step {step}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert all(p.stat().st_mode & 0o077 == 0 for p in path.parent.iterdir())
            seen.append(found)
            lock = store_of(state_dir, "auth-profiles.json.lock")
            if lock.exists():  # one that was killed before it said who it is, is waited for; not here
                os.utime(lock, (lock.stat().st_mtime - 31,) * 2)
            if code == 0:
                break
            assert code == -9
        assert old in seen[:-1]
        assert new in seen[:-1], "it was also killed after the new one was in place"
        assert len(seen) > 12
        assert {p.name for p in path.parent.iterdir()} == {"auth-profiles.json", ".auth-profiles.json.guard"}


class TestLock:
    """Time is a fake: nothing waits."""

    def lock(self, state: Path, clock: FakeClock, naps: list[float], jitter: float = 0.0) -> SidecarLock:
        path = store_of(state)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

        def nap(seconds: float) -> None:
            naps.append(seconds)
            clock.advance(timedelta(seconds=seconds))

        return SidecarLock(path, clock, nap, lambda: jitter)

    def test_it_holds_who_has_it_and_goes_with_its_end(self, state_dir: Path, clock: FakeClock) -> None:
        lock = self.lock(state_dir, clock, [])
        path = store_of(state_dir, "auth-profiles.json.lock")
        with lock.held() as check:
            assert json.loads(path.read_text()) == {"pid": os.getpid(), "createdAt": "2026-05-04T12:00:00.000Z"}
            with lock.held():
                check()
            assert path.exists(), "the outer one still holds it"
        assert not path.exists()

    @pytest.mark.parametrize(
        ("content", "age", "stale"),
        [
            pytest.param(claim(2**22 + 1, "2026-05-04T12:00:00Z"), 0, True, id="a dead owner"),
            pytest.param(claim(1, "2026-05-04T12:00:00Z"), 0, False, id="a live one"),
            pytest.param(claim(1, "2026-05-04T11:59:29Z"), 0, True, id="a live one of more than 30 seconds"),
            pytest.param(claim(1, "2026-05-04T11:59:31Z"), 0, False, id="a live one of less"),
            pytest.param(claim(1, "2027-05-04T11:59:31Z"), 0, True, id="one of the future"),
            pytest.param(claim(1, "yesterday"), 0, True, id="a time that is none"),
            pytest.param(claim(1, None), 0, True, id="no time"),
            pytest.param(claim("x", "2026-05-04T12:00:00Z"), 0, False, id="an owner that is none"),
            pytest.param("", 0, False, id="no payload yet"),
            pytest.param("", 31, True, id="no payload for 31 seconds"),
            pytest.param("{", 31, True, id="half a payload for 31 seconds"),
        ],
    )
    def test_which_locks_are_stale(
        self, state_dir: Path, clock: FakeClock, content: str, age: float, stale: bool
    ) -> None:
        path = held_by(state_dir, content)
        made = clock.now().timestamp() - age
        os.utime(path, (made, made))
        naps: list[float] = []
        lock = self.lock(state_dir, clock, naps)
        if stale:
            with lock.held():
                assert naps == [], "a stale one is taken over at once"
            assert not path.exists()
        else:
            with pytest.raises(_Woken), SidecarLock(store_of(state_dir), clock, _wake).held():
                pass
            assert path.read_text() == content

    def test_a_live_owner_is_waited_for_eleven_times_and_then_named(self, state_dir: Path, clock: FakeClock) -> None:
        path = held_by(state_dir, claim(os.getppid(), clock.now()))
        naps: list[float] = []

        def renew(seconds: float) -> None:
            naps.append(seconds)
            clock.advance(timedelta(seconds=seconds))
            path.write_text(claim(os.getppid(), clock.now() - timedelta(seconds=3)))

        with (
            pytest.raises(StoreError) as raised,
            SidecarLock(store_of(state_dir), clock, renew, lambda: 0.5).held(),
        ):
            pytest.fail("it is somebody else's")
        assert len(naps) == ATTEMPTS - 1
        assert naps == [0.15, 0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 10.0, 10.0, 10.0]
        assert raised.value.code == "store_locked"
        wanted = f"file lock timeout for {store_of(state_dir)}: process {os.getppid()} has held it for 3s. Nothing was changed."
        assert str(raised.value).startswith(wanted)

    def test_another_process_of_ours_keeps_it_even_when_its_file_is_taken_for_stale(self, state_dir: Path) -> None:
        holder = child(state_dir, "hold")
        assert holder.stdout is not None
        keep(state_dir)
        assert holder.stdout.readline() == "held\n" or holder.poll() is None
        later = FakeClock(datetime.now(UTC) + timedelta(minutes=5))
        with pytest.raises(_Woken), SidecarLock(store_of(state_dir), later, _wake).held():
            pass
        holder.communicate("go on\n", timeout=20)
        with SidecarLock(store_of(state_dir), later, _wake).held():
            pass

    def test_a_lock_that_was_taken_away_stops_the_write(self, state_dir: Path) -> None:
        path = keep(state_dir)

        def robbed(document: dict[str, Any]) -> dict[str, Any]:
            held_by(state_dir, claim(1, "2026-05-04T12:00:00Z"))
            return {**document, "robbed": True}

        with pytest.raises(StoreError, match="took over the lock"):
            writer_of(state_dir).edit(robbed)
        assert json.loads(path.read_text()) == OLD
        assert store_of(state_dir, "auth-profiles.json.lock").exists(), "it is the other's now"


class _Woken(Exception):
    """The lock wanted to wait."""


def _wake(_: float) -> None:
    raise _Woken
