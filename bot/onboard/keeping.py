"""Writing the answers. Each file changes as a whole, and in this order, so that whoever is killed in between has what was there
before, or that and something more which nothing uses yet: variables, the credential, the config.

Before the first of them is written, all of them are looked at: whatever can be known to fail by then fails with nothing changed.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot import onboard_wiring as wiring
from bot.cli.output import complain
from bot.dotenv import parse_dotenv
from bot.onboard.draft import Draft
from core.errors import BotError, StoreError

_NOTHING = "Nothing was changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file to be written. `look` raises where `write` would, as far as that can be known before."""

    path: Path
    look: Callable[[], object]
    write: Callable[[], object]


def keep(draft: Draft) -> tuple[Path, ...]:
    """Write the draft; the files that differ now. Raises BotError, which says of files that were written before one that could
    not be."""
    files = list(_files(draft))
    if not files:
        return ()
    draft.desk.paths.create()
    for file in files:
        file.look()
    before = [_content(file.path) for file in files]

    def changed() -> tuple[Path, ...]:
        return tuple(file.path for file, was in zip(files, before, strict=True) if _content(file.path) != was)

    try:
        for file in files:
            file.write()
    except BotError as error:
        raise _told(error, changed()) from error
    except KeyboardInterrupt:
        if done := changed():
            complain(f"Broken off. {updated(done)}")
        raise
    _forget_refreshes(draft)
    return changed()


def _forget_refreshes(draft: Draft) -> None:
    """What a login of the same id has left is nothing that serves, so that it cannot be put away is only worth knowing."""
    credential = draft.credential
    if credential is None or credential.entry is None or credential.name is None or credential.is_login:
        return
    try:
        draft.desk.forget_refreshes(credential.name)
    except BotError as error:
        draft.notes.append(str(error))


def _told(error: BotError, done: tuple[Path, ...]) -> BotError:
    """The error, with what was written before it: its own words know of one file."""
    if not done:
        return error
    message, hint = (text.replace(_NOTHING, "").strip() for text in (error.message, error.hint))
    return BotError(error.code, f"{message} {updated(done)}", f"{hint} Then run the same again.".strip())


def updated(done: tuple[Path, ...]) -> str:
    """What was written before the rest could not be."""
    return f"Updated before that: {', '.join(map(str, done))}."


def _content(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""


def _files(draft: Draft) -> Iterator[_File]:
    """What is to be written, in its order."""
    desk, edit = draft.desk, draft.desk.stores.edit_file
    if draft.variables:
        path = desk.paths.dotenv
        yield _File(
            path=path,
            look=lambda: edit(path, _unchanged(_with_answers(draft))),
            write=lambda: _keep_variables(draft),
        )
    credential = draft.credential
    if credential is not None and credential.entry is not None and credential.name is not None:
        store, name, writer = desk.paths.auth_store(desk.agent), credential.name, desk.stores.writer(desk.agent)

        def look() -> None:
            writer.own_provider(name)
            edit(store, lambda content: content)

        yield _File(path=store, look=look, write=lambda: _keep_credential(draft, name))
    if draft.plans:
        config = desk.paths.config
        yield _File(
            path=config,
            look=lambda: edit(config, _unchanged(draft.checked)),
            write=lambda: edit(config, draft.checked),
        )


def _unchanged(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """The content as it is, once the change has been seen to be possible."""

    def look(content: bytes) -> bytes:
        change(content)
        return content

    return look


def _with_answers(draft: Draft) -> Callable[[bytes], bytes]:
    path, texts = draft.desk.paths.dotenv, {name: secret.reveal() for name, secret in draft.variables.items()}

    def change(content: bytes) -> bytes:
        try:
            return with_variables(content.decode("utf-8-sig"), texts).encode()
        except UnicodeDecodeError:
            raise StoreError("dotenv", f"{path} is not UTF-8 text, so it was not changed.") from None

    return change


def _keep_variables(draft: Draft) -> None:
    path = draft.desk.paths.dotenv
    if path.exists() and path.stat().st_mode & 0o077:
        try:
            path.chmod(0o600)  # it, or what it links to, is about to hold a secret
        except OSError as error:
            raise StoreError(
                "store_write", f"{path} is open to others, and cannot be closed: {error.strerror}."
            ) from error
    draft.desk.stores.edit_file(path, _with_answers(draft))


def with_variables(text: str, values: dict[str, str]) -> str:
    """NAME=value lines with these variables. The last line of a name counts, so that one is changed; other lines stay."""
    present = parse_dotenv(text)
    lines = text.splitlines(keepends=True)
    for name, value in values.items():
        if present.get(name) == value:
            continue
        ours = [n for n, line in enumerate(lines) if re.match(rf"\s*(?:export\s+)?{name}\s*=", line)]
        if ours:
            lines[ours[-1]] = f"{name}={value}\n"
            continue
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines.append(f"{name}={value}\n")
    return "".join(lines)


def _keep_credential(draft: Draft, name: str) -> None:
    credential, desk = draft.credential, draft.desk
    if credential is None or credential.entry is None:
        return
    if credential.is_login:
        logins = wiring.open_logins(draft.settings, desk.paths, draft.environment)
        logins.files().put(desk.agent, name, credential.entry)
    else:
        desk.stores.writer(desk.agent).put(name, credential.entry)
