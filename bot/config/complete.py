"""The config and the environment together: each takes variables from the other.

The environment gets the config's `env` table and, where that is wanted, keys from the login shell; then the config is filled
from all of it.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config.load import own_variables, read_toml, settings_from
from bot.config.problems import dotted
from bot.config.substitution import variables
from bot.environment import Environment
from core.auth.environment import base_name
from core.auth.provider_names import provider_id
from core.auth.variables import EXPECTED_IN_SHELL, Origin
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Settings, ShellEnv

log = logging.getLogger(__name__)

AskShell = Callable[[Mapping[str, str], timedelta], Mapping[str, str]]
"""Every variable of the login shell, from the process environment and a time limit. Raises BotError."""

_WANTED = "REMOTECLAW_LOAD_SHELL_ENV"
_TIMEOUT = "REMOTECLAW_SHELL_ENV_TIMEOUT_MS"
_USUAL_TIMEOUT = timedelta(seconds=15)
_MILLISECONDS = re.compile(r"0*[1-9][0-9]{0,8}")
_TRUE = ("1", "true", "yes", "on")


def complete(
    path: Path,
    environ: Mapping[str, str],
    ask_shell: AskShell,
    declared: Iterable[str],
    *,
    required: bool = True,
    before: Environment | None = None,
) -> tuple["Settings", Environment]:
    """The settings of a config file, and the environment with all its layers. `environ` has those before the config.

    `declared` are the variables of the built-in providers. Without `required`, no file is an empty one. `before` is what a
    reload replaces: if the shell fails now, what it gave then stays. Raises as `load_settings` does; blocks while the shell runs.
    """
    tree = _tree(path, required)
    environment = Environment.of(environ)
    environment = environment.with_layer(Origin.CONFIG, own_variables(tree, environment))
    timeout = _patience(tree, environment)
    if timeout is not None:
        names = tuple(dict.fromkeys([*EXPECTED_IN_SHELL, *declared, *_configured(tree)]))
        found = _from_shell(environment, lambda process: ask_shell(process, timeout), names, before)
        environment = replace(environment, asks_shell=True).with_layer(Origin.LOGIN_SHELL, found)
    for note in _left_out(tree, {**environment.for_config, **own_variables(tree, environment)}):
        log.warning("%s", note)
    settings = settings_from(tree, environment, str(path))
    return settings, settings.environment(environment)


def _tree(path: Path, required: bool) -> dict[str, Any]:
    try:
        return read_toml(path)
    except BotError as error:
        if required or error.code != "no_config":
            raise
        return {}


def _left_out(tree: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable of the `env` table that nothing sets, because it needs another one that nothing sets."""
    table = tree.get("env")
    further = table.get("vars") if isinstance(table, dict) else None
    for place, part in ((("env",), table), (("env", "vars"), further)):
        for name, text in part.items() if isinstance(part, dict) else ():
            if isinstance(text, str) and not known.get(name, "").strip():
                missing = sorted(asked for asked in variables(text) if not known.get(asked, "").strip())
                if missing:
                    needs = " and ".join(missing)
                    yield f"{dotted((*place, name))} is not used: the environment variable {needs} is missing or empty."


def _patience(tree: Mapping[str, Any], environment: Environment) -> timedelta | None:
    """How long the login shell may take; None where it is not asked. The variable is stronger than the config."""
    table = tree.get("env")
    options = _options(table.get("shell_env")) if isinstance(table, dict) else None
    said = environment.get(_WANTED, "").strip().lower()
    if said not in _TRUE and (said or options is None or not options.enabled):
        return None
    if options is not None and options.timeout is not None:
        return options.timeout
    given = environment.get(_TIMEOUT, "").strip()
    return timedelta(milliseconds=int(given)) if _MILLISECONDS.fullmatch(given) else _USUAL_TIMEOUT


def _options(table: object) -> "ShellEnv | None":
    """The table `env.shell_env`; None where it is missing or wrong, which the settings tell."""
    if table is None:
        return None
    from bot.config.reading import read
    from bot.config.settings import ShellEnv

    return read(ShellEnv, table)[0]


def _configured(tree: Mapping[str, Any]) -> list[str]:
    """The key variables of the providers that the config names."""
    models = tree.get("models")
    providers = models.get("providers") if isinstance(models, dict) else None
    return [f"{base_name(provider_id(name))}_API_KEY" for name in providers] if isinstance(providers, dict) else []


def _from_shell(
    environment: Environment,
    ask: Callable[[Mapping[str, str]], Mapping[str, str]],
    names: Sequence[str],
    before: Environment | None,
) -> Mapping[str, str]:
    """The keys that only the login shell has. Where one of them is set anyway it is not asked at all."""
    if any(environment.get(name, "").strip() for name in names):
        return {}
    try:
        # A start-up file may run this very program, which must not ask in its turn.
        found = ask({**environment.process, _WANTED: "0"})
    except BotError as error:
        log.warning("%s", error)
        found = before.layers.get(Origin.LOGIN_SHELL, {}) if before is not None else {}
    return {name: found[name] for name in names if found.get(name, "").strip()}
