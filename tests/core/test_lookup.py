"""From a typed model text to one model: model-command.md 1.7 and section 10, V49 to V62, as data; and for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands.model_request import Form, parse_request
from core.errors import UserError
from core.models.catalog import Catalog, ModelEntry, ProviderEntry
from core.models.lookup import Lookup, quote
from core.models.ref import ModelRef
from core.models.selector import Selector, split_profile

OPUS = "anthropic/claude-opus-4-5"


def lookup(*names: str, aliases: dict[str, str] | None = None, allow: tuple[str, ...] = (), path: str = "") -> Lookup:
    """The first name is the default. `aliases` maps an alias to a name."""
    refs = [ModelRef.parse(name) for name in names]
    providers = {
        provider: ProviderEntry(
            id=provider,
            base_url="http://127.0.0.1/v1",
            api="openai-completions",
            models=tuple(ModelEntry(ref=ref) for ref in refs if ref.provider == provider),
        )
        for provider in dict.fromkeys(ref.provider for ref in refs)
    }
    catalog = Catalog(providers, {alias: ModelRef.parse(name) for alias, name in (aliases or {}).items()})
    offered = frozenset(providers)
    return Lookup(catalog=catalog, default=refs[0], offered=offered, allow=allow, allow_path=path)


KIMI = lookup(OPUS, "moonshot/kimi-k2-0905-preview", "lmstudio/minimax-m2.1-gs32")
MINIMAX = lookup("minimax/MiniMax-M2.1", "minimax/MiniMax-M2.1-lightning", "lmstudio/minimax-m2.1-gs32")
VECTORS = [
    pytest.param(lookup(OPUS, f"openrouter/{OPUS}"), f"openrouter/{OPUS}", f"openrouter/{OPUS}", False, id="V49"),
    pytest.param(lookup(OPUS, "openai/gpt-4o"), "anthropic/claud-opus-4-5", OPUS, True, id="V50"),
    pytest.param(KIMI, "kimi-k2-0905-preview", "moonshot/kimi-k2-0905-preview", False, id="V52"),
    pytest.param(KIMI, "moonshot/kimi", "moonshot/kimi-k2-0905-preview", True, id="V53"),
    pytest.param(MINIMAX, "minimax", "minimax/MiniMax-M2.1", True, id="V55"),
    pytest.param(MINIMAX, "minimax/m2.1", "minimax/MiniMax-M2.1", True, id="V56"),
    pytest.param(lookup(OPUS, "openai/gpt-4o", aliases={"99": "openai/gpt-4o"}), "99", "openai/gpt-4o", False, id="V59"),
    pytest.param(lookup(OPUS, "openai/gpt-4o"), OPUS, OPUS, False, id="V61"),
    pytest.param(lookup(OPUS, "openai/gpt-4o", aliases={"gpt": "openai/gpt-4o"}), "GPT", "openai/gpt-4o", False, id="alias"),
    pytest.param(lookup(OPUS, "openai/gpt-4o"), "OpenAI/GPT-4O", "openai/gpt-4o", False, id="case"),
    pytest.param(lookup(OPUS, "zai/glm-5"), "z.ai/glm-5", "zai/glm-5", False, id="another name of the provider"),
    pytest.param(lookup(OPUS, "x/A", "x/a"), "x/a", "x/a", False, id="two names that differ by case"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "text", "model", "near"), VECTORS)
def test_a_text_means_one_model(where: Lookup, text: str, model: str, near: bool) -> None:
    found = where.find(split_profile(text))
    assert (str(found.ref), found.near) == (model, near)


REFUSALS = [
    pytest.param(lookup(OPUS, "openai/gpt-4o"), "nothing like it", None, "model_unknown", id="unknown"),
    pytest.param(
        lookup(OPUS, "openai/gpt-5.5", allow=(OPUS,), path="agents.list.writer.model_policy.allow"),
        "openai/gpt-5.5", None, "model_not_allowed", id="V62",
    ),
    pytest.param(lookup(OPUS, "openai/gpt-4o"), "openai/gpt-5.5", "work", "model_unknown", id="near, with a profile"),
    pytest.param(lookup(OPUS, "openai/gpt-4o", "openai/gpt-4a"), "gpt", None, "model_ambiguous", id="two as near"),
    pytest.param(lookup(OPUS, "a/same", "b/same"), "same", None, "model_ambiguous", id="of two providers"),
    pytest.param(lookup(OPUS, "openai/gpt-4o"), "openai/", None, "model_unknown", id="half a reference"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "text", "profile", "code"), REFUSALS)
def test_a_text_that_means_none_is_refused_by_its_code(
    where: Lookup, text: str, profile: str | None, code: str
) -> None:
    with pytest.raises(UserError) as caught:
        where.find(Selector(text, profile))
    assert caught.value.code == code
    assert "model_not_allowed" not in code or (
        "openai/gpt-5.5" in caught.value.message and "agents.list.writer.model_policy.allow" in caught.value.message
    )


def test_a_number_is_no_model() -> None:
    assert parse_request("99").form is Form.NUMBER, "V58: the commands refuse it where nothing was shown"
    assert parse_request("99@work").form is Form.SELECT


NAMES = st.from_regex(r"[a-z0-9][a-zA-Z0-9._:@/-]{0,12}[a-z0-9]", fullmatch=True)
CATALOGS = st.lists(st.tuples(st.sampled_from(["acme", "zeta", "minimax"]), NAMES), min_size=1, max_size=6, unique=True)


@given(CATALOGS, st.text(max_size=20) | NAMES, st.sampled_from([None, "work"]))
def test_any_text_gives_a_model_or_one_of_three_errors_whose_offers_are_exact(
    models: list[tuple[str, str]], text: str, profile: str | None
) -> None:
    where = lookup(*(f"{provider}/{name}" for provider, name in models))
    refused: UserError | None = None
    try:
        found = where.find(Selector(text, profile))
        assert found.ref in where.catalog.refs()
        assert not (found.near and profile), "the wrong model would be billed to a carefully chosen account"
    except UserError as error:
        refused = error
    if refused is not None:
        assert refused.code in ("model_unknown", "model_ambiguous", "model_not_allowed")
    for choice in refused.choices if refused else ():
        request = parse_request(choice.command.removeprefix("/model "))
        assert request.selector is not None
        assert request.selector.profile == profile
        assert where.exact(request.selector.model) is not None, f"{choice.command} is no answer to {text!r}"


@given(CATALOGS, st.sampled_from([None, "work", "a@b.c", "team/prod", "odd one"]))
def test_every_model_can_be_typed_and_is_found_as_itself(models: list[tuple[str, str]], profile: str | None) -> None:
    where = lookup(*(f"{provider}/{name}" for provider, name in models))
    for ref in where.catalog.refs():
        request = parse_request(quote(str(ref), profile))
        assert request.selector is not None
        assert (request.selector.model, request.selector.profile) == (str(ref), profile)
        assert where.find(request.selector).ref == ref
