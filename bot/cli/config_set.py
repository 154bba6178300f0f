"""`config set` and `config unset`: one setting, with everything else as it stands. The whole must be right, or nothing is written.

A secret is never taken from an argument, where other users and the shell's history would have it.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.config_get import unknown
from bot.cli.output import complain, say, say_json
from bot.config.place import NotSet, kind_at, parse_place, value_at
from bot.config.problems import InvalidConfig, Location, dotted
from bot.config.section import kinds_of
from bot.config.substitution import variables
from core.auth.refs import is_ref, read_ref
from core.auth.secret import Secret, clean_secret
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.config.edit import TreeChange
    from bot.environment import Environment
    from bot.paths import Paths

_LONGEST = 256 * 1024
_EXAMPLES = {"base_url": "http://127.0.0.1:9000/v1", "api": "openai-completions", "provider": "acme"}


def run(args: argparse.Namespace, paths: "Paths") -> int:
    """0 done, also where it was so already. Raises ConfigError with every mistake that it would make."""
    from bot.config.edit_value import set_value, unset_value

    is_open = False
    try:
        place = parse_place(args.place)
        if args.verb == "unset":
            change = unset_value(place)
        else:
            value = _value(args, place)
            is_secret = _is_secret(place)
            is_open = is_secret and isinstance(value, str) and not variables(value)
            change = set_value(place, value, on_one_line=is_secret)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    try:
        is_updated = write_change(paths, change)
    except InvalidConfig as error:
        raise InvalidConfig(error.problems, _together(place, error, paths) or error.hint) from None
    if args.verb == "unset" and not is_updated and kind_at(place) is None:
        raise unknown(place)
    if args.json:
        say_json({"path": dotted(place), "config_path": str(paths.config), "config_updated": is_updated})
    else:
        say(f"Updated {paths.config}" if is_updated else f"{paths.config} says so already: nothing was changed.")
    if is_open and is_updated:
        complain(
            f"Note: the secret stands in {paths.config} as it is. Better put it into .env of the state directory as NAME=..., and "
            f"run: remoteclaw config set '{dotted(place)}' '${{NAME}}'"
        )
    return exit_codes.OK


def _is_secret(place: Location) -> bool:
    return Secret in kinds_of(kind_at(place))


def _value(args: argparse.Namespace, place: Location) -> Any:
    """The value as the file is to have it. Raises UserError for a wrong use, and for a secret in an argument."""
    if _is_secret(place):
        return _secret(args, place)
    if args.stdin:
        text = _given(place)
    elif args.value is None:
        raise UserError("usage", "VALUE is missing.", "Write it behind the path.")
    else:
        text = args.value
    _refuse_secret(text)
    if args.json_value:
        value = _json(text)
        _refuse_secrets_inside(place, value)
        return value
    kinds = kinds_of(kind_at(place))
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    if int in kinds and text.lstrip("-").isascii() and text.lstrip("-").isdecimal() and len(text) < 20:
        return int(text)
    return text


def _secret(args: argparse.Namespace, place: Location) -> Any:
    """A reference from the argument; the secret itself only from a prompt or standard input."""
    if args.json_value and args.value is not None:
        value = _json(args.value)
        if not isinstance(value, str):
            try:
                read_ref(value)
            except ValueError as error:
                raise UserError("usage", f"{dotted(place)}: {error}.") from None
            return value
    elif args.value is not None:
        value = args.value
    else:
        text = _given(place)
        _learn(text)
        secret = clean_secret(text)
        if not secret:
            raise UserError("usage", "No secret was given; nothing was changed.")
        return secret
    if not variables(value):
        raise UserError(
            "usage",
            f"{dotted(place)} is a secret, and a secret is never taken from the command line, where other users and the shell's "
            "history would have it.",
            "Name a variable as '${NAME}', pipe it in with --stdin, or leave VALUE out and paste it when asked.",
        )
    _refuse_secret(value)
    return value


def _given(place: Location) -> str:
    """What standard input holds. Who types it at a terminal is asked, and does not see it."""
    if sys.stdin is not None and sys.stdin.isatty():
        from bot.cli.prompts import ask_secret

        return ask_secret(f"{dotted(place)} (it is not shown): ")
    try:
        text = sys.stdin.buffer.read(_LONGEST).decode("utf-8-sig") if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise BotError("config", "What came from standard input is not UTF-8 text; nothing was changed.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _learn(text: str) -> None:
    from bot.log import learn_secrets

    learn_secrets([text, clean_secret(text)])


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError("usage", "VALUE is not valid JSON.", 'Quote it for the shell: \'["a", "b"]\'') from None
    if value is None:
        raise UserError("usage", "TOML has no null.", "To take a setting out: remoteclaw config unset PATH")
    return value


def _refuse_secret(text: str) -> None:
    """Settings that are no secrets are printed and logged."""
    from bot.log import redact

    if redact(text) != text:
        raise UserError(
            "usage",
            "VALUE looks like a secret, so it is not taken.",
            "If it is one, revoke it: others see command lines, and shells keep them.",
        )


def _refuse_secrets_inside(place: Location, value: object) -> None:
    """Of a table that is set as a whole."""
    from bot.secret_places import secret_fields

    tree: Any = value
    for part in reversed(place):
        tree = {part: tree} if isinstance(part, str) else [tree]
    for field in secret_fields(tree) if isinstance(tree, Mapping) else ():
        if not is_ref(field.value):
            raise UserError(
                "usage",
                f"{dotted(field.path)} is a secret, so it is not taken from the command line.",
                "Set it by itself, or name a variable as '${NAME}' there.",
            )


def _together(place: Location, error: InvalidConfig, paths: "Paths") -> str:
    """The hint where a table cannot begin with one setting alone, because others must be there with it; else nothing."""
    import shlex

    missing = [parse_place(problem.path) for problem in error.problems if problem.message.startswith("is missing")]
    beside = (one[:-1] for one in missing if 1 < len(one) <= len(place))
    table = next((one for one in beside if one == place[: len(one)]), None)
    if table is None or _stands(paths, table):
        return ""
    names = dict.fromkeys([place[len(table)], *(one[-1] for one in missing if one[:-1] == table)])
    values = {str(name): "${NAME}" if _is_secret((*table, name)) else _EXAMPLES.get(str(name), "...") for name in names}
    words = f"{shlex.quote(dotted(table))} {shlex.quote(json.dumps(values))}"
    return f"What must be there together is set at once: remoteclaw config set --json-value {words}"


def _stands(paths: "Paths", table: Location) -> bool:
    from bot.config.load import read_toml

    try:
        value_at(read_toml(paths.config), table)
    except (NotSet, BotError):
        return False
    return True


def write_change(paths: "Paths", change: "TreeChange") -> bool:
    """Write the change; whether the file differs. What is wrong already must be mended by it, or the file stays. Raises
    ConfigError, StoreError."""
    from bot.app import open_secrets
    from bot.config.edit import edited, settings_of
    from bot.models_catalog import mistakes

    environ, name = _environment(paths), str(paths.config)

    def edit(content: bytes) -> bytes:
        result = edited(content, change, environ, name)
        if result == content:
            return content
        try:
            known = set(mistakes(settings_of(content, environ, name), paths))
        except BotError:
            known = set()  # it could not be read before
        added = [one for one in mistakes(settings_of(result, environ, name), paths) if one not in known]
        if added:
            raise InvalidConfig(added, "Nothing was changed.")
        return result

    return open_secrets(paths).edit_file(paths.config, edit)


def _environment(paths: "Paths") -> "Environment":
    """With what the login shell gives, where the config is right by now."""
    from bot.environment import read_environment
    from bot.settings_wiring import open_settings

    before = read_environment()
    try:
        return open_settings(paths, before, required=False)[1]
    except BotError:
        return before
