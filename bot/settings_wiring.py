"""Settings and environment with their adapters: the built-in providers, whose keys are looked for, and the login shell."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.environment import Environment, read_again
from bot.paths import Paths

if TYPE_CHECKING:
    from bot.config.settings import Settings


def open_settings(
    paths: Paths, environ: Mapping[str, str], *, required: bool = True, before: Environment | None = None
) -> tuple["Settings", Environment]:
    """The config and the environment with all its layers, the login shell's too. See bot.config.complete."""
    from adapters.providers.builtin import declared_variables
    from bot.config.complete import complete

    return complete(paths.config, environ, _ask_shell, declared_variables(), required=required, before=before)


def _ask_shell(process: Mapping[str, str], timeout: timedelta) -> Mapping[str, str]:
    from adapters.secret_sources.login_shell import login_shell_variables

    return login_shell_variables(process, timeout)


def rereading(
    paths: Paths, environ: Mapping[str, str], reread: Callable[[], "Settings"] | None
) -> Callable[[], tuple["Settings", Environment]]:
    """What reads settings and environment anew, each time around what it gave before. `reread` gives the settings instead."""
    around = Environment.of(environ)

    def read() -> tuple["Settings", Environment]:
        nonlocal around
        again = read_again(around)
        settings, around = open_settings(paths, again, before=around) if reread is None else (reread(), again)
        return settings, around

    return read
