"""What a config says of the Claude CLI: where, and the change that turns it back into Anthropic's own (credentials.md 9.5)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.config.edit import Tree, TreeChange, put
from bot.config.problems import dotted
from bot.doctor.claude_store import ANTHROPIC, CLI, CLI_PROFILE, Renamed, renamed_ids
from bot.doctor.edits import plain
from core.auth.provider_names import provider_id

_PREFIX = f"{CLI}/"
_CHOICES = ("model", "image_model")


def in_config(tree: Mapping[str, Any]) -> Iterator[str]:
    """The places of a config that name the CLI, dotted. The tree need not be a valid config."""
    for name, entry in _table(tree, "auth", "profiles").items():
        if name == CLI_PROFILE or _of_cli(entry):
            yield dotted(("auth", "profiles", name))
    for provider, ids in _table(tree, "auth", "order").items():
        if provider_id(provider) == CLI or (isinstance(ids, list) and CLI_PROFILE in ids):
            yield dotted(("auth", "order", provider))
    if CLI in map(provider_id, _table(tree, "models", "providers")):
        yield f"models.providers.{CLI}"
    for path, texts in _texts(tree):
        if any(map(_is_of_cli, texts)):
            yield dotted(path)


def chosen_in_config(tree: Mapping[str, Any]) -> Iterator[str]:
    """The places that choose a model of the CLI, for agents or in their stead, dotted."""
    for path, texts in _texts(tree):
        if path[-1] in _CHOICES and any(map(_is_of_cli, texts)):
            yield dotted(path)


def _texts(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Every place that names models, with what it names."""
    defaults = _table(tree, "agents", "defaults")
    owners: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [(("agents", "defaults"), defaults)]
    owners += [
        (("agents", "list", name), a) for name, a in _table(tree, "agents", "list").items() if isinstance(a, Mapping)
    ]
    for path, owner in owners:
        for key in _CHOICES:
            choice = owner.get(key)
            fallbacks = choice.get("fallbacks", []) if isinstance(choice, Mapping) else []
            primary = choice.get("primary") if isinstance(choice, Mapping) else choice
            yield (*path, key), [primary, *(fallbacks if isinstance(fallbacks, list) else [])]
        yield (*path, "model_policy", "allow"), _list(owner, "model_policy", "allow")
    yield ("agents", "defaults", "models"), list(_table(tree, "agents", "defaults", "models"))
    yield ("model_policy", "allow"), _list(tree, "model_policy", "allow")


def conversion(renamed: Renamed, models: Mapping[str, str], has_credential: bool) -> TreeChange:
    """The change of a valid config. `models` are Anthropic's by alias and id. Without a credential of Anthropic a model of the CLI
    leads nowhere under either name, so it goes where others stay; a policy keeps it under the other one, for an empty policy
    allows everything."""

    def own(text: str) -> str:
        name = text.removeprefix(_PREFIX)
        return f"{ANTHROPIC}/{models.get(name, name)}" if _is_of_cli(text) else text

    def change(tree: Tree) -> None:
        _profiles(tree, renamed)
        _orders(tree, renamed)
        for owner in (tree.get("agents", {}).get("defaults", {}), *tree.get("agents", {}).get("list", {}).values()):
            for key in _CHOICES:
                _choice(owner, key, own, has_credential)
            _replace(owner.get("model_policy", {}).get("allow", []), own)
        _notes(tree.get("agents", {}).get("defaults", {}).get("models", {}), own)
        _replace(tree.get("model_policy", {}).get("allow", []), own)
        providers = tree.get("models", {}).get("providers", {})
        for name in [name for name in providers if provider_id(name) == CLI]:
            del providers[name]

    return change


def _profiles(tree: Tree, renamed: Renamed) -> None:
    profiles = tree.get("auth", {}).get("profiles", {})
    for name in [name for name, entry in profiles.items() if name == CLI_PROFILE or _of_cli(entry)]:
        entry = {key: plain(value) for key, value in profiles[name].items()}
        del profiles[name]
        target = renamed.get(name)
        if target is not None and target not in profiles:
            for key, value in {**entry, "provider": ANTHROPIC}.items():
                put(tree, ("auth", "profiles", target), key, value)


def _orders(tree: Tree, renamed: Renamed) -> None:
    """Those of the CLI are joined to Anthropic's, behind it. One that loses its last id goes."""
    orders = tree.get("auth", {}).get("order", {})
    gone = {CLI_PROFILE: None, **renamed}
    joined: list[Any] = []
    for provider in [provider for provider in orders if provider_id(provider) == CLI]:
        joined += [plain(i) for i in orders.pop(provider)]
    if joined and ANTHROPIC not in orders:
        fresh = renamed_ids(joined, gone)
        if fresh:
            put(tree, ("auth", "order"), ANTHROPIC, fresh)
    for provider in list(orders):
        ids = orders[provider]
        before = [plain(i) for i in ids]
        fresh = renamed_ids([*before, *(joined if provider == ANTHROPIC else [])], gone)
        if fresh == before:
            continue
        if fresh:
            orders[provider] = fresh
        else:
            del orders[provider]


def _choice(owner: Tree, key: str, own: Callable[[str], str], has_credential: bool) -> None:
    """Those that stay keep their order, and one always stays: what was configured is not configured away."""
    choice = owner.get(key)
    if choice is None:
        return
    listed = [choice] if isinstance(choice, str) else [choice["primary"], *choice.get("fallbacks", ())]
    before = [str(plain(text)) for text in listed]
    stay = [text for text in before if has_credential or not _is_of_cli(text)] or before[:1]
    primary, *fallbacks = dict.fromkeys(map(own, stay))
    if isinstance(choice, str):
        if primary != before[0]:
            owner[key] = primary
        return
    if primary != before[0]:
        choice["primary"] = primary
    if fallbacks != before[1:]:
        choice["fallbacks"] = fallbacks


def _notes(models: Tree, own: Callable[[str], str]) -> None:
    for text in [text for text in models if _is_of_cli(text)]:
        entry = {key: plain(value) for key, value in models[text].items()}
        del models[text]
        if own(text) not in models:
            models[own(text)] = entry


def _replace(texts: Any, own: Callable[[str], str]) -> None:
    for n, text in enumerate(list(texts)):
        if _is_of_cli(text):
            texts[n] = own(text)


def _is_of_cli(text: object) -> bool:
    """Whether it names a model of the CLI."""
    return isinstance(text, str) and text.startswith(_PREFIX)


def _of_cli(entry: object) -> bool:
    provider = entry.get("provider") if isinstance(entry, Mapping) else None
    return isinstance(provider, str) and provider_id(provider) == CLI


def _table(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: object = tree
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(tree: Mapping[str, Any], table: str, key: str) -> list[Any]:
    found = _table(tree, table).get(key)
    return found if isinstance(found, list) else []
