"""Asking for one provider of secrets, a setting at a time. What is typed is judged by the rules of the config, at once."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.cli import prompts
from bot.config.problems import InvalidConfig, dotted

Judge = Callable[[str, Mapping[str, Any]], InvalidConfig | None]
"""What is wrong with secrets.providers.<alias> being this table."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """One key of the table: the question, and how its text becomes a value and back."""

    key: str
    question: str
    read: Callable[[str], Any] = str
    show: Callable[[Any], str] = str


def _list(key: str, question: str) -> _Setting:
    def read(text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    return _Setting(key, f"{question}, parted by commas", read, ", ".join)


def _number(key: str, question: str) -> _Setting:
    def read(text: str) -> int | str:
        # What is no number is refused by the rules of the config, in their words.
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text

    return _Setting(key, question, read)


def _yes_or_no(key: str, question: str) -> _Setting:
    def read(text: str) -> bool | str:
        return {"yes": True, "no": False}.get(text.lower(), text)

    return _Setting(key, f"{question} (yes, or nothing: no)", read, lambda value: "yes" if value else "no")


_TIMEOUT = _Setting("timeout", "The longest time for an answer (nothing: 5s; at most 2m)")
_INSECURE = _yes_or_no("allow_insecure_path", "Shall it count whoever may read or change it?")
_FIRST = {
    "env": [_list("allowlist", "Variables that may be read (nothing: all)")],
    "file": [_Setting("path", "The file, as an absolute path")],
    "exec": [
        _Setting("command", "The command, as an absolute path without arguments"),
        _Setting("args", "Its arguments, as in a shell (nothing: none)", shlex.split, shlex.join),
        _list("pass_env", "Variables that it gets (nothing: none)"),
    ],
}
_FURTHER = {
    "env": [],
    "file": [_TIMEOUT, _number("max_bytes", "The largest size in bytes (nothing: 1048576)"), _INSECURE],
    "exec": [
        _TIMEOUT,
        _Setting("no_output_timeout", "The longest silence (nothing: the time for an answer)"),
        _number("max_output_bytes", "The longest output in bytes (nothing: 1048576)"),
        _list("trusted_dirs", "Folders that it must lie in (nothing: anywhere)"),
        _yes_or_no("allow_symlink_command", "May it be a link?"),
        _INSECURE,
    ],
}
_SOURCES = (("file", "a file"), ("exec", "a command, such as the client of a password store"), ("env", "variables"))
_MODES = (("json", "JSON: an id is a pointer such as /acme/key"), ("single_value", "one secret and nothing else"))
_ANSWERS = ((True, "JSON, as the protocol says"), (False, "the secret alone, or JSON"))


def ask_alias(taken: Mapping[str, object], judge: Judge) -> str:
    """A name for a new provider."""

    def problem(text: str) -> str | None:
        if text.strip() in taken:
            return "There is one of that name."
        wrong = judge(text.strip(), {"source": "env"})
        return None if wrong is None else f"It {wrong.problems[0].message}."

    return prompts.ask_line("How shall the provider be called?", check=problem)


def ask_table(alias: str, present: Mapping[str, Any], judge: Judge) -> dict[str, Any]:
    """The table of a provider; `present` is what it is now. Keys that no question is about stay, if its source has them."""
    source = present.get("source") or prompts.choose(f"Where does {alias} take secrets from?", _SOURCES)
    table = {**present, "source": source}
    for setting in _FIRST[source]:
        _ask(alias, table, setting, judge)
    if source == "file":
        _choose(table, "mode", "What does the file hold?", _MODES, "json")
    if source == "exec":
        _choose(table, "json_only", "What does it answer with?", _ANSWERS, True)
    if _FURTHER[source] and prompts.confirm("Set its limits and permissions too?", default=False):
        for setting in _FURTHER[source]:
            _ask(alias, table, setting, judge)
    return table


def _choose(
    table: dict[str, Any], key: str, question: str, choices: Sequence[tuple[object, str]], usual: object
) -> None:
    """Set a key, or leave it out where the usual value is chosen. What is set now is offered first."""
    present = table.pop(key, usual)
    offered = sorted(range(len(choices)), key=lambda n: choices[n][0] != present)
    value = choices[int(prompts.choose(question, [(str(n), choices[n][1]) for n in offered]))][0]
    if value != usual:
        table[key] = value


def _ask(alias: str, table: dict[str, Any], setting: _Setting, judge: Judge) -> None:
    def problem(text: str) -> str | None:
        try:
            tried = _with(table, setting, text)
        except ValueError:
            return "Its quotes do not match."
        wrong = judge(alias, tried)
        own, whole = dotted(("secrets", "providers", alias, setting.key)), dotted(("secrets", "providers", alias))
        for found in wrong.problems if wrong is not None else ():
            if found.path.startswith(own):
                return f"It {found.message}."
            if found.path == whole and found.message.startswith(f"{setting.key} "):
                return "It is needed."
        return None

    present = table.get(setting.key)
    text = prompts.ask_line(f"{setting.question}:", "" if present is None else setting.show(present), problem)
    changed = _with(table, setting, text)
    table.clear()
    table.update(changed)


def _with(table: Mapping[str, Any], setting: _Setting, text: str) -> dict[str, Any]:
    rest = {key: value for key, value in table.items() if key != setting.key}
    return {**rest, setting.key: setting.read(text.strip())} if text.strip() else rest
