"""What the genai-prices library tells of models, and that it is neither loaded nor heard before it is asked."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from adapters.providers.builtin import builtin_providers
from adapters.providers.known_models import KnownModels
from core.models.catalog import Price
from core.models.ref import ModelRef
from tests.fakes.clock import FakeClock


@pytest.fixture
def known(clock: FakeClock) -> KnownModels:
    return KnownModels(clock)


def test_a_model_has_its_window_its_prices_and_its_name(known: KnownModels) -> None:
    found = known("anthropic", "https://api.anthropic.com", "claude-opus-4-5")
    assert found is not None
    assert found.ref == ModelRef("anthropic", "claude-opus-4-5")
    assert (found.name, found.context_window) == ("Claude Opus 4.5", 200_000)
    assert found.price == Price(input=5, output=25, cache_read=0.5, cache_write=6.25)
    assert (found.inputs, found.max_tokens, found.aliases) == ((), None, ()), (
        "what the library does not tell is not invented"
    )


@pytest.mark.parametrize(
    ("provider", "base_url", "model", "is_known"),
    [
        pytest.param("anthropic", "http://127.0.0.1:9", "claude-opus-4-5", True, id="a built-in one by its name"),
        pytest.param("acme", "https://api.anthropic.com/v1", "claude-opus-4-5", True, id="one's own by its address"),
        pytest.param("acme", "http://127.0.0.1:9/v1", "claude-opus-4-5", False, id="an address that nobody knows"),
        pytest.param("acme", "", "claude-opus-4-5", False, id="no address"),
        pytest.param("acme", "https://api.anthropic.com.evil.test", "claude-opus-4-5", False, id="another's host"),
        pytest.param("anthropic", "https://api.anthropic.com", "unheard-of", False, id="an unknown model"),
        pytest.param(
            "minimax-portal", "https://api.minimax.io/anthropic", "MiniMax-M2", False, id="a subscription has no price"
        ),
        pytest.param("moonshot", "https://api.moonshot.ai/v1", "kimi-k2.5", True, id="under the library's own name"),
        pytest.param("openrouter", "", "anthropic/claude-opus-4.5", True, id="a name with a slash"),
    ],
)
def test_who_is_known(known: KnownModels, provider: str, base_url: str, model: str, is_known: bool) -> None:
    assert (known(provider, base_url, model) is not None) is is_known


def test_a_dated_price_holds_from_its_day_and_tiers_begin_with_the_first() -> None:
    before = KnownModels(FakeClock(datetime(2026, 3, 12, 23, 59, tzinfo=UTC)))
    after = KnownModels(FakeClock(datetime(2026, 3, 13, tzinfo=UTC)))
    for known in (before, after):
        found = known("anthropic", "", "claude-opus-4-6")
        assert found is not None
        assert found.price == Price(input=5, output=25, cache_read=0.5, cache_write=6.25)
    assert before.edition != after.edition, "prices begin on a day"
    assert after.edition.endswith(" 2026-03-13")


def test_hours_of_the_day_do_not_change_a_price() -> None:
    from genai_prices.data import providers
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    timed = [
        (vendor.id, model.id)
        for vendor in providers
        for model in vendor.models
        if not isinstance(model.prices, ModelPrice)
        and any(isinstance(price.constraint, TimeOfDateConstraint) for price in model.prices)
    ]
    assert timed, "the library has such prices, so the rule is about something"
    own = {"x-ai": "xai", "moonshotai": "moonshot"}
    for vendor, model in timed:
        found = [
            KnownModels(FakeClock(datetime(2026, 5, 4, hour, 30, tzinfo=UTC)))(own.get(vendor, vendor), "", model)
            for hour in range(24)
        ]
        assert len(set(found)) == 1


def test_the_models_of_the_built_in_table_are_known_where_the_library_has_their_provider(known: KnownModels) -> None:
    anthropic = builtin_providers()["anthropic"]
    assert all(known("anthropic", anthropic.base_url, model.id) for model in anthropic.models)


def test_nothing_is_loaded_before_it_is_asked_and_nothing_is_fetched() -> None:
    program = (
        "import sys; from adapters.providers.known_models import KnownModels; from tests.fakes.clock import FakeClock;"
        "known = KnownModels(FakeClock()); known.edition;"
        "early = [m for m in ('genai_prices', 'pydantic', 'httpx', 'httpx2') if m in sys.modules];"
        "known('anthropic', '', 'claude-opus-4-5'); from genai_prices import data_snapshot; import threading;"
        "print(early, data_snapshot._custom_snapshot, [t.name for t in threading.enumerate()])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[] None ['MainThread']"
