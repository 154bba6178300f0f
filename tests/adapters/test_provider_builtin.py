"""The built-in providers, and the promise that reading them costs no library."""

import subprocess
import sys

import httpx
import pytest

from adapters.providers.builtin import BuiltinProvider, builtin_providers
from adapters.providers.registry import API_KINDS

OVER_HTTP = [provider for provider in builtin_providers().values() if provider.id != "claude-cli"]


@pytest.mark.parametrize("provider", [pytest.param(p, id=p.id) for p in OVER_HTTP])
def test_a_builtin_provider_needs_only_a_credential(provider: BuiltinProvider) -> None:
    url = httpx.URL(provider.base_url)
    assert url.scheme == "https" or url.host in ("localhost", "127.0.0.1")
    assert url.userinfo == b""
    assert provider.api in API_KINDS
    assert provider.env
    assert all(name.isupper() and name.isascii() for name in provider.env)
    assert provider.id == provider.id.lower()


def test_the_claude_command_line_has_a_login_of_its_own_and_neither_address_nor_variable() -> None:
    found = builtin_providers()["claude-cli"]
    assert (found.base_url, found.api, found.env) == ("", "claude-cli", ())
    assert {model.id for model in found.models} == {"opus", "sonnet", "haiku"}
    assert not any(model.alias for model in found.models), "opus means Anthropic's model, whoever serves it"


def test_what_people_expect_is_there() -> None:
    providers = builtin_providers()
    anthropic = providers["anthropic"]
    assert anthropic.env == ("ANTHROPIC_OAUTH_TOKEN", "ANTHROPIC_API_KEY")
    assert {model.alias: model.id for model in anthropic.models} == {
        "opus": "claude-opus-4-5",
        "sonnet": "claude-sonnet-4-5",
        "haiku": "claude-haiku-4-5",
    }
    openai = providers["openai"]
    assert (openai.base_url, openai.api) == ("https://api.openai.com/v1", "openai-responses")
    assert openai.default_model in {model.id for model in openai.models}
    google = providers["google"]
    assert (google.base_url, google.api) == ("https://generativelanguage.googleapis.com/v1beta", "google-generative-ai")
    assert google.env == ("GEMINI_API_KEY", "GOOGLE_API_KEY")
    assert (providers["xai"].api, providers["xai"].env) == ("openai-responses", ("XAI_API_KEY",))


def test_no_alias_means_two_models() -> None:
    aliases = [model.alias for p in builtin_providers().values() for model in p.models if model.alias]
    assert len(aliases) == len(set(aliases))


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        builtin_providers()["mine"] = builtin_providers()["openai"]  # type: ignore[index]


def test_reading_it_loads_no_http_library() -> None:
    program = (
        "import sys; from adapters.providers.builtin import builtin_providers; builtin_providers();"
        "print([m for m in ('httpx', 'aiohttp', 'ssl', 'asyncio', 'importlib.resources') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
