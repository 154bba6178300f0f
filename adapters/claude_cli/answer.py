"""Reads what the program writes: one JSON object a line (stream-json), from its greeting to the result.

Text comes as the events of Anthropic's own stream, wrapped in `stream_event`; the result repeats it and has the counts of all
requests that were made for it. Whatever else is written, and what is no JSON, is passed over; how much of the latter there was is
told.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapters.claude_cli.prompt import unguarded
from core.chat.completion import Completed, StopReason, Usage

_STOPS = {
    "end_turn": StopReason.STOP,
    "stop_sequence": StopReason.STOP,
    "max_tokens": StopReason.LENGTH,
    "model_context_window_exceeded": StopReason.LENGTH,
    "refusal": StopReason.REFUSAL,
    "tool_use": StopReason.TOOL_CALLS,
}
_DECODER = json.JSONDecoder()
_Json = dict[str, Any]


class AnswerReader:
    """Reads the lines of one run. `result` is there when the program has said how it ended; `limit` is what it was told of the
    plan's limits; `noise` counts the lines that are no JSON."""

    def __init__(self) -> None:
        self.result: _Json | None = None
        self.limit: _Json = {}
        self.noise = 0
        self._parts: list[str] = []
        self._whole = ""
        """Of messages that have ended."""
        self._stop = ""
        self._before = Usage()
        """Of requests before the one that is under way: the program may make several for one answer."""
        self._now = Usage()

    @property
    def usage(self) -> Usage:
        """What was counted so far."""
        before, now = self._before, self._now
        return Usage(
            before.input_tokens + now.input_tokens,
            before.output_tokens + now.output_tokens,
            before.cache_read_tokens + now.cache_read_tokens,
            before.cache_write_tokens + now.cache_write_tokens,
        )

    def feed(self, line: bytes) -> str:
        """The text that a line adds."""
        return "".join(self._read(found) for found in self._objects(line))

    def completed(self) -> Completed:
        """The whole answer, after a result that is no error. Its own words count where no events came before it."""
        given = _mapping((self.result or {}).get("usage"))
        counted = _usage(given, Usage())
        text = self._whole + "".join(self._parts) or unguarded(_text((self.result or {}).get("result")))
        reason = _STOPS.get(self._stop or _text((self.result or {}).get("stop_reason")) or "end_turn", StopReason.OTHER)
        return Completed(text, counted if counted != Usage() else self.usage, reason)

    @property
    def is_cut(self) -> bool:
        """Whether the answer reached the longest that it may have: the program calls that an error, and a chat does not."""
        return _STOPS.get(self._stop) is StopReason.LENGTH and bool(self._whole or self._parts)

    def _objects(self, line: bytes) -> Iterator[_Json]:
        """The objects of a line: more than one where two were written at once."""
        text = line.decode(errors="replace").strip()
        while text:
            try:
                found, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                found, end = None, len(text)
            if isinstance(found, dict):
                yield found
            else:
                self.noise += 1
            text = text[end:].lstrip()

    def _read(self, found: _Json) -> str:
        if found.get("parent_tool_use_id"):
            return ""  # of a program's program
        match found.get("type"):
            case "stream_event":
                return self._event(_mapping(found.get("event")))
            case "rate_limit_event":
                self.limit = _mapping(found.get("rate_limit_info")) or self.limit
            case "result":
                self.result = found
        return ""

    def _event(self, event: _Json) -> str:
        match event.get("type"):
            case "message_start":
                # One that broke off is begun anew, and nothing of it counts but its tokens.
                self._parts = []
                self._before, self._now = self.usage, Usage()
                self._count(_mapping(event.get("message")).get("usage"))
            case "content_block_delta":
                delta = _mapping(event.get("delta"))
                text = _text(delta.get("text")) if delta.get("type") == "text_delta" else ""
                self._parts.append(unguarded(text))
                return self._parts[-1]
            case "message_delta":
                self._stop = _text(_mapping(event.get("delta")).get("stop_reason")) or self._stop
                self._count(event.get("usage"))
            case "message_stop":
                self._whole += "".join(self._parts)
                self._parts = []
        return ""

    def _count(self, usage: object) -> None:
        self._now = _usage(_mapping(usage), self._now)


def _usage(usage: _Json, before: Usage) -> Usage:
    """Counts are cumulative; what the cache holds is input too, as for every other provider."""
    new, written, read = (
        _count(usage.get(name)) for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )
    answered = _count(usage.get("output_tokens")) or before.output_tokens
    if not new + written + read:
        return replace(before, output_tokens=answered)
    return Usage(new + written + read, answered, cache_read_tokens=read, cache_write_tokens=written)


def _mapping(value: object) -> _Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
