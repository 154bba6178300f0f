"""config.toml: whether it can be read and means something, and whether what it means lets anybody talk to a model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.config.problems import InvalidConfig, Problem
from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.scene import Scene
from core.auth.provider_names import credential_provider

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from core.errors import BotError
    from core.resolution.rules import Rules

_UNKNOWN, _VARIABLE = "is not a setting", "the environment variable"


def checks(scene: Scene) -> Iterator[Check]:
    """What is wrong in itself first; the rest needs a config that can be read."""
    path = scene.paths.config
    if not scene.is_configured:
        yield warning("config.missing", path, f"There is no configuration at {path}.", "Run: remoteclaw onboard")
        return
    if scene.config_error is not None:
        yield from _mistakes(scene, scene.config_error)
        return
    found: list[Check] = []
    if scene.rules_error is not None:
        found += _mistakes(scene, scene.rules_error)
    if scene.settings is not None:
        found += [*_access(scene.settings, scene), *_names(scene.settings, scene.rules)]
    if scene.rules is not None and not any(check.id.startswith("config.") for check in found):
        default = scene.rules.agents["main"].default
        found.append(ok("config", path, f"{path} is valid; its default model is {default}."))
    yield from found


def _mistakes(scene: Scene, failure: "BotError") -> Iterator[Check]:
    """One check for each mistake, by what kind it is."""
    path = scene.paths.config
    if not isinstance(failure, InvalidConfig):
        if failure.code == "no_provider":
            yield error(
                "config.no_model",
                "agents.defaults.model",
                failure.message,
                "Run: remoteclaw models set <provider/model>",
            )
        else:
            step = failure.hint or f"Mend {path}, then run: remoteclaw config validate"
            yield error("config.unreadable", path, failure.message, step)
        return
    for problem in failure.problems:
        yield error(_kind(problem), problem.path or path, f"{path}: {_sentence(problem)}", _step(problem, scene))


def _sentence(problem: Problem) -> str:
    told = str(problem)
    return told if told.endswith((".", "?")) else f"{told}."


def _kind(problem: Problem) -> str:
    if problem.message.startswith(_UNKNOWN):
        return "config.unknown_key"
    if _VARIABLE in problem.message:
        return "config.variable"
    if _is_about_people(problem):
        return "config.identity"
    is_reference = "no provider of this installation" in problem.message or "names no model" in problem.message
    return "config.reference" if is_reference else "config.value"


def _is_about_people(problem: Problem) -> bool:
    return problem.path.startswith("access.") or ".pin_allow" in problem.path


def _step(problem: Problem, scene: Scene) -> str:
    if _VARIABLE in problem.message:
        return f"Set it in {scene.paths.dotenv}, where a service sees it too."
    if _is_about_people(problem):
        return "Write the numeric id; /whoami in a chat with the bot tells it."
    return "Change it, then run: remoteclaw config validate"


def _access(settings: "Settings", scene: Scene) -> Iterator[Check]:
    channels = [c for c in (settings.channels.telegram, settings.channels.discord) if c is not None and c.enabled]
    access = settings.access
    if not channels:
        yield note(
            "config.channels", "channels", "No chat platform is enabled: only `remoteclaw chat` talks to this one."
        )
        return
    step = (
        "Write to the bot, then run: remoteclaw pairing approve CODE --owner (it answers with the code); or add yourself: "
        '[access] owners = ["telegram:<your id>"]'
    )
    snapshot = scene.snapshot("main")
    paired = snapshot.rules.access.paired if snapshot is not None else frozenset()
    if not (access.owners or access.allow or access.groups or paired):
        told = "Nobody may talk to the bot: there are no owners, no allowed people or groups, and nobody is paired."
        yield error("access.nobody", "access", told, step)
    elif not access.owners:
        told = "Nobody owns this installation: nobody can approve pairings or is told of credentials that end."
        yield warning("access.owners", "access.owners", told, step)


def _names(settings: "Settings", rules: "Rules | None") -> Iterator[Check]:
    """Providers that the tables of credentials name and nobody has."""
    if rules is None:
        return
    known = {credential_provider(name) for name in rules.catalog.providers}
    step = "Correct the name, or add the provider to models.providers."
    for name, profile in settings.auth.profiles.items():
        if credential_provider(profile.provider) not in known:
            told = (
                f'auth.profiles."{name}" is for the provider {profile.provider}, which this installation does not have.'
            )
            yield warning("config.profile_provider", f'auth.profiles."{name}"', told, step)
    for provider in settings.auth.order:
        if credential_provider(provider) not in known:
            told = f"auth.order.{provider} orders the credentials of a provider that this installation does not have."
            yield warning("config.order_provider", f"auth.order.{provider}", told, step)
