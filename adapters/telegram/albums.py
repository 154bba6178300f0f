"""Albums: Telegram sends each picture of one as an update of its own, and they are one message to us.

While an album may have further parts on their way, its chat's updates are not committed and so not confirmed: the offset stays
before them, Telegram is asked again from there after a moment, and a process that is killed meanwhile gets all of them again.
When no part was added for SETTLE seconds, or there are as many as an album can have, the album is committed as one update: that of
its first part, with the other messages beside it under ALBUM. The row's key is the first part's, so what is redelivered after a
kill between the commit and the confirmation is known. A part that comes later still is a message of its own, without the caption.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.blotting import HAS_SECRET

ALBUM = "album"
"""The key of a stored payload, beside Telegram's own, for the messages after the first."""
SETTLE = 0.5
MOST_PARTS = 10

Raw = Mapping[str, Any]
Album = tuple[str, str]


class Arriving:
    """Tells, from one answer of Telegram to the next, which albums are still growing."""

    def __init__(self) -> None:
        self._seen: dict[Album, int] = {}

    def held(self, batch: Sequence[Raw], lane: Callable[[Raw], str]) -> list[Raw]:
        """The updates of the batch that have to wait: those in the lane of an album that has grown since the last batch."""
        counts: dict[Album, int] = {}
        for raw in batch:
            if (group := album_id(raw)) is not None:
                album = (lane(raw), group)
                counts[album] = counts.get(album, 0) + 1
        growing = {album[0] for album, count in counts.items() if count < MOST_PARTS and count != self._seen.get(album)}
        self._seen = counts
        return [raw for raw in batch if lane(raw) in growing]


def joined(batch: Sequence[Raw], lane: Callable[[Raw], str]) -> list[Raw]:
    """The batch with the parts of an album made one update, in the place of its first part."""
    whole: dict[object, dict[str, Any]] = {}
    for at, raw in enumerate(batch):
        group = album_id(raw)
        key: object = at if group is None else (lane(raw), group)
        if key in whole:
            whole[key].setdefault(ALBUM, []).append(raw["message"])
            if HAS_SECRET in raw:
                whole[key][HAS_SECRET] = True
        else:
            whole[key] = {**raw}
    return list(whole.values())


def parts(payload: Raw) -> tuple[Raw, ...]:
    """The messages of a stored update: one, or all of an album in their order."""
    further = payload.get(ALBUM)
    all_of_them = [payload.get("message"), *(further if isinstance(further, list) else [])]
    return tuple(message for message in all_of_them if isinstance(message, Mapping))


def album_id(raw: Raw) -> str | None:
    """What the parts of an album have in common; None for an update that is no part of one."""
    message = raw.get("message")
    group = message.get("media_group_id") if isinstance(message, Mapping) else None
    return group if isinstance(group, str) and group else None
