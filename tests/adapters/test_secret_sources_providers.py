"""All providers behind one source: which one a reference means, and that each reference is asked for once."""

import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.providers import SecretProviders
from core.auth.refs import UnresolvedRef
from core.auth.secret import Secret, SecretRef
from tests.fakes.secret_store import FakeLimits, FakeOptions, python_command, shell_command

ENVIRON = {"A_KEY": " sk-a \n", "B_KEY": "sk-b", "BLANK": " "}


def source(providers: dict[str, FakeOptions] | None = None, **more: Any) -> SecretProviders:
    return SecretProviders(providers or {}, more.get("defaults", {}), more.get("limits", FakeLimits()), ENVIRON)


def reason(providers: SecretProviders, ref: SecretRef) -> str:
    with pytest.raises(UnresolvedRef) as caught:
        providers.read(ref)
    assert caught.value.code == "unresolved_ref"
    return str(caught.value)


def counted(folder: Path, name: str = "helper") -> FakeOptions:
    """A command that tells in a file how often it ran, and gives that number as every secret."""
    runs = folder / f"{name}.runs"
    body = (
        f"with open({str(runs)!r}, 'a') as file: file.write(json.dumps(asked['ids']) + '\\n')\n"
        f"n = len(open({str(runs)!r}).readlines())\nanswer({{i: f'{{i}} {{n}}' for i in asked['ids'] if i != 'bad'}})"
    )
    return FakeOptions(source="exec", command=python_command(folder, body, name))


def runs_of(folder: Path, name: str = "helper") -> list[str]:
    path = folder / f"{name}.runs"
    return path.read_text().splitlines() if path.exists() else []


class TestChoice:
    def test_variables_need_no_table(self):
        assert source().read(SecretRef("env", "default", "A_KEY")) == Secret("sk-a")

    @pytest.mark.parametrize(
        ("ref", "words"),
        [
            (SecretRef("env", "default", "UNSET"), "variable UNSET is missing or empty"),
            (SecretRef("env", "default", "BLANK"), "variable BLANK is missing or empty"),
            (SecretRef("env", "few", "B_KEY"), "B_KEY is not allowlisted"),
            (SecretRef("env", "other", "A_KEY"), "'other' of source env is not configured"),
            (SecretRef("file", "default", "/a"), "'default' of source file is not configured"),
            (SecretRef("exec", "few", "a"), 'has source "env" but ref requests "exec"'),
        ],
    )
    def test_a_reference_that_means_none_says_why(self, ref: SecretRef, words: str):
        assert words in reason(source({"few": FakeOptions(source="env", allowlist=("A_KEY",))}), ref)

    def test_an_allowlist_lets_through_what_it_names(self):
        few = source({"few": FakeOptions(source="env", allowlist=("A_KEY",))})
        assert few.read(SecretRef("env", "few", "A_KEY")) == Secret("sk-a")

    def test_default_stands_for_the_default_of_its_source(self, tmp_path: Path):
        (tmp_path / "keys").write_text('{"a": "from the file"}')
        (tmp_path / "keys").chmod(0o600)
        providers = {"vault": FakeOptions(source="file", path=str(tmp_path / "keys"))}
        found = source(providers, defaults={"env": "default", "file": "vault", "exec": "default"})
        assert found.read(SecretRef("file", "default", "/a")) == Secret("from the file")
        assert found.read(SecretRef("env", "default", "B_KEY")) == Secret("sk-b")
        assert "'default' of source exec" in reason(found, SecretRef("exec", "default", "a"))

    def test_a_default_of_variables_needs_no_table_either(self):
        found = source(defaults={"env": "shell"})
        assert found.read(SecretRef("env", "shell", "B_KEY")) == found.read(SecretRef("env", "default", "B_KEY"))

    def test_a_secret_cannot_end_a_header_and_begin_another(self, tmp_path: Path):
        options = FakeOptions(source="exec", command=python_command(tmp_path, 'answer({"a": " k\\r\\nX: y\\n"})'))
        assert source({"vault": options}).read(SecretRef("exec", "vault", "a")) == Secret("kX: y")


class TestAsking:
    def test_two_references_are_one_run(self, tmp_path: Path):
        vault = source({"vault": counted(tmp_path)})
        refs = [SecretRef("exec", "vault", name) for name in ("a", "b", "a")]
        vault.prepare(refs)
        assert [vault.read(ref) for ref in refs] == [Secret("a 1"), Secret("b 1"), Secret("a 1")]
        assert runs_of(tmp_path) == ['["a", "b"]']

    def test_two_names_of_one_provider_are_one_run_too(self, tmp_path: Path):
        vault = source({"vault": counted(tmp_path)}, defaults={"exec": "vault"})
        refs = [SecretRef("exec", provider, name) for provider in ("vault", "default") for name in ("a", "b")]
        vault.prepare(refs)
        assert [vault.read(ref) for ref in refs] == [Secret("a 1"), Secret("b 1")] * 2
        assert runs_of(tmp_path) == ['["a", "b"]']

    def test_what_was_answered_is_kept_until_it_is_forgotten(self, tmp_path: Path):
        vault = source({"vault": counted(tmp_path)})
        good, bad = (SecretRef("exec", "vault", name) for name in ("a", "bad"))
        assert not vault.holds(good)
        vault.prepare([good, bad])
        assert vault.holds(good)
        assert vault.holds(bad)
        for _ in range(3):
            assert vault.read(good) == Secret("a 1")
            assert 'response missing id "bad"' in reason(vault, bad)
        vault.prepare([good, bad])
        assert len(runs_of(tmp_path)) == 1

    def test_a_refusal_that_is_kept_grows_no_traceback(self):
        vault, ref = source(), SecretRef("env", "default", "UNSET")
        with pytest.raises(UnresolvedRef) as first:
            vault.read(ref)
        with pytest.raises(UnresolvedRef) as second:
            vault.read(ref)
        assert first.value is not second.value

    def test_one_broken_provider_leaves_the_others(self, tmp_path: Path):
        broken = FakeOptions(source="exec", command=shell_command(tmp_path, "exit 3", "broken"))
        vault = source({"vault": counted(tmp_path), "broken": broken})
        refs = [SecretRef("exec", "broken", "a"), SecretRef("exec", "vault", "a"), SecretRef("env", "default", "A_KEY")]
        vault.prepare(refs)
        assert "exited with code 3" in reason(vault, refs[0])
        assert [vault.read(ref) for ref in refs[1:]] == [Secret("a 1"), Secret("sk-a")]

    @pytest.mark.parametrize(("at_once", "is_enough"), [(2, True), (1, False)])
    def test_so_many_providers_are_asked_at_a_time(self, tmp_path: Path, at_once: int, is_enough: bool):
        body = (
            "mark = 'here.' + asked['provider']\nopen(mark, 'w').close()\n"
            "end = time.monotonic() + float(sys.argv[1])\n"
            "both = lambda: sum(name.startswith('here.') for name in os.listdir()) == 2\n"
            "while not both() and time.monotonic() < end: time.sleep(0.01)\n"
            "met = both()\n"
            "if not met: os.remove(mark)\n"
            "answer({'a': str(met)})"
        )
        command = python_command(tmp_path, body)
        waits = "15" if is_enough else "0.2"
        options = FakeOptions(source="exec", command=command, args=(waits,))
        vault = source({"x": options, "y": options}, limits=FakeLimits(max_provider_concurrency=at_once))
        refs = [SecretRef("exec", name, "a") for name in ("x", "y")]
        vault.prepare(refs)
        assert [vault.read(ref) for ref in refs] == [Secret(str(is_enough))] * 2

    def test_several_threads_ask_once(self, tmp_path: Path):
        vault, ref = source({"vault": counted(tmp_path)}), SecretRef("exec", "vault", "a")
        found: list[Secret] = []
        threads = [threading.Thread(target=lambda: found.append(vault.read(ref))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == [Secret("a 1")] * 8

    @pytest.mark.parametrize(("count", "is_refused"), [(3, False), (4, True)])
    def test_one_provider_is_asked_for_so_many(self, count: int, is_refused: bool):
        vault = source(limits=FakeLimits(max_refs_per_provider=3))
        refs = [SecretRef("env", "default", f"UNSET_{n}") for n in range(count)]
        vault.prepare(refs)
        assert ("exceeded maxRefsPerProvider (3)" in reason(vault, refs[0])) is is_refused

    def test_nothing_of_it_shows_a_secret(self, tmp_path: Path):
        vault = source({"vault": counted(tmp_path)})
        vault.prepare([SecretRef("env", "default", "A_KEY")])
        assert "sk-" not in repr(vault) + repr(vault._kept)
