"""The tables `auth.oauth.<provider>`: where a provider's logins are made and refreshed. Addresses are kept to the letter."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from bot.config import fields
from bot.config.reading import Check, Limits
from bot.config.section import Section

_OURS = frozenset({
    "response_type", "client_id", "client_secret", "redirect_uri", "state", "nonce", "scope", "code", "code_challenge",
    "code_challenge_method", "code_verifier", "grant_type", "refresh_token", "device_code",
})  # fmt: skip
_LONGEST_SLOW_DOWN = timedelta(minutes=1)


def _endpoint(text: str) -> str:
    wanted = "must be an address such as https://host/path"
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError(wanted)
    if "@" in parts.netloc or parts.fragment:
        raise ValueError(f"{wanted}, without a user name and without #")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https: tokens are sent there (http is for this machine alone)")
    return text


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or any(c.isspace() or c in "?#" for c in text):
        raise ValueError("must be a path such as /callback")
    return text


def _parameter(name: str) -> str:
    if name in _OURS:
        raise ValueError("is set by the login itself")
    if not name or not name.isprintable():
        raise ValueError("must be the name of a parameter")
    return name


def _slow_down(span: timedelta) -> timedelta:
    if span > _LONGEST_SLOW_DOWN:
        raise ValueError("must be at most 1m")
    return span


_Endpoint = Annotated[str, Check(_endpoint)]
_Parameter = Annotated[str, Check(_parameter)]


class OAuth(Section):
    """auth.oauth.<provider>. What is left out is as the built-in entry of that provider has it, or as said here.

    `client_auth`: how a client with a secret proves itself (post). `redirect_host` (127.0.0.1), `redirect_port` (any) and
    `redirect_path` (/callback): where the browser comes back to. `bare_code`: whether a pasted code counts without the rest of
    the address (true). `slow_down`: what a server that asks for slower polling adds to the interval (5s).
    """

    authorization_url: _Endpoint | None = None
    token_url: _Endpoint | None = None
    device_url: _Endpoint | None = None
    userinfo_url: _Endpoint | None = None
    issuer: fields.Text | None = None
    client_id: fields.Text | None = None
    client_secret: fields.SecretValue | None = None
    client_auth: Literal["basic", "post"] | None = None
    scopes: tuple[fields.Text, ...] | None = None
    authorization_parameters: Mapping[_Parameter, fields.Text] = {}
    token_parameters: Mapping[_Parameter, fields.Text] = {}
    device_parameters: Mapping[_Parameter, fields.Text] = {}
    headers: Mapping[fields.Header, fields.SecretText] = {}
    redirect_host: Literal["127.0.0.1", "localhost"] | None = None
    redirect_port: Annotated[int, Limits(ge=0, le=65535)] | None = None
    redirect_path: Annotated[str, Check(_path)] | None = None
    bare_code: bool | None = None
    slow_down: Annotated[fields.Duration, Check(_slow_down)] | None = None
