"""Logins of providers with their adapters: what the config and the built-in table say of them, and who refreshes them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bot.log import learn_secrets
from bot.secret_values import revealed
from core.auth.oauth import OAuthProvider
from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider
from core.auth.secret import Secret
from core.durations import parse_duration

if TYPE_CHECKING:
    from collections import Counter
    from contextlib import AbstractContextManager

    from bot.config.oauth_settings import OAuth
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.auth.health import ProfileHealth
    from core.auth.ports import HealthStore, ProfileSource
    from core.auth.refs import SecretSource
    from core.chat.renewing import PlainClient, RenewingClient
    from core.clock import Clock

Sources = Callable[["Settings", Mapping[str, str]], Mapping[str, "SecretSource"]]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NEEDED = {
    "pkce": ("authorize_url", "token_url", "client_id"),
    "paste": ("authorize_url", "token_url", "client_id"),
    "device": ("device_url", "token_url", "client_id"),
}
METHODS = tuple(_NEEDED)
_SETTING = {"authorize_url": "authorization_url"}
"""What the config calls otherwise than core."""
_PLAIN = (
    "token_url", "device_url", "userinfo_url", "issuer", "client_id", "client_auth", "redirect_host", "redirect_port",
    "redirect_path", "bare_code", "slow_down",
)  # fmt: skip
"""Settings that core calls by the same name."""
_VARIABLES = {"client_id_env": "client_id", "client_secret_env": "client_secret"}
"""What a built-in entry says of variables, and the setting that each may hold."""


def renewable(settings: "Settings", environ: Mapping[str, str]) -> Callable[[AuthProfile], bool]:
    """Whether there is somewhere to refresh a login, and it is ours to refresh: what another program manages is its own."""

    def judge(profile: AuthProfile) -> bool:
        said = _said(profile.provider, settings, environ)
        client = profile.metadata.get("client_id") or said.get("client_id")
        return bool(said.get("token_url") and client) and "managed_by" not in profile.metadata

    return judge


def known_logins(settings: "Settings") -> tuple[str, ...]:
    """The providers that something is known of: those of the config first."""
    from adapters.oauth.builtin import builtin_logins

    return tuple(dict.fromkeys([*settings.auth.oauth, *builtin_logins()]))


def login_provider(
    name: str, settings: "Settings", environ: Mapping[str, str], sources: Sources
) -> OAuthProvider | None:
    """What is known of a provider's logins, None where that is nothing. Asks for the client's secret, which may block. Raises
    ConfigError where its reference gives none."""
    said = _said(name, settings, environ)
    if not said:
        return None
    secret = said.get("client_secret")
    if secret is not None and not isinstance(secret, Secret):
        secret = revealed(secret, f"auth.oauth.{name}.client_secret", sources(settings, environ))
    elif secret is not None:
        learn_secrets([secret.reveal()])
    pairs = ("authorization_parameters", "token_parameters", "device_parameters")
    authorize, token, device = (tuple(said.get(key, _NOTHING).items()) for key in pairs)
    return OAuthProvider(
        id=name,
        authorize_url=said.get("authorization_url", ""),
        client_secret=secret,
        scopes=tuple(said.get("scopes", ())),
        authorize_parameters=authorize,
        token_parameters=token,
        device_parameters=device,
        headers=tuple((header, value.reveal()) for header, value in said.get("headers", _NOTHING).items()),
        **{key: said[key] for key in _PLAIN if key in said},
    )


def methods_of(provider: OAuthProvider) -> tuple[str, ...]:
    """The ways to log in that enough is known for."""
    return tuple(method for method in METHODS if not missing(provider, method))


def missing(provider: OAuthProvider, method: str) -> tuple[str, ...]:
    """The settings that a way to log in lacks, as the config names them."""
    return tuple(_SETTING.get(name, name) for name in _NEEDED[method] if not getattr(provider, name))


def renewing_client(
    client: "PlainClient",
    profiles: "ProfileSource",
    told: Callable[[], tuple["Settings", Mapping[str, str]]],
    paths: "Paths",
    health: "HealthStore",
    clock: "Clock",
    sources: Sources,
    refreshes: "Counter[tuple[str, str]] | None" = None,
) -> "RenewingClient":
    """The client of an installation: it keeps the logins good that its requests go out with. `told` are the settings and the
    variables in force. In `refreshes` each refresh that was sent is counted, by provider and outcome (see Refresher)."""
    from adapters.oauth.token_server import TokenEndpoint
    from adapters.storage.login_files import LoginFiles
    from bot.steady_clock import SteadyClock
    from bot.system_clock import SystemClock
    from core.auth.refreshing import Refresher
    from core.chat.renewing import RenewingClient

    def observe(provider: str, outcome: str) -> None:
        if refreshes is not None:
            refreshes[provider, outcome] += 1

    # Locks are compared with the clocks of other programs: there the machine's time counts, right or wrong.
    files = LoginFiles(paths.state, SystemClock() if isinstance(clock, SteadyClock) else clock, paths.oauth)
    refresher = Refresher(
        profiles,
        files,
        TokenEndpoint(clock),
        lambda name: login_provider(name, *told(), sources),
        health,
        clock,
        learn_secrets,
        observe,
    )
    return RenewingClient(client, refresher)


class HealthOnDemand:
    """A HealthStore that opens its database when there is something to write: most looks have nothing."""

    def __init__(self, opened: "Callable[[], AbstractContextManager[HealthStore]]") -> None:
        self._opened = opened

    async def update_health(
        self, profile: str, fingerprint: str, change: "Callable[[ProfileHealth], ProfileHealth]"
    ) -> None:
        """See core.auth.ports.HealthStore."""
        with self._opened() as store:
            await store.update_health(profile, fingerprint, change)


def _said(name: str, settings: "Settings", environ: Mapping[str, str]) -> dict[str, Any]:
    """What is known of a provider's logins, by the config's keys: the config's word before the built-in one."""
    from adapters.oauth.builtin import builtin_logins

    wanted = credential_provider(name)
    built_in = next((v for k, v in builtin_logins().items() if credential_provider(k) == wanted), _NOTHING)
    table = next((v for k, v in settings.auth.oauth.items() if credential_provider(k) == wanted), None)
    said = {key: value for key, value in built_in.items() if key not in _VARIABLES}
    if isinstance(said.get("slow_down"), str):
        said["slow_down"] = parse_duration(said["slow_down"])
    for variable, key in _VARIABLES.items():
        if value := environ.get(built_in.get(variable, ""), "").strip():
            said[key] = Secret(value) if key == "client_secret" else value
    return {**said, **(_given(table) if table is not None else {})}


def _given(table: "OAuth") -> dict[str, Any]:
    return {key: value for key, value in table if value is not None and value != {}}
