"""Where the installation keeps its files (product.md 2)."""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import StoreError
from core.sessions.key import agent_id

STATE_DIR = "REMOTECLAW_STATE_DIR"
HOME = "REMOTECLAW_HOME"
CONFIG_PATH = "REMOTECLAW_CONFIG_PATH"
OAUTH_DIR = "REMOTECLAW_OAUTH_DIR"


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one installation. Nothing is touched before `create` is called."""

    state: Path
    config: Path
    oauth: Path | None = None
    """Where older programs kept the logins of all agents, if not in the state directory's `credentials`."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Paths":
        """As the environment says: REMOTECLAW_STATE_DIR, else `.remoteclaw` in REMOTECLAW_HOME, HOME or the user's own home.
        Raises StoreError where that needs a home and there is none."""
        state = _path(environ, STATE_DIR) or _home(environ) / ".remoteclaw"
        return cls(state, _path(environ, CONFIG_PATH) or state / "config.toml", _path(environ, OAUTH_DIR))

    @property
    def dotenv(self) -> Path:
        """The daemon's environment."""
        return self.state / ".env"

    @property
    def database(self) -> Path:
        """The SQLite database, where no other is configured."""
        return self.state / "remoteclaw.db"

    @property
    def salt(self) -> Path:
        """The random salt of this installation's fingerprints."""
        return self.state / "fingerprint.salt"

    def agent(self, agent: str) -> Path:
        """The directory of an agent's stores. The id is made safe first: it never leads out of the state directory."""
        return self.state / "agents" / agent_id(agent) / "agent"

    def auth_store(self, agent: str) -> Path:
        """The file with an agent's credentials."""
        return self.agent(agent) / "auth-profiles.json"

    def models_file(self, agent: str) -> Path:
        """The file with what is known of an agent's models."""
        return self.agent(agent) / "models.json"

    def create(self) -> None:
        """Make the state directory, 0700, if it is not there. Raises StoreError where that cannot be done."""
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                "state_dir",
                f"The state directory {self.state} cannot be made: {error.strerror or 'unknown reason'}.",
                f"Make it by hand with mode 0700, or name another one in {STATE_DIR}.",
            ) from error

    def problem(self) -> str | None:
        """What is wrong with the state directory, with what to do, or None. One that does not exist yet is fine."""
        try:
            found = self.state.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self.state}: cannot be read ({error.strerror or 'unknown reason'})."
        if not stat.S_ISDIR(found.st_mode):
            return f"{self.state}: is not a directory. Name another one in {STATE_DIR}."
        if found.st_uid not in (os.geteuid(), 0):
            return f"{self.state}: belongs to another user. Run: chown -R {os.geteuid()} {self.state}"
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            return f"{self.state}: open to other users (mode {mode:04o}). Run: chmod 700 {self.state}"
        return None


def user_home(environ: Mapping[str, str]) -> Path:
    """HOME, else the user's own home. Raises StoreError where nobody has said one."""
    named = environ.get("HOME", "").strip()
    if named:
        return Path(named).absolute()
    try:
        return Path.home()
    except RuntimeError:
        told = f"There is no home directory: HOME is not set, and the user {os.geteuid()} has none."
        raise StoreError("no_home", told, f"Set HOME, or name the state directory in {STATE_DIR}.") from None


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "").strip()
    return _expand(text, environ, _home) if text else None


def _home(environ: Mapping[str, str]) -> Path:
    moved = environ.get(HOME, "").strip()
    return _expand(moved, environ, user_home) if moved else user_home(environ)


def _expand(text: str, environ: Mapping[str, str], home: Callable[[Mapping[str, str]], Path]) -> Path:
    """Service managers do not expand `~`, so it is done here. No home is asked for where a path does not begin with it."""
    return home(environ) / text[2:] if text == "~" or text.startswith("~/") else Path(text).absolute()
