"""A ProviderClient that answers through `claude -p`: one run of the program for each question, with the login that it keeps itself.

It is given no credential of the gateway, only words, and its own session to go on in where that still holds the conversation.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta

from adapters.claude_cli.answer import AnswerReader
from adapters.claude_cli.conversations import Conversations
from adapters.claude_cli.invocation import Installed, arguments, is_model_name, variables
from adapters.claude_cli.places import Places
from adapters.claude_cli.process import LONGEST_OUTPUT, Overflow, Run, Silent
from adapters.claude_cli.prompt import prompt_line
from adapters.claude_cli.refusal import ended, failed, is_conversation_lost, not_started, refused
from core.auth.cli_login import PROVIDER
from core.auth.profiles import CredentialKind
from core.chat.completion import Completed, CompletionRequest, Counted, StopReason, TextDelta
from core.clock import Clock
from core.errors import Failure, FailureReason, ProviderError

log = logging.getLogger(__name__)

_GRACE = timedelta(seconds=3)
"""How long the program may take to end by itself after its result; it then writes down the conversation."""
_NOT_THERE = "The command of the Claude CLI was not found. Install it, or name its path in claude_cli.command."


class _Lost(Exception):
    """The program's session is not there any more."""


class ClaudeCliClient:
    """See core.chat.ports. `installed` gives the program as it is now, None where it is not there. Close the iterator
    (`contextlib.aclosing`) to end a run early; cancelling does so too."""

    def __init__(self, installed: Callable[[], Installed | None], clock: Clock) -> None:
        self._installed = installed
        self._clock = clock
        self._conversations = Conversations()
        self._places = Places()

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        """Answer the last message of a conversation. Raises ProviderError and nothing else."""
        try:
            async with aclosing(self._answer(request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except ProviderError:
            raise
        except Exception as error:
            told = _unexpected(error)
        raise failed(FailureReason.UNKNOWN, told)

    async def _answer(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        _check(request)
        known = self._conversations.take(request.messages[:-1])
        try:
            async with aclosing(self._run(request, known)) as pieces:
                async for piece in pieces:
                    yield piece
        except _Lost:
            log.info("the Claude CLI no longer has a session; the conversation is given to it whole")
        else:
            return
        async with aclosing(self._run(request, None)) as pieces:
            async for piece in pieces:
                yield piece

    async def _run(
        self, request: CompletionRequest, resume: str | None
    ) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        installed = self._installed()
        if installed is None:
            raise failed(FailureReason.AUTH, _NOT_THERE)
        async with self._places.take(installed.places):
            run = await _started(installed, request, resume)
            reader, code = AnswerReader(), None
            try:
                async with aclosing(_read(run, reader, request)) as pieces:
                    async for piece in pieces:
                        yield piece
                await run.leave(_GRACE.total_seconds())
            finally:
                code = await run.end()
        completed = self._judged(request, reader, run, code, resume)
        session = (reader.result or {}).get("session_id")
        if isinstance(session, str) and is_model_name(session):
            self._conversations.keep(request.messages, completed.text, session)
        yield completed

    def _judged(
        self, request: CompletionRequest, reader: AnswerReader, run: Run, code: int, resume: str | None
    ) -> Completed:
        """The answer, or the error that stands in its place."""
        secret = request.profile.secret.reveal() if request.profile is not None and request.profile.secret else ""
        result = reader.result
        if reader.noise:
            log.warning("the Claude CLI wrote %d lines that are no JSON; they were passed over", reader.noise)
        if (
            resume is not None
            and (result is None or result.get("is_error"))
            and is_conversation_lost(result, run.complaint)
        ):
            raise _Lost
        if result is None:
            raise ended(code, run.complaint, reader.noise, secret)
        if result.get("is_error") is not False and not reader.is_cut:
            raise refused(result, reader.limit, self._clock.now(), secret)
        completed = reader.completed()
        if not completed.text.strip() and completed.stop_reason == StopReason.REFUSAL:
            raise failed(FailureReason.FORMAT, "The model refused to answer and did not say why.")
        return completed


async def _started(installed: Installed, request: CompletionRequest, resume: str | None) -> Run:
    line = prompt_line(request.messages, known=resume is not None)
    endpoint = request.endpoint
    base_url = endpoint.base_url if endpoint.api == PROVIDER else ""
    try:
        installed.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        told = (
            f"The folder {installed.folder} for the Claude CLI cannot be made ({error.strerror or 'unknown reason'})."
        )
        raise failed(FailureReason.FORMAT, told) from error
    try:
        return await Run.start(
            installed.executable,
            arguments(installed, request.model, resume),
            variables(installed.environ, base_url, request.max_tokens),
            installed.folder,
            line,
        )
    except (OSError, ValueError) as error:
        raise not_started(installed.executable, error) from None


async def _read(
    run: Run, reader: AnswerReader, request: CompletionRequest
) -> AsyncGenerator[TextDelta | Counted, None]:
    """The pieces up to the result, or to the end where none comes."""
    limits, counted = request.timeouts, reader.usage
    first, silence = limits.first_byte.total_seconds(), limits.silence.total_seconds()
    try:
        async with aclosing(run.lines(first, silence)) as lines:
            async for line in lines:
                text = reader.feed(line)
                if text and request.stream:
                    yield TextDelta(text)
                if reader.usage != counted:
                    counted = reader.usage
                    yield Counted(counted)
                if reader.result is not None:
                    return
    except Silent:
        told = f"The Claude CLI said nothing for {silence:g} s and was ended."
        raise failed(FailureReason.TIMEOUT, told) from None
    except Overflow:
        told = f"The Claude CLI wrote more than {LONGEST_OUTPUT // 1024**2} MiB and was ended."
        raise failed(FailureReason.UNKNOWN, told) from None


def _unexpected(error: Exception) -> str:
    """A fault of our own. Only its kind and place are told: its message and frames may hold words of a chat."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    log.error("a call of the Claude CLI failed with %s at %s", type(error).__name__, where)
    return f"The call failed inside RemoteClaw ({type(error).__name__})."


def _check(request: CompletionRequest) -> None:
    """Raises ProviderError for what the program is not to be started for."""
    profile = request.profile
    if profile is not None and profile.kind not in (CredentialKind.CLI, CredentialKind.NONE):
        told = (
            f"{profile.id} is not given to the Claude CLI: it serves with its own login only. "
            f"Use {request.model} of the provider anthropic with that credential."
        )
        raise failed(FailureReason.FORMAT, told)
    if not is_model_name(request.model):
        raise ProviderError(
            Failure(reason=FailureReason.MODEL_NOT_FOUND, detail="The Claude CLI knows no model of such a name.")
        )
