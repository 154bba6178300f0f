"""Bodies that come compressed although nobody asked for it: gzip and deflate, piece by piece, so that a stream stays one."""

import zlib
from collections.abc import Iterator

_MOST_AT_ONCE = 64 * 1024
"""A small piece may hold a thousand times its size: whoever reads it can stop in between."""
_EITHER_HEADER = 32 + zlib.MAX_WBITS
_NO_HEADER = -zlib.MAX_WBITS
ENCODINGS = ("gzip", "x-gzip", "deflate")


class Inflater:
    """One compressed body. Errors of the data are ValueError."""

    def __init__(self) -> None:
        self._begun = b""
        self._work: zlib._Decompress | None = None

    @property
    def is_whole(self) -> bool:
        """The data have come to their own end, or there are none."""
        return self._work.eof if self._work is not None else not self._begun

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What these bytes hold, in bounded parts. What stands behind the end of the data is left out."""
        if self._work is None:
            self._begun += piece
            if len(self._begun) < 2:
                return
            piece, self._work = self._begun, zlib.decompressobj(_window(self._begun))
        while piece:
            if self._work.eof:
                if not piece.startswith(b"\x1f\x8b"):
                    return
                self._work = zlib.decompressobj(_EITHER_HEADER)  # gzip may consist of several members
            try:
                part = self._work.decompress(piece, _MOST_AT_ONCE)
            except zlib.error as error:
                raise ValueError("not what its content encoding says") from error
            if part:
                yield part
            piece = self._work.unused_data if self._work.eof else self._work.unconsumed_tail


def _window(begun: bytes) -> int:
    """`deflate` means zlib's format and comes without its header from some servers."""
    if begun.startswith(b"\x1f\x8b") or (begun[0] & 0x0F == 8 and int.from_bytes(begun[:2], "big") % 31 == 0):
        return _EITHER_HEADER
    return _NO_HEADER
