"""Single events as each vendor sends them, for tests that say exactly what comes over the wire."""

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from tests.fakes.provider_request import ANTHROPIC, GOOGLE, OPENAI, RESPONSES

_Json = dict[str, Any]


def piece(api: str, text: str) -> _Json:
    """A piece of the answer."""
    return {
        OPENAI: {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
        RESPONSES: {"type": "response.output_text.delta", "item_id": "m", "output_index": 1, "delta": text},
        ANTHROPIC: {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}},
        GOOGLE: {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}]},
    }[api]


def end(api: str, word: str = "") -> _Json:
    """The event that says why the answer ended; left out: because all was said."""
    if api == RESPONSES:
        status = "incomplete" if word else "completed"
        details = {"reason": word} if word else None
        return {"type": f"response.{status}", "response": {"status": status, "incomplete_details": details}}
    return {
        OPENAI: {"choices": [{"index": 0, "delta": {}, "finish_reason": word or "stop"}]},
        ANTHROPIC: {"type": "message_delta", "delta": {"stop_reason": word or "end_turn", "stop_sequence": None}},
        GOOGLE: {"candidates": [{"index": 0, "finishReason": word or "STOP"}]},
    }[api]


def thought(api: str, text: str) -> list[_Json]:
    """What the model thinks before it answers, in the ways that vendors and compatible servers show it."""
    return {
        OPENAI: [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None, "reasoning_content": text}}]},
            {
                "choices": [
                    {"index": 0, "delta": {"content": "", "reasoning": text, "reasoning_details": [{"text": text}]}}
                ]
            },
            {"choices": [{"index": 0, "delta": {"content": [{"type": "thinking", "thinking": [{"text": text}]}]}}]},
        ],
        RESPONSES: [
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": text},
            {"type": "response.reasoning_text.delta", "output_index": 0, "delta": text},
            {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "summary": [text]}},
        ],
        ANTHROPIC: [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": text}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": text}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": text}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": text}},
        ],
        GOOGLE: [{"candidates": [{"index": 0, "content": {"parts": [{"text": text, "thought": True}]}}]}],
    }[api]


def tool(api: str, text: str) -> list[_Json]:
    """A call of a tool that nobody offered."""
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": text, "arguments": text}}
    return {
        OPENAI: [{"choices": [{"index": 0, "delta": {"content": None, "tool_calls": [call]}}]}],
        RESPONSES: [{"type": "response.function_call_arguments.delta", "output_index": 2, "delta": text}],
        ANTHROPIC: [
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "name": text, "input": {}},
            },
            {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": text}},
        ],
        GOOGLE: [{"candidates": [{"index": 0, "content": {"parts": [{"functionCall": {"name": text, "args": {}}}]}}]}],
    }[api]


def whole(api: str, text: str, word: str = "") -> _Json:
    """An answer that is no stream."""
    if api == RESPONSES:
        part = {"type": "output_text", "text": text}
        item = {"type": "message", "role": "assistant", "content": [part] if text else []}
        return {**end(api, word)["response"], "error": None, "output": [item]}
    return {
        OPENAI: {"choices": [{"index": 0, "message": {"content": text or None}, "finish_reason": word or "stop"}]},
        ANTHROPIC: {"content": [{"type": "text", "text": text}] if text else [], "stop_reason": word or "end_turn"},
        GOOGLE: {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": word or "STOP"}]},
    }[api]


def sent(payloads: Iterable[_Json], line_end: bytes = b"\n") -> list[bytes]:
    """Each as an event, as the format has it."""
    return [b"data: " + json.dumps(payload).encode() + line_end * 2 for payload in payloads]


def packed(chunks: Sequence[bytes], window: int) -> list[bytes]:
    """Compressed, each chunk so that it can be read before the next comes. `window`: 31 gzip, 15 zlib, -15 bare deflate."""
    work = zlib.compressobj(wbits=window)
    return [*(work.compress(chunk) + work.flush(zlib.Z_SYNC_FLUSH) for chunk in chunks), work.flush()]
