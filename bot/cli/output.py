"""Writing for people and scripts: standard output for results, standard error for everything else."""

import io
import os
import sys


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")


def say_json(value: object) -> None:
    """A result as one indented JSON document."""
    import json

    say(json.dumps(value, ensure_ascii=False, indent=2))


def complain(text: str) -> None:
    """A sentence about what went wrong, without anything confidential."""
    from bot.log import redact

    if sys.stderr is not None:
        sys.stderr.write(f"remoteclaw: {redact(text)}\n")


def prepare_streams() -> None:
    """See that no character fails to be written, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def forget_stdout() -> None:
    """Lead standard output nowhere, so that flushing it at exit does not fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
