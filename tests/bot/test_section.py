"""Tables of the config: declared as classes, read strictly, never changed."""

from collections.abc import Mapping, Set
from typing import Annotated, Any, Literal

import pytest

from bot.config.reading import Check, Finding, Limits, read, read_sections
from bot.config.section import Section
from bot.config.settings import Env, Settings, Telegram
from core.auth.secret import Secret

CANARY = "sk-canary-0123456789abcdef"


def _filled(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Leaf(Section):
    name: Annotated[str, Check(str.strip), Check(_filled)]
    count: Annotated[int, Limits(gt=0, le=9)] = 1


class Tree(Section):
    ripe: bool = False
    kind: Literal["oak", "elm"] = "oak"
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    by_name: Mapping[Annotated[str, Check(str.lower)], Leaf] = {}
    words: Annotated[tuple[str, ...], Check(_listed, "before")] = ()
    length: Annotated[int, Check(len, "instead")] = 0


class Pair(Section):
    left: str = ""
    right: str = ""

    def _check(self, given: Set[str]) -> None:
        if len(given) == 1:
            raise ValueError("needs both")


class Free(Section):
    known: bool = False
    _others: Mapping[Annotated[str, Check(str.upper)], int] = {}


def facts(findings: list[Finding]) -> list[tuple[object, ...]]:
    return [(finding["type"], *finding["loc"]) for finding in findings]


def test_a_table_that_is_read_has_what_was_there_and_defaults_for_the_rest():
    table, findings = read(
        Tree,
        {
            "leaf": {"name": " a "},
            "leaves": ({"name": "b", "count": 9},),
            "by_name": {"UP": {"name": "c"}},
            "words": "one",
            "length": "four",
        },
    )
    assert findings == []
    assert table == Tree(
        leaf=Leaf(name="a"),
        leaves=(Leaf(name="b", count=9),),
        by_name={"up": Leaf(name="c")},
        words=("one",),
        length=4,
    )


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        pytest.param({"ripe": "true"}, ("bool_type", "ripe"), id="a string is no bool"),
        pytest.param({"ripe": 1}, ("bool_type", "ripe"), id="a number is no bool"),
        pytest.param({"kind": "OAK"}, ("literal_error", "kind"), id="not one of the choices"),
        pytest.param({"leaf": {}}, ("missing", "leaf", "name"), id="what has no default must be there"),
        pytest.param({"leaf": {"name": 5}}, ("string_type", "leaf", "name"), id="a number is no string"),
        pytest.param({"leaf": {"name": "  "}}, ("value_error", "leaf", "name"), id="checks follow each other"),
        pytest.param({"leaf": {"name": "a", "count": "5"}}, ("int_type", "leaf", "count"), id="a string is no number"),
        pytest.param({"leaf": {"name": "a", "count": True}}, ("int_type", "leaf", "count"), id="a bool is no number"),
        pytest.param({"leaf": {"name": "a", "count": 0}}, ("greater_than", "leaf", "count"), id="too small"),
        pytest.param({"leaf": {"name": "a", "count": 10}}, ("less_than_equal", "leaf", "count"), id="too large"),
        pytest.param({"leaf": "a"}, ("model_type", "leaf"), id="a string is no table"),
        pytest.param({"leaves": [{"name": "a"}]}, ("tuple_type", "leaves"), id="lists come as tuples"),
        pytest.param({"by_name": {"a": {"x": 1, "name": "b"}}}, ("extra_forbidden", "by_name", "a", "x"), id="unknown"),
    ],
)
def test_nothing_is_converted_and_the_place_of_what_is_wrong_is_told(tree: dict[str, Any], found: tuple[object, ...]):
    table, findings = read(Tree, tree)
    assert table is None
    assert facts(findings) == [found]


def test_mistakes_are_told_in_the_order_of_the_declaration_and_unknown_keys_last():
    _, findings = read(Tree, {"z": 1, "kind": 1, "ripe": 1, "a": 1})
    assert facts(findings) == [
        ("bool_type", "ripe"),
        ("literal_error", "kind"),
        ("extra_forbidden", "z"),
        ("extra_forbidden", "a"),
    ]


def test_what_is_found_wrong_does_not_hold_the_value():
    _, findings = read(Telegram, {"token": [CANARY], "mode": CANARY, CANARY[:9]: CANARY, "enabled": CANARY})
    assert len(findings) == 4
    assert CANARY not in repr(findings)


def test_a_table_checks_its_values_against_each_other_knowing_which_of_them_were_there():
    assert read(Pair, {"left": "", "right": ""}) == (Pair(), [])
    _, findings = read(Pair, {"left": ""})
    assert [(finding["loc"], str(finding["ctx"]["error"])) for finding in findings] == [((), "needs both")]


def test_what_has_no_name_in_a_table_that_takes_anything_is_kept_apart():
    table, _ = read(Free, {"known": True, "a": 1, "_others": 2})
    assert table == Free(known=True, _others={"A": 1, "_OTHERS": 2})
    _, findings = read(Free, {"a": "b"})
    assert facts(findings) == [("int_type", "a")]


def test_each_variable_of_the_env_table_is_an_other_key():
    table, _ = read(Env, {"A": "1", "vars": {"A": "2", "B": "3"}})
    assert table is not None
    assert table.variables() == {"A": "1", "B": "3"}


def test_every_setting_is_of_a_type_that_can_be_read():
    assert read(Settings, {}) == (Settings(), [])


def test_a_type_that_no_setting_has_had_yet_is_named():
    class Odd(Section):
        weight: float = 0.0

    with pytest.raises(TypeError, match=r"no setting can be of the type .*float"):
        read(Odd, {})


def test_a_table_of_tables_reads_those_that_are_there():
    class Wood(Section):
        first: Tree = Tree()
        second: Tree = Tree(ripe=True)

    assert read_sections(Wood, {"first": {"kind": "elm"}}) == (Wood(first=Tree(kind="elm")), [])
    _, findings = read_sections(Wood, {"third": {}, "second": {"kind": "fir"}})
    assert facts(findings) == [("literal_error", "second", "kind"), ("extra_forbidden", "third")]


def test_a_table_is_equal_to_one_of_its_kind_with_the_same_values():
    assert Pair(left="a") == Pair(left="a", right="")
    assert Pair(left="a") != Pair(left="b")
    assert Pair() != Free()
    assert dict(Pair(right="b")) == {"left": "", "right": "b"}


def test_a_table_does_not_change():
    table = Leaf(name="a")
    with pytest.raises(AttributeError, match="Leaf does not change"):
        table.count = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Leaf does not change"):
        del table.count
    assert table == Leaf(name="a")


@pytest.mark.parametrize("values", [{}, {"name": "a", "nmae": "b"}], ids=["one is missing", "one too many"])
def test_a_table_is_made_of_its_own_values(values: dict[str, Any]):
    with pytest.raises(TypeError, match="Leaf has name, count"):
        Leaf(**values)


def test_a_table_shows_its_values_and_no_secret():
    table, _ = read(Telegram, {"token": CANARY, "mode": "webhook"})
    assert table is not None
    assert table.token == Secret(CANARY)
    assert "mode='webhook'" in repr(table)
    assert CANARY not in repr(table)
