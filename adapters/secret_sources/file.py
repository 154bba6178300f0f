"""Secrets in a file: one text, or a JSON object whose parts are named by pointers (RFC 6901)."""

import json
import os
import re
import threading
from collections.abc import Callable, Sequence

from adapters.secret_sources.answers import Answers, text_or_reason
from adapters.secret_sources.options import ProviderOptions, milliseconds
from adapters.secret_sources.private_path import refuse_if_others_could, refuse_unless_regular, why
from core.auth.refs import UnresolvedRef
from core.errors import shown

_WHOLE = "value"
_OTHERS = 0o077
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


class FileProvider:
    """A configured file. It is read anew at every `fetch`; `read` replaces the reading, for tests."""

    def __init__(
        self, alias: str, options: ProviderOptions, read: Callable[[str, ProviderOptions], bytes] | None = None
    ) -> None:
        self._name = f"The secret provider '{alias}' (file)"
        self._options = options
        self._read = read or self._read_private

    def fetch(self, ids: Sequence[str]) -> Answers:
        """See Provider. A missing part concerns its own id only."""
        content = self._in_time()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnresolvedRef(f"{self._name}: {self._options.path} is not UTF-8 text.") from None
        if self._options.mode == "single_value":
            return {name: self._whole(text, name) for name in ids}
        document = self._document(text)
        return {name: self._part(document, name) for name in ids}

    def _in_time(self) -> bytes:
        """The content. A network file system can block a reader for ever, so somebody else reads."""
        given: list[bytes] = []
        failed: list[UnresolvedRef] = []

        def reading() -> None:
            try:
                given.append(self._read(self._options.path, self._options))
            except UnresolvedRef as error:
                failed.append(error)

        reader = threading.Thread(target=reading, name="secret file", daemon=True)
        reader.start()
        reader.join(self._options.timeout.total_seconds())
        if failed:
            raise failed[0]
        if not given:
            limit = milliseconds(self._options.timeout)
            raise UnresolvedRef(f"{self._name}: reading {self._options.path} timed out after {limit} ms.")
        return given[0]

    def _read_private(self, path: str, options: ProviderOptions) -> bytes:
        if not os.path.isabs(path):
            raise UnresolvedRef(f"{self._name}: the path must be absolute.")
        try:
            refuse_unless_regular(self._name, path, os.lstat(path))
            # The file that is judged is the one that is read, whatever happens to its name meanwhile.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as error:
            raise UnresolvedRef(f"{self._name}: {path} cannot be read ({why(error)}).") from error
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            refuse_unless_regular(self._name, path, found)
            if not options.allow_insecure_path:
                refuse_if_others_could(self._name, path, found, _OTHERS, (os.geteuid(),))
            try:
                content = file.read(options.max_bytes + 1)
            except OSError as error:
                raise UnresolvedRef(f"{self._name}: {path} cannot be read ({why(error)}).") from error
        if len(content) > options.max_bytes:
            raise UnresolvedRef(f"{self._name}: {path} exceeded maxBytes ({options.max_bytes}).")
        return content

    def _whole(self, text: str, name: str) -> str | UnresolvedRef:
        if name != _WHOLE:
            return UnresolvedRef(f"{self._name} holds a single value, so the id must be '{_WHOLE}', not {shown(name)}.")
        return text_or_reason(text.removesuffix("\n").removesuffix("\r"), f"{self._name}: id '{_WHOLE}'")

    def _document(self, text: str) -> object:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            # The cause quotes the file.
            raise UnresolvedRef(f"{self._name}: {self._options.path} is not valid JSON.") from None
        if not isinstance(document, dict):
            raise UnresolvedRef(f"{self._name}: {self._options.path} must hold a JSON object.")
        return document

    def _part(self, document: object, name: str) -> str | UnresolvedRef:
        label = f"{self._name}: id {shown(name)}"
        if not name.startswith("/"):
            return UnresolvedRef(f'{label} must be a JSON pointer that begins with "/".')
        for segment in name[1:].split("/"):
            key = segment.replace("~1", "/").replace("~0", "~")
            if isinstance(document, dict) and key in document:
                document = document[key]
            elif isinstance(document, list) and _INDEX.fullmatch(key) and int(key) < len(document):
                document = document[int(key)]
            elif isinstance(document, list):
                return UnresolvedRef(f"{label}: there is no such entry in the list, {shown(key)} is out of range.")
            else:
                return UnresolvedRef(f"{label}: the segment {shown(key)} does not exist.")
        return text_or_reason(document, label)
