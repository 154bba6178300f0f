"""Opening the installation for a look, also where nothing or too little is configured yet."""

from typing import TYPE_CHECKING

from core.errors import BotError

if TYPE_CHECKING:
    from bot.app import Inspection
    from bot.config.settings import Settings
    from bot.paths import Paths


def opened(paths: "Paths") -> tuple["Settings", "Inspection", tuple[str, ...]]:
    """The settings, what they come to, and sentences about what they lack.

    Where no model is configured but a credential of a built-in provider is there, its default model stands in, and the sentence
    says what is missing: whoever has just exported a key is shown that it was found. Raises BotError.
    """
    from bot.app import first_model, inspect_installation
    from bot.config.load import read_toml, settings_from
    from bot.environment import read_environment
    from bot.settings_wiring import open_settings

    environ = read_environment()
    try:
        settings, environ = open_settings(paths, environ)
        return settings, inspect_installation(settings, paths, environ), ()
    except BotError as error:
        if error.code not in ("no_config", "no_provider"):
            raise
        tree = read_toml(paths.config) if error.code == "no_provider" else {}
        if error.code == "no_config":
            settings, environ = open_settings(paths, environ, required=False)
        model = first_model(settings_from(tree, environ), paths, environ)
        if model is None:
            raise
        agents = tree.get("agents", {})
        completed = {**tree, "agents": {**agents, "defaults": {**agents.get("defaults", {}), "model": model}}}
        settings = settings_from(completed, environ, str(paths.config))
        return settings, inspect_installation(settings, paths, environ), (str(error),)
