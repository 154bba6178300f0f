"""Writing what a plan means, one file after the other, so that every state in between is a sound one.

Each file is replaced whole, under its lock, and only if it still holds what the plan was judged by. First the config gets new
providers and references, then the stores refer to them, then the config loses the providers that nobody needs any more, and last
`.env` its lines. Whatever is referred to is there before and after each step: a provider that the plan changes was seen to give
the old references what they got. So a process that is killed in between leaves an installation that works, part of it old and
part of it new, with every secret in its old place or behind a reference that has given it; the same plan, applied again, does the
rest. A step that fails, or Ctrl-C, puts back what was done. The secrets that went are kept nowhere but in this process, for that.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot.secrets_preflight import Swap
from core.errors import BotError

EditFile = Callable[[Path, Callable[[bytes], bytes]], bool]
"""Replaces a file by a change of its content, locked and whole. Raises StoreError."""


def carry_out(swaps: Sequence[Swap], edit_file: EditFile) -> None:
    """Write all, or nothing. A file that the plan makes stays, empty, when it is put back. Raises BotError."""
    begun: list[Swap] = []
    try:
        for swap in swaps:
            begun.append(swap)
            edit_file(swap.path, partial(_forward, swap))
    except BaseException as error:
        stuck = _put_back(begun, edit_file)
        if stuck and isinstance(error, BotError):
            names = ", ".join(str(path) for path in stuck)
            raise BotError(
                error.code, f"{error.message} {names} could not be put back.", "Apply the same plan again to finish it."
            ) from error
        raise


def _forward(swap: Swap, now: bytes) -> bytes:
    if now not in (swap.before, swap.after):
        raise BotError(
            "secrets_apply", f"{swap.path} was changed meanwhile.", "Nothing was changed. Apply the plan again."
        )
    return swap.after


def _put_back(begun: Sequence[Swap], edit_file: EditFile) -> list[Path]:
    """Undo, the last change first, whatever nobody has changed since. Gives the files where that failed."""
    stuck = []
    for swap in reversed(begun):
        try:
            edit_file(swap.path, partial(_back, swap))
        except BotError:
            stuck.append(swap.path)
    return stuck


def _back(swap: Swap, now: bytes) -> bytes:
    return swap.before if now == swap.after else now
