"""Another process that edits a credential store: `python -m tests.adapters.store_child STATE WHAT [ARGUMENT]`.

It replaces the system calls of its own process to die, or to run out of space, in the middle of a write.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapters.storage.profile_writer import ProfileWriter
from bot.system_clock import SystemClock
from core.errors import StoreError

CALLS = ("open", "write", "fsync", "close", "replace", "unlink", "mkdir", "chmod", "read")
NEW = "sk-new-and-confidential"
REPEATED = 25


def put_many(writer: ProfileWriter, name: str) -> None:
    """Add profiles one by one, each in an edit of its own."""
    for n in range(REPEATED):
        writer.put(f"{name}:{n}", {"type": "api_key", "provider": name, "key": f"sk-{name}-{n}"})


def die_at(step: int, calls: Sequence[str] = CALLS) -> None:
    """Be killed before system call number `step`, counted from now; a write that is reached has half of its bytes written."""
    done = 0

    def deadly(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                if name == "write":
                    call(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted

    for name in calls:
        setattr(os, name, deadly(name, getattr(os, name)))


def main() -> int:
    """Do what the arguments say. A refusal is printed and ends with 1."""
    state, what, argument = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    writer = ProfileWriter(state, "main", SystemClock())
    try:
        if what == "many":
            put_many(writer, argument)
            return 0
        if what == "die":
            die_at(int(argument))
        elif what == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument), int(argument)))
        elif what == "hold":
            with writer._lock.held():
                print("held", flush=True)
                sys.stdin.readline()
            return 0
        writer.put("acme:new", {"type": "api_key", "provider": "acme", "key": NEW})
    except StoreError as error:
        print(json.dumps([error.code, str(error)]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
