"""Random references, tables of `secrets`, plans and files: a value or a named error, never another one, never a hang, no secret.

REMOTECLAW_FUZZ is the number of cases, REMOTECLAW_FUZZ_SEED another beginning.
"""

import copy
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.secret_sources.providers import SecretProviders
from bot.cli.secrets_apply import open_workplace
from bot.config.load import settings_from
from bot.config.problems import InvalidConfig
from bot.secrets_findings import Finding, Use
from bot.secrets_plan import InvalidPlan, encode_plan, read_plan
from bot.secrets_preflight import Prepared, prepare
from bot.secrets_scan import scan_config, scan_dotenv, scan_models, scan_older_keys, scan_older_logins, scan_store
from bot.secrets_state import Workplace
from core.auth.refs import SOURCES, UnresolvedRef, describe, prepare_refs, read_ref, resolve_ref
from core.auth.secret import SecretRef
from core.errors import BotError
from tests.bot.secrets_stage import CANARY as stage_canary
from tests.bot.secrets_stage import Stage
from tests.fakes.secret_store import python_command, shell_command

CASES = int(os.environ.get("REMOTECLAW_FUZZ", "2000"))
SEED = int(os.environ.get("REMOTECLAW_FUZZ_SEED", "5"))
LONGEST_SECONDS = 8.0
CANARY = "sk+canary=0123456789"
"""No name of a provider or an entry can be this: names are shown."""
_EXEC_SHARE = 0.02
"""Of the cases that ask for references, those that run commands: each is a process."""
_WORDS = (
    *(
        "env",
        "file",
        "exec",
        "default",
        "vault",
        "value",
        "/a",
        "/a~1b",
        "/a/0",
        "A_KEY",
        "BLANK",
        "${A_KEY}",
        "${UNSET}",
    ),
    *(
        "",
        " ",
        "a/../b",
        "a:b",
        "x" * 300,
        "A" * 200,
        "\ud800",
        "a\nb",
        "\0",
        "~",
        "/",
        "//",
        "5s",
        "1h",
        "json",
        "single_value",
    ),
    *("api_key", "token", "oauth", "acme", "a b", CANARY, f"Bearer {CANARY}", "postgresql://u:p@h/d", "٣", "ß"),
)
_KEYS = (
    *(
        "source",
        "provider",
        "id",
        "providers",
        "defaults",
        "resolution",
        "vault",
        "default",
        "allowlist",
        "path",
        "mode",
    ),
    *(
        "timeout",
        "max_bytes",
        "args",
        "env",
        "pass_env",
        "trusted_dirs",
        "json_only",
        "allow_insecure_path",
        "profiles",
    ),
    *(
        "type",
        "key",
        "keyRef",
        "token",
        "tokenRef",
        "access",
        "version",
        "targets",
        "ref",
        "agent",
        "scrub_env",
        "headers",
    ),
    *(
        "provider_upserts",
        "provider_deletes",
        "channels",
        "telegram",
        "models",
        "api_key",
        "database",
        "url",
        "enabled",
    ),
)


class Author:
    """Makes values that are more or less what is expected somewhere."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def any(self, depth: int = 4) -> Any:
        kind = self.chance.randrange(10 if depth else 6)
        if kind < 3:
            return self.chance.choice(_WORDS)
        if kind == 3:
            return self.chance.choice((0, 1, -1, 2**70, True, False, 1.5, float("nan"), float("inf")))
        if kind == 4:
            return self.chance.choice((None, date(2026, 1, 1)))
        if kind == 5:
            return "".join(chr(self.chance.choice((*range(128), 0xE9, 0x202E, 0x1F600))) for _ in range(8))
        if kind == 6:
            return [self.any(depth - 1) for _ in range(self.chance.randrange(4))]
        if kind == 7:
            return self.ref()
        # A key is a name, which errors may repeat; so no secret is one.
        names = (*_KEYS, *(word for word in _WORDS if CANARY not in word))
        return {self.chance.choice(names): self.any(depth - 1) for _ in range(self.chance.randrange(5))}

    def ref(self) -> Any:
        """A reference with at most some mistakes."""
        ref = {"source": self.chance.choice(SOURCES), "provider": self.chance.choice(("vault", "default", "other"))}
        ref["id"] = self.chance.choice(("/a", "value", "A_KEY", "a/b", "BLANK", "/l/0", "/deep/er", "/n"))
        return self.spoilt(ref) if self.chance.random() < 0.4 else ref

    def spoilt(self, tree: Any) -> Any:
        """With something else in one or two places."""
        tree = copy.deepcopy(tree)
        for _ in range(self.chance.randrange(1, 3)):
            places = list(_places(tree))
            if places:
                owner, key = self.chance.choice(places)
                if self.chance.random() < 0.2 and isinstance(owner, dict):
                    del owner[key]
                else:
                    owner[key] = self.any(2)
        return tree


def _places(tree: Any) -> Any:
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in list(parts):
        yield tree, key
        yield from _places(part)


def cases(share: float = 1.0) -> range:
    return range(max(1, int(CASES * share)))


def unshown(text: str, *, one_line: bool = False) -> None:
    assert text
    assert CANARY not in text
    assert text.isprintable() or not one_line


def test_a_reference_is_read_or_refused() -> None:
    author = Author(random.Random(SEED))
    read = 0
    for n in cases():
        given = author.any() if n % 2 else author.ref()
        with suppress(ValueError):
            ref = read_ref(given)
            read += 1
            assert read_ref({"source": ref.source, "provider": ref.provider, "id": ref.id}) == ref or ref.id[0] == "_"
            assert "\n" not in describe(ref)
    assert 0 < read < CASES


def _table(chance: random.Random, folder: Path, commands: list[str]) -> dict[str, Any]:
    paths = [str(folder / name) for name in ("keys.json", "one", "open", "link", "missing", "pipe", "broken", "")]
    providers = {
        "vault": {"source": "file", "path": chance.choice(paths), "mode": chance.choice(("json", "single_value"))},
        "default": {"source": "env", "allowlist": ["A_KEY", "BLANK"]},
        "other": {
            "source": "exec",
            "command": chance.choice(commands),
            "timeout": "300ms",
            "json_only": chance.random() < 0.5,
        },
    }
    kept = {alias: table for alias, table in providers.items() if chance.random() < 0.9}
    return {
        "providers": kept,
        "defaults": {"file": "vault"},
        "resolution": {"max_refs_per_provider": chance.choice((1, 9))},
    }


def _files(folder: Path) -> None:
    document = {"a": CANARY, "l": ["x"], "n": 5, "deep": {"er": CANARY}}
    (folder / "keys.json").write_text(json.dumps(document))
    (folder / "one").write_text(f"{CANARY}\n")
    (folder / "broken").write_bytes(b'{"a": "' + CANARY.encode() + b"\xff")
    for name in ("keys.json", "one", "broken"):
        (folder / name).chmod(0o600)
    (folder / "open").write_text(json.dumps(document))
    (folder / "open").chmod(0o644)
    (folder / "link").symlink_to(folder / "keys.json")
    os.mkfifo(folder / "pipe", 0o600)


def test_a_table_and_its_references_give_secrets_or_reasons(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    author = Author(chance)
    _files(tmp_path)
    commands = [
        python_command(
            tmp_path, f"answer({{i: {CANARY!r} for i in asked['ids'][::2]}}, errors={{'a/b': {{}}}})", "good"
        ),
        shell_command(tmp_path, f"echo {CANARY}", "plain"),
        shell_command(tmp_path, "exit 3", "failing"),
        shell_command(tmp_path, "exec sleep 20", "hanging"),
        str(tmp_path / "one"),
        str(tmp_path / "missing"),
    ]
    environ = {"A_KEY": CANARY, "BLANK": " "}
    accepted = given = 0
    for _ in cases():
        table = _table(chance, tmp_path, commands)
        tree = {"secrets": author.spoilt(table) if chance.random() < 0.6 else table}
        try:
            settings = settings_from(tree, environ).secrets
        except InvalidConfig as error:
            unshown(str(error))
            continue
        accepted += 1
        may_run = chance.random() < _EXEC_SHARE
        source = SecretProviders(settings.providers, dict(settings.defaults), settings.resolution, environ)
        wanted = [ref for ref in (_read(author.ref()) for _ in range(4)) if ref is not None]
        wanted = [ref for ref in wanted if may_run or ref.source != "exec"]
        began = time.monotonic()
        prepare_refs(wanted, dict.fromkeys(SOURCES, source))
        for ref in wanted:
            try:
                assert resolve_ref(ref, {ref.source: source}).reveal().strip()
                given += 1
            except UnresolvedRef as error:
                unshown(str(error), one_line=True)
        assert time.monotonic() - began < LONGEST_SECONDS
    assert accepted
    assert given


def _read(value: Any) -> SecretRef | None:
    try:
        return read_ref(value)
    except ValueError:
        return None


PLAN = {
    "version": 1,
    "generated_at": "2026-01-01T00:00:00Z",
    "provider_upserts": {"vault": {"source": "file", "path": "/keys"}},
    "provider_deletes": ["old"],
    "targets": [
        {"path": ["channels", "telegram", "token"], "ref": {"source": "file", "provider": "vault", "id": "/a"}},
        {
            "path": ["profiles", "a", "keyRef"],
            "agent": "main",
            "ref": {"source": "env", "provider": "default", "id": "A"},
        },
    ],
    "scrub_env": ["ACME_API_KEY"],
}


def test_a_plan_is_read_or_refused() -> None:
    author = Author(random.Random(SEED))
    read = 0
    for n in cases():
        content = json.dumps(author.spoilt(PLAN) if n % 4 else author.any(), default=str).encode()
        if n % 7 == 0:
            content = content[: author.chance.randrange(len(content) + 1)]
        try:
            plan = read_plan(content)
        except InvalidPlan as error:
            unshown(str(error).replace(CANARY, ""))  # a plan holds no secret: what it names may be repeated
        else:
            read += 1
            assert read_plan(encode_plan(plan, "")) == plan or b"NaN" in content
    assert 0 < read < CASES


def _judged(plan: bytes, place: Workplace) -> Prepared | BotError:
    try:
        return prepare(read_plan(plan), place)
    except BotError as error:
        return error


def test_a_plan_fits_an_installation_or_is_refused(tmp_path: Path, state_dir: Path) -> None:
    stage = Stage(tmp_path, state_dir)
    stage.furnish()
    before = stage.files()
    author = Author(random.Random(SEED))
    fitting = 0
    for n in cases(1 / 40):
        if n % 10 == 0:
            place = open_workplace(allow_exec=False, dry_run=True)
        plan = author.spoilt(stage.moves()) if n % 5 else stage.moves()
        judged = _judged(json.dumps(plan, default=str).encode(), place)
        fitting += isinstance(judged, Prepared)
        assert stage_canary not in "\n".join(judged.notes if isinstance(judged, Prepared) else [str(judged)])
    assert fitting
    assert stage.files() == before


STORE = {
    "version": 1,
    "profiles": {
        "a": {"type": "api_key", "provider": "acme", "key": CANARY, "keyRef": {"source": "env", "id": "A"}},
        "b": {"type": "oauth", "provider": "acme", "access": CANARY, "refresh": {"source": "env", "id": "A"}},
        "c": {"mode": "token", "provider": "acme", "token": "${A_KEY}"},
    },
}
MODELS = {
    "providers": {"acme": {"apiKey": CANARY, "headers": {"X-Key": CANARY}, "models": [{"headers": {"X-Key": CANARY}}]}}
}
TREE = {
    "channels": {"telegram": {"token": CANARY, "enabled": False}, "discord": {"token": "${A_KEY}"}},
    "models": {
        "providers": {"acme": {"api_key": {"source": "env", "id": "A"}, "headers": {"X-Key": f"Bearer {CANARY}"}}}
    },
    "database": {"url": f"postgresql://u:{CANARY}@h/d"},
    "env": {"A_KEY": CANARY, "vars": {"B_TOKEN": CANARY}},
}
Scan = Callable[[Mapping[str, Any]], Any]


@pytest.mark.parametrize(
    ("document", "scan"),
    [
        pytest.param(STORE, lambda found: scan_store("f", found, {"c": "oauth"}), id="store"),
        pytest.param(STORE["profiles"], lambda found: scan_older_keys("f", found), id="auth.json"),
        pytest.param(STORE["profiles"], lambda found: scan_older_logins("f", found), id="oauth.json"),
        pytest.param(MODELS, lambda found: scan_models("f", found, {"ACME_API_KEY"}), id="models.json"),
        pytest.param(TREE, lambda found: scan_config("f", found), id="config"),
        pytest.param({"A_KEY": CANARY}, lambda found: scan_dotenv("f", json.dumps(found, default=str)), id=".env"),
    ],
)
def test_a_file_of_any_form_is_looked_through(document: dict[str, Any], scan: Scan) -> None:
    author = Author(random.Random(SEED))
    for _ in cases(1 / 6):
        spoilt = author.spoilt(document)
        for found in scan(spoilt):
            assert isinstance(found, Finding | Use)
            if isinstance(found, Finding):
                unshown(found.message)
                json.dumps(found.view())
