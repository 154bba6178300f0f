"""The kinds of values that settings are made of, each with its check.

A check raises ValueError with words that continue "<path>: ..." and never repeat the value: a secret may stand in the wrong
place.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from bot.config.reading import Check, Limits
from core.auth.provider_names import provider_id
from core.auth.refs import read_ref
from core.auth.secret import Secret, SecretRef, clean_secret
from core.durations import parse_duration
from core.sessions.key import SessionKey, agent_id

_PERSON = re.compile(r"(?:telegram|discord):[0-9]{1,20}|terminal:[^\s:]+")
_GROUP = re.compile(r"telegram:-?[0-9]{1,20}|discord:[0-9]{1,20}")
_ROLE = re.compile(r"discord:role:[0-9]{1,20}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_VARIABLES = ("REMOTECLAW_HOME", "REMOTECLAW_STATE_DIR", "REMOTECLAW_CONFIG_PATH")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}|-")
RESERVED = ("list", "status", "default", "auto", "undo", "why", "strict", "prefer", "-")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _duration(value: object) -> timedelta:
    try:
        if isinstance(value, str):
            return parse_duration(value)
    except ValueError:
        pass
    raise ValueError('must be a duration such as "90s", "1h30m" or "2d"')


def _secret(value: object) -> Secret | SecretRef:
    if isinstance(value, Mapping):
        return read_ref(value)
    return _plain_secret(value)


def _plain_secret(value: object) -> Secret:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    text = clean_secret(value)
    if not text:
        raise ValueError("is empty")
    return Secret(text)


def _url(*schemes: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        wanted = f"must be a URL such as {schemes[0]}://host/path"
        try:
            parts = urlsplit(text.strip())
            port_is_valid = parts.port is None or parts.port > 0
        except ValueError:
            raise ValueError(wanted) from None
        if parts.scheme not in schemes or not parts.hostname or not port_is_valid:
            raise ValueError(wanted)
        if any(c.isspace() or not c.isprintable() for c in text.strip()):
            raise ValueError(f"{wanted}, without blanks")
        if "@" in parts.netloc:
            raise ValueError("must not hold a user name or password; credentials have settings of their own")
        if parts.query or parts.fragment:
            raise ValueError(f"{wanted}, without ? and #")
        return text.strip().rstrip("/")

    return check


def _socket_url(text: str) -> str:
    return _url("wss", "ws")(text) if text.strip() else ""


def _listen(text: str) -> str:
    host, colon, port = text.strip().rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        raise ValueError('must be host:port, such as "127.0.0.1:18789"')
    return text.strip()


def _person(text: str) -> str:
    if not _PERSON.fullmatch(text):
        raise ValueError(
            "must be platform:id with the numeric id, such as telegram:1001 or discord:2002 (terminal:<user> for the "
            "terminal); names can change hands"
        )
    return text


def _admitted(text: str) -> str:
    if _ROLE.fullmatch(text):
        return text
    if ":role:" in text:
        raise ValueError("must be discord:role:<id> with the numeric id of the role; names can change hands")
    return _person(text)


def _group(text: str) -> str:
    if not _GROUP.fullmatch(text):
        raise ValueError("must be a chat or server by its numeric id, such as telegram:-1001234 or discord:2002")
    return text


def _pinner(text: str) -> str:
    if text == "owners" or _PERSON.fullmatch(text) or _ROLE.fullmatch(text):
        return text
    raise ValueError('must be "owners", a numeric id such as telegram:1001, or discord:role:<id>')


def _provider(text: str) -> str:
    name = provider_id(text)
    if not _PROVIDER.fullmatch(name):
        raise ValueError("must be a provider id: letters, digits and . _ -")
    return name


def _agent(text: str) -> str:
    if agent_id(text) != text:
        raise ValueError("must be an agent id: lower-case letters, digits, _ and -")
    return text


def _session(text: str) -> str:
    try:
        return str(SessionKey.parse(text))
    except ValueError:
        raise ValueError("must be a session key such as agent:main:telegram:default:direct:1001") from None


def alias_of(text: str) -> str:
    """The alias that a text is, as it is kept. Raises ValueError."""
    if not _ALIAS.fullmatch(text) or text.isdigit():
        raise ValueError(
            "must be one word of letters, digits and . _ : -, and not a number: numbers choose from a list"
        )
    if text.lower() in RESERVED:
        raise ValueError(f"must not be one of the words that /model keeps for itself: {', '.join(RESERVED)}")
    return text.lower()


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must be the name of an environment variable")
    if name in _OWN_VARIABLES:
        raise ValueError("decides where this file is found, so it must be set in the environment itself")
    return name


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("must be the name of an HTTP header")
    return name


def _text(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a text on one line that is not empty")
    return text.strip()


def _distinct(normal: Callable[[str], str]) -> Callable[[Any], Any]:
    """Refuse a table in which two keys mean the same: one of them would be lost without a word."""

    def check(value: Any) -> Any:
        seen: dict[str, str] = {}
        for key in value if isinstance(value, Mapping) else ():
            first = seen.setdefault(normal(key), key)
            if first != key:
                raise ValueError(f"{first!a} and {key!a} are the same provider")
        return value

    return check


Duration = Annotated[timedelta, Check(_duration, "instead")]
SecretText = Annotated[Secret, Check(_plain_secret, "instead")]
SecretValue = Annotated[Secret | SecretRef, Check(_secret, "instead")]
Url = Annotated[str, Check(_url("https", "http"))]
SocketUrl = Annotated[str, Check(_socket_url)]
Listen = Annotated[str, Check(_listen)]
Person = Annotated[str, Check(_person)]
Admitted = Annotated[str, Check(_admitted)]
Group = Annotated[str, Check(_group)]
Pinner = Annotated[str, Check(_pinner)]
ProviderId = Annotated[str, Check(_provider)]
AgentId = Annotated[str, Check(_agent)]
Session = Annotated[str, Check(_session)]
Alias = Annotated[str, Check(alias_of)]
Variable = Annotated[str, Check(_variable)]
Header = Annotated[str, Check(_header)]
Text = Annotated[str, Check(_text)]
Count = Annotated[int, Limits(gt=0, le=1_000_000_000)]
ByProvider = Check(_distinct(provider_id), "before")
