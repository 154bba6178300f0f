"""Wires the Claude command line: where it is, what it is run with, and whose login it has. A part of the composition root."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bot.paths import user_home
from core.auth.cli_login import VENDOR
from core.errors import StoreError

if TYPE_CHECKING:
    from adapters.claude_cli.invocation import Installed
    from bot.claude_login import ClaudeLogin, ProfileFiles
    from bot.config.settings import Settings
    from bot.models_credentials import StoresAndModels
    from bot.paths import Paths
    from bot.provider_clients import ProviderClients
    from core.clock import Clock

_CONFIG_DIR = "CLAUDE_CONFIG_DIR"
_ANTHROPIC_API = "anthropic-messages"


@dataclass(frozen=True, slots=True)
class Claude:
    """The program of this host, as settings and environment have it."""

    settings: "Settings"
    paths: "Paths"
    environ: Mapping[str, str] = field(repr=False)

    def with_login(self, files: "ProfileFiles") -> "ProfileFiles":
        """The stores, with the program's login beside them; the stores alone where the config leaves it alone."""
        from bot.claude_login import StoresAndClaudeLogin

        return StoresAndClaudeLogin(files, self.login()) if self.settings.claude_cli.enabled else files

    def login(self) -> "ClaudeLogin":
        """Who looks for the login."""
        from adapters.claude_cli.executable import Executable
        from adapters.storage.guarded_file import GuardedFile
        from bot.claude_login import ClaudeLogin

        command = self.settings.claude_cli.command
        return ClaudeLogin(
            GuardedFile(self.login_file),
            Executable(command, self._variables.get("PATH", ""), self._home).find,
            command,
            lends=self._lends(),
            has_keychain=sys.platform == "darwin",
        )

    @property
    def login_file(self) -> Path:
        """Where the program keeps its login, if not in a keychain."""
        named = self._variables.get(_CONFIG_DIR, "").strip()
        return (Path(named).absolute() if named else self._home / ".claude") / ".credentials.json"

    def executable(self) -> str | None:
        """The program's file, or None where it is not installed."""
        from adapters.claude_cli.executable import find_executable

        return find_executable(self.settings.claude_cli.command, self._variables.get("PATH", ""), self._home)

    def installed(self) -> "Installed | None":
        """What it is run with, or None where it is not installed."""
        from adapters.claude_cli.invocation import Installed

        executable, table = self.executable(), self.settings.claude_cli
        if executable is None:
            return None
        return Installed(
            executable=executable,
            extra=table.args,
            environ={"HOME": str(self._home), **self._variables},
            folder=self.paths.state / "claude-cli",
            places=table.max_processes,
        )

    def _lends(self) -> bool:
        """Whether it may serve Anthropic's models: an address of the operator's own is where they want those requests to go."""
        from adapters.providers.builtin import builtin_providers

        configured, known = self.settings.models.providers.get(VENDOR), builtin_providers()[VENDOR]
        if configured is None:
            return True
        return configured.base_url in (None, known.base_url) and configured.api in (None, _ANTHROPIC_API)

    @property
    def _variables(self) -> Mapping[str, str]:
        """Without what the working directory says: it chooses no program to run and no login."""
        return self.settings.environment(self.environ).trusted

    @property
    def _home(self) -> Path:
        """Where nobody has a home, the state directory: a place that is closed to others and has no login in it."""
        try:
            return user_home(self._variables)
        except StoreError:
            return self.paths.state


def credential_files(settings: "Settings", paths: "Paths", environ: Mapping[str, str]) -> "StoresAndModels":
    """Everything on this host that keeps credentials: the stores, the program's login beside them, models.json behind them."""
    from adapters.storage.profile_file import AuthProfileFiles
    from bot.models_wiring import with_models

    files = Claude(settings, paths, environ).with_login(AuthProfileFiles(paths.state, paths.oauth))
    return with_models(files, settings, paths, environ)


def provider_clients(claude: "Callable[[], Claude]", clock: "Clock") -> "ProviderClients":
    """A client for every way to a model. `claude` is asked for each run. Whoever opens it closes it."""
    from adapters.claude_cli.client import ClaudeCliClient
    from adapters.providers.registry import HttpProviderClient
    from bot.provider_clients import ProviderClients

    return ProviderClients(HttpProviderClient(clock), ClaudeCliClient(lambda: claude().installed(), clock))
