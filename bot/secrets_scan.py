"""The secrets and references of the files of an installation, one function for each kind of file. Pure; tolerant of anything.

OAuth tokens are not looked for: a refresh rewrites them, so no reference can take their place (credentials.md 3.7).
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from bot.confidential import is_confidential_header, is_confidential_variable
from bot.config.problems import Location
from bot.config.substitution import variables
from bot.database_url import password
from bot.dotenv import parse_dotenv
from bot.secret_places import SecretField, secret_fields
from bot.secrets_findings import Code, Finding, Place, Scanned, Severity, Use, plaintext, unresolved
from core.auth.markers import is_header_marker, is_marker
from core.auth.oauth_guard import UNSUPPORTED
from core.auth.provider_names import provider_id
from core.auth.refs import DEFAULT_PROVIDER, is_ref, read_ref
from core.auth.secret import Secret, SecretRef

_OAUTH_FIELDS = ("access", "refresh", "key", "keyRef", "token", "tokenRef")
_STATIC_FIELDS = (("keyRef", ("key", "apiKey")), ("tokenRef", ("token",)))
_SCHEME = re.compile(r"(?:bearer|basic|bot|token)\b", re.IGNORECASE)
_SHORTEST_REST = 8
"""Characters beside a variable that could be a secret of their own; fewer are a separator."""
_SHADOWED = "A secret stands beside the reference, which wins; it can be removed."
_LEGACY_KEY = (
    "An older layout keeps a secret here; a change of this agent's credentials takes over what it can use of it."
)
_LEGACY_LOGIN = "Logins of an older layout are kept here. Remove the file once they are not needed any more."


def scan_config(file: str, tree: Mapping[str, Any]) -> Scanned:
    """The config as it is written. What a channel needs that is switched off is not asked for."""
    for field in secret_fields(tree):
        owner = str(field.path[2]) if field.path[:2] == ("models", "providers") else None
        place = Place(file, field.path, owner and provider_id(owner))
        if isinstance(field.value, Mapping):
            if field.takes_ref and not _is_off(tree, field.path):
                yield _reference(place, field.value)
        elif isinstance(field.value, str):
            if not _is_off(tree, field.path):
                names = sorted(variables(field.value))
                yield from (Use(place, SecretRef("env", DEFAULT_PROVIDER, name), variable=True) for name in names)
            if _is_plain(field, field.value):
                yield plaintext(place)


def _is_plain(field: SecretField, text: str) -> bool:
    """Whether a text of the config is a secret itself, as far as its place tells."""
    names = variables(text)
    name = str(field.path[-1])
    if field.path == ("database", "url"):
        found = password(Secret(text))
        return found is not None and not variables(found.reveal())
    if "headers" in field.path and not is_confidential_header(name):
        return False
    if field.path[-2:-1] in (("env",), ("vars",)) and not is_confidential_variable(name, text):
        return False
    rest = text
    for variable in names:
        rest = rest.replace(f"${{{variable}}}", " ")
    if not names:
        return bool(rest.strip())
    return any(len(word) >= _SHORTEST_REST for word in _SCHEME.sub(" ", rest).split())


def _is_off(tree: Mapping[str, Any], path: Location) -> bool:
    if path[0] != "channels":
        return False
    return tree["channels"][path[1]].get("enabled") is False


def scan_store(file: str, document: Mapping[str, Any], modes: Mapping[str, str | None]) -> Scanned:
    """auth-profiles.json. `modes` are those of `auth.profiles` in the config, by profile id."""
    entries = document.get("profiles")
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        if not isinstance(entry, Mapping):
            continue
        if entry.get("type", entry.get("mode")) == "oauth":
            for key in _OAUTH_FIELDS:
                if is_ref(entry.get(key)):
                    yield unresolved(_of_profile(file, name, entry, key), UNSUPPORTED)
        else:
            yield from _static(file, name, entry, modes.get(name) == "oauth")


def _static(file: str, name: str, entry: Mapping[str, Any], is_oauth_mode: bool) -> Scanned:
    for ref_key, keys in _STATIC_FIELDS:
        key = next((k for k in keys if entry.get(k) is not None), keys[0])
        value, pointer = entry.get(key), entry.get(ref_key)
        at = key if pointer is None else ref_key
        if pointer is None and is_ref(value):
            pointer = value
        found: Finding | Use | None = None
        if pointer is not None:
            place = _of_profile(file, name, entry, at)
            found = unresolved(place, UNSUPPORTED) if is_oauth_mode else _reference(place, pointer)
            yield found
        if isinstance(value, str) and value.strip() and not is_ref(value):
            place = _of_profile(file, name, entry, key)
            shadowed = Finding(Code.REF_SHADOWED, Severity.WARN, place, _SHADOWED)
            yield shadowed if isinstance(found, Use) else plaintext(place)


def _of_profile(file: str, name: str, entry: Mapping[str, Any], key: str) -> Place:
    provider = entry.get("provider")
    owner = provider_id(provider) if isinstance(provider, str) and provider.strip() else None
    return Place(file, ("profiles", name, key), owner, name)


def _reference(place: Place, value: object) -> Finding | Use:
    try:
        return Use(place, read_ref(value))
    except ValueError as error:
        return unresolved(place, f"{error}.")


def scan_older_keys(file: str, document: Mapping[str, Any]) -> Scanned:
    """auth.json: provider to credential, or profiles as in the store."""
    inner = document.get("profiles")
    path, entries = (("profiles",), inner) if isinstance(inner, Mapping) else ((), document)
    for name, entry in entries.items():
        if isinstance(entry, Mapping):
            texts = [entry.get(key) for key in ("key", "apiKey", "token", "access", "refresh")]
            if any(isinstance(text, str) and text.strip() for text in texts):
                provider = entry.get("provider")
                place = Place(file, (*path, name), provider_id(provider if isinstance(provider, str) else name))
                yield Finding(Code.LEGACY_RESIDUE, Severity.WARN, place, _LEGACY_KEY)


def scan_older_logins(file: str, document: Mapping[str, Any]) -> Scanned:
    """credentials/oauth.json: provider to login."""
    if any(isinstance(entry, Mapping) for entry in document.values()):
        yield Finding(Code.LEGACY_RESIDUE, Severity.INFO, Place(file), _LEGACY_LOGIN)


def scan_models(file: str, document: Mapping[str, Any], declared: Set[str]) -> Scanned:
    """models.json, in both spellings. `declared` are the variables that built-in providers declare: names, not keys."""
    providers = document.get("providers")
    for name, entry in providers.items() if isinstance(providers, Mapping) else ():
        if not isinstance(entry, Mapping):
            continue
        provider = provider_id(name)
        for key in ("api_key", "apiKey"):
            text = entry.get(key)
            if (
                isinstance(text, str)
                and text.strip()
                and not variables(text)
                and not is_marker(text, provider, declared)
            ):
                yield plaintext(Place(file, ("providers", name, key), provider))
        for path in _plain_headers(entry):
            yield plaintext(Place(file, ("providers", name, *path), provider))


def _plain_headers(entry: Mapping[str, Any]) -> Iterator[Location]:
    models = entry.get("models")
    owners: list[tuple[Location, object]] = [((), entry)]
    owners += [(("models", n), model) for n, model in enumerate(models if isinstance(models, list) else ())]
    for path, owner in owners:
        headers = owner.get("headers") if isinstance(owner, Mapping) else None
        for name, text in headers.items() if isinstance(headers, Mapping) else ():
            is_plain = isinstance(text, str) and text.strip() and not is_header_marker(text) and not variables(text)
            if is_plain and is_confidential_header(name):
                yield (*path, "headers", name)


def scan_dotenv(file: str, text: str) -> Scanned:
    """`.env`: where keys may well be kept, though as they are."""
    for name, value in parse_dotenv(text).items():
        if is_confidential_variable(name, value):
            yield plaintext(Place(file, (name,)), Severity.INFO, "A variable holds a secret as it is.")
