"""Where the `claude` command is. Standard library only and little of that: `models status` asks."""

import os
from pathlib import Path

_USUAL = (".local/bin", ".claude/local")
"""Below the home: where its installers put it. A service's PATH often lacks both."""


def find_executable(command: str, search_path: str, home: Path) -> str | None:
    """The file that `command` names, or None. A name is looked for in `search_path` (as PATH is) and where the program installs
    itself; what has a slash is a path, `~` at its beginning the home."""
    if command == "~" or command.startswith("~/"):
        command = str(home / command[2:])
    if os.sep in command:
        return command if _runs(command) else None
    folders = [*search_path.split(os.pathsep), *(str(home / folder) for folder in _USUAL)]
    # An empty folder and a relative one would mean the working directory of whoever asks.
    candidates = (os.path.join(folder, command) for folder in folders if os.path.isabs(folder))
    return next((path for path in candidates if _runs(path)), None)


class Executable:
    """The same, looked for anew only where it was not found, or is gone from where it was. For whoever asks at every message."""

    def __init__(self, command: str, search_path: str, home: Path) -> None:
        self._command = command
        self._search_path = search_path
        self._home = home
        self._found: str | None = None

    def find(self) -> str | None:
        """The file, or None."""
        if self._found is None or not _runs(self._found):
            self._found = find_executable(self._command, self._search_path, self._home)
        return self._found


def _runs(path: str) -> bool:
    return os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK)
