"""Keys in the environment: which variables, in which order, under which profile ids."""

import pytest

from core.auth.environment import base_name, environment_keys
from core.auth.profiles import CredentialKind
from core.auth.variables import Origin


def keys(environ: dict[str, str], provider: str = "acme", *declared: str) -> list[tuple[str, str]]:
    found = environment_keys({provider: declared}, environ)
    assert all(profile.provider == provider for profile in found)
    assert all(profile.kind is CredentialKind.ENV for profile in found)
    return [(profile.id, profile.secret.reveal() if profile.secret else "") for profile in found]


@pytest.mark.parametrize(
    ("provider", "base"),
    [
        ("acme", "ACME"),
        ("my-provider", "MY_PROVIDER"),
        ("a.b_c", "A_B_C"),
        ("google", "GEMINI"),
        ("google-vertex", "GEMINI"),
        ("anthropic", "ANTHROPIC"),
    ],
)
def test_the_base_name_is_the_provider_id_in_capitals(provider: str, base: str):
    assert base_name(provider) == base


def test_the_order_is_list_then_single_then_numbered_by_name_then_declared():
    environ = {
        "ACME_TOKEN": "declared",
        "ACME_API_KEY_B": "b",
        "ACME_API_KEY_A": "a",
        "ACME_API_KEY": "single",
        "ACME_API_KEYS": "one, two;three\n four",
    }
    assert keys(environ, "acme", "ACME_TOKEN") == [
        ("env:ACME_API_KEYS#1", "one"),
        ("env:ACME_API_KEYS#2", "two"),
        ("env:ACME_API_KEYS#3", "three"),
        ("env:ACME_API_KEYS#4", "four"),
        ("env:ACME_API_KEY", "single"),
        ("env:ACME_API_KEY_A", "a"),
        ("env:ACME_API_KEY_B", "b"),
        ("env:ACME_TOKEN", "declared"),
    ]


def test_the_live_key_is_the_only_one_if_it_is_set():
    environ = {"REMOTECLAW_LIVE_ACME_KEY": "live", "ACME_API_KEY": "single", "ACME_TOKEN": "t"}
    assert keys(environ, "acme", "ACME_TOKEN") == [("env:REMOTECLAW_LIVE_ACME_KEY", "live")]
    environ["REMOTECLAW_LIVE_ACME_KEY"] = "  "
    assert keys(environ)[0] == ("env:ACME_API_KEY", "single")


def test_anthropics_list_may_have_the_older_name_too():
    environ = {"REMOTECLAW_LIVE_ANTHROPIC_KEYS": "c,d", "ANTHROPIC_API_KEYS": "a,b,c", "ANTHROPIC_API_KEY": "e"}
    assert [value for _, value in keys(environ, "anthropic")] == ["a", "b", "c", "d", "e"]
    assert keys({"REMOTECLAW_LIVE_ACME_KEYS": "c,d"}) == []


def test_c217_without_a_key_there_is_no_candidate():
    assert keys({"OTHER_API_KEY": "x"}) == []


def test_google_also_has_a_key_under_its_own_name():
    environ = {"GOOGLE_API_KEY": "g", "GEMINI_API_KEY": "m", "GEMINI_API_KEYS": "l"}
    assert [name for name, _ in keys(environ, "google", "GEMINI_API_KEY", "GOOGLE_API_KEY")] == [
        "env:GEMINI_API_KEYS#1",
        "env:GEMINI_API_KEY",
        "env:GOOGLE_API_KEY",
    ]
    assert keys({"GOOGLE_API_KEY": "g"}, "acme") == []


def test_one_value_is_one_key_under_the_first_of_its_names():
    environ = {"ACME_API_KEYS": "x,x , y", "ACME_API_KEY": "y", "ACME_API_KEY_1": " x ", "ACME_API_KEY_2": "z"}
    assert keys(environ) == [("env:ACME_API_KEYS#1", "x"), ("env:ACME_API_KEYS#3", "y"), ("env:ACME_API_KEY_2", "z")]


@pytest.mark.parametrize("blank", ["", " ", "\n", ",;, "])
def test_blank_values_are_no_keys(blank: str):
    environ = {"ACME_API_KEYS": blank, "ACME_API_KEY": blank.replace(",", "").replace(";", "")}
    assert keys(environ) == []


def test_values_lose_line_breaks_and_outer_blanks():
    assert keys({"ACME_API_KEY": " sk-\r\n1 \u2028"}) == [("env:ACME_API_KEY", "sk-1")]


def test_only_the_providers_own_variables_are_read():
    environ = {"ACMEX_API_KEY": "no", "XACME_API_KEY": "no", "ACME_API_KEYRING": "no", "acme_api_key": "no"}
    assert keys(environ) == []


def test_two_providers_that_read_one_variable_have_profiles_of_different_ids():
    declared = {"qwen": ("QWEN_API_KEY", "SHARED_KEY"), "alibaba": ("SHARED_KEY",), "google": (), "google-vertex": ()}
    found = environment_keys(declared, {"SHARED_KEY": "s", "GEMINI_API_KEY": "g"})
    assert [(p.id, p.provider) for p in found] == [
        ("env:SHARED_KEY", "qwen"),
        ("env:SHARED_KEY:alibaba", "alibaba"),
        ("env:GEMINI_API_KEY", "google"),
        ("env:GEMINI_API_KEY:google-vertex", "google-vertex"),
    ]


@pytest.mark.parametrize("origin", Origin)
def test_the_source_says_where_a_variable_came_from(origin: Origin):
    (found,) = environment_keys({"acme": ()}, {"ACME_API_KEYS": "k"}, {"ACME_API_KEYS": origin})
    assert found.source == f"{origin}: ACME_API_KEYS"


def test_a_variable_of_the_process_needs_no_origin():
    (found,) = environment_keys({"acme": ()}, {"ACME_API_KEY": "k"})
    assert found.source == "env: ACME_API_KEY"


def test_no_key_is_shown():
    assert "sk-very-secret" not in repr(environment_keys({"acme": ()}, {"ACME_API_KEY": "sk-very-secret"}))
