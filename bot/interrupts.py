"""Commands that run until they are done or told to stop: SIGINT, SIGTERM and SIGHUP end them in order."""

import asyncio
import signal
from collections.abc import Callable, Coroutine

from bot.cli.exit_codes import INTERRUPTED
from bot.log import handle_loop_error

_STOPS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What a signal does now. `on_sigint` may use up a Ctrl-C by returning True; otherwise the command ends."""

    def __init__(self) -> None:
        self.on_sigint: Callable[[], bool] = lambda: False


def run_interruptible(command: Callable[[Interrupts], Coroutine[None, None, int]]) -> int:
    """Run the command in an event loop of its own and return its exit code, or 130 if a signal ended it.

    A signal cancels the command, so everything that it opened is closed in order before the process ends.
    """
    return asyncio.run(_supervise(command))


async def _supervise(command: Callable[[Interrupts], Coroutine[None, None, int]]) -> int:
    interrupts = Interrupts()
    task = asyncio.ensure_future(command(interrupts))
    ended_by: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        if number is signal.SIGINT and interrupts.on_sigint():
            return
        ended_by.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_loop_error)
    heard = [*_STOPS] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*_STOPS, signal.SIGHUP]  # under nohup
    for number in heard:
        loop.add_signal_handler(number, on_signal, number)
    try:
        return await task
    except asyncio.CancelledError:
        if ended_by:
            return INTERRUPTED
        raise
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
