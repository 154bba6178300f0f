"""What is said to a command that gives secrets, and what it may answer (credentials.md 3.4)."""

import json
from collections.abc import Iterable, Mapping, Sequence

from adapters.secret_sources.answers import Answers, text_or_reason
from core.auth.refs import UnresolvedRef

_VERSION = 1
_LONGEST_REASON = 200


def request(provider: str, ids: Sequence[str]) -> bytes:
    """The one JSON object that the command reads."""
    asked = {"protocolVersion": _VERSION, "provider": provider, "ids": list(ids)}
    return json.dumps(asked, separators=(",", ":")).encode()


def answers(name: str, output: bytes, ids: Sequence[str], json_only: bool, confidential: Iterable[str]) -> Answers:
    """What the command has answered for each id. `name` begins the sentences; `confidential` texts are kept out of them.

    Without `json_only`, and with exactly one id, anything that is not JSON and any JSON string is the secret itself. Raises
    UnresolvedRef for an answer that is none.
    """
    try:
        text = output.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UnresolvedRef(f"{name} returned text that is not UTF-8.") from None
    if not text:
        raise UnresolvedRef(f"{name} returned empty stdout.")
    is_plain = not json_only and len(ids) == 1
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # The cause quotes the output.
        if not is_plain:
            raise UnresolvedRef(f"{name} returned invalid JSON.") from None
        document = text
    if is_plain and isinstance(document, str):
        return {ids[0]: text_or_reason(document.strip(), f'{name}: id "{ids[0]}"')}
    values, errors = _parts(name, document)
    known = (*confidential, *_texts(values))
    return {key: _one(name, key, values, errors, known) for key in ids}


def _parts(name: str, document: object) -> tuple[Mapping[str, object], Mapping[str, object]]:
    if not isinstance(document, dict):
        raise UnresolvedRef(f"{name} response must be an object.")
    version = document.get("protocolVersion")
    if isinstance(version, bool) or version != _VERSION:
        raise UnresolvedRef(f"{name} protocolVersion must be {_VERSION}.")
    values, errors = document.get("values"), document.get("errors")
    if not isinstance(values, dict):
        raise UnresolvedRef(f'{name} response missing "values".')
    return values, errors if isinstance(errors, dict) else {}


def _one(
    name: str, key: str, values: Mapping[str, object], errors: Mapping[str, object], known: Sequence[str]
) -> str | UnresolvedRef:
    if key in errors:
        return UnresolvedRef(f'{name} failed for id "{key}"{_reason(errors[key], known)}.')
    if key not in values:
        return UnresolvedRef(f'{name} response missing id "{key}".')
    return text_or_reason(values[key], f'{name}: id "{key}"')


def _reason(error: object, known: Sequence[str]) -> str:
    """The command's own words in brackets: on one line, cut, and without any text that is known to be confidential."""
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str) or not message.strip():
        return ""
    for secret in sorted(set(known), key=len, reverse=True):
        message = message.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return f" ({line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + '…'})"


def _texts(value: object) -> Iterable[str]:
    """Every text inside the values: whatever was not asked for is confidential all the same."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str) and current.strip():
            yield current
            yield current.strip()
        elif isinstance(current, dict):
            pending += current.values()
        elif isinstance(current, list):
            pending += current
