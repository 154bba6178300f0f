"""Another process that applies a plan and is killed on the way, once for each of its system calls that change files:
`python -m tests.bot.apply_child STAGE FOLDER`. Copies of the installation in STAGE are left in FOLDER, by step.

Prints one line a step: how the process ended. It ends with the first step that is not reached.
"""

import os
import shutil
import sys
from pathlib import Path

from bot.cli.secrets_apply import open_workplace, write
from bot.secrets_plan import read_plan
from bot.secrets_preflight import prepare
from tests.adapters.store_child import die_at

CALLS = ("open", "write", "fsync", "replace", "unlink")


def main() -> int:
    """Step after step, each in a process of its own. The plan is judged once: the installation is always at the same place."""
    stage, folder = Path(sys.argv[1]), Path(sys.argv[2])
    state = folder / "state"
    os.environ["REMOTECLAW_STATE_DIR"] = str(state)
    shutil.copytree(stage / "state", state)
    place = open_workplace(allow_exec=False)
    prepared = prepare(read_plan((stage / "plan.json").read_bytes()), place)
    for step in range(1, 1000):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                die_at(step, CALLS)
                write(prepared, place)
                code = 0
            finally:
                os._exit(code)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        state.rename(folder / str(step))
        print(ended, flush=True)
        if ended >= 0:
            return ended
        shutil.copytree(stage / "state", state)
    return 1


if __name__ == "__main__":
    sys.exit(main())
