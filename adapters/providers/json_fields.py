"""Reading JSON that a stranger sent: any field may be missing or of another type, and nothing here raises."""

import json

_MOST_TOKENS = 10**12


def parse(raw: str | bytes) -> object:
    """The JSON value, or None if it is not JSON (or nested beyond what can be read)."""
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value


def mapping(value: object) -> dict[str, object]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The array, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """The string, or an empty one; free of what no database and no platform takes: NUL and lone surrogates."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value.replace("\0", "")
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def count(value: object) -> int:
    """The number of tokens, or 0."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else 0


def prose(content: object) -> str:
    """Message content as text: a string, or the text parts of an array of typed parts."""
    if isinstance(content, list):
        parts = (mapping(part) for part in content)
        return "".join(text(part.get("text")) for part in parts if part.get("type", "text") in ("text", "output_text"))
    return text(content)
