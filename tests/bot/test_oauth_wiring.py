"""What the config may say of a provider's logins, what is known of some without it, and which logins can be refreshed."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.oauth.builtin import builtin_logins
from adapters.secret_sources.env import EnvSource
from bot.config.load import settings_from
from bot.config.problems import InvalidConfig
from bot.oauth_wiring import known_logins, login_provider, methods_of, renewable
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.errors import ConfigError
from tests.world import profile

ACME = {
    "authorization_url": "https://id.test/o/authorize/",
    "token_url": "https://id.test/o/token/",
    "client_id": "a-client",
}


def settings(**login: Any) -> Any:
    return settings_from({"auth": {"oauth": {"acme": login}}}, {})


@pytest.mark.parametrize(
    ("login", "words"),
    [
        pytest.param({"token_url": "http://id.test/token"}, "must begin with https", id="no TLS"),
        pytest.param({"token_url": "http://127.evil.test/token"}, "must begin with https", id="a name like loopback"),
        pytest.param({"token_url": "https://user:pw@id.test/"}, "without a user name", id="a password in it"),
        pytest.param({"token_url": "https://id.test/#a"}, "without #", id="a fragment"),
        pytest.param({"token_url": "id.test/token"}, "must be an address", id="no address"),
        pytest.param({"token_url": "https://id.test:0/"}, "must be an address", id="no port"),
        pytest.param({"token_url": "https://id.test/a b"}, "must be an address", id="a blank"),
        pytest.param({"token_uri": "https://id.test/"}, "token_uri", id="an unknown key"),
        pytest.param({"client_auth": "none"}, "client_auth", id="an unknown way to prove oneself"),
        pytest.param({"redirect_host": "0.0.0.0"}, "redirect_host", id="a redirect that others could reach"),
        pytest.param({"redirect_port": 70000}, "redirect_port", id="a port that is none"),
        pytest.param({"redirect_path": "callback"}, "must be a path", id="a path that is none"),
        pytest.param({"redirect_path": "/a?b"}, "must be a path", id="a path with a query"),
        pytest.param(
            {"authorization_parameters": {"state": "x"}}, "is set by the login itself", id="a parameter of ours"
        ),
        pytest.param({"slow_down": "2m"}, "must be at most 1m", id="too slow"),
        pytest.param({"headers": {"a b": "x"}}, "must be the name of an HTTP header", id="a header that is none"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(login: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidConfig) as told:
        settings(**login)
    assert words in str(told.value)
    assert "auth.oauth.acme" in str(told.value)
    assert "pw@" not in str(told.value)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "[::1]:9", "127.1.2.3"])
def test_this_machine_alone_needs_no_tls(host: str) -> None:
    assert settings(token_url=f"http://{host}/token").auth.oauth["acme"].token_url == f"http://{host}/token"


def no_sources(*_: object) -> Mapping[str, Any]:
    return {}


def test_addresses_are_kept_to_the_letter_and_what_is_left_out_has_its_default() -> None:
    found = login_provider("acme", settings(**ACME), {}, no_sources)
    assert found is not None
    assert (found.authorize_url, found.token_url) == ("https://id.test/o/authorize/", "https://id.test/o/token/")
    assert (found.client_auth, found.redirect_host, found.redirect_port, found.redirect_path, found.bare_code) == (
        "post", "127.0.0.1", 0, "/callback", True,
    )  # fmt: skip
    assert methods_of(found) == ("pkce", "paste")


def test_everything_that_can_be_said_arrives() -> None:
    said = settings(
        **ACME, device_url="https://id.test/d", userinfo_url="https://id.test/u", issuer="https://id.test",
        client_secret="s3cret", client_auth="basic", scopes=["a", "b"], authorization_parameters={"prompt": "consent"},
        token_parameters={"audience": "x"}, device_parameters={"y": "z"}, headers={"X-Beta": "on"},
        redirect_host="localhost", redirect_port=1455, redirect_path="/auth", bare_code=False, slow_down="2s",
    )  # fmt: skip
    found = login_provider("ACME", said, {}, no_sources)
    assert found is not None
    assert (found.client_secret, found.scopes, found.headers) == (Secret("s3cret"), ("a", "b"), (("X-Beta", "on"),))
    assert (found.authorize_parameters, found.token_parameters, found.device_parameters) == (
        (("prompt", "consent"),), (("audience", "x"),), (("y", "z"),),
    )  # fmt: skip
    assert (found.redirect_host, found.redirect_port, found.redirect_path, found.bare_code) == (
        "localhost", 1455, "/auth", False,
    )  # fmt: skip
    assert found.slow_down.total_seconds() == 2
    assert methods_of(found) == ("pkce", "paste", "device")
    assert "s3cret" not in repr(found)


def test_a_client_secret_may_be_a_reference_and_one_that_gives_nothing_is_named() -> None:
    said = settings(**ACME, client_secret={"source": "env", "provider": "default", "id": "ACME_OAUTH"})
    found = login_provider("acme", said, {}, lambda *_: {"env": EnvSource({"ACME_OAUTH": "s3cret"})})
    assert found is not None
    assert found.client_secret == Secret("s3cret")
    with pytest.raises(ConfigError, match=r"auth\.oauth\.acme\.client_secret"):
        login_provider("acme", said, {}, lambda *_: {"env": EnvSource({})})


@pytest.mark.parametrize("name", builtin_logins())
def test_a_built_in_entry_says_what_a_config_may_say_and_only_where_nobody_can_listen(name: str) -> None:
    variables = ("client_id_env", "client_secret_env")
    entry = {key: value for key, value in builtin_logins()[name].items() if key not in variables}
    settings_from({"auth": {"oauth": {name: entry}}}, {})
    assert all(url.startswith("https://") for key, url in entry.items() if key.endswith("_url"))


def test_built_in_facts_stand_where_the_config_says_nothing_else() -> None:
    nothing = settings_from({}, {})
    codex = login_provider("openai-codex", nothing, {}, no_sources)
    assert codex is not None
    assert (codex.token_url, codex.redirect_host, codex.redirect_port, codex.redirect_path) == (
        "https://auth.openai.com/oauth/token", "localhost", 1455, "/auth/callback",
    )  # fmt: skip
    assert methods_of(codex) == ()
    said = settings_from({"auth": {"oauth": {"openai-codex": {"client_id": "mine", "redirect_port": 0}}}}, {})
    own = login_provider("openai-codex", said, {}, no_sources)
    assert own is not None
    assert (own.client_id, own.redirect_port, own.redirect_path) == ("mine", 0, "/auth/callback")
    assert methods_of(own) == ("pkce", "paste")
    variables = {"CHUTES_CLIENT_ID": " c ", "CHUTES_CLIENT_SECRET": " s3cret "}
    chutes = login_provider("chutes", nothing, variables, no_sources)
    assert chutes is not None
    assert (chutes.client_id, chutes.client_secret, chutes.bare_code) == ("c", Secret("s3cret"), False)
    assert methods_of(chutes) == ("pkce", "paste")
    google = login_provider("google-gemini-cli", nothing, {"GEMINI_CLI_OAUTH_CLIENT_ID": "c"}, no_sources)
    assert google is not None
    assert dict(google.authorize_parameters) == {"access_type": "offline", "prompt": "consent"}
    assert (methods_of(google), google.client_secret) == (("pkce", "paste"), None)
    mine = settings_from({"auth": {"oauth": {"github-copilot": {"client_id": "mine"}}}}, {})
    copilot = login_provider("github-copilot", mine, {}, no_sources)
    assert copilot is not None
    assert (copilot.scopes, copilot.slow_down.total_seconds()) == (("read:user",), 2)
    assert methods_of(copilot) == ("device",)
    assert login_provider("acme", nothing, {}, no_sources) is None
    assert known_logins(settings(**ACME))[0] == "acme"


def login(**changes: object) -> AuthProfile:
    return profile("acme:me", CredentialKind.OAUTH, refreshable=True, **changes)


@pytest.mark.parametrize(
    ("one", "said", "is_renewable"),
    [
        pytest.param(login(), ACME, True, id="where, and as whom"),
        pytest.param(login(), {"token_url": "https://id.test/t"}, False, id="nobody knows as whom"),
        pytest.param(
            login(metadata={"client_id": "c"}),
            {"token_url": "https://id.test/t"},
            True,
            id="the login itself says as whom",
        ),
        pytest.param(login(), {"client_id": "c"}, False, id="nobody knows where"),
        pytest.param(login(metadata={"managed_by": "codex-cli"}), ACME, False, id="another program's to refresh"),
        pytest.param(login(provider="zeta"), ACME, False, id="another provider"),
    ],
)
def test_which_logins_can_be_refreshed(one: AuthProfile, said: dict[str, Any], is_renewable: bool) -> None:
    assert renewable(settings(**said), {})(one) is is_renewable
