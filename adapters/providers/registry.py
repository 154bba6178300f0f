"""HttpProviderClient: every API kind over one HTTP client; and the one place where a secret is revealed."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta

import httpx

from adapters.providers.anthropic_messages import AnthropicMessages
from adapters.providers.endpoint import origin
from adapters.providers.error_body import RefusedInBody, refusal
from adapters.providers.google_generative import GoogleGenerative
from adapters.providers.guarded_body import GuardedBody
from adapters.providers.http_client import Call, HttpClient
from adapters.providers.model_list import fetch, list_format
from adapters.providers.openai_completions import OpenAICompletions
from adapters.providers.openai_responses import OpenAIResponses
from adapters.providers.redaction import Redactor
from adapters.providers.transport_error import too_slow
from adapters.providers.wire import WireFormat
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import unsendable
from core.chat.completion import Completed, CompletionRequest, Counted, TextDelta
from core.clock import Clock
from core.errors import Failure, FailureReason, ProviderError
from core.models.catalog import ProviderEntry
from core.models.listed import ListedModel

_WIRES: Mapping[str, WireFormat] = {
    "openai-completions": OpenAICompletions(),
    "openai-responses": OpenAIResponses(),
    "anthropic-messages": AnthropicMessages(),
    "google-generative-ai": GoogleGenerative(),
}
API_KINDS = tuple(_WIRES)

_USAGE_SECONDS = 5.0
"""How long a finished answer waits for its token counts and the end of its stream."""
_END_SECONDS = 0.25
"""How long a closed stream waits for the connection to come free for the next call."""

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|password", re.IGNORECASE)

_log = logging.getLogger(__name__)


class HttpProviderClient:
    """A ProviderClient over HTTP. Close the iterator (`contextlib.aclosing`) to end a call early; cancelling does so too."""

    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._clock = clock
        self._http = HttpClient(clock, transport)

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        """See core.chat.ports. The error is made anew here: one that comes from below has frames that hold the credential."""
        cancelled: asyncio.CancelledError | None = None
        failure = Failure(reason=FailureReason.UNKNOWN)
        try:
            async with aclosing(self._attempt(request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except asyncio.CancelledError as error:
            cancelled = error.with_traceback(None)
        except Exception as error:
            failure = _failure(error)
        if cancelled is not None:
            cancelled.__context__ = None
            raise cancelled
        failure = _cleaned(failure, request.profile, request.endpoint.headers)
        raise ProviderError(failure)

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]:
        """What the provider says that it serves, asked with this credential (None: with none). No tokens are spent.

        Ends by `deadline`, whatever the provider does. Raises ProviderError, classified as for a completion; `status` is 404,
        405 or 501 where the provider keeps no list. Never follows a redirect.
        """
        cancelled: asyncio.CancelledError | None = None
        failure = Failure(reason=FailureReason.UNKNOWN)
        try:
            return await self._list(provider, profile, deadline - self._clock.now())
        except asyncio.CancelledError as error:
            cancelled = error.with_traceback(None)
        except Exception as error:
            failure = _failure(error)
        if cancelled is not None:
            cancelled.__context__ = None
            raise cancelled
        failure = _cleaned(failure, profile, provider.headers)
        raise ProviderError(failure)

    async def _list(
        self, provider: ProviderEntry, profile: AuthProfile | None, left: timedelta
    ) -> tuple[ListedModel, ...]:
        form = list_format(provider.api)
        url = form.url(provider.base_url)
        headers = {"accept": "application/json", **form.speaker.headers()}
        headers |= {name.lower(): value for name, value in provider.headers}
        if (secret := _revealed(profile)) is not None and profile is not None:
            headers |= form.speaker.credential(profile.kind, secret)
        try:
            async with asyncio.timeout(left.total_seconds()):
                return await fetch(self._http, form, url, headers, left, provider.id)
        except TimeoutError:
            raise too_slow("no whole list", round(left.total_seconds(), 1), origin(url)) from None
        except RefusedInBody as refused:
            raise refusal(None, {}, refused.body, self._clock.now(), origin(url), provider.id) from None

    async def _attempt(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        wire = _WIRES.get(request.endpoint.api)
        if wire is None:
            known = ", ".join(API_KINDS)
            raise _refused(
                FailureReason.FORMAT, f'No wire format for the API kind "{request.endpoint.api}"; known: {known}.'
            )
        call = _call(wire, request)
        try:
            async with self._http.open(call) as body:
                if await body.is_stream():
                    async with aclosing(_read_stream(wire, body)) as pieces:
                        async for piece in pieces:
                            if request.stream or not isinstance(piece, TextDelta):
                                yield piece
                else:
                    yield wire.read_answer(await body.read_json(dict, list))
        except RefusedInBody as refused:
            now, place = self._clock.now(), origin(call.url)
            raise refusal(None, {}, refused.body, now, place, call.provider) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


async def _read_stream(wire: WireFormat, body: GuardedBody) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
    """What follows a reason for the end has little time, counted anew from each further piece: some models give one early."""
    reader = wire.stream_reader()
    counted = reader.transcript.usage
    try:
        async for event in body.events():
            text = reader.feed(event.name, event.data)
            if text:
                yield TextDelta(text)
            if reader.transcript.usage != counted:
                counted = reader.transcript.usage
                yield Counted(counted)
            if reader.is_closed:
                body.end_within(_END_SECONDS)
            elif reader.has_finished:
                body.end_within(_USAGE_SECONDS, anew=bool(text))
    except ProviderError:
        if not reader.has_finished:
            raise
    yield reader.completed()


def _call(wire: WireFormat, request: CompletionRequest) -> Call:
    """What goes over the wire. The profile's credential wins over a header of the same name in the config."""
    url = wire.url(request)
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if request.stream else "application/json",
    }
    headers |= wire.headers()
    headers |= {name.lower(): value for name, value in request.endpoint.headers}
    headers |= _credential(wire, request)
    body = json.dumps(wire.payload(request, url), ensure_ascii=False).encode("utf-8", "replace")
    return Call(url=url, headers=headers, body=body, timeouts=request.timeouts, provider=request.endpoint.provider)


def _credential(wire: WireFormat, request: CompletionRequest) -> dict[str, str]:
    secret = _revealed(request.profile)
    return wire.credential(request.profile.kind, secret) if request.profile is not None and secret is not None else {}


def _revealed(profile: AuthProfile | None) -> str | None:
    """The text of a credential, None where none is needed. Raises ProviderError (auth) for what no header can carry."""
    if profile is None or profile.kind is CredentialKind.NONE:
        return None
    if profile.kind is CredentialKind.CLI:
        raise _refused(FailureReason.FORMAT, f"{profile.id} is the login of a program, which alone sends it.")
    if not profile.secret:
        raise _refused(FailureReason.AUTH, f"The credential {profile.id} holds no secret. Enter it again.")
    secret = profile.secret.reveal().strip()
    if (reason := unsendable(secret)) is not None:
        raise _refused(FailureReason.AUTH, f"The credential {profile.id} {reason}. Enter it again.")
    return secret


def _failure(error: Exception) -> Failure:
    if isinstance(error, ProviderError):
        return error.failure
    return Failure(reason=FailureReason.UNKNOWN, detail=_unexpected(error))


def _cleaned(failure: Failure, profile: AuthProfile | None, headers: tuple[tuple[str, str], ...]) -> Failure:
    """The failure without any secret of its request in its words."""
    return replace(failure, detail=Redactor(_secrets(profile, headers)).clean(failure.detail))


def _secrets(profile: AuthProfile | None, headers: tuple[tuple[str, str], ...]) -> Iterator[str]:
    if profile is not None and profile.secret is not None:
        yield profile.secret.reveal().strip()
    for name, value in headers:
        if _SECRET_HEADER.search(name) and value.strip():
            yield value.split()[-1]  # without a scheme such as Bearer


def _refused(reason: FailureReason, detail: str) -> ProviderError:
    return ProviderError(Failure(reason=reason, detail=detail))


def _unexpected(error: Exception) -> str:
    """A fault of our own. Only its kind and place are told: its message and frames may hold the credential."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    _log.error("provider call failed with %s at %s", type(error).__name__, where)
    return f"The call failed inside RemoteClaw ({type(error).__name__})."
