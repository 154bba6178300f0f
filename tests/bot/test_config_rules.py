"""From settings to rules: every reference to a model leads somewhere, built-in providers are there, `main` always exists."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.providers.builtin import BuiltinModel, BuiltinProvider, builtin_providers
from bot.config.load import settings_from
from bot.config.problems import InvalidConfig
from bot.config.rules import build_rules
from core.errors import BotError
from core.models.ref import ModelRef
from core.resolution.rules import OnReset, Rules

VENDOR = BuiltinProvider(
    id="vendor",
    base_url="https://api.vendor.example",
    api="anthropic-messages",
    env=("VENDOR_API_KEY",),
    default_model="grand-1",
    models=(BuiltinModel(id="Grand-1", alias="grand"), BuiltinModel(id="petit-1", alias="petit", context_window=1000)),
)
BUILTIN: Mapping[str, BuiltinProvider] = {"vendor": VENDOR}
ACME: dict[str, Any] = {
    "base_url": "http://127.0.0.1:9/v1",
    "api": "openai-completions",
    "models": ["small", {"id": "Large", "alias": "big", "context_window": 200000, "max_tokens": 100}, "@cf/meta/llama"],
}


def rules(tree: dict[str, Any], builtin: Mapping[str, BuiltinProvider] = BUILTIN) -> Rules:
    return build_rules(settings_from(tree, {}), builtin)


def with_acme(tree: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"models": {"providers": {"acme": ACME}}, "agents": {"defaults": {"model": "acme/small"}}, **(tree or {})}


def problems(tree: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        rules(tree)
    return [str(problem) for problem in caught.value.problems]


def test_a_provider_with_a_list_is_closed_and_keeps_what_the_config_says():
    acme = rules(with_acme()).catalog.providers["acme"]
    assert (acme.base_url, acme.api, acme.is_open, acme.is_configured) == (ACME["base_url"], ACME["api"], False, True)
    assert [str(m.ref) for m in acme.models] == ["acme/small", "acme/Large", "acme/@cf/meta/llama"]
    assert (acme.models[1].context_window, acme.models[1].max_tokens) == (200000, 100)


def test_a_provider_without_a_list_is_open():
    tree = {"models": {"providers": {"acme": {**ACME, "models": []}}}, "agents": {"defaults": {"model": "acme/any"}}}
    found = rules(tree)
    assert found.catalog.providers["acme"].is_open
    assert found.agents["main"].default == ModelRef("acme", "any")


def test_built_in_providers_come_after_the_configured_ones_and_are_open():
    found = rules(with_acme()).catalog
    assert list(found.providers) == ["acme", "vendor"]
    vendor = found.providers["vendor"]
    assert (vendor.is_configured, vendor.is_open, vendor.base_url) == (False, True, VENDOR.base_url)
    assert found.aliases["petit"] == ModelRef("vendor", "petit-1")


def test_base_url_and_api_of_a_built_in_provider_can_be_overridden_one_by_one():
    found = rules({"models": {"providers": {"vendor": {"base_url": "http://127.0.0.1:1"}}}}).catalog.providers["vendor"]
    assert (found.base_url, found.api) == ("http://127.0.0.1:1", VENDOR.api)
    assert (found.is_configured, found.is_open) == (True, True)
    assert [m.ref.name for m in found.models] == ["grand-1", "Grand-1", "petit-1"]


def test_a_list_closes_a_built_in_provider_too():
    tree = {"models": {"providers": {"vendor": {"models": ["only"]}}}}
    found = rules(tree).catalog.providers["vendor"]
    assert not found.is_open
    assert [m.ref.name for m in found.models] == ["only"]


def test_a_configured_alias_and_a_configured_model_id_win_over_a_built_in_alias():
    acme = {**ACME, "models": [{"id": "x", "alias": "grand"}, "petit"]}
    found = rules({"models": {"providers": {"acme": acme}}, "agents": {"defaults": {"model": "acme/x"}}}).catalog
    assert found.aliases["grand"] == ModelRef("acme", "x")
    assert "petit" not in found.aliases


def test_notes_on_a_model_add_an_alias_or_the_model_itself():
    notes = {"acme/LARGE": {"alias": "huge"}, "acme/new": {"alias": "fresh"}, "vendor/other": {}}
    found = rules(with_acme({"agents": {"defaults": {"model": "acme/small", "models": notes}}})).catalog
    assert found.aliases["huge"] == ModelRef("acme", "Large")
    assert found.aliases["big"] == ModelRef("acme", "Large")
    assert found.aliases["fresh"] == ModelRef("acme", "new")
    assert ModelRef("vendor", "other") in found.refs()


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        pytest.param("big", ModelRef("acme", "Large"), id="alias"),
        pytest.param("ACME/large", ModelRef("acme", "Large"), id="the listed spelling wins"),
        pytest.param("small", ModelRef("acme", "small"), id="id of one provider"),
        pytest.param("@cf/meta/llama", ModelRef("acme", "@cf/meta/llama"), id="id with a slash"),
        pytest.param("vendor/unlisted-9", ModelRef("vendor", "unlisted-9"), id="any model of an open provider"),
    ],
)
def test_the_default_model_is_found_like_a_typed_one(text: str, ref: ModelRef):
    found = rules(with_acme({"agents": {"defaults": {"model": text}}}))
    assert found.agents["main"].default == ref
    assert not found.agents["main"].own_default


@pytest.mark.parametrize(
    ("tree", "path", "words"),
    [
        pytest.param(
            {"agents": {"defaults": {"model": "acm/x"}}}, "agents.defaults.model", "mean acme?", id="provider"
        ),
        pytest.param(
            {"agents": {"defaults": {"model": "acme/smal"}}}, "agents.defaults.model", "acme/small?", id="model"
        ),
        pytest.param({"agents": {"defaults": {"model": "bigg"}}}, "agents.defaults.model", "mean big?", id="alias"),
        pytest.param(
            {"agents": {"defaults": {"model": {"primary": "big", "fallbacks": ["big", "nope"]}}}},
            "agents.defaults.model.fallbacks[1]",
            "no model",
            id="fallback",
        ),
        pytest.param(
            {"agents": {"defaults": {"model": "big"}, "list": {"w": {"model": "acme/no"}}}},
            "agents.list.w.model",
            "no model",
            id="agent",
        ),
        pytest.param(
            {"agents": {"defaults": {"model": "big", "models": {"nobody/x": {}}}}},
            'agents.defaults.models."nobody/x"',
            "no provider",
            id="notes on a model of nobody",
        ),
        pytest.param(
            {"agents": {"defaults": {"model": "big", "models": {"justaname": {}}}}},
            "agents.defaults.models.justaname",
            "provider/model",
            id="notes without a provider",
        ),
        pytest.param({"model_policy": {"allow": ["nobody/*"]}}, "model_policy.allow[0]", "no provider", id="policy"),
        pytest.param({"model_policy": {"allow": ["acme/s*"]}}, "model_policy.allow[0]", "provider/*", id="half a name"),
        pytest.param({"model_policy": {"allow": ["*"]}}, "model_policy.allow[0]", "provider/*", id="only a star"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(tree: dict[str, Any], path: str, words: str):
    (found,) = problems(with_acme(tree))
    assert found.startswith(f"{path}: ")
    assert words in found


def test_a_provider_of_ones_own_needs_an_address_and_an_api_and_all_is_told_at_once():
    tree = {"models": {"providers": {"own": {}}}, "agents": {"defaults": {"model": "nobody/x"}}}
    assert [line.split(":")[0] for line in problems(tree)] == [
        "models.providers.own.api",
        "models.providers.own.base_url",
        "agents.defaults.model",
    ]


def test_a_bare_model_id_of_several_providers_is_no_default():
    tree = with_acme({"agents": {"defaults": {"model": "twin"}}})
    tree["models"] = {"providers": {"acme": {**ACME, "models": ["twin"]}, "other": {**ACME, "models": ["twin"]}}}
    (found,) = problems(tree)
    assert found == "agents.defaults.model: is a model of several providers; write provider/model"


def test_the_claude_cli_has_no_address():
    found = rules({"models": {"providers": {"claude-cli": {"api": "claude-cli", "models": ["opus"]}}}}, {})
    assert found.catalog.providers["claude-cli"].base_url == ""


def test_a_model_that_is_listed_twice_is_told():
    tree = {"models": {"providers": {"acme": {**ACME, "models": ["x", {"id": "x"}]}}}}
    assert problems(tree) == ["models.providers.acme.models[1]: is listed twice"]


@pytest.mark.parametrize(
    ("providers", "ref"),
    [
        pytest.param({"acme": ACME}, ModelRef("acme", "small"), id="the first listed"),
        pytest.param({"vendor": {}}, ModelRef("vendor", "grand-1"), id="the vendor's default"),
        pytest.param({"vendor": {"models": ["b", "a"]}}, ModelRef("vendor", "b"), id="a list comes before it"),
    ],
)
def test_without_a_default_the_first_configured_provider_gives_it(providers: dict[str, Any], ref: ModelRef):
    assert rules({"models": {"providers": providers}}).agents["main"].default == ref


def test_no_provider_and_no_model_is_told_with_the_way_out():
    with pytest.raises(BotError) as caught:
        rules({})
    assert caught.value.code == "no_provider"
    assert "remoteclaw onboard" in caught.value.hint
    assert "make demo" in caught.value.hint


def test_a_built_in_model_alone_is_enough():
    assert rules({"agents": {"defaults": {"model": "grand"}}}).agents["main"].default == ModelRef("vendor", "Grand-1")


def test_agents_take_over_what_they_do_not_set():
    tree = with_acme(
        {
            "agents": {
                "defaults": {"model": {"primary": "acme/small", "fallbacks": ["big", "acme/small", "big"]}},
                "list": {"writer": {"model": "big"}, "reader": {"model_policy": {"allow": ["petit"]}}},
            },
            "model_policy": {"allow": ["ACME/*", "vendor/x/*"]},
        }
    )
    agents = rules(tree).agents
    main, writer, reader = agents["main"], agents["writer"], agents["reader"]
    assert main.fallbacks == (ModelRef("acme", "Large"),)
    assert (main.allow, main.allow_path) == (("acme/*", "vendor/x/*"), "model_policy.allow")
    assert (writer.default, writer.own_default, writer.fallbacks) == (ModelRef("acme", "Large"), True, ())
    assert writer.allow == main.allow
    assert (reader.default, reader.own_default, reader.fallbacks) == (main.default, False, main.fallbacks)
    assert (reader.allow, reader.allow_path) == (("vendor/petit-1",), "agents.list.reader.model_policy.allow")


def test_main_itself_can_be_listed():
    tree = with_acme({"agents": {"defaults": {"model": "acme/small"}, "list": {"main": {"model": "big"}}}})
    agents = rules(tree).agents
    assert list(agents) == ["main"]
    assert (agents["main"].default, agents["main"].own_default) == (ModelRef("acme", "Large"), True)


def test_everything_else_is_handed_on():
    found = rules(
        with_acme(
            {
                "auth": {
                    "order": {"Acme": ["acme:b", "acme:a"]},
                    "profiles": {
                        "acme:a": {"provider": "acme"},
                        "v": {"provider": "vendor"},
                        "b": {"provider": "acme"},
                    },
                },
                "access": {
                    "owners": ["telegram:1"],
                    "allow": ["discord:2", "discord:role:7"],
                    "groups": ["telegram:-3"],
                    "pairing": False,
                },
                "session": {
                    "sticky_idle": "2h",
                    "on_reset": "keep",
                    "dm_scope": "main",
                    "locked": ["AGENT:main:telegram:x:group:-1"],
                },
                "commands": {"alias_commands": True},
                "failover": {"deadline": "90s", "silence": "5s"},
            }
        )
    )
    assert found.order == {"acme": ("acme:b", "acme:a")}
    assert found.configured_profiles == {"acme": ("acme:a", "b"), "vendor": ("v",)}
    assert (found.access.owners, found.access.allow) == ({"telegram:1"}, {"discord:2", "discord:role:7"})
    assert found.access.groups == {"telegram:-3"}
    assert found.access.pairing is False
    assert (found.sticky_idle, found.on_reset, found.dm_scope) == (timedelta(hours=2), OnReset.KEEP, "main")
    assert found.locked == {"agent:main:telegram:x:group:-1"}
    assert found.alias_commands
    assert (found.deadline, found.silence) == (timedelta(seconds=90), timedelta(seconds=5))


def test_the_built_in_providers_of_the_program_make_a_sound_catalogue():
    found = rules({"agents": {"defaults": {"model": "anthropic/claude-opus-4-5"}}}, builtin_providers())
    assert set(builtin_providers()) == set(found.catalog.providers)
    assert all(ref in found.catalog.refs() for ref in found.catalog.aliases.values())
