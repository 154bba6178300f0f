"""`secrets audit`: which secrets lie about as they are, and which references give nothing."""

import argparse
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import complain, on_one_line, say, say_json
from core.errors import BotError, ConfigError

if TYPE_CHECKING:
    from bot.secrets_audit import Report

FINDINGS = 1
UNRESOLVED = 2
"""Also for an audit that could not be made: nobody knows then."""
_MOST_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--check, --allow-exec, --agent, --json."""
    parser.add_argument("--check", action="store_true", help="exit 1 if there is any finding")
    parser.add_argument("--allow-exec", action="store_true", help="also run commands that references name")
    parser.add_argument("--agent", metavar="ID", help="of the stores only those of this agent (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """2 if a reference gives nothing, 1 with --check and findings, else 0."""
    try:
        report = _audit(args)
    except BotError as error:
        complain(str(error))
        return UNRESOLVED
    if args.json:
        _say_json(report)
    else:
        _say(report)
    if report.status == "unresolved":
        return UNRESOLVED
    return FINDINGS if args.check and report.findings else exit_codes.OK


def _audit(args: argparse.Namespace) -> "Report":
    from bot.app import open_secrets
    from bot.environment import read_environment
    from bot.log import learn_secrets
    from bot.paths import Paths
    from bot.secrets_audit import Auditor
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    environ = read_environment()
    with suppress(ConfigError):  # the audit says itself what it makes of the file
        environ = open_settings(paths, environ, required=False)[1]
    tools = open_secrets(paths)
    auditor = Auditor(
        paths=paths,
        environ=environ,
        open_sources=tools.open_sources,
        declared=tools.declared,
        learn=learn_secrets,
    )
    return auditor.audit(args.agent, allow_exec=args.allow_exec)


def _say_json(report: "Report") -> None:
    say_json({
        "version": 1,
        "status": report.status,
        "resolution": {
            "refs_checked": report.checked,
            "skipped_exec_refs": report.skipped,
            "resolvability_complete": report.complete,
        },
        "files_scanned": list(report.files),
        "summary": {f"{name}_count": count for name, count in report.counts().items()},
        "findings": [finding.view() for finding in report.findings],
    })  # fmt: skip


def _say(report: "Report") -> None:
    counts = ", ".join(f"{name.split('_')[0]}={count}" for name, count in report.counts().items())
    say(f"Secrets audit: {report.status}. {counts}.")
    for finding in report.findings[:_MOST_SHOWN]:
        say(f"- {on_one_line(str(finding))}")
    more = len(report.findings) - _MOST_SHOWN
    if more > 0:
        say(f"... {more} more (--json shows all)")
    if report.skipped:
        say(f"{report.skipped} reference(s) were not checked; --allow-exec runs the commands that give them.")
