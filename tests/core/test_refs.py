"""Secret references: which are valid, and what becomes of one that gives nothing."""

from collections.abc import Sequence

import pytest

from core.auth.refs import UnresolvedRef, describe, prepare_refs, read_ref, resolve_ref, unprepared
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
        *(
            pytest.param(table("exec", name), SecretRef("exec", "default", name), id=name[:20])
            for name in (
                "vault/openai/api-key",
                "vault:secret/mykey",
                "a..b/c",
                "a/.../b",
                "a/.well-known/key",
                "a/" + 254 * "b",
            )
        ),
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
        *(
            pytest.param(table("exec", name), id=f"exec {name[:12]!r}")
            for name in ("", " ", "a/../b", "a/./b", "../b", "./b", "a/..", "a/.", "/absolute/path", "bad id", "a\\b")
        ),
        pytest.param(table("exec", "a" + 256 * "b"), id="exec too long"),
    ],
)
def test_anything_else_is_refused(value: object):
    with pytest.raises(ValueError, match=r"reference"):
        read_ref(value)


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

    def forget(self) -> None:
        self.asked.clear()


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
