"""The login of the Claude command line among the credentials of every agent: found where that program keeps it, read anew when it
changes, and never written (product.md 5.4, credentials.md 9.4).

It counts as the profile `anthropic:claude-cli`. Where the program is not installed the login is shown and may not be used.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from core.auth.cli_login import LOGIN_ID, CliLogin, login_profile, read_login
from core.auth.profiles import AuthProfile, ProfileSet
from core.auth.secret import Secret

LOG_IN = "Run `claude` on this host and log in with /login."


class ProfileFiles(Protocol):
    """The stores on disk. See bot.credentials."""

    def load(self, agent: str) -> ProfileSet: ...

    def secrets(self) -> Iterable[Secret]: ...


class Content(Protocol):
    """A JSON object, None where there is no file. `error` tells why a file that is there was not used."""

    @property
    def data(self) -> dict[str, object] | None: ...

    @property
    def error(self) -> str | None: ...


class LoginFile(Protocol):
    """The program's own file. `read` returns the very same object while it is unchanged."""

    @property
    def path(self) -> Path: ...

    def read(self) -> Content: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a login: the profile, or sentences about why there is none, and what must not be shown."""

    profile: AuthProfile | None = None
    problems: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()


class ClaudeLogin:
    """Looks for the login. `executable` gives the program's path, None where it is not installed; only where there may be a login
    it is asked, and at every look. `command` is how the config calls it. `lends`: it serves Anthropic's own models too.
    `has_keychain`: the program keeps its login there where it has no file."""

    def __init__(
        self, file: LoginFile, executable: Callable[[], str | None], command: str, *, lends: bool, has_keychain: bool
    ) -> None:
        self._file = file
        self._executable = executable
        self._command = command
        self._lends = lends
        self._has_keychain = has_keychain
        self._seen: tuple[Content, bool] | None = None
        self._found = Found()

    def look(self) -> Found:
        """The login as it is now. The very same object while nothing has changed; never raises."""
        content = self._file.read()
        may_serve = content.error is None and (content.data is not None or self._has_keychain)
        runs = may_serve and self._executable() is not None
        if self._seen is None or self._seen[0] is not content or self._seen[1] is not runs:
            self._seen, self._found = (content, runs), self._judge(content, runs)
        return self._found

    def _judge(self, content: Content, runs: bool) -> Found:
        if content.error is not None:
            return Found(problems=(f"The login of the Claude CLI is not used: {content.error}",))
        if content.data is None:
            return Found(problems=(_KEYCHAIN,) if self._has_keychain and runs else ())
        try:
            login = read_login(content.data)
        except ValueError as error:
            return Found(problems=(f"{self._file.path}: the login of the Claude CLI is not used: {error}. {LOG_IN}",))
        return Found() if login is None else self._usable(login, runs)

    def _usable(self, login: CliLogin, runs: bool) -> Found:
        profile = login_profile(login, str(self._file.path), runs=runs, lends=self._lends)
        problems = () if runs else (f"{LOGIN_ID} does not serve: {_missing(self._command)}",)
        return Found(profile, problems, login.secrets)


class StoresAndClaudeLogin:
    """The stores, and beside them the login. Loads like the stores alone: the same object while nothing changes."""

    def __init__(self, files: ProfileFiles, login: ClaudeLogin) -> None:
        self._files = files
        self._login = login
        self._joined: dict[str, tuple[ProfileSet, Found, ProfileSet]] = {}

    def load(self, agent: str) -> ProfileSet:
        """An agent's profiles, with the login of the host among them. Never raises."""
        stored, found = self._files.load(agent), self._login.look()
        known = self._joined.get(agent)
        if known is not None and known[0] is stored and known[1] is found:
            return known[2]
        joined = _joined(stored, found)
        self._joined[agent] = (stored, found, joined)
        return joined

    def secrets(self) -> tuple[Secret, ...]:
        """Every confidential text of the stores and of the login, for redaction."""
        return (*self._files.secrets(), *self._login.look().secrets)


def _joined(stored: ProfileSet, found: Found) -> ProfileSet:
    """The login takes the place of what an older version has stored under its id."""
    problems = found.problems
    if found.profile is None:
        return replace(stored, problems=(*stored.problems, *problems)) if problems else stored
    if LOGIN_ID in stored.profiles:
        told = f"{LOGIN_ID} is stored too, as older versions did. The login of the Claude CLI counts; see `remoteclaw doctor`."
        problems = (*problems, told)
    profiles = {**stored.profiles, LOGIN_ID: found.profile}
    return replace(stored, profiles=profiles, problems=(*stored.problems, *problems))


def _missing(command: str) -> str:
    return (
        f"the command {command!a} of the Claude CLI was not found. Install it, or name its path in claude_cli.command; "
        "claude_cli.enabled = false leaves its login alone."
    )


_KEYCHAIN = (
    "The Claude CLI is installed and has no .credentials.json: on macOS it keeps its login in the keychain, which is not read. "
    'Set models.providers.claude-cli.auth = "none" to use it all the same, or store the token of `claude setup-token` with '
    "`remoteclaw models auth setup-token`."
)
