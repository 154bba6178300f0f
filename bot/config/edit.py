"""Changing config.toml from the command line: comments, order and spelling of everything else stay (tomlkit).

Each change is made twice, on the document and on the plain tree. Only if both agree, and the result is a valid configuration,
is anything written.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from bot.config.load import settings_from
from bot.config.problems import InvalidConfig, Problem
from core.auth.provider_names import credential_provider
from core.errors import ConfigError

if TYPE_CHECKING:
    from bot.config.settings import Settings

Tree = MutableMapping[str, Any]
TreeChange = Callable[[Tree], None]
Plan = Callable[["Settings"], TreeChange]
_BOM = b"\xef\xbb\xbf"
_WRITTEN_HERE = frozenset({"provider", "mode", "email"})
"""What an entry of `auth.profiles` may hold and still go with its credential. Labels and permissions are the operator's."""


def no_change(tree: Tree) -> None:
    """The config stays as it is."""


def settings_of(content: bytes, environ: Mapping[str, str], name: str, change: TreeChange = no_change) -> "Settings":
    """What this content of the config means, with a change of it if one is given. Raises ConfigError."""
    tree = _plain(content, name)
    change(tree)
    return settings_from(tree, environ, name)


def edited(content: bytes, change: TreeChange, environ: Mapping[str, str], name: str) -> bytes:
    """The config with the change. `name` is the file, for errors. Raises ConfigError; then nothing of it may be used."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before, wanted = _plain(content, name), _plain(content, name)
    change(wanted)
    if wanted == before:
        return content
    try:
        document = tomlkit.parse(_whole_lines(content.decode("utf-8-sig")))
        change(document)
        result = tomlkit.dumps(document)
        agrees = _without_empty_auth(tomllib.loads(result)) == _without_empty_auth(wanted)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, TOMLKitError):
        agrees = False
    if not agrees:
        raise ConfigError("", f"{name} is written in a way that cannot be edited safely.", "Edit it by hand.")
    settings_from(wanted, environ, name)
    return (_BOM if content.startswith(_BOM) else b"") + result.encode()


def edited_as_planned(
    content: bytes,
    plan: Plan,
    mistakes: Callable[["Settings"], Iterable[Problem]],
    environ: Mapping[str, str],
    name: str,
) -> bytes:
    """The config with the change that `plan` decides on by what the config says at this moment.

    `mistakes` are those that the settings by themselves do not show. What is wrong already may stay, so that one thing can be
    mended at a time; a change that adds one is refused. Raises ConfigError, and what `plan` raises.
    """
    before = settings_of(content, environ, name)
    result = edited(content, plan(before), environ, name)
    if result != content:
        known = set(mistakes(before))
        after = settings_of(result, environ, name)
        if added := [problem for problem in mistakes(after) if problem not in known]:
            raise InvalidConfig(added, "Nothing was changed.")
    return result


def _whole_lines(text: str) -> str:
    """With an end for the last line too: what comes behind it would be written on it."""
    newline = "\r\n" if "\r\n" in text else "\n"
    return text if text.endswith("\n") or not text else f"{text}{newline}"


def _plain(content: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ConfigError("", f"{name} is not valid TOML, so it was not changed.") from None


def add_profile(name: str, provider: str, mode: str) -> TreeChange:
    """The config names this profile. Where its provider has an order, it comes first there; where other profiles of another
    mode are named, an order is made that has it first."""

    def change(tree: Tree) -> None:
        others = {i: entry for i, entry in named(tree, provider).items() if i != name}
        put(tree, ("auth", "profiles", name), "provider", provider)
        put(tree, ("auth", "profiles", name), "mode", mode)
        ids = _order(tree, provider)
        if ids is None and any(entry.get("mode") not in (None, mode) for entry in others.values()):
            put(tree, ("auth", "order"), provider, [name, *others])
        elif ids is not None and name not in ids:
            ids.insert(0, name)

    return change


def remove_profile(name: str) -> TreeChange:
    """No order names this profile, and its entry goes unless the operator wrote more into it than the command line does."""

    def change(tree: Tree) -> None:
        auth = tree.get("auth", {})
        if set(auth.get("profiles", {}).get(name, ())) <= _WRITTEN_HERE:
            auth.get("profiles", {}).pop(name, None)
        order = auth.get("order", {})
        for provider in list(order):
            if name in order[provider]:
                order[provider].remove(name)
                if not order[provider]:  # an empty order would stop the provider altogether
                    del order[provider]

    return change


def named(tree: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """The profiles that the config names for a provider."""
    wanted = credential_provider(provider)
    found = tree.get("auth", {}).get("profiles", {})
    return {name: entry for name, entry in found.items() if credential_provider(entry["provider"]) == wanted}


def _without_empty_auth(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a table of `auth` that lost its last entry is still written down makes no difference."""
    auth = {name: part for name, part in tree.get("auth", {}).items() if part != {}}
    rest = {name: part for name, part in tree.items() if name != "auth"}
    return {**rest, "auth": auth} if auth else rest


def _order(tree: Tree, provider: str) -> list[str] | None:
    order = tree.get("auth", {}).get("order", {})
    wanted = credential_provider(provider)
    return next((ids for name, ids in order.items() if credential_provider(name) == wanted), None)


def put(tree: Tree, path: tuple[str, ...], key: str, value: object) -> None:
    """Set a value in a table, made with those around it where they are missing, and only then: setting what is set would lose
    its comment."""
    head, *rest = path
    if head not in tree:
        made: dict[str, Any] = {key: value}
        for part in reversed(rest):
            made = {part: made}
        tree[head] = _fitting(tree, made)
    elif rest:
        put(tree[head], tuple(rest), key, value)
    elif tree[head].get(key) != value:
        tree[head][key] = _fitting(tree[head], value)


def inline(tree: object, values: Mapping[str, Any]) -> Any:
    """A table on one line, for a document; for a plain tree a plain one."""
    if type(tree) is dict:
        return dict(values)
    import tomlkit

    table = tomlkit.inline_table()
    table.update(values)
    return table


def _fitting(tree: object, value: Any) -> Any:
    """A new table in one that is written with dots stands on one line: a heading in the middle of those lines would take the
    rest of them to itself."""
    body = getattr(getattr(tree, "value", None), "body", ())
    has_dots = any(key is not None and key.is_dotted() for key, _ in body)
    return inline(tree, value) if has_dots and isinstance(value, dict) else value
