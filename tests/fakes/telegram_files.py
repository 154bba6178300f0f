"""What people attach in Telegram: kept with a file id, handed over by a path that getFile tells, and described as in an update."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

LARGEST_FOR_BOTS = 20 * 1024 * 1024


@dataclass(eq=False)
class StoredFile:
    """A file on Telegram's side. `told_size` is what updates and getFile say of it: None leaves it out."""

    id: str
    path: str
    data: bytes = field(repr=False)
    told_size: int | None = None


class FileStore:
    """Every file that was sent, by its id and by its path."""

    def __init__(self) -> None:
        self.by_id: dict[str, StoredFile] = {}
        self._numbers = count(1)

    def keep(self, data: bytes, path: str, told_size: int | None = -1) -> StoredFile:
        """Store a file. Its told size is its own unless another one is given."""
        number = next(self._numbers)
        kept = StoredFile(f"AgAC-file_{number}", path.format(number), data, len(data) if told_size == -1 else told_size)
        self.by_id[kept.id] = kept
        return kept

    def at(self, path: str) -> StoredFile | None:
        return next((kept for kept in self.by_id.values() if kept.path == path), None)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What a person puts into a message: the kind, the bytes, and what Telegram says of it."""

    kind: str
    data: bytes = field(default=b"", repr=False)
    fields: dict[str, Any] = field(default_factory=dict)
    told_size: int | None = -1

    def as_json(self, store: FileStore) -> dict[str, Any]:
        """The part of a message that tells of it."""
        match self.kind:
            case "photo":
                small = store.keep(self.data[:16], "photos/file_{}.jpg")
                large = store.keep(self.data, "photos/file_{}.jpg", self.told_size)
                return {"photo": [_sized(small, 90), _sized(large, 1280)]}
            case "document":
                kept = store.keep(self.data, "documents/file {}.bin", self.told_size)
                return {"document": _described(kept) | self.fields}
            case "sticker":
                kept = store.keep(self.data, "stickers/file_{}.webp", self.told_size)
                shape = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
                return {"sticker": _described(kept) | shape | self.fields}
            case "location":
                return {"location": {"latitude": 52.5, "longitude": 13.4}}
            case "poll":
                return {"poll": {"id": "1", "question": "?", "options": []} | self.fields}
            case "contact":
                return {"contact": {"phone_number": "1", "first_name": "Bob"}}
        kept = store.keep(self.data, f"{self.kind}/file_{{}}.bin", self.told_size)
        described = {self.kind: _described(kept) | {"duration": 1} | self.fields}
        return described | ({"document": _described(kept)} if self.kind == "animation" else {})


def photo(data: bytes, told_size: int | None = -1) -> Attached:
    """A picture sent as a photo."""
    return Attached(kind="photo", data=data, told_size=told_size)


def document(data: bytes, name: str | None, media_type: str | None = None, told_size: int | None = -1) -> Attached:
    """A file sent as it is."""
    fields = {key: value for key, value in (("file_name", name), ("mime_type", media_type)) if value is not None}
    return Attached(kind="document", data=data, fields=fields, told_size=told_size)


def sticker(data: bytes, **fields: Any) -> Attached:
    return Attached(kind="sticker", data=data, fields=fields)


def other(kind: str) -> Attached:
    """Anything else by the name of its field: voice, video, location, ..."""
    return Attached(kind=kind, data=b"not looked at")


def _described(kept: StoredFile) -> dict[str, Any]:
    size = {} if kept.told_size is None else {"file_size": kept.told_size}
    return {"file_id": kept.id, "file_unique_id": f"u{kept.id}", **size}


def _sized(kept: StoredFile, side: int) -> dict[str, Any]:
    return {**_described(kept), "width": side, "height": side}
