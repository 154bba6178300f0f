"""Secrets in what people write: found by shape and by value, and blotted out before anything is stored (product.md 8).

What is blotted keeps its length in UTF-16 units, so that the places which a platform's formatting names still fit.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.auth.key_shapes import find_keys
from core.messages import Inbound, Reply, ReplyKind
from core.resolution.snapshot import Snapshot

BLOT = "█"
HAS_SECRET = "has_secret"
"""The key at the top of a stored payload whose sender had written a secret."""
MACHINE = frozenset({
    "id", "token", "custom_id", "values", "data", "type", "file_id", "file_unique_id", "media_group_id", "chat_instance",
})  # fmt: skip
"""Keys of a payload whose text is the platform's own and must come back as it was."""
OTHERS = frozenset({
    "callback_query", "reply_to_message", "external_reply", "quote", "quoted", "pinned_message", "forward_origin",
    "from", "user", "chat", "sender_chat", "via_bot",
})  # fmt: skip
"""Keys under which lies what somebody else wrote, and names. A secret is blotted there too, but the sender is not to blame."""

Redact = Callable[[str], str]
_SHORTEST_KNOWN = 12
"""A shorter secret could be an ordinary word, and would keep people from saying it."""


def nothing_known(text: str) -> str:
    """The redactor of an installation that has no secrets."""
    return text


def blot(text: str, known: Redact = nothing_known) -> tuple[str, bool]:
    """The text with every secret blotted out, and whether there was one. `known` takes out, by value, what is known to be
    confidential here."""
    spans = sorted({*find_keys(text), *_known(text, known)})
    if not spans:
        return text, False
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if end > done:
            start = max(start, done)
            parts += [text[done:start], BLOT * (len(text[start:end].encode("utf-16-le", "surrogatepass")) // 2)]
            done = end
    return "".join(parts) + text[done:], True


def blot_payload(payload: Mapping[str, Any], known: Redact = nothing_known) -> tuple[Mapping[str, Any], bool]:
    """A payload with every secret in it blotted out, and whether its sender had written one (not: quoted one). The very same
    payload where there is nothing to blot."""
    found = _Found()
    clean = _clean(payload, known, found, own=True)
    return (clean if found.any else payload), found.own


class _Found:
    """What came up on the way through a payload."""

    any = False
    own = False


def _clean(value: Any, known: Redact, found: _Found, own: bool) -> Any:
    if isinstance(value, str):
        clean, has_secret = blot(value, known)
        found.any = found.any or has_secret
        found.own = found.own or (has_secret and own)
        return clean
    if isinstance(value, Mapping):
        return {
            key: inner
            if key in MACHINE and isinstance(inner, str | list)
            else _clean(inner, known, found, own and key not in OTHERS)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(inner, known, found, own) for inner in value]
    return value


def _known(text: str, known: Redact) -> Iterator[tuple[int, int]]:
    """Words in which something known stands: what lies between the beginning and the end that are left of them."""
    if known(text) == text:
        return
    for word in re.finditer(r"\S+", text):
        whole, left = word[0], known(word[0])
        if left == whole:
            continue
        start = next(
            (n for n, (a, b) in enumerate(zip(whole, left, strict=False)) if a != b), min(len(whole), len(left))
        )
        most = min(len(whole), len(left)) - start
        end = next((n for n in range(most) if whole[-1 - n] != left[-1 - n]), most)
        if len(whole) - end - start >= _SHORTEST_KNOWN:
            yield word.start() + start, word.end() - end


def secret_refusal(snapshot: Snapshot, inbound: Inbound) -> Reply:
    """The answer to a message with a secret in it, which is not passed on. Says what to do now, and where secrets are entered."""
    way = "`remoteclaw models auth add` asks for one, `remoteclaw models auth paste-token` takes a token"
    if inbound.sender.key in snapshot.rules.access.owners:
        right = f"On the host, {way}."
    else:
        right = f"An owner enters keys on the host: {way}."
    text = (
        "That looked like a key or a password, so the message was not passed on, and its secret was not kept.\n"
        "It is removed from this chat where the platform lets me: if you still see it, delete it yourself. Others may have read "
        "it: replace the key at its provider.\n"
        f"Keys are never entered in a chat. {right}"
    )
    return Reply(kind=ReplyKind.ERROR, code="secret_in_chat", text=text, private=True, deletes=True)
