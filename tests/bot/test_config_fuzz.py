"""Whatever a config holds, it loads or is refused; nothing else happens and no secret is shown.

REMOTECLAW_FUZZ is the number of cases of each test.
"""

import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.providers.builtin import builtin_providers
from bot.config.load import settings_from
from bot.config.reading import Finding, read, read_sections
from bot.config.rules import build_rules
from bot.config.section import keys_of
from bot.config.settings import Settings
from core.errors import BotError

CASES = int(os.environ.get("REMOTECLAW_FUZZ", "300"))
CANARY = "sk-canary-0123456789abcdef"
_WORDS = st.sampled_from(
    [CANARY, "acme/small", "acme", "big", "90s", "telegram:1", "owners", "", " ", "${X}", "${HOME_OF_X}", "$${X}", "http://[",
     "https://h:0", "127.0.0.1:1", "\ud800", "\0", "a\nb", "٣", "list", "env", "X", "none", "key", "polling", "webhook"]
)  # fmt: skip
_NAMES = st.sampled_from(
    sorted(
        {name for table in keys_of(Settings).values() for name in keys_of(table)}
        | set(keys_of(Settings))
        | {"acme", "Acme", "z.ai", "zai", "token", "enabled", "source", "id", "alias", "primary", "fallbacks", "", "a b",
           "acme/small", "allow", "provider", "base_url", "api", "api_key", "models", "headers", "auth", "webhook", "url"}
    )
)  # fmt: skip
_LEAVES = st.one_of(
    _WORDS,
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(_NAMES, st.text(max_size=6)), inner, max_size=5)
    ),
    max_leaves=25,
)


def refusal(tree: dict[str, Any]) -> BotError | None:
    """How the tree is refused, or None for a sound one. Any other exception passes and fails the test."""
    try:
        build_rules(settings_from(tree, {"X": CANARY}), builtin_providers())
    except BotError as error:
        return error
    return None


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(_NAMES, _TREES, max_size=6))
def test_any_tree_becomes_settings_or_an_error_with_a_line_for_each_mistake(tree: dict[str, Any]):
    error = refusal(tree)
    if error is not None:
        assert error.code in ("config", "no_provider")
        assert CANARY[:10] not in str(error)
        assert all(line.strip() for line in str(error).splitlines())


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(_NAMES, _TREES, max_size=6))
def test_tables_that_are_read_one_by_one_say_what_the_whole_would_say_and_in_its_order(tree: dict[str, Any]):
    apart, findings = read_sections(Settings, tree)
    whole, wrong = read(Settings, tree)
    assert [_facts(finding) for finding in findings] == [_facts(finding) for finding in wrong]
    assert whole is None or apart == whole


def _facts(finding: Finding) -> tuple[object, ...]:
    return finding["type"], finding["loc"], str(finding.get("ctx"))


def _valid() -> dict[str, Any]:
    return {
        "models": {"providers": {"acme": {"base_url": "http://127.0.0.1:1", "api": "openai-completions", "models": ["small"]}}},
        "agents": {"defaults": {"model": "acme/small"}, "list": {"w": {"model": "acme/small"}}},
        "channels": {"telegram": {"token": "x", "mode": "polling"}, "discord": {"token": "y"}},
        "auth": {"order": {"acme": ["a"]}, "profiles": {"a": {"provider": "acme", "mode": "token"}}},
        "failover": {"deadline": "90s"},
        "access": {"owners": ["telegram:1"], "allow": [], "groups": []},
        "session": {"locked": ["agent:main:x"]},
        "env": {"A": "b"},
    }  # fmt: skip


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, part in parts for place in _places(part, (*path, key)))]


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from([p for p in _places(_valid()) if p]), value=_TREES)
def test_one_wrong_value_in_a_right_config_never_breaks_the_reader(place: tuple[Any, ...], value: Any):
    tree = _valid()
    parent: Any = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    error = refusal(tree)
    if error is not None:
        assert error.code in ("config", "no_provider")
        assert CANARY[:10] not in str(error)
