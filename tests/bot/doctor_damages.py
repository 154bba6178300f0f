"""What can be wrong with an installation: each damage by name, with what the doctor has to say of it."""

import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.ops.service_plan import ServicePlan
from bot.ops.systemd_unit import unit_text
from tests.bot.doctor_house import CANARY, HOME, SHARED, TELEGRAM, WORK, House

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Damage:
    """`says` are the ids of all that is not ok afterwards, `mends` those of them that `--yes` makes good. `at_once`: it leaves
    room for the others, when everything is broken at the same time."""

    name: str
    make: Callable[[House], None]
    says: frozenset[str]
    mends: frozenset[str] = frozenset()
    at_once: bool = True


DAMAGES: list[Damage] = []


def damage(*says: str, mends: tuple[str, ...] = (), at_once: bool = True) -> Callable[[Callable[[House], None]], None]:
    """Add a damage to the table, under the name of its function."""

    def add(make: Callable[[House], None]) -> None:
        name = make.__name__.strip("_").replace("_", " ")
        DAMAGES.append(Damage(name, make, frozenset((*says, *mends)), frozenset(mends), at_once))

    return add


def now_ms(days: float = 0) -> int:
    return int(time.time() * 1000 + days * DAY_MS)


# -- files


@damage(mends=("files.mode",))
def _the_state_directory_is_open_to_others(house: House) -> None:
    house.state.chmod(0o755)


@damage(mends=("files.mode", "credential.none"), at_once=False)
def _the_store_is_open_to_others(house: House) -> None:
    house.store.chmod(0o644)


@damage(mends=("files.mode", "secret.unresolved", "telegram.token"), at_once=False)
def _others_can_write_the_file_of_variables(house: House) -> None:
    (house.state / ".env").chmod(0o666)


@damage("state.parent")
def _everybody_can_write_the_folder_above(house: House) -> None:
    house.state.parent.chmod(0o777)


@damage(mends=("files.leftover",))
def _a_killed_program_left_a_draft(house: House) -> None:
    draft = house.write("agents/main/agent/.auth-profiles.json.4242.0a1b2c3d.tmp", f'{{"half": "{WORK}')
    os.utime(draft, (time.time() - 7200,) * 2)


@damage(mends=("files.stale_lock",))
def _a_killed_program_left_a_lock(house: House) -> None:
    house.write("config.toml.lock", json.dumps({"pid": 2**22 + 1, "createdAt": "2024-01-01T00:00:00Z"}))


@damage("files.link", at_once=False)
def _the_store_is_a_link(house: House) -> None:
    target = house.state / "elsewhere.json"
    shutil.move(house.store, target)
    house.store.symlink_to(target)


@damage("files.kind", "env.unreadable", "secret.unresolved", "telegram.token", at_once=False)
def _a_folder_is_in_the_place_of_the_file_of_variables(house: House) -> None:
    (house.state / ".env").unlink()
    (house.state / ".env").mkdir()


@damage("clock.files")
def _a_file_is_from_the_future(house: House) -> None:
    os.utime(house.state / "fingerprint.salt", (time.time() + 86400,) * 2)


# -- config and variables


@damage("config.unreadable", at_once=False)
def _the_config_is_no_toml(house: House) -> None:
    house.configure("[access]", "[access")


@damage("config.unknown_key", at_once=False)
def _a_key_is_misspelt(house: House) -> None:
    house.configure("owners =", "owner =")


@damage("config.reference", at_once=False)
def _the_default_model_is_of_nobody(house: House) -> None:
    house.configure('model = "acme/small"', 'model = "acne/small"')


@damage("config.identity", at_once=False)
def _an_owner_is_named_and_not_numbered(house: House) -> None:
    house.configure('"telegram:1001"', '"telegram:ada"')


@damage("config.variable", at_once=False)
def _a_variable_of_the_config_is_not_set(house: House) -> None:
    house.configure("http://127.0.0.1:9/v1", "${ACME_URL}")


@damage("access.nobody")
def _nobody_may_talk_to_it(house: House) -> None:
    house.configure('owners = ["telegram:1001"]', "")


@damage("config.profile_provider", "credential.absent")
def _a_profile_of_the_config_is_of_no_provider(house: House) -> None:
    house.configure("", '[auth.profiles."zeta:me"]\nprovider = "zeta"\n')


@damage("env.syntax", "env.own", "env.duplicate")
def _lines_of_the_file_of_variables_mean_nothing(house: House) -> None:
    path = house.state / ".env"
    path.write_text(f"{path.read_text()}{CANARY} says\nREMOTECLAW_HOME=/x\nA=1\nA=2\nB='open\n")


# -- database


@damage("db.unreadable", at_once=False)
def _another_file_is_in_the_place_of_the_database(house: House) -> None:
    house.write("remoteclaw.db", "this is no database at all, but a text that somebody has put there\n" * 50)


@damage("db.newer", at_once=False)
def _the_database_is_of_a_later_version(house: House) -> None:
    house.sql("UPDATE alembic_version SET version_num = '9999_later'")


@damage(mends=("db.behind",), at_once=False)
def _the_database_is_of_an_earlier_version(house: House) -> None:
    from adapters.storage.migrate import downgrade

    downgrade(house.database, "0001_initial")


@damage("db.damaged", at_once=False)
def _a_page_of_the_database_is_overwritten(house: House) -> None:
    house.sql(
        *(f"INSERT INTO marks VALUES ('p', 'a{n:05}', '{'x' * 200}')" for n in range(200)),
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    with closing(sqlite3.connect(house.database)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'marks'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with house.database.open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 64)


@damage("db.orphans")
def _rows_have_lost_what_they_belong_to(house: House) -> None:
    house.sql(
        "INSERT INTO history (session, epoch, role, text) VALUES ('agent:main:gone', 0, 'user', 'x')",
    )


# -- secrets


@damage("secret.unresolved")
def _a_reference_gives_nothing(house: House) -> None:
    house.keep_also("acme:ref", type="api_key", keyRef={"source": "env", "provider": "default", "id": "NOT_SET"})


@damage("secret.plain")
def _a_key_stands_in_the_config(house: House) -> None:
    house.configure("[agents.defaults]", f'api_key = "{SHARED}"\n[agents.defaults]')


@damage("secret.command")
def _others_can_write_a_command_that_gives_secrets(house: House) -> None:
    command = house.write("give-secrets", "#!/bin/sh\n", 0o777)
    house.configure("", f'[secrets.providers.vault]\nsource = "exec"\ncommand = "{command}"\n')


@damage("secret.oauth", "store.entry", at_once=False)
def _a_login_holds_a_reference(house: House) -> None:
    house.keep_also(
        "zeta:me", provider="zeta", type="oauth", access={"source": "env", "provider": "default", "id": "X"}
    )


# -- stores and orders


@damage("store.unreadable", "credential.none", at_once=False)
def _the_store_is_half_written(house: House) -> None:
    house.write("agents/main/agent/auth-profiles.json", house.store.read_text()[:-20])


@damage("store.entry", at_once=False)
def _an_entry_has_no_kind(house: House) -> None:
    house.keep_also("zeta:me", provider="zeta", key=SHARED)


@damage("store.duplicate", "store.version", at_once=False)
def _a_later_program_wrote_an_id_twice(house: House) -> None:
    text = house.store.read_text().replace('"version": 1', '"version": 2')
    text = text.replace('{"type": "api_key"', '{"x": 1, "x": 2, "type": "api_key"', 1)
    house.write("agents/main/agent/auth-profiles.json", text)


@damage(mends=("store.older",))
def _an_older_layout_waits(house: House) -> None:
    house.keep({"zeta": {"type": "api_key", "key": SHARED}}, name="auth.json")
    house.keep({"version": 1, "order": {"zeta": ["zeta:default"]}}, name="auth-state.json")


@damage("store.older_unusable")
def _an_older_entry_cannot_be_used(house: House) -> None:
    house.keep({"omega": {"type": "magic", "key": SHARED}}, name="auth.json")


@damage(mends=("order.unknown",))
def _an_order_of_the_store_names_what_is_gone(house: House) -> None:
    house.keep_order(acme=["acme:gone", "acme:work", "acme:lost"])


@damage(mends=("order.unknown",))
def _an_order_of_the_config_names_what_is_gone(house: House) -> None:
    house.configure('["acme:work", "acme:home"]', '["acme:work", "acme:left", "acme:home"]')


@damage("order.excludes_all", "credential.none", at_once=False)
def _an_order_keeps_everything_out(house: House) -> None:
    house.keep_order(acme=["acme:gone"])


# -- credentials


@damage("credential.missing")
def _a_profile_is_empty(house: House) -> None:
    house.keep_also("acme:empty", type="api_key")


@damage("credential.expired", "credential.expiring", "credential.invalid_expires")
def _tokens_end(house: House) -> None:
    house.keep_also("acme:late", type="token", token=f"t1-{CANARY}", expires=now_ms(-2))
    house.keep_also("acme:soon", type="token", token=f"t2-{CANARY}", expires=now_ms(0.5))
    house.keep_also("acme:odd", type="token", token=f"t3-{CANARY}", expires="tomorrow")


@damage("credential.mode", "credential.provider", at_once=False)
def _the_config_says_something_else_of_profiles(house: House) -> None:
    house.configure(
        "",
        '[auth.profiles."acme:home"]\nprovider = "acme"\nmode = "token"\n'
        '[auth.profiles."acme:third"]\nprovider = "openai"\n',
    )
    house.keep_also("acme:third", type="api_key", key=SHARED)


@damage("credential.cooling", "credential.disabled", "credential.all_out", at_once=False)
def _credentials_are_out(house: House) -> None:
    begun, later = now_ms() * 1000, (now_ms() + 3_600_000) * 1000
    for name, secret, lane, reason in (
        ("acme:work", WORK, "cooldown", "rate_limit"),
        ("acme:home", HOME, "disabled", "billing"),
    ):
        key = f"'{name}', '{fingerprint_of(secret)}'"
        house.sql(
            f"INSERT INTO credentials VALUES ({key}, NULL, {later})",
            f"INSERT INTO windows VALUES ({key}, '{lane}', '', 0, '{reason}', {begun}, {later}, 0, NULL)",
        )


@damage("credential.same")
def _two_profiles_hold_one_secret(house: House) -> None:
    house.keep_also("acme:copy", type="api_key", key=WORK)


# -- sessions, platforms, services


@damage("session.pin", "session.senseless", at_once=False)
def _sessions_name_what_is_gone_or_make_no_sense(house: House) -> None:
    for name, profile, mode in (("one", "acme:gone", "strict"), ("two", "acme:work", "whatever")):
        key = f"agent:main:telegram:default:direct:{name}"
        house.sql(
            f"INSERT INTO sessions (key, epoch, version, has_undo, auto_pins) VALUES ('{key}', 0, 1, 0, '[]')",
            "INSERT INTO choices (session, slot, position, set_by, set_at, pin_profile, pin_mode, pin_set_by, pin_set_at, "
            f"pin_order) VALUES ('{key}', 'current', 0, 'telegram:1', 0, '{profile}', '{mode}', 'telegram:1', 0, 'implicit')",
        )


@damage("telegram.token_form")
def _the_bot_token_is_cut(house: House) -> None:
    path = house.state / ".env"
    house.write(".env", path.read_text().replace(TELEGRAM, f"777:{CANARY}"))


@damage("service.port", at_once=False)
def _another_program_listens_where_the_gateway_would(house: House) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    house.open_sockets.append(listener)
    house.configure("", f'[gateway]\nlisten = "127.0.0.1:{listener.getsockname()[1]}"\n')


def unit(house: House, program: Path, mode: int = 0o644) -> Path:
    """The unit of a user that starts this installation with `program`."""
    plan = ServicePlan(
        name="remoteclaw",
        command=(str(program), "gateway"),
        state=house.state,
        variables={"REMOTECLAW_STATE_DIR": str(house.state)},
        writable=(),
        credentials=(),
        runs_commands=False,
    )
    path = Path.home() / ".config" / "systemd" / "user" / "remoteclaw.service"
    path.parent.mkdir(parents=True)
    path.write_text(unit_text(plan))
    path.chmod(mode)
    return path


@damage("service.program", at_once=False)
def _the_unit_starts_a_program_that_is_gone(house: House) -> None:
    unit(house, house.state / "venv" / "bin" / "remoteclaw")


@damage(mends=("service.mode",))
def _others_can_write_the_unit(house: House) -> None:
    unit(house, Path("/bin/sh"), 0o666)


@damage(mends=("claude.program",), at_once=False)
def _the_claude_cli_is_gone(house: House) -> None:
    house.configure('model = "acme/small"', 'model = { primary = "acme/small", fallbacks = ["claude-cli/opus"] }')
    house.configure("", '[models.providers.claude-cli]\napi = "claude-cli"\nmodels = ["opus"]\n')
    house.keep_also("anthropic:claude-cli", provider="anthropic", type="token", token=SHARED, email="ada@example.com")


@damage("store.secret", "credential.missing", at_once=False)
def _a_stored_key_cannot_be_sent(house: House) -> None:
    house.keep_also("acme:odd", type="api_key", key=f"two words {CANARY}")


@damage("access.owners", at_once=False)
def _nobody_owns_it(house: House) -> None:
    house.configure('owners = ["telegram:1001"]', 'allow = ["telegram:1001"]')


@damage(mends=("credential.renamed",), at_once=False)
def _a_login_has_got_the_name_of_its_account(house: House) -> None:
    house.configure(
        "",
        '[auth.profiles."acme:default"]\nprovider = "acme"\nmode = "oauth"\n# by hand\nlabel = "mine"\nemail = "ada@example.com"\n',
    )
    house.configure('["acme:work", "acme:home"]', '["acme:work", "acme:default"]')
    tokens = {"access": f"a-{CANARY}", "refresh": f"r-{CANARY}", "expires": now_ms(9)}
    house.keep_also("acme:ada@example.com", type="oauth", email="ada@example.com", **tokens)


@damage("env.unreadable", "secret.unresolved", "telegram.token", at_once=False)
def _the_file_of_variables_is_far_too_large(house: House) -> None:
    path = house.state / ".env"
    house.write(".env", path.read_text() + "#" * (1024 * 1024 + 1))


def fingerprint_of(secret: str) -> str:
    """As the installation's salt makes it."""
    from core.auth.secret import Secret, fingerprint

    return fingerprint(Secret(secret), bytes(range(32)))
