"""Another process that imports older stores: `python -m tests.adapters.older_child STATE once|full|stuck|killed`.

once: import and print the sentences. full: the same where no file may grow. stuck: where auth.json cannot be removed; then try
to remove what it held. killed: import again and again from the same beginning, each time killed one system call later, and then
once to the end; print what is on disk after both.
"""

import asyncio
import errno
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.storage.older_stores import import_older_stores
from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from bot.system_clock import SystemClock
from core.auth.health import ProfileHealth
from core.auth.profiles import ProfileSet
from core.auth.secret import fingerprint
from core.errors import StoreError
from tests.adapters.store_child import die_at

CHANGING = ("open", "write", "fsync", "replace", "unlink", "mkdir", "chmod")
FAR = 4_000_000_000_000
KEY = {"type": "api_key", "provider": "acme", "key": "sk-work-and-confidential"}
LOGIN = {"access": "acc-confidential", "refresh": "ref-confidential", "expires": FAR}
OLDER: dict[str, dict[str, Any]] = {
    "agents/main/agent/auth-profiles.json": {
        "version": 1,
        "profiles": {"acme:work": KEY},
        "order": {"acme": ["acme:work"], "zeta": ["zeta:default"]},
        "lastGood": {"acme": "acme:work"},
        "usageStats": {"acme:work": {"lastUsed": 1_700_000_000_000, "cooldownUntil": 1_700_000_000_001}},
    },
    "agents/main/agent/auth.json": {"zeta": {"mode": "api_key", "apiKey": "sk-zeta-confidential"}},
    "agents/main/agent/auth-state.json": {
        "version": 1,
        "order": {"ACME": ["acme:home", "acme:work"]},
        "usageStats": {"zeta:default": {"disabledUntil": FAR, "disabledReason": "billing"}},
    },
    "agents/writer/agent/auth.json": {"acme": {"type": "token", "token": "tok-confidential"}},
    "credentials/oauth.json": {"vendor": LOGIN},
}


def lay_out(state: Path, files: dict[str, dict[str, Any]] | None = None) -> None:
    """An installation as an older version left it, in the place of whatever was there."""
    shutil.rmtree(state, ignore_errors=True)
    for name, content in (OLDER if files is None else files).items():
        path = state / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(json.dumps(content))


class Fingerprinted:
    """`core.auth.ports.ProfileSource` of the stores alone."""

    def __init__(self, state: Path) -> None:
        self._files = AuthProfileFiles(state)

    def load(self, agent: str) -> ProfileSet:
        found = self._files.load(agent)
        known = {n: replace(p, fingerprint=printed(p.secret)) for n, p in found.profiles.items() if p.secret}
        return replace(found, profiles={**found.profiles, **known})


def printed(secret: Any) -> str:
    """A fingerprint."""
    return fingerprint(secret, b"salt")


class Journal:
    """`core.auth.ports.HealthStore` that notes beside the state directory whose health it was given."""

    def __init__(self, state: Path) -> None:
        self._path = state.with_name("journal")

    async def update_health(
        self, profile: str, fingerprint: str, change: Callable[[ProfileHealth], ProfileHealth]
    ) -> None:
        before = ProfileHealth(profile=profile, fingerprint=fingerprint)
        if change(before) != before:
            with self._path.open("a") as file:
                file.write(f"{profile}\n")


def run(state: Path) -> tuple[str, ...]:
    """Import everything."""
    importing = import_older_stores(
        state, ["writer"], state / "credentials", SystemClock(), Journal(state), Fingerprinted(state)
    )
    return asyncio.run(importing)


def on_disk(state: Path) -> dict[str, list[Any]]:
    """Mode and content of every file that is no lock."""
    return {
        str(path.relative_to(state)): [path.stat().st_mode & 0o777, path.read_text()]
        for path in state.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".guard")
    }


def killed(state: Path) -> None:
    """One line for each step: the step, how the process ended, the files then, the files after another run, the journal."""
    journal = state.with_name("journal")
    for step in range(1, 1000):
        lay_out(state)
        journal.write_text("")
        ended = in_a_process_of_its_own(lambda step=step: (die_at(step, CHANGING), run(state)))
        found, noted = on_disk(state), journal.read_text().split()
        for lock in state.rglob("*.lock"):  # one that was killed before it said who it is, is waited for; not here
            os.utime(lock, (lock.stat().st_mtime - 31,) * 2)
        run(state)
        print(json.dumps([ended, found, noted, on_disk(state), journal.read_text().split()]), flush=True)
        if ended == 0:
            return


def in_a_process_of_its_own(work: Callable[[], object]) -> int:
    """How it ended: 0, or the negative number of the signal."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def cannot_remove(name: str) -> None:
    """From now on a file of this name stays."""
    unlink = os.unlink

    def refusing(path: Any, *args: Any, **kwargs: Any) -> None:
        if os.fspath(path).endswith(f"/{name}"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        unlink(path, *args, **kwargs)

    os.unlink = refusing


def main() -> None:
    """Do what the arguments say."""
    state, what = Path(sys.argv[1]), sys.argv[2]
    if what == "killed":
        killed(state)
        return
    if what == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    elif what == "stuck":
        cannot_remove("auth.json")
    print(json.dumps(run(state)))
    if what == "stuck":
        try:
            ProfileWriter(state, "main", SystemClock()).remove("zeta:default")
        except StoreError as error:
            print(json.dumps(str(error)))


if __name__ == "__main__":
    main()
