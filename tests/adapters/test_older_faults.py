"""The import of older stores where files, disk, lock, database or process fail."""

import json
import os
from pathlib import Path

import pytest

from adapters.storage.profile_writer import ProfileWriter
from core.errors import StoreError
from tests.adapters.older_child import KEY, OLDER, lay_out, on_disk
from tests.adapters.older_stage import (
    AUTH,
    CANARY,
    MAIN,
    SHARED,
    STATE,
    STORE,
    WRITER,
    bring_in,
    child,
    content,
    secrets,
    view,
    writer_of,
)
from tests.fakes.clock import FakeClock


class TestRefusals:
    def test_a_lock_that_cannot_be_had_is_told_and_nothing_is_written(self, state_dir: Path, clock: FakeClock) -> None:
        lay_out(state_dir)
        lock = state_dir / (STORE + ".lock")
        lock.write_text(json.dumps({"pid": os.getppid(), "createdAt": clock.now().isoformat()}))
        before = on_disk(state_dir)
        naps: list[float] = []
        with pytest.raises(StoreError, match=f"file lock timeout for {state_dir / STORE}"):
            ProfileWriter(state_dir, "main", clock, naps.append, lambda: 0.0, attempts=5).import_older()
        assert naps == [0.1, 0.2, 0.4, 0.8]
        assert on_disk(state_dir) == before
        assert "zeta:default" in secrets(state_dir), "and is still seen"

    async def test_a_lock_that_cannot_be_made_stops_no_start(self, state_dir: Path) -> None:
        # A folder in the place of the guard refuses root as well, whom permissions do not stop.
        lay_out(state_dir)
        (state_dir / MAIN / ".auth-profiles.json.guard").mkdir()
        before = on_disk(state_dir)
        said = await bring_in(state_dir)
        prefix = f"Older files of agent main are not imported: {state_dir / STORE} cannot be locked: Is a directory."
        assert said[0].startswith(prefix)
        assert {k: v for k, v in on_disk(state_dir).items() if k.startswith(MAIN)} == {
            k: v for k, v in before.items() if k.startswith(MAIN)
        }
        assert said[1:] == (f"Imported acme:default from {state_dir / WRITER / 'auth.json'}.",), "the next agent's own"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
    async def test_a_read_only_directory_stops_no_start(self, state_dir: Path) -> None:
        lay_out(state_dir)
        (state_dir / MAIN).chmod(0o500)
        assert "cannot be locked: Permission denied" in (await bring_in(state_dir))[0]
        assert "zeta:default" in secrets(state_dir)

    def test_a_full_disk_loses_nothing(self, state_dir: Path) -> None:
        lay_out(state_dir)
        before = on_disk(state_dir)
        out, _ = child(state_dir, "full").communicate(timeout=20)
        said = json.loads(out)
        assert "File too large. It is as it was. Free some space" in said[0]
        assert CANARY not in out
        assert on_disk(state_dir) == before

    def test_a_file_that_cannot_be_removed_is_told_and_nothing_comes_back(self, state_dir: Path) -> None:
        lay_out(state_dir)
        out, _ = child(state_dir, "stuck").communicate(timeout=20)
        said, refusal = map(json.loads, out.splitlines())
        why = "is not needed any more, but it cannot be removed: Operation not permitted. Remove it by hand."
        sentence = f"{state_dir / AUTH} {why}"
        assert said[0] == f"Older files of agent main are not imported: {sentence}"
        assert refusal == sentence, "removing the credential would not last"
        assert secrets(state_dir)["zeta:default"] == "sk-zeta-confidential"
        writer_of(state_dir).remove("zeta:default")
        assert "zeta:default" not in secrets(state_dir)

    def test_a_link_is_read_but_neither_emptied_nor_removed(self, state_dir: Path, tmp_path: Path) -> None:
        lay_out(state_dir, {AUTH: OLDER[AUTH]})
        target = (state_dir / AUTH).rename(tmp_path / "elsewhere.json")
        (state_dir / AUTH).symlink_to(target)
        assert secrets(state_dir) == {"zeta:default": "sk-zeta-confidential"}
        (said,) = writer_of(state_dir).import_older()
        assert said.startswith(f"Not imported: {state_dir / AUTH}: is a symbolic link.")
        assert json.loads(target.read_text()) == OLDER[AUTH]
        with pytest.raises(StoreError, match="is a symbolic link"):
            writer_of(state_dir).remove("zeta:default")
        writer_of(state_dir).put("acme:work", KEY)
        assert set(secrets(state_dir)) == {"acme:work", "zeta:default"}

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    @pytest.mark.parametrize("name", [AUTH, SHARED, STATE])
    async def test_a_file_of_another_user_is_left_alone(self, state_dir: Path, name: str) -> None:
        lay_out(state_dir)
        os.chown(state_dir / name, 12345, 12345)
        said = await bring_in(state_dir)
        assert any(f"{state_dir / name}: belongs to another user" in sentence for sentence in said)
        assert content(state_dir, name) == OLDER[name]

    def test_an_order_does_not_change_while_the_state_file_would_win(self, state_dir: Path) -> None:
        lay_out(state_dir)
        (state_dir / STATE).write_text("{")
        with pytest.raises(StoreError, match=r"auth-state\.json: is not valid JSON"):
            writer_of(state_dir).set_order("acme", ["acme:work"])
        writer_of(state_dir).put("acme:new", KEY)

    def test_a_store_that_would_grow_too_large_keeps_its_older_file(self, state_dir: Path) -> None:
        lay_out(state_dir, {STORE: {"profiles": {"a": {**KEY, "key": "k" * 5_000_000}}}})
        (state_dir / AUTH).touch(0o600)
        (state_dir / AUTH).write_text(json.dumps({"b": {"type": "api_key", "key": "k" * 5_000_000}}))
        with pytest.raises(StoreError, match="would grow beyond 8 MiB"):
            writer_of(state_dir).import_older()
        assert set(secrets(state_dir)) == {"a", "b:default"}


class TestProcesses:
    def test_several_at_once_import_once(self, state_dir: Path) -> None:
        lay_out(state_dir)
        started = [child(state_dir, "once") for _ in range(4)]
        said = [sentence for process in started for sentence in json.loads(process.communicate(timeout=60)[0])]
        assert len([s for s in said if s.startswith("Imported") and "cooldowns" not in s]) == 4
        assert not [s for s in said if not s.startswith("Imported")]
        assert set(content(state_dir)["profiles"]) == {"acme:work", "zeta:default", "vendor:default"}
        assert not (state_dir / AUTH).exists()

    def test_killed_at_every_step_nothing_is_lost_and_the_next_start_finishes(
        self, state_dir: Path, tmp_path: Path
    ) -> None:
        lay_out(state_dir)
        expected = {agent: view(state_dir, agent) for agent in ("main", "writer")}
        out, _ = child(state_dir, "killed").communicate(timeout=60)
        lines = [json.loads(line) for line in out.splitlines()]
        for step, (_, found, noted, final, all_noted) in enumerate(lines, start=1):
            for files in (found, final):
                documents = {name: json.loads(text) for name, (_, text) in files.items() if ".tmp" not in name}
                lay_out(tmp_path / "seen", documents)
                assert {a: view(tmp_path / "seen", a) for a in ("main", "writer")} == expected, f"killed at {step}"
                assert all(mode & 0o077 == 0 for mode, _ in files.values())
            assert "zeta:default" in noted or "usageStats" in json.dumps(found), "in the files until it is elsewhere"
            assert {"acme:work", "zeta:default"} <= set(all_noted)
            assert final == lines[-1][1]
        assert [ended for ended, *_ in lines] == [-9] * (len(lines) - 1) + [0]
        assert len(lines) > 40
        assert set(lines[-1][1]) == {STORE, WRITER + "auth-profiles.json", SHARED}
