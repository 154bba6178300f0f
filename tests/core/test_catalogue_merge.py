"""models.json: what it is to hold (credentials.md 8.5, C226), and what the catalogue takes out of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.markers import MANAGED, header_marker, is_header_marker, is_marker, plain_key
from core.auth.secret import Secret, SecretRef
from core.models.catalog import Catalog, ModelEntry, Price, ProviderEntry
from core.models.document import ModelsDocument, models_document, provider_entries
from core.models.merge import ProviderPart, Sources, merge
from core.models.overlay import with_documents
from core.models.ref import ModelRef

URL, OTHER = "https://api.acme.test/v1", "https://proxy.test/v1"
OPENAI, ANTHROPIC = "openai-completions", "anthropic-messages"
DECLARED = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_OAUTH_TOKEN", "HF_TOKEN"})


def model(named: str, provider: str = "acme", /, **changes: Any) -> ModelEntry:
    return ModelEntry(ref=ModelRef(provider, named), **changes)


def nothing_known(provider: str, base_url: str, name: str) -> ModelEntry | None:
    return None


def sources(explicit: ProviderPart | None = None, catalogue: ProviderPart | None = None, **changes: Any) -> Sources:
    """Sources about the provider `acme`."""
    given = {"declared": DECLARED, "known": nothing_known, "digest": "d1", **changes}
    return Sources(
        explicit={"acme": explicit} if explicit is not None else {},
        catalogue={"acme": catalogue} if catalogue is not None else {},
        **given,
    )


def merged(made: Sources, existing: Mapping[str, Any] | None = None, **acme: Any) -> dict[str, Any]:
    """The entry of `acme` after a merge into a file that holds this one."""
    result: Any = merge(made, existing or {"providers": {"acme": acme}})
    found: dict[str, Any] = result["providers"]["acme"]
    return found


class TestKeys:
    @pytest.mark.parametrize(
        ("before", "config", "environment", "after"),
        [
            pytest.param(
                "sk-plain", None, None, "sk-plain", id="C226 the existing key is kept when the config has none"
            ),
            pytest.param("sk-plain", "ACME_API_KEY", None, "ACME_API_KEY", id="C226 a new marker replaces the old key"),
            pytest.param("sk-plain", MANAGED, None, MANAGED, id="C226 a reference of the config does so too"),
            pytest.param("sk-plain", None, "ACME_API_KEY", "ACME_API_KEY", id="so does a variable that is set"),
            pytest.param("ACME_API_KEY", None, None, None, id="a marker without its variable is forgotten"),
            pytest.param("ollama-local", None, None, None, id="C199 a local marker is no key"),
            pytest.param("ALLCAPS_SAMPLE", None, None, "ALLCAPS_SAMPLE", id="C200 capitals alone are a key"),
            pytest.param("  ", None, None, None, id="an empty value is ignored"),
            pytest.param("old", MANAGED, "ACME_API_KEY", MANAGED, id="the config wins over the environment"),
            pytest.param("${ACME}", None, None, "${ACME}", id="a reference of another program is kept"),
            pytest.param(7, None, None, None, id="a value of another type is nothing"),
        ],
    )
    def test_a_key(self, before: object, config: str | None, environment: str | None, after: str | None) -> None:
        made = sources(ProviderPart(base_url=URL, api_key=config), ProviderPart(api_key=environment))
        for spelling in ("api_key", "apiKey"):
            entry = merged(made, **{spelling: before})
            assert entry.get("api_key") == after
            assert "apiKey" not in entry

    @pytest.mark.parametrize(
        ("text", "marks"),
        [
            pytest.param("ANTHROPIC_API_KEY", True, id="declared by a built-in provider"),
            pytest.param("HF_TOKEN", True, id="declared, of another provider"),
            pytest.param("ACME_API_KEY", True, id="the provider's own"),
            pytest.param("ACME_API_KEYS", True, id="its list"),
            pytest.param("ACME_API_KEY_2", True, id="numbered"),
            pytest.param("REMOTECLAW_LIVE_ACME_KEY", True, id="its override"),
            pytest.param("ZETA_API_KEY", False, id="another provider's"),
            pytest.param("ALLCAPS_SAMPLE", False, id="C200 unknown capitals"),
            pytest.param("acme_api_key", False, id="not in capitals"),
            pytest.param("secretref-managed", True, id="managed"),
            pytest.param("secretref-env:ANY", True, id="of a header"),
            pytest.param("oauth:acme", True, id="a login"),
            pytest.param("oauth:", False, id="a login of nobody"),
            pytest.param("minimax-oauth", True, id="minimax-oauth"),
            pytest.param("ollama-local", True, id="C199 ollama-local"),
            pytest.param("custom-local", True, id="custom-local"),
            pytest.param("gcp-vertex-credentials", True, id="gcp-vertex-credentials"),
            pytest.param("AWS_PROFILE", True, id="AWS"),
            pytest.param("abc123", False, id="C202 a plain key"),
        ],
    )
    def test_what_counts_as_a_marker(self, text: str, marks: bool) -> None:
        assert is_marker(text, "acme", DECLARED) is marks
        assert (plain_key(text, "acme", DECLARED) is None) is marks

    def test_googles_own_variables_are_known(self) -> None:
        assert all(is_marker(name, "google", frozenset()) for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"))


class TestAddress:
    @pytest.mark.parametrize(
        ("before", "config", "after"),
        [
            pytest.param((OTHER, OPENAI), (None, None), OTHER, id="the existing one is kept"),
            pytest.param((OTHER, OPENAI), (URL, None), URL, id="the config's wins"),
            pytest.param((OTHER, OPENAI), (None, ANTHROPIC), URL, id="C226 replaced when the API kind changes"),
            pytest.param((OTHER, ANTHROPIC), (None, None), URL, id="C226 replaced when the program's kind differs"),
            pytest.param((OTHER, ""), (None, None), OTHER, id="kept where the file names no kind"),
            pytest.param(("", OPENAI), (None, None), URL, id="an empty one is ignored"),
            pytest.param((17, OPENAI), (None, None), URL, id="one of another type is ignored"),
        ],
    )
    def test_the_base_url(self, before: tuple[object, str], config: tuple[str | None, str | None], after: str) -> None:
        made = sources(ProviderPart(base_url=config[0], api=config[1]), ProviderPart(base_url=URL, api=OPENAI))
        assert merged(made, baseUrl=before[0], api=before[1])["base_url"] == after

    def test_the_api_kind_is_the_configs_then_the_programs_then_the_files(self) -> None:
        assert merged(sources(ProviderPart(api=ANTHROPIC), ProviderPart(api=OPENAI)), api="x")["api"] == ANTHROPIC
        assert merged(sources(None, ProviderPart(api=OPENAI)), api="x")["api"] == OPENAI
        assert merged(sources(ProviderPart()), api="x")["api"] == "x"


class TestHeaders:
    def test_c226_they_are_all_there_and_the_configs_win_in_any_case(self) -> None:
        made = sources(
            ProviderPart(headers={"X-Team": MANAGED}), ProviderPart(headers={"X-Client": "secretref-env:CLIENT"})
        )
        entry = merged(made, headers={"x-team": "old", "X-Old": "plain", "X-Bad": 7})
        assert entry["headers"] == {"X-Client": "secretref-env:CLIENT", "X-Old": "plain", "X-Team": MANAGED}

    def test_what_the_config_no_longer_has_is_forgotten(self) -> None:
        first = merge(sources(ProviderPart(headers={"X-Team": MANAGED})), {})
        assert "headers" not in merged(sources(ProviderPart()), first)

    def test_no_value_of_the_config_is_written(self) -> None:
        for value in (Secret("v"), SecretRef("file", "default", "/x"), SecretRef("exec", "vault", "a")):
            assert header_marker(value) == MANAGED
        assert header_marker(SecretRef("env", "default", "TEAM")) == "secretref-env:TEAM"
        assert is_header_marker(MANAGED)
        assert not is_header_marker("value")


def library(provider: str, base_url: str, name: str) -> ModelEntry | None:
    known = model(name, context_window=4000, max_tokens=40, name=f"Known {name}", price=Price(input=4))
    return known if name.startswith("known") else None


def data(context_window: int | None = None, **fields: Any) -> dict[str, Any]:
    return {**({"context_window": context_window} if context_window else {}), **fields}


class TestModels:
    @pytest.mark.parametrize(
        ("explicit", "own", "built_in", "known", "window"),
        [
            pytest.param(1000, 2000, 3000, True, 1000, id="the config's figure"),
            pytest.param(None, 2000, 3000, True, 2000, id="then the provider's"),
            pytest.param(None, None, 3000, True, 4000, id="then the library's"),
            pytest.param(None, None, 3000, False, 3000, id="then the program's"),
            pytest.param(None, None, None, False, None, id="then nobody knows"),
        ],
    )
    def test_a_context_window(
        self, explicit: int | None, own: int | None, built_in: int | None, known: bool, window: int | None
    ) -> None:
        name = "known-1" if known else "m"
        made = sources(
            ProviderPart(models=(model(name, context_window=explicit),)),
            ProviderPart(models=(model(name, context_window=built_in),)),
            known=library,
            listed={"acme": (model(name, context_window=own),)} if own else {},
        )
        (entry,) = merged(made)["models"]
        assert entry.get("context_window") == window

    def test_kinds_of_input_prices_and_names_are_never_the_configs(self) -> None:
        said = {"inputs": ("text",), "name": "Mine", "price": Price(input=1)}
        made = sources(
            ProviderPart(models=(model("m", **said, max_tokens=5), model("only", **said))),
            ProviderPart(
                models=(model("m", inputs=("text", "image"), name="Its", price=Price(output=2), max_tokens=9),)
            ),
        )
        first, second = merged(made)["models"]
        assert first == {
            "id": "m", "name": "Its", "max_tokens": 5, "input": ["text", "image"], "cost": {"output": 2}
        }  # fmt: skip
        assert second == {"id": "only"}

    def test_what_only_the_catalogue_has_is_appended_in_a_stable_order(self) -> None:
        made = sources(
            ProviderPart(models=(model("z"), model("b"))),
            ProviderPart(models=(model("y"), model("b"), model("a"))),
            listed={"acme": (model("x"), model("c"), model("a"))},
        )
        assert [entry["id"] for entry in merged(made)["models"]] == ["z", "b", "y", "a", "c", "x"]

    def test_the_providers_own_words_outlast_a_merge_and_end_with_its_next_list(self) -> None:
        own = (model("big", context_window=9, price=Price(input=0.5, cache_read=0.05)), model("known-1", name="Own"))
        first = merge(sources(None, ProviderPart(base_url=URL), known=library, listed={"acme": own}), {})
        again = merged(sources(None, ProviderPart(base_url=URL), known=library, digest="d2"), first)
        assert again["models"] == [
            {"id": "big", "context_window": 9, "cost": {"input": 0.5, "cache_read": 0.05},
             "listed": ["context_window", "cost"]},
            {"id": "known-1", "name": "Own", "context_window": 4000, "max_tokens": 40, "cost": {"input": 4},
             "listed": ["name"]},
        ]  # fmt: skip
        later = sources(None, ProviderPart(base_url=URL), listed={"acme": (model("known-1"),)})
        assert merged(later, first)["models"] == [{"id": "known-1", "listed": []}]

    def test_what_was_made_from_the_config_goes_with_it(self) -> None:
        first = merge(sources(ProviderPart(models=(model("m", context_window=7),))), {})
        assert merged(sources(ProviderPart()), first)["models"] == []

    def test_what_another_program_wrote_is_kept_as_the_providers_word(self) -> None:
        entry = merged(
            sources(None, ProviderPart(base_url=URL, api=OPENAI)),
            baseUrl=URL,
            api=OPENAI,
            authHeader=True,
            models=[
                {"id": "m", "name": "M", "contextWindow": 8, "maxTokens": 4, "input": ["text"], "reasoning": True,
                 "cost": {"input": 1, "output": 2, "cacheRead": 0.1, "cacheWrite": 0}},
                {"id": "free", "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}},
                {"id": "m", "name": "twice"}, {"name": "none"}, "text",
            ],
        )  # fmt: skip
        assert entry["authHeader"] is True
        assert entry["models"] == [
            {"id": "free", "listed": []},
            {"reasoning": True, "id": "m", "name": "M", "context_window": 8, "max_tokens": 4, "input": ["text"],
             "cost": {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 0},
             "listed": ["name", "context_window", "max_tokens", "input", "cost"]},
        ]  # fmt: skip


class TestTheWholeFile:
    OLDER: Mapping[str, Any] = {
        "version": 3,
        "providers": {"old": {"baseUrl": OTHER, "apiKey": "sk-old", "models": [{"id": "x"}]}, "odd": None, "": {}},
    }

    def test_other_providers_and_whatever_else_is_there_are_kept_as_they_are(self) -> None:
        result = merge(sources(ProviderPart(base_url=URL)), self.OLDER)
        assert {name: result["providers"][name] for name in ("old", "odd", "")} == self.OLDER["providers"]  # type: ignore[index]
        assert result["version"] == 3
        assert result["generated"] == {"digest": "d1", "providers": ["acme"]}

    def test_replace_means_the_config_and_nothing_else(self) -> None:
        explicit = ProviderPart(base_url=URL, api_key="ACME_API_KEY", models=(model("m", context_window=1),))
        made = sources(explicit, ProviderPart(models=(model("n"),)), known=library, is_replacing=True)
        held = {
            **self.OLDER,
            "providers": {**self.OLDER["providers"], "acme": {"apiKey": "sk-plain", "headers": {"a": "b"}}},
        }
        assert merge(made, held) == {
            "generated": {"digest": "d1", "providers": ["acme"]},
            "providers": {
                "acme": {"base_url": URL, "api_key": "ACME_API_KEY", "models": [{"id": "m", "context_window": 1}]}
            },
        }

    def test_a_provider_is_one_under_all_its_names_and_nothing_of_a_second_entry_is_lost(self) -> None:
        made = replace(sources(), catalogue={"zai": ProviderPart(base_url=URL)})
        alone: Any = merge(made, {"providers": {"Z.AI ": {"apiKey": "sk-z"}}})
        assert alone["providers"] == {"zai": {"base_url": URL, "api_key": "sk-z", "models": []}}
        both: Any = merge(made, {"providers": {"z-ai": {"apiKey": "sk-second"}, "zai": {"apiKey": "sk-first"}}})
        assert both["providers"]["zai"]["api_key"] == "sk-first"
        assert both["providers"]["z-ai"] == {"apiKey": "sk-second"}
        assert merge(made, both) == both

    def test_a_refresh_of_a_provider_that_only_the_file_has_keeps_all_else_of_it(self) -> None:
        held = {
            "providers": {
                "acme": {"baseUrl": OTHER, "api": OPENAI, "apiKey": "custom-local", "headers": {"a": MANAGED}}
            }
        }
        result = merge(sources(listed={"acme": (model("m"),)}), held)
        assert result["providers"] == {
            "acme": {
                "base_url": OTHER, "api": OPENAI, "api_key": "custom-local", "headers": {"a": MANAGED},
                "models": [{"id": "m", "listed": []}],
            }
        }  # fmt: skip
        assert result["generated"] == {"digest": "d1", "providers": []}


texts = st.text(max_size=6) | st.sampled_from(
    ["acme", "zeta", "z.ai", "zai", "ACME_API_KEY", "sk-1", MANAGED, URL, OPENAI]
)
scalars = st.none() | st.booleans() | st.integers(-5, 10**10) | st.floats(allow_nan=False) | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
old_models = st.fixed_dictionaries(
    {"id": st.sampled_from(["m", "n", "known-1", ""]) | scalars},
    optional={
        "name": scalars, "context_window": scalars, "maxTokens": scalars, "input": json_values, "cost": json_values,
        "listed": st.lists(st.sampled_from(["name", "cost", "context_window"])) | json_values, "reasoning": json_values,
        "alias": texts,
    },
)  # fmt: skip
old_entries = st.fixed_dictionaries(
    {},
    optional={
        "baseUrl": scalars, "base_url": scalars, "api": scalars, "apiKey": scalars, "api_key": scalars,
        "headers": json_values | st.dictionaries(texts, texts, max_size=2), "compat": json_values,
        "models": st.lists(old_models | json_values, max_size=4) | json_values,
    },
)  # fmt: skip
files = st.fixed_dictionaries(
    {},
    optional={
        "providers": st.dictionaries(texts, old_entries | json_values, max_size=4) | json_values,
        "generated": st.fixed_dictionaries({"providers": st.lists(texts, max_size=3)}) | json_values,
        "other": json_values,
    },
)
entries = st.builds(
    lambda name, window, kinds, price, alias: model(
        name, context_window=window, inputs=kinds, price=price, aliases=alias
    ),
    st.sampled_from(["m", "n", "known-1", "o/p"]),
    st.none() | st.integers(1, 10**6),
    st.sampled_from([(), ("text",), ("text", "image")]),
    st.none() | st.builds(Price, input=st.floats(0, 100), output=st.none() | st.floats(0, 1e-6)),
    st.sampled_from([(), ("big",)]),
)
model_lists = st.lists(entries, max_size=3, unique_by=lambda m: m.ref).map(tuple)
parts = st.builds(
    ProviderPart,
    base_url=st.sampled_from([None, URL, OTHER]),
    api=st.sampled_from([None, OPENAI, ANTHROPIC]),
    api_key=st.sampled_from([None, "ACME_API_KEY", MANAGED]),
    headers=st.dictionaries(st.sampled_from(["X-A", "x-a", "X-B"]), st.just(MANAGED), max_size=2),
    models=model_lists,
)
sides = st.dictionaries(st.sampled_from(["acme", "zai"]), parts, max_size=2)
makings = st.builds(
    Sources,
    explicit=sides,
    catalogue=sides,
    declared=st.just(DECLARED),
    known=st.just(library),
    digest=st.just("d"),
    is_replacing=st.booleans(),
)
refreshed = st.dictionaries(st.sampled_from(["acme", "zai", "zeta"]), model_lists, max_size=2)


@given(makings, refreshed, files)
def test_merging_once_more_changes_nothing_and_nothing_of_others_is_lost(
    made: Sources, listed: dict[str, tuple[ModelEntry, ...]], existing: dict[str, Any]
) -> None:
    once: Any = merge(replace(made, listed=listed), existing)
    assert merge(replace(made, listed=listed), once) == once
    assert merge(made, once) == once, "what a provider said stays until it says something else"
    assert json.loads(json.dumps(once)) == once
    document = models_document(once)
    with_documents(Catalog({"acme": ProviderEntry(id="acme", base_url=URL, api=OPENAI, is_open=True)}), (document,))
    if made.is_replacing:
        assert set(once["providers"]) == set(made.explicit)
        return
    touched = {*made.explicit, *made.catalogue, *listed}
    for key, name, entry in provider_entries(existing):
        if name not in touched:
            assert once["providers"][key] == entry
    for name, provider in models_document(existing).providers.items():
        is_marked = any(name in side and side[name].api_key for side in (made.explicit, made.catalogue))
        if provider.api_key and plain_key(provider.api_key.reveal(), name, DECLARED) and not is_marked:
            assert document.providers[name].api_key == provider.api_key


class TestCatalogue:
    BUILT_IN = ProviderEntry(
        id="acme", base_url=URL, api=OPENAI, models=(model("m", context_window=100),), is_open=True, is_configured=False
    )
    CLOSED = ProviderEntry(
        id="acme", base_url=URL, api=OPENAI, models=(model("m", context_window=100, aliases=("big",)), model("n"))
    )

    def document(self, *models: dict[str, Any], ours: bool = True, **entry: Any) -> ModelsDocument:
        given = {"base_url": OTHER, "api": ANTHROPIC, "models": list(models), **entry}
        raw = {"generated": {"providers": ["acme"] if ours else []}, "providers": {"acme": given}}
        return models_document(raw, "/x/models.json")

    def look(self, entry: ProviderEntry | None, *documents: ModelsDocument) -> ProviderEntry | None:
        known = {"acme": entry} if entry is not None else {}
        return with_documents(Catalog(known), documents).providers.get("acme")

    MODELS = (
        {"id": "m", "name": "M", "context_window": 200, "max_tokens": 9, "input": ["text"], "cost": {"input": 1}},
        {"id": "n", "context_window": 300},
        {"id": "own", "context_window": 400, "max_tokens": 9, "alias": "o", "listed": ["context_window"]},
        {"id": "ours"},
    )

    def test_an_open_provider_gets_data_and_the_models_that_it_named_itself(self) -> None:
        found = self.look(self.BUILT_IN, self.document(*self.MODELS))
        assert found is not None
        assert found.models == (
            model("m", name="M", context_window=200, inputs=("text",), price=Price(input=1)),
            model("own", context_window=400),
        )
        assert (found.base_url, found.api, found.is_open) == (URL, OPENAI, True), "requests go where they went"

    def test_a_closed_one_gets_data_only_and_the_configs_figures_stay(self) -> None:
        found = self.look(self.CLOSED, self.document(*self.MODELS))
        assert found is not None
        assert found.models == (
            model("m", name="M", context_window=100, inputs=("text",), price=Price(input=1), aliases=("big",)),
            model("n", context_window=300),
        )

    def test_a_provider_that_another_program_put_there_is_known(self) -> None:
        plain = {"X-A": "b"}
        found = self.look(None, self.document({"id": "x", "maxTokens": 5}, ours=False, headers=plain))
        assert found == ProviderEntry(
            id="acme",
            base_url=OTHER,
            api=ANTHROPIC,
            models=(model("x", max_tokens=5),),
            is_open=True,
            is_configured=False,
            headers=(("X-A", "b"),),
        )

    @pytest.mark.parametrize(
        ("ours", "changes"),
        [
            pytest.param(True, {}, id="this program wrote it from a config that has it no more"),
            pytest.param(False, {"api": ""}, id="no API kind"),
            pytest.param(False, {"base_url": "file:///etc/passwd"}, id="no address of the web"),
            pytest.param(False, {"base_url": "https://user:pw@host/v1"}, id="a password in the address"),
            pytest.param(False, {"base_url": "https://host/v1?key=1"}, id="a query in the address"),
            pytest.param(False, {"headers": {"a": "secretref-env:X"}}, id="headers that are kept elsewhere"),
        ],
    )
    def test_what_cannot_be_served_is_not(self, ours: bool, changes: dict[str, Any]) -> None:
        assert self.look(None, self.document(ours=ours, **changes)) is None

    def test_of_two_files_the_first_counts_for_each_provider(self) -> None:
        own, main = (
            self.document({"id": "m", "name": "Own"}),
            self.document({"id": "m", "name": "Main", "input": ["text"]}),
        )
        found = self.look(self.CLOSED, own, main)
        assert found is not None
        assert (found.models[0].name, found.models[0].inputs) == ("Own", ())

    def test_data_do_not_change_what_numbers_of_a_list_mean(self) -> None:
        plain = Catalog({"acme": self.CLOSED})
        assert with_documents(plain, (self.document(*self.MODELS),)).fingerprint() == plain.fingerprint()

    def test_no_rendering_shows_a_key_or_a_header(self) -> None:
        shown = repr(self.document(apiKey="sk-canary", headers={"X-Key": "hd-canary"}))
        assert "canary" not in shown
        part = ProviderPart(api_key="canary", headers={"a": "canary"})
        assert "canary" not in repr(part)
