"""A stand-in for the `claude` program: a script that records how it was called, and writes what a test has planned.

`FakeClaude(folder)` makes it. `plan(answer("hi"), refusal(...), ...)` says what the next runs do, one plan a run; unplanned it
answers `served-by:<model>`. `runs` is how it was called, also while it still runs. It keeps sessions as the program does: with
`--resume` of one that it does not know it ends with the program's own complaint.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SESSION = "$SESSION"
"""Stands in a planned line for the id of the run's session."""
Step = list[Any]
Plan = list[Step]

_SCRIPT = """#!{python} -IS
import fcntl, json, os, signal, subprocess, sys, time, uuid

folder = {folder!r}
given = sys.stdin.buffer.read() if "-p" in sys.argv else b""
options = [a.split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a]
options = dict((name, value) for name, value in options)
resume = options.get("--resume")
session = resume or str(uuid.uuid4())
with open(folder + "/lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(folder + "/plans.json") as file:
        plans = json.load(file)
    plan = plans.pop(0) if plans else None
    with open(folder + "/plans.json", "w") as file:
        json.dump(plans, file)
    run = dict(argv=sys.argv[1:], environ=dict(os.environ), stdin=given.decode(), cwd=os.getcwd(), pid=os.getpid(),
               group=os.getpgid(0), session=session, model=options.get("--model", ""))
    with open(folder + "/runs.jsonl", "a") as file:
        file.write(json.dumps(run) + "\\n")

def put(text):
    sys.stdout.write(text.replace({session!r}, session))
    sys.stdout.flush()

def line(**fields):
    put(json.dumps(fields) + "\\n")

known = folder + "/session-" + session
if resume and not os.path.exists(known):
    told = "No conversation found with session ID: " + session
    sys.stderr.write(told + "\\n")
    line(type="result", subtype="error_during_execution", is_error=True, session_id=session, errors=[told])
    sys.exit(1)
open(known, "w").close()
if plan is None:
    text = "served-by:" + run["model"]
    put("".join(json.dumps(one) + "\\n" for one in json.loads({answer!r}.replace("$TEXT", text))))
for name, *rest in plan or ():
    if name == "put":
        put(rest[0])
    elif name == "gate":
        while not os.path.exists(folder + "/" + rest[0]):
            time.sleep(0.005)
    elif name == "complain":
        sys.stderr.write(rest[0])
        sys.stderr.flush()
    elif name == "child":
        code = "import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-ISc", code])
        with open(folder + "/child", "w") as file:
            file.write(str(child.pid))
    elif name == "forget":
        os.unlink(known)
    elif name == "flood":
        block = "x" * 65536 + "\\n"
        for _ in range(rest[0]):
            sys.stdout.write(block)
    elif name == "signal":
        os.kill(os.getpid(), rest[0])
    elif name == "exit":
        os._exit(rest[0])
"""


@dataclass(frozen=True, slots=True)
class Run:
    """How the program was called."""

    argv: list[str]
    environ: dict[str, str]
    stdin: str
    cwd: str
    pid: int
    group: int
    session: str
    model: str

    @property
    def content(self) -> list[dict[str, Any]]:
        """The blocks of the message on standard input."""
        (line,) = self.stdin.splitlines()
        content: list[dict[str, Any]] = json.loads(line)["message"]["content"]
        return content

    @property
    def said(self) -> str:
        """All text of that message."""
        return "".join(block.get("text", "") for block in self.content)

    @property
    def resumed(self) -> str | None:
        """The session that it was to go on with."""
        return next((a.partition("=")[2] for a in self.argv if a.startswith("--resume=")), None)


class FakeClaude:
    """The script in `folder`, as `folder/bin/claude`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.path = self.bin / "claude"
        whole = json.dumps(lines_of("$TEXT"))
        self.path.write_text(
            _SCRIPT.format(python=sys.executable, folder=str(folder), session=SESSION, answer=whole), "utf-8"
        )
        self.path.chmod(0o755)
        self.plan()

    def plan(self, *plans: Plan) -> None:
        """What the next runs do, instead of what was planned before."""
        (self._folder / "plans.json").write_text(json.dumps(plans))

    @property
    def runs(self) -> list[Run]:
        record = self._folder / "runs.jsonl"
        return [Run(**json.loads(line)) for line in record.read_text().splitlines()] if record.exists() else []

    def open_gate(self, name: str = "gate") -> None:
        """Let the runs that wait there go on."""
        (self._folder / name).touch()

    def forget_sessions(self) -> None:
        """As when the program has cleaned up."""
        for path in self._folder.glob("session-*"):
            path.unlink()

    @property
    def child(self) -> int | None:
        """The process that a run has started and left behind."""
        path = self._folder / "child"
        return int(path.read_text()) if path.exists() and path.read_text() else None


def credentials(
    folder: Path,
    *,
    access: str = "sk-ant-oat01-" + "a" * 80,
    refresh: str | None = "sk-ant-ort01-" + "r" * 80,
    **more: Any,
) -> Path:
    """The program's own file with a login in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    scopes = ["user:inference", "user:profile"]  # without which the program does not take it for a login
    plain = {"accessToken": access, "expiresAt": 4_102_444_800_000, "scopes": scopes, "subscriptionType": "max"}
    login = {**plain, **more}
    path = folder / ".credentials.json"
    path.write_text(json.dumps({"claudeAiOauth": login if refresh is None else {**login, "refreshToken": refresh}}))
    path.chmod(0o600)
    return path


def lines_of(
    *pieces: str, tokens: tuple[int, int] = (7, 3), stop: str = "end_turn", **result: Any
) -> list[dict[str, Any]]:
    """An answer as the program writes it, line by line."""
    text, (asked, answered) = "".join(pieces), tokens
    start = {"type": "message_start", "message": {"usage": {"input_tokens": asked, "output_tokens": 0}}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": answered}}
    usage = {"input_tokens": asked, "output_tokens": answered}
    return [
        {"type": "system", "subtype": "init", "session_id": SESSION, "tools": []},
        *({"type": "stream_event", "event": e, "session_id": SESSION} for e in (start, *deltas, end, {"type": "message_stop"})),
        {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}, "session_id": SESSION},
        {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}, "session_id": SESSION},
        {"type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "result": text,
         "stop_reason": stop, "session_id": SESSION, "total_cost_usd": 0.01, "usage": usage, **result},
    ]  # fmt: skip


def put(*lines: dict[str, Any]) -> Step:
    return ["put", "".join(json.dumps(line) + "\n" for line in lines)]


def answer(*pieces: str, **more: Any) -> Plan:
    """An answer in pieces."""
    return [put(*lines_of(*pieces, **more))]


def held(first: str, rest: str, gate: str = "gate") -> Plan:
    """An answer that waits after its first piece for `open_gate(gate)`."""
    lines = lines_of(first, rest)
    return [put(*lines[:3]), ["gate", gate], put(*lines[3:])]


def refusal(
    text: str, status: int | None = None, limit: dict[str, Any] | None = None, code: int = 1, **more: Any
) -> Plan:
    """A refusal as the program tells it: `success` that is an error."""
    told = [{"type": "rate_limit_event", "rate_limit_info": limit}] if limit else []
    result = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": status, "result": text}
    return [
        put({"type": "system", "subtype": "init"}, *told, {**result, "session_id": SESSION, **more}),
        ["exit", code],
    ]


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_dead(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process is gone before so many seconds have passed; a kill takes effect at its own pace."""
    ends = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < ends:
        time.sleep(0.005)
    return not is_alive(pid)
