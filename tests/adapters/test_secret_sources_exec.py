"""Secrets from commands: the protocol, what a command gets, and what becomes of one that misbehaves."""

import contextlib
import json
import os
import shlex
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.exec import ExecProvider
from core.auth.refs import UnresolvedRef
from core.auth.secret import Secret
from tests.fakes.secret_store import FakeOptions, python_command, shell_command

SECRET = "sk-of-the-command-0123456789"
ENVIRON = {"HOME": "/nowhere", "ACME_API_KEY": "sk-of-the-gateway", "PASSED": "yes"}


def says(folder: Path, output: str, **more: Any) -> FakeOptions:
    """A command that writes this text."""
    return FakeOptions(source="exec", command=shell_command(folder, f"printf %s {shlex.quote(output)}"), **more)


def runs(folder: Path, body: str, **more: Any) -> FakeOptions:
    return FakeOptions(source="exec", command=shell_command(folder, body), **more)


def ask(options: FakeOptions, *ids: str, largest: int = 262144) -> Any:
    return ExecProvider("vault", options, ENVIRON, largest).fetch(ids or ("a",))


def reason(options: FakeOptions, *ids: str, largest: int = 262144) -> str:
    """Why there is no text for the first id, be it the command or the id that is wrong."""
    try:
        found = ask(options, *ids, largest=largest)[ids[0] if ids else "a"]
    except UnresolvedRef as error:
        return str(error)
    assert isinstance(found, UnresolvedRef), "a text was given"
    return str(found)


def response(values: Any, **more: Any) -> str:
    return json.dumps({"protocolVersion": 1, "values": values, **more})


class TestAnswers:
    def test_version_1_gives_the_values(self, tmp_path: Path):
        assert ask(says(tmp_path, response({"a": SECRET, "b": "2"})), "a", "b") == {"a": SECRET, "b": "2"}

    @pytest.mark.parametrize("output", ["plain-secret", "plain-secret\n", '"plain-secret"', ' " plain-secret " '])
    def test_a_plain_text_is_the_value_where_it_may_be(self, tmp_path: Path, output: str):
        assert ask(says(tmp_path, output, json_only=False)) == {"a": "plain-secret"}

    def test_json_counts_where_plain_text_may_be(self, tmp_path: Path):
        assert ask(says(tmp_path, response({"a": "x"}), json_only=False)) == {"a": "x"}

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            pytest.param("", "returned empty stdout", id="nothing"),
            pytest.param(" \n", "returned empty stdout", id="blank"),
            pytest.param("not-json", "returned invalid JSON", id="not JSON"),
            pytest.param("[" * 100_000, "returned invalid JSON", id="too deep"),
            pytest.param(f'["{SECRET}"]', "response must be an object", id="list"),
            pytest.param(f'"{SECRET}"', "response must be an object", id="text"),
            pytest.param('{"protocolVersion": 2, "values": {"a": "1"}}', "protocolVersion must be 1", id="version 2"),
            pytest.param('{"protocolVersion": true, "values": {"a": "1"}}', "protocolVersion must be 1", id="true"),
            pytest.param('{"values": {"a": "1"}}', "protocolVersion must be 1", id="no version"),
            pytest.param('{"protocolVersion": 1}', 'response missing "values"', id="no values"),
            pytest.param(response([SECRET]), 'response missing "values"', id="a list of values"),
            pytest.param(response({"b": SECRET}), 'response missing id "a"', id="another id"),
            pytest.param(response({"a": 5}), "resolved to a non-string or empty value", id="number"),
            pytest.param(response({"a": " "}), "resolved to a non-string or empty value", id="blank value"),
            pytest.param(response({}, errors={"a": {"message": "no"}}), 'failed for id "a" (no)', id="error"),
            pytest.param(response({"a": SECRET}, errors={"a": {}}), 'failed for id "a".', id="error beside a value"),
        ],
    )
    def test_anything_else_is_named_without_a_word_of_it(self, tmp_path: Path, output: str, words: str):
        path = tmp_path / "output"
        path.write_text(output)
        said = reason(runs(tmp_path, f"cat {path}"))
        assert words in said
        assert SECRET[:6] not in said

    def test_the_own_words_of_a_command_are_one_short_line_without_secrets(self, tmp_path: Path):
        words = f"token {SECRET} and {ENVIRON['PASSED'] * 3}\r\nInjected: 1\x1b[31m" + "x" * 500
        options = says(
            tmp_path,
            response({"other": f" {SECRET}\n"}, errors={"a": {"message": words}}),
            env={"VAULT": Secret("yesyesyes")},
        )
        said = reason(options)
        assert said.startswith(
            "The secret provider 'vault' (exec) failed for id \"a\" (token *** and *** Injected: 1 [31m"
        )
        assert said.isprintable()
        assert len(said) < 300

    def test_an_id_that_fails_leaves_the_others(self, tmp_path: Path):
        found = ask(says(tmp_path, response({"b": "2"}, errors={"a": {"message": "no"}})), "a", "b")
        assert found["b"] == "2"
        assert isinstance(found["a"], UnresolvedRef)


class TestRequests:
    def test_are_one_json_object_with_all_ids(self, tmp_path: Path):
        command = python_command(tmp_path, 'answer({i: f"{i} of {asked}" for i in asked["ids"]})')
        found = ask(FakeOptions(source="exec", command=command), "a/b", "c:d")
        asked = {"protocolVersion": 1, "provider": "vault", "ids": ["a/b", "c:d"]}
        assert found == {"a/b": f"a/b of {asked}", "c:d": f"c:d of {asked}"}

    def test_that_nobody_reads_do_not_matter(self, tmp_path: Path):
        ids = [f"{n:0200}" for n in range(1000)]
        answer = response(dict.fromkeys(ids, "x"))
        (tmp_path / "answer").write_text(answer)
        assert len(ask(runs(tmp_path, f"exec 0<&-; cat {tmp_path}/answer"), *ids)) == 1000

    def test_have_a_limit(self, tmp_path: Path):
        options = runs(tmp_path, f"touch {tmp_path}/was-run")
        assert "request exceeded maxBatchBytes (50)" in reason(options, "a" * 100, largest=50)
        assert not (tmp_path / "was-run").exists()

    def test_are_one_for_each_id_where_an_answer_may_be_plain(self, tmp_path: Path):
        options = runs(tmp_path, f"cat >> {tmp_path}/asked; echo >> {tmp_path}/asked; echo x", json_only=False)
        assert ask(options, "a", "b") == {"a": "x", "b": "x"}
        asked = [json.loads(line)["ids"] for line in (tmp_path / "asked").read_text().splitlines()]
        assert asked == [["a"], ["b"]]

    def test_come_with_the_named_variables_the_folder_of_the_command_and_no_shell(self, tmp_path: Path):
        command = python_command(tmp_path, "answer({'a': json.dumps([dict(os.environ), os.getcwd(), sys.argv[1:]])})")
        options = FakeOptions(
            source="exec",
            command=command,
            args=("$(id)", "; x", ""),
            env={"OWN": Secret("1"), "PASSED": Secret("over")},
            pass_env=("PASSED", "HOME", "NOT_THERE"),
        )
        environ, folder, args = json.loads(ask(options)["a"])
        environ.pop("LC_CTYPE", None)  # Python sets it for itself
        assert environ == {"OWN": "1", "PASSED": "over", "HOME": "/nowhere"}
        assert folder == str(tmp_path)
        assert args == ["$(id)", "; x", ""]


def is_gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def wait_until_gone(path: Path) -> None:
    """Every process whose number stands in the file has ended."""
    deadline = time.monotonic() + 10
    for number in [int(line) for line in path.read_text().split()]:
        while not is_gone(number):
            assert time.monotonic() < deadline, f"{number} lives on"
            time.sleep(0.005)


SHORT = timedelta(milliseconds=300)
LEFT_BEHIND = (
    "for i in 1 2 3; do (trap '' HUP TERM; echo $$ >> {0}; while :; do sleep 30 & echo $! >> {0}; wait; done) & done\n"
)


def children() -> set[str]:
    """The processes that this one has started and that are not gone; another test's may be among them."""
    mine = f" {os.getpid()} "
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mine in f" {' '.join((process / 'stat').read_text().rpartition(')')[2].split()[1:2])} ":
                found.add(process.name)
    return found


class TestMisbehaviour:
    @pytest.mark.parametrize(
        ("body", "words"),
        [
            pytest.param(f"echo '{response({'a': SECRET})}'; exit 3", "exited with code 3", id="code beside an answer"),
            pytest.param(f"echo {SECRET} >&2; exit 1", "exited with code 1", id="secret on stderr"),
            pytest.param("kill -TERM $$", "was ended by signal 15", id="signal"),
            pytest.param(f"echo {SECRET}; exec sleep 30", "timed out after 300ms", id="hangs after a word"),
            pytest.param("exec sleep 30", "timed out after 300ms", id="hangs"),
            pytest.param("exec 1>&- 2>&-; exec sleep 30", "timed out after 300ms", id="hangs with closed outputs"),
            pytest.param("while :; do echo x; sleep 0.01; done", "timed out after 300ms", id="chatters for ever"),
        ],
    )
    def test_is_told_in_the_words_of_the_protocol(self, tmp_path: Path, body: str, words: str):
        said = reason(runs(tmp_path, body, timeout=SHORT if "300ms" in words else timedelta(seconds=20)))
        assert words in said
        assert SECRET[:6] not in said

    def test_silence_has_a_limit_of_its_own_and_either_output_ends_it(self, tmp_path: Path):
        options = runs(tmp_path, "exec sleep 30", no_output_timeout=SHORT)
        assert "produced no output for 300ms" in reason(options)
        body = f"for i in 1 2 3 4 5 6; do sleep 0.1; echo . >&2; done; echo '{response({'a': 'x'})}'"
        assert ask(runs(tmp_path, body, no_output_timeout=timedelta(milliseconds=500))) == {"a": "x"}

    @pytest.mark.parametrize("into", ["", ">&2"])
    def test_an_endless_output_is_cut_off_early(self, tmp_path: Path, into: str):
        began = time.monotonic()
        options = runs(tmp_path, f"head -c 1073741824 /dev/zero {into}", max_output_bytes=100_000)
        assert "exceeded maxOutputBytes (100000)" in reason(options)
        assert time.monotonic() - began < 5

    def test_both_outputs_count_together(self, tmp_path: Path):
        body = f"head -c 60 /dev/zero >&2; printf %s '{response({'a': 'x'})}'"
        size = 60 + len(response({"a": "x"}))
        assert ask(runs(tmp_path, body, max_output_bytes=size)) == {"a": "x"}
        assert "exceeded maxOutputBytes" in reason(runs(tmp_path, body, max_output_bytes=size - 1))

    @pytest.mark.parametrize(
        ("end", "more", "words"),
        [
            pytest.param("sleep 30", {"timeout": SHORT}, "timed out", id="timeout"),
            pytest.param("sleep 30", {"no_output_timeout": SHORT}, "produced no output", id="silence"),
            pytest.param("head -c 200000 /dev/zero; sleep 30", {"max_output_bytes": 1000}, "exceeded", id="overflow"),
            pytest.param("exit 4", {}, "exited with code 4", id="failure"),
        ],
    )
    def test_no_child_outlives_a_failure(self, tmp_path: Path, end: str, more: dict[str, Any], words: str):
        children = tmp_path / "children"
        started = f"while [ $(wc -l < {children}) -lt 6 ]; do sleep 0.01; done\n"
        options = runs(tmp_path, f": > {children}\n" + LEFT_BEHIND.format(children) + started + end, **more)
        if "timeout" in more or "no_output_timeout" in more:
            options = replace(options, **dict.fromkeys(more, timedelta(seconds=1)))
        assert words in reason(options)
        wait_until_gone(children)

    def test_no_child_outlives_an_answer_or_holds_it_up(self, tmp_path: Path):
        children = tmp_path / "children"
        started = f"while [ $(wc -l < {children}) -lt 6 ]; do sleep 0.01; done\n"
        body = f": > {children}\n" + LEFT_BEHIND.format(children) + started + f"echo '{response({'a': 'x'})}'"
        began = time.monotonic()
        assert ask(runs(tmp_path, body)) == {"a": "x"}
        assert time.monotonic() - began < 10
        wait_until_gone(children)

    def test_who_leaves_the_group_and_keeps_the_output_holds_nobody_up(self, tmp_path: Path):
        children = tmp_path / "children"
        body = (
            "child = os.fork()\nif child == 0:\n    os.setsid()\n    time.sleep(30)\n    os._exit(0)\n"
            f"open({str(children)!r}, 'w').write(str(child))\nanswer({{'a': 'x'}})\nsys.stdout.flush()\nos._exit(0)"
        )
        began = time.monotonic()
        assert ask(FakeOptions(source="exec", command=python_command(tmp_path, body))) == {"a": "x"}
        assert time.monotonic() - began < 10
        os.kill(int(children.read_text()), 9)

    def test_without_a_handle_on_the_process_the_end_of_its_outputs_counts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.delattr(os, "pidfd_open", raising=False)
        assert ask(says(tmp_path, response({"a": "x"}))) == {"a": "x"}
        assert "exited with code 3" in reason(runs(tmp_path, "exit 3"))
        closed = "exec 1>&- 2>&-; exec sleep 30"
        assert "timed out after 300ms" in reason(runs(tmp_path, closed, timeout=SHORT))

    def test_a_file_that_is_no_program_is_told(self, tmp_path: Path):
        path = tmp_path / "helper"
        path.write_text("\0")
        path.chmod(0o600)
        said = reason(FakeOptions(source="exec", command=str(path)))
        assert "could not be started (Permission denied)" in said

    def test_no_handle_and_no_process_is_left(self, tmp_path: Path):
        options = runs(tmp_path, "exec sleep 30", timeout=timedelta(milliseconds=20))
        reason(options)
        before = len(os.listdir("/proc/self/fd")), children()
        for _ in range(5):
            reason(options)
        assert (len(os.listdir("/proc/self/fd")), children()) == before


class TestCommands:
    @pytest.fixture
    def options(self, tmp_path: Path) -> FakeOptions:
        return says(tmp_path, response({"a": "x"}))

    @pytest.mark.parametrize("mode", [0o700, 0o755, 0o711, 0o500])
    def test_that_others_may_only_read_and_run_are_run(self, options: FakeOptions, mode: int):
        Path(options.command).chmod(mode)
        assert ask(options) == {"a": "x"}

    @pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o775])
    def test_that_others_may_change_are_not(self, options: FakeOptions, mode: int):
        Path(options.command).chmod(mode)
        assert "permissions are too open" in reason(options)
        assert ask(replace(options, allow_insecure_path=True)) == {"a": "x"}

    def test_must_not_be_links_unless_links_are_allowed(self, options: FakeOptions, tmp_path: Path):
        link = tmp_path / "link"
        link.symlink_to(options.command)
        linked = replace(options, command=str(link))
        assert "must not be a symlink" in reason(linked)
        allowed = replace(linked, allow_symlink_command=True)
        assert ask(allowed) == {"a": "x"}
        assert ask(replace(allowed, trusted_dirs=(str(tmp_path),))) == {"a": "x"}

    def test_are_judged_by_what_a_link_leads_to(self, options: FakeOptions, tmp_path: Path):
        links = tmp_path / "links"
        links.mkdir()
        (links / "link").symlink_to(options.command)
        linked = replace(options, command=str(links / "link"), allow_symlink_command=True, trusted_dirs=(str(links),))
        assert "is outside trustedDirs" in reason(linked)
        Path(options.command).chmod(0o777)
        assert "too open" in reason(replace(linked, trusted_dirs=()))

    def test_must_lie_in_a_trusted_folder_whatever_their_path_says(self, options: FakeOptions, tmp_path: Path):
        trusted = tmp_path / "trusted"
        trusted.mkdir()
        around = replace(options, command=f"{trusted}/../helper", trusted_dirs=(str(trusted),))
        assert "is outside trustedDirs" in reason(around)
        (trusted / "inside").symlink_to(tmp_path)
        through = replace(options, command=f"{trusted}/inside/helper", trusted_dirs=(str(trusted),))
        assert "is outside trustedDirs" in reason(through)
        beside = replace(options, trusted_dirs=(str(tmp_path)[:-1],))
        assert "is outside trustedDirs" in reason(beside)

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("helper", "must be an absolute path"),
            ("/nonexistent/helper", "cannot be used (No such file or directory)"),
            ("/", "is not a regular file"),
            ("/dev/null", "is not a regular file"),
        ],
    )
    def test_that_are_none_are_named(self, command: str, words: str):
        assert words in reason(FakeOptions(source="exec", command=command))
