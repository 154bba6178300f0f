"""Threads that nobody waits for. Looking up a host name cannot be cancelled and may take minutes, and both the event loop and
the interpreter wait at their end for every thread of an ordinary executor: a command that keeps a time limit must not.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _UnwaitedThreads(ThreadPoolExecutor):
    """A daemon thread for each call. The pool that it is named after is never filled; event loops ask for that type."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()

        def call() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:  # it belongs to whoever waits for the future
                    future.set_exception(error)

        threading.Thread(target=call, name="unwaited", daemon=True).start()
        return future


def wait_for_no_thread() -> None:
    """Let the running loop, and the process after it, end while calls in threads are still under way."""
    asyncio.get_running_loop().set_default_executor(_UnwaitedThreads())
