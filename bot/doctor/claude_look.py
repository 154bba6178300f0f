"""Whether the Claude CLI and its login are there: here, for the gateway that runs, and for the services of this installation.

What is not found by one of them may be found by another: the program by its PATH, the login by its HOME. A login that cannot be
read is there.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.claude_wiring import Claude
from bot.config.settings import Settings
from bot.doctor.scene import Scene
from bot.doctor.surroundings import every_environment
from bot.doctor.units import installed_units
from core.auth.cli_login import PROVIDER
from core.auth.profiles import AuthProfile

TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"
"""A login without a file, for programs that are started with it. RemoteClaw starts none with it."""


@dataclass(frozen=True, slots=True)
class Found:
    """`program` and `login` as the one who is looked at finds them, `told` says why the login is not used; `elsewhere` is a program
    that only another one finds, `file` a login's file that anybody has, whatever it holds. `hidden`: a login may be where nobody
    looks; `unseen`: a gateway runs, and nobody knows what it sees; `token`: somebody has the variable."""

    program: str | None
    login: AuthProfile | None
    told: str
    elsewhere: str | None
    file: Path | None
    hidden: bool
    unseen: bool
    token: bool

    @property
    def is_gone(self) -> bool:
        """Whether neither the program nor a login of it is anywhere."""
        is_there = self.program or self.elsewhere or self.file
        return not (is_there or self.hidden or self.unseen or self.token)


def needs_login(settings: Settings) -> bool:
    """Unless the config says of its provider that it needs none: then it has one of its own somewhere, or a key."""
    table = settings.models.providers.get(PROVIDER)
    return table is None or table.auth != "none"


def find_claude(settings: Settings, scene: Scene) -> Found:
    """As it is at this moment."""
    claude = Claude(settings, scene.paths, scene.environment)
    seen = claude.login().look()
    around = list(every_environment(scene, installed_units(scene)))
    others = [Claude(settings, scene.paths, environment) for environment in around]
    files = [one.login_file for one in others if os.path.lexists(one.login_file)]
    return Found(
        program=claude.executable(),
        login=seen.profile,
        told=seen.problems[0].rstrip(".") if seen.problems else "",
        elsewhere=next((found for one in others if (found := one.executable())), None),
        file=files[0] if files else None,
        hidden=seen.profile is None and (sys.platform == "darwin" or not needs_login(settings)),
        unseen=scene.gateway is not None and not scene.sees_gateway,
        token=any(environment.get(TOKEN, "").strip() for environment in around),
    )
