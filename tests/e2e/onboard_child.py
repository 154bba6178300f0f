"""`remoteclaw` that ends before it puts one file in its place: `python -m tests.e2e.onboard_child killed|interrupted FILE ...`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from bot.cli.main import main

_REPLACE = os.replace


def ends_before(name: str, how: str) -> None:
    """By kill -9, or as by Ctrl-C."""

    def replace(source: Any, target: Any) -> None:
        if Path(target).name == name:
            os.kill(os.getpid(), signal.SIGKILL if how == "killed" else signal.SIGINT)
        _REPLACE(source, target)

    os.replace = replace  # type: ignore[assignment]


if __name__ == "__main__":
    ends_before(sys.argv[2], sys.argv[1])
    sys.exit(main(sys.argv[3:]))
