"""Writing the answers. Each file changes as a whole, and in this order, so that whoever is killed in between has what was there
before, or that and something more which nothing uses yet: variables, the credential, the config, the service."""

import argparse
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bot import onboard_wiring as wiring
from bot.cli.models_auth_paste import tell_left_out
from bot.cli.output import complain
from bot.dotenv import parse_dotenv
from bot.onboard.draft import Draft
from core.errors import BotError, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was done: the files that differ now, the service's own words, and why it could not be installed."""

    changed: tuple[Path, ...]
    service: tuple[str, ...] = ()
    trouble: BotError | None = None


def keep(draft: Draft) -> Kept:
    """Write the draft. Raises BotError for a file that cannot be written; those before it are."""
    desk = draft.desk
    changed: list[Path] = []
    if draft.variables or draft.plans:
        desk.paths.create()
    if draft.variables and _keep_variables(draft):
        changed.append(desk.paths.dotenv)
    store = desk.paths.auth_store(desk.agent)
    if _keep_credential(draft, store):
        changed.append(store)
    if draft.plans and desk.stores.edit_file(desk.paths.config, draft.checked):
        changed.append(desk.paths.config)
    credential = draft.credential
    if credential is not None and credential.entry is not None and credential.name is not None:
        tell_left_out(desk, credential.name, credential.provider, draft.settings)
    if not draft.wants_service:
        return Kept(changed=tuple(changed))
    try:
        return Kept(changed=tuple(changed), service=_install_service())
    except BotError as error:
        return Kept(changed=tuple(changed), trouble=error)


def _keep_variables(draft: Draft) -> bool:
    path = draft.desk.paths.dotenv
    if path.exists() and not path.is_symlink() and path.stat().st_mode & 0o077:
        try:
            path.chmod(0o600)  # it is about to hold a secret
        except OSError as error:
            raise StoreError(
                "store_write", f"{path} is open to others, and cannot be closed: {error.strerror}."
            ) from error
    texts = {name: secret.reveal() for name, secret in draft.variables.items()}

    def change(content: bytes) -> bytes:
        try:
            return with_variables(content.decode("utf-8-sig"), texts).encode()
        except UnicodeDecodeError:
            raise StoreError("dotenv", f"{path} is not UTF-8 text, so it was not changed.") from None

    return draft.desk.stores.edit_file(path, change)


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


def _keep_credential(draft: Draft, store: Path) -> bool:
    credential, desk = draft.credential, draft.desk
    if credential is None or credential.entry is None or credential.name is None:
        return False
    before = store.read_bytes() if store.exists() else b""
    if credential.is_login:
        logins = wiring.open_logins(draft.settings, desk.paths, draft.environment)
        logins.files().put(desk.agent, credential.name, credential.entry)
    else:
        desk.stores.writer(desk.agent).put(credential.name, credential.entry)
    return store.read_bytes() != before


def _install_service() -> tuple[str, ...]:
    """As `remoteclaw service install` does. Raises BotError."""
    from bot.cli import exit_codes, service

    parser = argparse.ArgumentParser()
    service.add_arguments(parser)
    said = StringIO()
    with redirect_stdout(said):
        code = service.run(parser.parse_args(["install"]))
    if code != exit_codes.OK:
        raise BotError("service", "The service was not installed.", "Run: remoteclaw service install")
    return tuple(said.getvalue().splitlines())


def tell_notes(draft: Draft) -> None:
    """What is worth knowing, once each."""
    for note in dict.fromkeys(draft.notes):
        complain(f"Note: {note}")
