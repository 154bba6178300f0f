"""`secrets apply`: what a plan may say, what is written, and that nothing is lost whatever happens on the way."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.cli.secrets_apply import open_workplace, write
from bot.secrets_apply import carry_out
from bot.secrets_plan import read_plan
from bot.secrets_preflight import Swap, prepare
from core.errors import BotError, StoreError
from tests.bot.secrets_stage import CANARY, CONFIG, TOKEN, WORK, WRITERS, Host, Stage, key, private, ref, target
from tests.fakes.secret_store import python_command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    host = Host(tmp_path, state_dir, capsys)
    host.furnish()
    return host


class TestDone:
    def test_every_secret_is_moved_and_comments_stay(self, host: Host) -> None:
        code, out, err = host.apply(host.moves())
        assert (code, err) == (0, "")
        assert out == "".join(
            f"Updated {path}\n" for path in (host.config, host.store(), host.store("writer"), host.dotenv)
        )
        expected = CONFIG[: CONFIG.index("[secrets.providers.old]")]
        expected = expected.replace('"1234567:CANARY-of-the-bot"', '{source = "file", provider = "vault", id = "/bot"}')
        expected = expected.replace(
            '"sk-CANARY-of-the-config"', '{source = "file", provider = "vault", id = "/acme/config"}'
        )
        assert (
            host.config.read_text() == f'{expected}[secrets.providers.vault]\nsource = "file"\npath = "{host.keys}"\n'
        )
        assert host.stored() == {
            "acme:work": key("", ref("/acme/work")),
            "acme:token": {"type": "token", "provider": "acme", "tokenRef": ref("/token")},
            "acme:login": {"type": "oauth", "provider": "acme", "access": "at-CANARY", "refresh": "rt-CANARY"},
        }
        assert host.stored("writer") == {"acme:own": key("", ref("/writer"))}
        assert host.dotenv.read_text() == "# for the daemon\nOTHER=1\n"
        assert {stat.S_IMODE(path.stat().st_mode) for path in (host.store(), host.store("writer"), host.dotenv)} == {
            0o600
        }
        assert host.audit()["status"] == "clean"

    def test_a_second_time_changes_nothing(self, host: Host) -> None:
        host.apply(host.moves())
        files, times = host.files(), {path: path.stat().st_mtime_ns for path in host.files()}
        assert host.apply(host.moves()) == (0, "Secrets apply: no changes.\n", "")
        assert (host.files(), {path: path.stat().st_mtime_ns for path in files}) == (files, times)

    def test_no_copy_of_a_secret_is_left_anywhere(self, host: Host) -> None:
        host.apply(host.moves())
        for path in host.state.rglob("*"):
            left = path.read_bytes().decode() if path.is_file() else ""
            assert CANARY not in left.replace("at-CANARY", "").replace("rt-CANARY", ""), path

    def test_a_dry_run_says_the_same_and_writes_nothing(self, host: Host) -> None:
        before = host.files()
        code, out, _ = host.apply(host.moves(), "--dry-run", "--json")
        found = json.loads(out)
        assert (code, found["mode"], found["changed"]) == (0, "dry_run", True)
        assert found["changed_files"] == [
            str(p) for p in (host.config, host.store(), host.store("writer"), host.dotenv)
        ]
        assert found["resolution"] == {"refs_checked": 5, "skipped_exec_refs": 0, "resolvability_complete": True}
        assert host.files() == before
        found = json.loads(host.apply(host.moves(), "--json")[1])
        assert (found["mode"], found["changed"], len(found["changed_files"])) == ("write", True, 4)
        assert json.loads(host.apply(host.moves(), "--json")[1])["changed"] is False

    def test_a_provider_that_is_there_keeps_its_comments(self, host: Host) -> None:
        host.config.write_text(
            f'[secrets.providers.vault] # mine\nsource = "file" # yes\npath = "{host.keys}" # here\n'
        )
        host.apply(host.moves(targets=[], provider_upserts={"vault": {**host.vault, "timeout": "2s"}}, scrub_env=[]))
        text = f'[secrets.providers.vault] # mine\nsource = "file" # yes\npath = "{host.keys}" # here\ntimeout = "2s"\n'
        assert host.config.read_text() == text

    def test_a_secret_that_a_comment_repeats_is_told_by_its_line(self, host: Host) -> None:
        host.config.write_text(CONFIG.replace("# the bot", "# once 1234567:CANARY-of-the-bot"))
        _, _, err = host.apply(host.moves())
        assert (
            err
            == f"remoteclaw: Note: {host.config} still holds a secret that was moved, in line 4: take it out by hand.\n"
        )

    def test_a_profile_that_an_older_file_holds_is_taken_over_first(self, host: Host) -> None:
        older = host.store().with_name("auth.json")
        private(older, json.dumps({"zeta": {"type": "api_key", "key": WORK}}))
        plan = host.moves(targets=[target(["profiles", "zeta:default", "keyRef"], "/acme/work", "main")], scrub_env=[])
        assert host.apply(plan)[0] == 0
        assert host.stored()["zeta:default"] == {"type": "api_key", "provider": "zeta", "keyRef": ref("/acme/work")}
        assert not older.exists()

    def test_without_a_config_there_is_one_afterwards(self, host: Host) -> None:
        host.config.unlink()
        assert host.apply(host.moves(targets=[], provider_deletes=[], scrub_env=[]))[0] == 0
        assert stat.S_IMODE(host.config.stat().st_mode) == 0o600
        assert "[secrets.providers.vault]" in host.config.read_text()


def _at(number: int, **changes: Any) -> Callable[[Host], dict[str, Any]]:
    def plan(host: Host) -> dict[str, Any]:
        plan = host.moves()
        plan["targets"][number] = {**plan["targets"][number], **changes}
        return plan

    return plan


def _with(**changes: Any) -> Callable[[Host], dict[str, Any]]:
    return lambda host: host.moves(**changes)


KEY = ["profiles", "acme:work", "keyRef"]
TWICE = [target(KEY, "/a", "main"), target(KEY, "/b", "main")]


class TestRefused:
    @pytest.mark.parametrize(
        ("plan", "words"),
        [
            pytest.param(lambda host: "not json", "not valid JSON (line 1)", id="no JSON"),
            pytest.param(lambda host: "[" * 100_000, "nested too deeply", id="too deep"),
            pytest.param(lambda host: "[]", "must be a JSON object", id="list"),
            pytest.param(lambda host: '{"version": 1, "version": 1}', "the key 'version' twice", id="key twice"),
            pytest.param(_with(version=2), "version of the plan must be 1", id="version"),
            pytest.param(_with(version=True), "version of the plan must be 1", id="true"),
            pytest.param(_with(extra=1), "unknown key 'extra'", id="unknown key"),
            pytest.param(_with(targets={}), "targets of the plan must be a list", id="targets"),
            pytest.param(_with(targets=TWICE), "twice", id="target twice"),
            pytest.param(_with(scrub_env=["A", "A"]), "names 'A' twice", id="line twice"),
            pytest.param(_with(scrub_env=[5]), "must be a list of names", id="no name"),
            pytest.param(_with(provider_deletes=["vault"]), "both sets and deletes", id="set and deleted"),
            pytest.param(_with(provider_upserts=[]), "must be an object of objects", id="no providers"),
            pytest.param(_with(provider_upserts={"v": {"source": None}}), "holds null", id="null"),
            pytest.param(
                _with(provider_upserts={"V": {"source": "env"}}), "secrets.providers.V: must begin", id="alias"
            ),
            pytest.param(
                _with(provider_upserts={"v": {"source": "file", "path": "x"}}),
                "must be an absolute path",
                id="relative",
            ),
            pytest.param(
                _with(
                    provider_upserts={
                        "v": {"source": "exec", "command": "/bin/x", "env": {"VAULT_TOKEN": "s3cret-s3cret"}}
                    }
                ),
                "a plan must hold none",
                id="secret in it",
            ),
            pytest.param(_at(0, path=["channels", "telegram", "mode"]), "no secret there", id="no secret field"),
            pytest.param(_at(0, path=["env", "ACME_API_KEY"]), "no secret there", id="field without references"),
            pytest.param(_at(0, path=["channels", "discord", "token"]), "no such table", id="no table"),
            pytest.param(_at(0, path="channels.telegram.token"), "path must be a list", id="path of text"),
            pytest.param(_at(0, ref="${X}"), "must be an object", id="reference of text"),
            pytest.param(_at(0, ref={"source": "exec", "id": "a/../b"}), "targets[0].ref is wrong", id="reference"),
            pytest.param(_at(0, note="x"), "targets[0] has an unknown key 'note'", id="key of a target"),
            pytest.param(_at(2, agent="Nobody!"), "agent must be an agent id", id="no agent id"),
            pytest.param(_at(2, agent="nobody"), 'Unknown agent id "nobody"', id="unknown agent"),
            pytest.param(_at(2, agent="writer"), "stores no such profile", id="wrong agent"),
            pytest.param(_at(2, path=["profiles", "acme:work", "key"]), "path must be", id="field of a profile"),
            pytest.param(
                _at(2, path=["profiles", "acme:none", "keyRef"]), "stores no such profile", id="wrong profile"
            ),
            pytest.param(_at(2, path=["profiles", "acme:work", "tokenRef"]), "is no token", id="wrong type"),
            pytest.param(_at(2, path=["profiles", "acme:login", "keyRef"]), "OAuth + SecretRef", id="oauth"),
            pytest.param(_at(2, ref=ref("/nothing")), "'nothing' does not exist", id="reference to nothing"),
            pytest.param(_at(2, ref=ref("/acme")), "non-string or empty", id="reference to no text"),
            pytest.param(
                _at(2, ref=ref("/a", "nowhere")), "'nowhere' of source file is not configured", id="no provider"
            ),
            pytest.param(_at(2, ref=ref("ACME", "default", "env")), "ACME is missing or empty", id="no variable"),
            pytest.param(_at(2, ref=ref("a", "x", "exec")), "Add --allow-exec", id="command"),
            pytest.param(_at(2, ref=ref("ACME_API_KEY", "default", "env")), "cannot be taken out of", id="line in use"),
            pytest.param(_with(scrub_env=["OTHER"]), "would be lost", id="line that is kept nowhere"),
        ],
    )
    def test_a_plan_that_is_wrong_or_does_not_fit_changes_nothing(
        self, host: Host, plan: Callable[[Host], Any], words: str
    ) -> None:
        before = host.files()
        code, out, err = host.apply(plan(host))
        assert (code, out) == (1, "")
        assert words in err
        assert host.files() == before

    @pytest.mark.parametrize("text", ["two words-CANARY", "schl\u00fcssel-CANARY", "a\tb-CANARY"])
    def test_a_key_or_token_that_no_request_can_carry_is_not_moved_to(self, host: Host, text: str) -> None:
        private(host.keys, json.dumps({"odd": text}))
        before = host.files()
        for moved in (
            target(["models", "providers", "acme", "api_key"], "/odd"),
            target(["channels", "telegram", "token"], "/odd"),
            target(KEY, "/odd", "main"),
        ):
            code, _, err = host.apply(host.moves(targets=[moved], scrub_env=[]))
            assert code == 1
            assert "gave a text that holds a" in err
        assert host.files() == before

    def test_a_header_may_have_several_words_and_nothing_else_that_cannot_be_sent(self, host: Host) -> None:
        host.config.write_text(f'{CONFIG}[models.providers.acme.headers]\nX-Auth = "Bearer old-CANARY"\n')
        private(host.keys, json.dumps({"two": "Bearer new-CANARY", "odd": "Bearer \u00fc-CANARY"}))
        path = ["models", "providers", "acme", "headers", "X-Auth"]
        code, _, err = host.apply(host.moves(targets=[target(path, "/odd")], scrub_env=[]))
        assert (code, "not ASCII" in err) == (1, True)
        assert host.apply(host.moves(targets=[target(path, "/two")], scrub_env=[]))[0] == 0

    def test_a_profile_that_the_config_calls_oauth_keeps_its_token(self, host: Host) -> None:
        host.config.write_text(f'{CONFIG}[auth.profiles."acme:token"]\nprovider = "acme"\nmode = "oauth"\n')
        assert "OAuth + SecretRef is not supported." in host.apply(host.moves())[2]

    def test_a_plan_that_is_not_there_or_no_file(self, host: Host, tmp_path: Path) -> None:
        assert "There is no plan at" in host.secrets("apply", "--from", str(tmp_path / "none"))[2]
        assert "is not a regular file" in host.secrets("apply", "--from", "/dev/null")[2]
        assert host.secrets("apply")[0] == 2

    def test_a_provider_that_something_refers_to_is_not_deleted(self, host: Host) -> None:
        host.apply(host.moves())
        code, _, err = host.apply({"version": 1, "provider_deletes": ["vault"]})
        assert code == 1
        assert "The provider vault cannot be deleted" in err
        assert host.audit()["status"] == "clean"

    def test_a_provider_is_not_changed_so_that_another_reference_loses_its_secret(
        self, host: Host, tmp_path: Path
    ) -> None:
        host.apply(host.moves())
        other = tmp_path / "other.json"
        private(other, json.dumps({"bot": "x"}))
        changed = {"version": 1, "provider_upserts": {"vault": {**host.vault, "path": str(other)}}}
        code, _, err = host.apply(changed)
        assert code == 1
        assert "is used and would give nothing any more" in err
        private(other, host.keys.read_text())
        assert host.apply(changed)[0] == 0

    def test_a_store_that_cannot_be_read_may_need_what_changes(self, host: Host) -> None:
        host.store("writer").write_text("{")
        move_one = host.moves(targets=[target(KEY, "/acme/work", "main")], scrub_env=[])
        assert "so nobody knows whether it needs" in host.apply(move_one)[2]
        assert host.apply({**move_one, "provider_deletes": []})[0] == 0

    def test_a_store_that_others_can_read_is_not_touched(self, host: Host) -> None:
        host.store().chmod(0o644)
        assert "open to other users" in host.apply(host.moves())[2]

    def test_a_command_is_run_only_where_that_is_allowed(self, host: Host, tmp_path: Path) -> None:
        runs = tmp_path / "runs"
        body = f"open({str(runs)!r}, 'a').write('x')\nanswer({{'a': {WORK!r}}})"
        provider = {"source": "exec", "command": python_command(tmp_path, body)}
        plan = {"version": 1, "provider_upserts": {"v": provider}}
        plan["targets"] = [target(KEY, "a", "main", provider="v", source="exec")]
        plan["scrub_env"] = ["ACME_API_KEY"]
        before = host.files()
        assert "Add --allow-exec" in host.apply(plan)[2]
        code, out, _ = host.apply(plan, "--dry-run")
        assert code == 0
        assert "1 reference(s) were not checked" in out
        assert (host.files(), runs.exists()) == (before, False)
        assert host.apply(plan, "--allow-exec")[0] == 0
        assert host.stored()["acme:work"]["keyRef"] == ref("a", "v", "exec")
        assert "ACME_API_KEY" not in host.dotenv.read_text()


def is_sound(stage: Stage, state: Path) -> None:
    """Each file is as it was or as it is to be, and every credential is there, as it is or behind a reference that is right."""
    for path in (state / "config.toml", *state.glob("agents/*/agent/auth-profiles.json")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    kept = json.loads(stage.keys.read_text())
    for agent, name, field, secret in (
        ("main", "acme:work", "key", WORK),
        ("main", "acme:token", "token", TOKEN),
        ("writer", "acme:own", "key", WRITERS),
    ):
        entry = json.loads((state / "agents" / agent / "agent" / "auth-profiles.json").read_text())["profiles"][name]
        found = entry.get(field) or _pointed(kept, entry[f"{field}Ref"]["id"])
        assert found == secret
        if field not in entry:
            assert "[secrets.providers.vault]" in (state / "config.toml").read_text(), "the reference leads nowhere"


def _pointed(kept: Any, pointer: str) -> Any:
    for part in pointer[1:].split("/"):
        kept = kept[part]
    return kept


class TestInterrupted:
    def test_killed_before_each_change_of_a_file_it_is_sound_and_the_same_plan_finishes_it(
        self, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host.config.chmod(0o600)
        host.plan.write_text(json.dumps(host.moves()))
        copies = tmp_path / "copies"
        copies.mkdir()
        child = subprocess.run(
            [sys.executable, "-m", "tests.bot.apply_child", str(tmp_path), str(copies)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (child.returncode, child.stderr) == (0, "")
        killed = child.stdout.split()
        assert set(killed[:-1]) == {"-9"}
        assert len(killed) > 40
        final = {path.relative_to(host.state): content for path, content in self._applied(host).items()}
        seen = set()
        for n in range(1, len(killed) + 1):
            state = copies / str(n)
            is_sound(host, state)
            seen.add(tuple((state / path).read_bytes() == content for path, content in final.items()))
        assert (False,) * 4 in seen
        # In the order of `final`: the old provider and the line of .env are there until every store has its references.
        assert (False, False, True, True) in seen
        assert (True,) * 4 in seen
        for n in range(1, len(killed), 9):
            state = copies / str(n)
            monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
            assert host.secrets("apply", "--from", str(host.plan))[0] == 0
            assert {path: (state / path).read_bytes() for path in final} == final
            assert not list(state.rglob("*.tmp"))

    @staticmethod
    def _applied(host: Host) -> dict[Path, bytes]:
        assert host.apply(host.moves())[0] == 0
        return host.files()

    @pytest.mark.parametrize("failing", range(4))
    def test_a_step_that_fails_puts_back_what_was_done(self, tmp_path: Path, failing: int) -> None:
        files = [tmp_path / str(n) for n in range(4)]
        swaps = [Swap(path, b"old" + path.name.encode(), b"new") for path in files]
        for swap in swaps:
            swap.path.write_bytes(swap.before)
        calls = []

        def edit(path: Path, change: Callable[[bytes], bytes]) -> bool:
            calls.append(path)
            after = change(path.read_bytes())
            if len(calls) - 1 == failing:
                raise StoreError("store_write", "The disk is full.")
            path.write_bytes(after)
            return True

        with pytest.raises(StoreError, match="The disk is full"):
            carry_out(swaps, edit)
        assert [path.read_bytes() for path in files] == [swap.before for swap in swaps]

    def test_a_change_that_was_made_and_not_confirmed_is_put_back_too(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        failed = []

        def edit(path: Path, change: Callable[[bytes], bytes]) -> bool:
            path.write_bytes(change(path.read_bytes()))
            if not failed:
                failed.append(path)
                raise KeyboardInterrupt
            return True

        with pytest.raises(KeyboardInterrupt):
            carry_out([Swap(path, b"old", b"new")], edit)
        assert path.read_bytes() == b"old"

    def test_what_somebody_else_has_changed_is_neither_written_over_nor_put_back(self, host: Host) -> None:
        place = open_workplace(allow_exec=False)
        prepared = prepare(read_plan(json.dumps(host.moves()).encode()), place)
        before = host.files()
        host.keep({"acme:own": key("sk-CANARY-pasted-meanwhile")}, "writer")
        with pytest.raises(BotError, match="was changed meanwhile"):
            write(prepared, place)
        assert host.stored("writer") == {"acme:own": key("sk-CANARY-pasted-meanwhile")}
        assert host.files() == {**before, host.store("writer"): host.store("writer").read_bytes()}

    def test_what_cannot_be_put_back_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        done = []

        def edit(path: Path, change: Callable[[bytes], bytes]) -> bool:
            if done:
                raise StoreError("store_write", "The disk is gone.")
            done.append(path)
            path.write_bytes(change(path.read_bytes()))
            return True

        with pytest.raises(BotError, match=r"could not be put back\. Apply the same plan again"):
            carry_out([Swap(path, b"old", b"new"), Swap(path, b"new", b"newer")], edit)

    def test_a_store_that_cannot_be_locked_leaves_all_as_it_was(self, host: Host) -> None:
        guard = host.store("writer").with_name(".auth-profiles.json.guard")
        before = host.files()
        guard.mkdir()
        code, out, err = host.apply(host.moves())
        assert (code, out) == (1, "")
        assert "cannot be locked: Is a directory" in err
        assert host.files() == before
        guard.rmdir()
        assert host.apply(host.moves())[0] == 0
