"""Secret references: which are valid, and what becomes of one that gives nothing."""

from collections.abc import Sequence

import pytest

from core.auth.refs import UnresolvedRef, describe, is_ref, prepare_refs, read_ref, resolve_ref, unprepared
from core.auth.secret import Secret, SecretRef


def table(source: str, name: object, provider: object = "default") -> dict[str, object]:
    return {"source": source, "provider": provider, "id": name}


@pytest.mark.parametrize(
    ("value", "ref"),
    [
        pytest.param(table("env", "ACME_KEY"), SecretRef("env", "default", "ACME_KEY"), id="env"),
        pytest.param({"source": "env", "id": "A"}, SecretRef("env", "default", "A"), id="without a provider"),
        pytest.param("${ACME_KEY}", SecretRef("env", "default", "ACME_KEY"), id="variable"),
        pytest.param(table("file", "value"), SecretRef("file", "default", "value"), id="whole file"),
        pytest.param(table("file", "/a~1b/c~0d", "vault"), SecretRef("file", "vault", "/a~1b/c~0d"), id="pointer"),
    ],
)
def test_a_valid_reference_is_read(value: object, ref: SecretRef):
    assert read_ref(value) == ref


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param("plain", id="text"),
        pytest.param("x${A}", id="more than a variable"),
        pytest.param({}, id="empty"),
        pytest.param(table("vault", "A"), id="source"),
        pytest.param(table("env", "A", "Upper"), id="provider"),
        pytest.param(table("env", "A", None), id="no provider"),
        pytest.param({**table("env", "A"), "extra": 1}, id="another key"),
        pytest.param(table("env", "lower"), id="lower case"),
        pytest.param(table("env", "_A"), id="begins with _"),
        pytest.param(table("env", "A" * 129), id="too long"),
        pytest.param(table("env", 5), id="number"),
        pytest.param(table("file", "relative/path"), id="relative pointer"),
        pytest.param(table("file", "/bad~2"), id="bad escape"),
    ],
)
def test_anything_else_is_refused(value: object):
    with pytest.raises(ValueError, match=r"reference"):
        read_ref(value)


@pytest.mark.parametrize("name", ["_FOO", "A" * 129, "_"])
def test_both_forms_of_a_reference_refuse_the_same_ids_with_the_same_words(name: str):
    said = []
    for value in (table("env", name), f"${{{name}}}"):
        assert is_ref(value), "it is meant as one, and must not be sent as a key"
        with pytest.raises(ValueError, match="must be a variable name") as caught:
            read_ref(value)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        *(
            pytest.param(name, True, id=f"C172 {name[:20]}")
            for name in (
                "vault/openai/api-key",
                "vault:secret/mykey",
                "providers/openai/apiKey",
                "a..b/c",
                "a/.../b",
                "a/.well-known/key",
                "a/" + 254 * "b",
            )
        ),
        *(
            pytest.param(name, False, id=f"C173 {name[:20]!r}")
            for name in (
                *("", " ", "a/../b", "a/./b", "../b", "./b", "a/..", "a/.", "/absolute/path", "bad id", "a\\b"),
                "a" + 256 * "b",
            )
        ),
        pytest.param("a//b", True, id="empty segment"),
        pytest.param("a/b/", True, id="slash at the end"),
        pytest.param("a\n", False, id="line feed at the end"),
        pytest.param("\u0661", False, id="a digit of another script"),
        pytest.param("\u00e9a", False, id="a letter of another script"),
    ],
)
def test_the_id_of_a_command_has_a_form(name: str, is_valid: bool):
    if is_valid:
        assert read_ref(table("exec", name)) == SecretRef("exec", "default", name)
    else:
        with pytest.raises(ValueError, match=r"the id of an exec reference"):
            read_ref(table("exec", name))


@pytest.mark.parametrize(
    ("provider", "is_valid"),
    [
        ("a", True),
        ("vault-2_x", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("2a", False),
        ("_a", False),
        ("-a", False),
        ("A", False),
        ("a.b", False),
        ("a\n", False),
        ("", False),
    ],
)
def test_the_alias_of_a_provider_has_a_form(provider: str, is_valid: bool):
    if is_valid:
        assert read_ref(table("env", "A", provider)).provider == provider
    else:
        with pytest.raises(ValueError, match="the provider of a secret reference"):
            read_ref(table("env", "A", provider))


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("value", True),
        ("/", True),
        ("//", True),
        ("/a/0", True),
        ("/~0~1", True),
        ("", False),
        ("values", False),
        ("a/b", False),
        ("/~", False),
        ("/a~", False),
        ("/~2", False),
    ],
)
def test_the_id_of_a_file_is_the_whole_or_a_pointer(name: str, is_valid: bool):
    if is_valid:
        assert read_ref(table("file", name)).id == name
    else:
        with pytest.raises(ValueError, match="the id of a file reference"):
            read_ref(table("file", name))


class Source:
    def __init__(self, value: str) -> None:
        self.value = value

    def read(self, ref: SecretRef) -> Secret:
        return Secret(self.value)


def test_a_reference_gives_what_its_source_holds():
    assert resolve_ref(SecretRef("env", "default", "A"), {"env": Source("x")}) == Secret("x")


@pytest.mark.parametrize(
    ("source", "words"),
    [("file", "The secret source 'file' is not available"), ("env", "gave an empty text")],
)
def test_a_reference_without_a_secret_says_why(source: str, words: str):
    with pytest.raises(UnresolvedRef, match=words) as caught:
        resolve_ref(SecretRef(source, "default", "A"), {"env": Source(" ")})
    assert caught.value.code == "unresolved_ref"


class Keeping(Source):
    """Knows what it was prepared for."""

    def __init__(self) -> None:
        super().__init__("x")
        self.asked: list[list[str]] = []

    def prepare(self, refs: Sequence[SecretRef]) -> None:
        self.asked.append([ref.id for ref in refs])

    def holds(self, ref: SecretRef) -> bool:
        return any(ref.id in ids for ids in self.asked)


def test_all_references_of_a_source_that_keeps_its_answers_are_prepared_together_and_once():
    keeping = Keeping()
    sources = {"env": Source("x"), "file": keeping, "exec": keeping}
    refs = [SecretRef("file", "v", "/a"), SecretRef("env", "v", "A"), SecretRef("exec", "v", "b")]
    assert unprepared([*refs, *refs], sources) == (refs[0], refs[2])
    prepare_refs([*refs, *refs], sources)
    assert keeping.asked == [["/a", "b"]]
    assert unprepared(refs, sources) == ()
    assert unprepared(refs, {}) == ()


def test_a_reference_is_named_on_one_line():
    assert describe(SecretRef("file", "v", "/a\nb")) == r"The secret reference file:v:'/a\nb'"
