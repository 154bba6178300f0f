"""The editing prompt: history that stays, and completion of commands from the gateway itself."""

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from adapters.terminal.conversation import Gateway
from adapters.terminal.inbound import Speaker
from adapters.terminal.safe_text import printable
from core.blotting import blot
from core.commands.registry import COMMANDS
from core.errors import BotError
from core.messages import Ingress

HISTORY_FILE = "chat-history"
_ARGUMENT = re.compile(r"/model\s+(?P<argument>.*)", re.IGNORECASE)


class CommandCompleter(Completer):
    """Offers the names of commands, and after `/model` what the gateway suggests. A line without `/` is left alone."""

    def __init__(self, gateway: Gateway, speaker: Speaker) -> None:
        self._gateway = gateway
        self._speaker = speaker

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        """None: the gateway can only be asked in the asynchronous way."""
        return []

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        typed = document.text_before_cursor
        found = _ARGUMENT.fullmatch(typed)
        if found is None:
            for command in COMMANDS:
                if typed.startswith("/") and not command.hidden and f"/{command.name}".startswith(typed.lower()):
                    yield Completion(f"/{command.name}", -len(typed), display_meta=command.summary)
            return
        argument = found["argument"]
        try:
            suggestions = await self._gateway.suggest(self._speaker.says(argument, Ingress.SUGGEST))
        except BotError:
            return  # a completion that fails must not disturb the line being typed
        for suggestion in suggestions:
            yield Completion(printable(suggestion.command), -len(argument), display=printable(suggestion.label))


def open_history(path: Path) -> History:
    """What was typed here before, in a file that only its owner reads. A file that cannot be written is done without."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:
        return InMemoryHistory()
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    return _WithoutSecrets(str(path))


class _WithoutSecrets(FileHistory):
    """Keeps no line that has a key or a password in it."""

    def store_string(self, string: str) -> None:
        """Append a line to the file."""
        if not blot(string)[1]:
            super().store_string(string)


async def typed_messages(
    gateway: Gateway, speaker: Speaker, history: History, on_interrupt: Callable[[], None]
) -> AsyncIterator[str]:
    """Yield what is typed, message by message, until Ctrl-D. Ctrl-C drops the line and calls `on_interrupt`."""
    typing_a_command = Condition(lambda: get_app().current_buffer.text.startswith("/"))
    prompt: PromptSession[str] = PromptSession(
        "> ",
        history=history,
        completer=CommandCompleter(gateway, speaker),
        complete_while_typing=typing_a_command,
    )
    while True:
        try:
            line = await prompt.prompt_async(handle_sigint=False)
        except KeyboardInterrupt:
            on_interrupt()
        except EOFError:
            return
        else:
            yield line
