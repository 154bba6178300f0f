"""Which command of an exec provider may be run."""

import os
from dataclasses import dataclass

from adapters.secret_sources.options import ProviderOptions
from adapters.secret_sources.private_path import is_inside, refuse_if_others_could, refuse_unless_regular, why
from core.auth.refs import UnresolvedRef

_ROOT = 0
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class Command:
    """`target` is the file that is run; `name` is what it is told to be called, as configured."""

    name: str
    target: str

    @property
    def folder(self) -> str:
        """Where it runs."""
        return os.path.dirname(self.target)


def checked_command(name: str, options: ProviderOptions) -> Command:
    """The command, if it is a regular file that only this user or root can change. `name` begins the sentences.

    A link is followed only where `allow_symlink_command` says so; with `trusted_dirs` the file that it leads to must lie in
    one of them. Others may read and run it: it holds no secret. Raises UnresolvedRef.
    """
    path = options.command
    if not os.path.isabs(path):
        raise UnresolvedRef(f"{name}: the command must be an absolute path.")
    target = path
    try:
        found = os.lstat(path)
        if os.path.islink(path) and options.allow_symlink_command:
            target = os.path.realpath(path, strict=True)
            found = os.lstat(target)
        real = os.path.realpath(target, strict=True)
    except OSError as error:
        raise UnresolvedRef(f"{name}: the command {path} cannot be used ({why(error)}).") from error
    refuse_unless_regular(name, target, found)
    if options.trusted_dirs and not is_inside(real, options.trusted_dirs):
        raise UnresolvedRef(f"{name}: the command {target} is outside trustedDirs.")
    if not options.allow_insecure_path:
        refuse_if_others_could(name, target, found, _WRITABLE_BY_OTHERS, (os.geteuid(), _ROOT))
    return Command(path, target)
