"""Changing which models the config names: decided by what it says once its lock is held, so that no other change is lost."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bot.cli.model_argument import NOWHERE
from bot.cli.models_auth import Desk, open_desk
from bot.cli.output import complain, say
from bot.config.edit import TreeChange
from core.auth.provider_names import credential_provider
from core.errors import UserError
from core.models.catalog import Catalog
from core.models.lookup import Lookup
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from bot.config.settings import ModelChoice, Settings
    from bot.paths import Paths

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a config says of models. `agent` is that of `--agent`; None: `agents.defaults` is meant."""

    settings: "Settings"
    catalog: Catalog
    agent: str | None

    def own(self, key: str) -> "ModelChoice | None":
        """The choice of `key` (`model`, `image_model`) at the place that is meant, or None."""
        agents = self.settings.agents
        if self.agent is None:
            return agents.defaults.model if key == "model" else agents.defaults.image_model
        agent = agents.list.get(self.agent)
        if agent is None:
            return None
        return agent.model if key == "model" else agent.image_model

    def choice(self, key: str) -> "ModelChoice | None":
        """The choice in force: the agent's own, else that of all agents."""
        return self.own(key) or Setup(self.settings, self.catalog, None).own(key)

    def ref(self, text: str) -> ModelRef | None:
        """The model that a text of the config means, or None."""
        lookup = Lookup(catalog=self.catalog, default=NOWHERE, offered=frozenset(self.catalog.providers))
        try:
            found = lookup.exact(text)
        except UserError:
            return None
        return found.ref if found is not None else None

    @property
    def default(self) -> ModelRef:
        """The default model in force, whose provider a bare model id belongs to."""
        choice = self.choice("model")
        return (self.ref(choice.primary) if choice is not None else None) or NOWHERE


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of a command. `is_updated`: the file differs."""

    desk: Desk
    agent: str | None
    is_updated: bool

    def told(self, **more: Any) -> dict[str, Any]:
        """The JSON of a change."""
        return {
            "agent": self.agent,
            **more,
            "config_path": str(self.desk.paths.config),
            "config_updated": self.is_updated,
        }

    def say_updated(self) -> None:
        """The line that comes first, where something was written."""
        if self.is_updated:
            say(f"Updated {self.desk.paths.config}")


def look(args: argparse.Namespace) -> tuple[Desk, Setup]:
    """The installation, and what its config says of models. Without a file it says nothing. Raises BotError."""
    desk = open_desk(args.agent)
    return desk, _setup(desk.settings, desk.paths, _agent(args, desk))


def change_models(args: argparse.Namespace, plan: Callable[[Setup], tuple[TreeChange, T]]) -> tuple[Changed, T]:
    """Make the change that `plan` decides on, and give back what else it says. Raises BotError; then nothing is changed."""
    from bot.config.edit import edited_as_planned
    from bot.models_catalog import mistakes

    desk = open_desk(args.agent)
    agent = _agent(args, desk)
    said: list[T] = []

    def planned(settings: "Settings") -> TreeChange:
        change, result = plan(_setup(settings, desk.paths, agent))
        said.append(result)
        return change

    path, environ = desk.paths.config, desk.stores.source.environment.for_config

    def edit(content: bytes) -> bytes:
        return edited_as_planned(content, planned, lambda found: mistakes(found, desk.paths), environ, str(path))

    is_updated = desk.stores.edit_file(path, edit)
    return Changed(desk, agent, is_updated), said[-1]


def tell_missing_credential(desk: Desk, catalog: Catalog, ref: ModelRef) -> None:
    """A note where nothing could pay for the model."""
    provider = catalog.providers.get(ref.provider)
    if provider is None or provider.is_keyless or provider.api == "claude-cli":
        return
    wanted = credential_provider(ref.provider)
    if not any(credential_provider(p.provider) == wanted for p in desk.credentials().profiles.values()):
        complain(
            f"Note: there is no credential of {ref.provider} yet. "
            f"Store one with `remoteclaw models auth paste-api-key --provider {ref.provider}`."
        )


def _agent(args: argparse.Namespace, desk: Desk) -> str | None:
    return desk.agent if args.agent is not None else None


def _setup(settings: "Settings", paths: "Paths", agent: str | None) -> Setup:
    from bot.models_catalog import configured_models
    from core.sessions.key import DEFAULT_AGENT

    return Setup(settings, configured_models(settings, paths, agent or DEFAULT_AGENT), agent)
