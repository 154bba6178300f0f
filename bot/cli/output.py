"""Writing for people and scripts: standard output for results, standard error for everything else."""

import errno
import io
import os
import re
import sys

_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_BEYOND_ASCII = re.compile(r"[^\n\t\x20-\x7e]")


def say(text: str) -> None:
    """A line of the result, or several."""
    sys.stdout.write(f"{harmless(text)}\n")


def say_json(value: object) -> None:
    """A result as one indented JSON document."""
    import json

    text = json.dumps(value, ensure_ascii=False, indent=2)
    sys.stdout.write(f"{_BEYOND_ASCII.sub(lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)}\n")


def harmless(text: str) -> str:
    """A text that a terminal only shows: what would move its cursor, recolour it or turn its writing round is written out.
    Names come from files and from providers, and a terminal obeys control characters wherever they come from."""
    return _BEYOND_ASCII.sub(lambda c: c[0] if c[0].isprintable() else ascii(c[0])[1:-1], text)


def on_one_line(text: str) -> str:
    """The same for a name inside a line: it cannot begin another one."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def complain(text: str) -> None:
    """A sentence about what went wrong, without anything confidential."""
    from bot.log import redact

    if sys.stderr is not None:
        sys.stderr.write(f"remoteclaw: {harmless(redact(text))}\n")


def prepare_streams() -> None:
    """See that no character fails to be written, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def check_stdout() -> None:
    """Refuse to begin where the result could not be shown: a change that nobody is told of is worse than none. Raises BotError."""
    if sys.stdout is None:
        from core.errors import BotError

        raise BotError(
            "no_output", "Standard output is closed.", "Nothing was done. Lead it to /dev/null if nobody reads it."
        )


def is_lost_output(error: OSError) -> bool:
    """Whether a failure is one of writing to what is open already, as standard output is: a file of ours is opened by its name,
    and named. Then nothing more is written there, so that the end of the process does not fail once more."""
    is_lost = error.filename is None and error.errno in _NOT_WRITABLE
    if is_lost and sys.stdout is not None:
        forget_stdout()
    return is_lost


def forget_stdout() -> None:
    """Lead standard output nowhere, so that flushing it at exit does not fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
