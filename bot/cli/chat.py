"""`remoteclaw chat`: the gateway's door in this terminal, for people and for scripts (interfaces.md)."""

import argparse
import getpass
import io
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bot.cli import exit_codes
from bot.cli.output import complain, forget_stdout
from bot.interrupts import Interrupts, run_interruptible
from bot.log import redact_known
from core.errors import UserError
from core.resolution.snapshot import unknown_agent
from core.sessions.key import agent_id

if TYPE_CHECKING:
    from adapters.terminal.display import PlainDisplay
    from adapters.terminal.files import Enclosed
    from adapters.terminal.inbound import Speaker
    from adapters.terminal.screen import ScreenDisplay
    from bot.app import App
    from core.messages import Sender

_STANDARD_INPUT = 0
_DUMB = ("", "dumb", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """What the arguments asked for. `messages` None: they come from standard input. `files` are paths."""

    session: str | None = None
    sender: str | None = None
    agent: str | None = None
    messages: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    json: bool = False
    stream: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> "ChatOptions":
        """From the parsed arguments of this command or of `demo`."""
        return cls(
            session=args.session,
            sender=args.sender,
            agent=None if args.agent is None else agent_id(args.agent),
            messages=None if args.message is None else tuple(args.message),
            files=tuple(args.file or ()),
            json=args.json,
            stream=args.stream,
        )

    def is_interactive(self) -> bool:
        """A person at both ends: they type and they read."""
        return not self.json and self.messages is None and _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `remoteclaw chat`."""
    parser.description = "Chat here. Without a terminal each line of standard input is one message."
    parser.add_argument("--session", metavar="KEY", help="a session key (agent:...), or a name for one of your own")
    parser.add_argument("--as", dest="sender", metavar="SENDER", help="speak as platform:id (default: you, an owner)")
    parser.add_argument("--agent", metavar="ID", help="the agent to talk to (default: main)")
    parser.add_argument("-m", "--message", action="append", metavar="TEXT", help="say this and end; may be repeated")
    parser.add_argument(
        "--file",
        action="append",
        metavar="PATH",
        help="send this picture or text file with the first message; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--stream", action="store_true", help="show an answer while it is written")


def run(args: argparse.Namespace) -> int:
    """Chat until the input ends. 0 at its end, 2 for a session, sender or file that is none, 130 if interrupted."""
    options = ChatOptions.of(args)
    from bot.environment import read_environment

    return run_interruptible(lambda interrupts: chat_in(read_environment(), options, interrupts))


async def chat_in(environ: Mapping[str, str], options: ChatOptions, interrupts: Interrupts) -> int:
    """Open the installation that the environment names and chat in it. Raises BotError if it cannot be opened."""
    from bot.app import build_app
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    paths = Paths.of(environ)
    settings, environ = open_settings(paths, environ)
    async with build_app(settings, paths, environ=environ, extra_owner=local_owner(), platforms=()) as app:
        return await talk(app, paths.state, options, interrupts)


async def talk(app: "App", state: Path, options: ChatOptions, interrupts: Interrupts) -> int:
    """Hold the conversation that the options describe, and say how it ended (an exit code)."""
    from adapters.terminal.files import Enclosed
    from adapters.terminal.inbound import Speaker, sender_of, session_of

    try:
        enclosed = Enclosed(options.files)
        sender = _local_sender() if options.sender is None else sender_of(options.sender)
        session = session_of(options.session, agent=options.agent, sender=sender, dm_scope=app.rules.dm_scope)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    if session.agent not in app.rules.agents:
        raise unknown_agent(session.agent, app.rules)
    if options.is_interactive():
        speaker = Speaker(sender=sender, session=session, known=redact_known)
        await _talk_with_a_person(app, state, speaker, interrupts, enclosed)
    else:
        speaker = Speaker(sender=sender, session=session, stream=options.stream, known=redact_known)
        await _talk_with_a_script(app, speaker, options, enclosed)
    return exit_codes.OK


async def _talk_with_a_script(app: "App", speaker: "Speaker", options: ChatOptions, enclosed: "Enclosed") -> None:
    from adapters.terminal.conversation import Conversation
    from adapters.terminal.display import JsonDisplay, PlainDisplay
    from adapters.terminal.lines import read_lines

    out = _output()
    display = JsonDisplay(out, options.stream) if options.json else PlainDisplay(out, options.stream)
    messages = read_lines(_STANDARD_INPUT) if options.messages is None else _each(options.messages)
    conversation = Conversation(app.gateway, speaker, display, enclosed)
    try:
        await conversation.hold(messages)
        if enclosed.waiting and not conversation.begun:
            await conversation.say("")
    except BrokenPipeError:
        forget_stdout()  # whoever read the answers has gone; that is the end of the conversation and no failure
        return
    if enclosed.waiting:
        complain("No message took the files of --file: a command takes none.")


async def _talk_with_a_person(
    app: "App", state: Path, speaker: "Speaker", interrupts: Interrupts, enclosed: "Enclosed"
) -> None:
    from adapters.terminal.choices import NumberedChoices
    from adapters.terminal.conversation import Conversation
    from adapters.terminal.prompt import HISTORY_FILE, open_history, typed_messages

    display = _display_for_a_person()
    choices = NumberedChoices(display)
    conversation = Conversation(app.gateway, speaker, choices, enclosed)
    interrupts.on_sigint = conversation.stop_answer
    display.remark(
        f"Session {speaker.session}. /help shows the commands; Ctrl-C stops an answer, Ctrl-D ends the chat."
    )
    if enclosed.waiting:
        display.remark(f"The first message goes with {len(enclosed)} file{'' if len(enclosed) == 1 else 's'}.")
    typed = typed_messages(
        app.gateway, speaker, open_history(state / HISTORY_FILE), lambda: display.remark("Ctrl-D ends the chat.")
    )
    await conversation.hold(choices.read(typed))


def _display_for_a_person() -> "PlainDisplay | ScreenDisplay":
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in _DUMB:
        from adapters.terminal.display import PlainDisplay

        return PlainDisplay(sys.stdout, stream=True)
    from adapters.terminal.screen import ScreenDisplay

    return ScreenDisplay(sys.stdout)


def local_owner() -> str:
    """The sender key of the person at this machine, who owns the installation: its files are theirs."""
    return _local_sender().key


def _local_sender() -> "Sender":
    from adapters.terminal.inbound import local_sender

    try:
        return local_sender(getpass.getuser())
    except (KeyError, OSError):
        return local_sender(str(os.getuid()))  # a user without a name, as in many containers


async def _each(messages: tuple[str, ...]) -> AsyncIterator[str]:
    for message in messages:
        yield message


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _output() -> TextIO:
    """Standard output as UTF-8, whatever the locale says; what cannot be written is replaced."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    return sys.stdout
