"""`remoteclaw models`: which models and credentials there are, how they stand, and what would serve a session."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes, models_auth, models_lists, models_probe
from bot.cli.output import complain, say, say_json
from bot.cli.parsers import fill_later
from core.errors import FailureReason, UserError

if TYPE_CHECKING:
    from bot.app import Inspection
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.resolution.snapshot import Snapshot
    from core.sessions.key import SessionKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`models` alone is `models status`."""
    parser.description = "Models, credentials and their state. Without a further word: status."
    _status_flags(parser, suppress=False)
    for form in ("json", "plain"):
        parser.add_argument(f"--status-{form}", dest=form, action="store_true", help=argparse.SUPPRESS)
    kinds = parser.add_subparsers(metavar="<what>", dest="what")
    status = kinds.add_parser("status", help="what is configured and how each credential stands")
    fill_later(status, lambda parser: _status_flags(parser, suppress=True))
    models_lists.add_arguments(kinds)
    fill_later(
        kinds.add_parser("auth", help="put credentials in, take them out, order them"), models_auth.add_arguments
    )
    fill_later(kinds.add_parser("explain", help="what would serve a session, and why"), _explain_arguments)


def _explain_arguments(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("ref", nargs="*", help="<model>[@<profile>], as after /model; nothing: the session as it is")
    explain.add_argument(
        "--session", metavar="KEY", default=argparse.SUPPRESS, help="a session key (agent:...), or a name of one's own"
    )
    explain.add_argument("--agent", metavar="ID", default=argparse.SUPPRESS, help="the agent (default: main)")
    explain.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    explain.add_argument(
        "--assume",
        metavar="PROFILE=REASON",
        action="append",
        default=[],
        help="as if the profile's next request failed so: rate_limit, billing, auth, ...",
    )


def _status_flags(parser: argparse.ArgumentParser, suppress: bool) -> None:
    """The flags stand before and after the word `status`; the inner ones must not undo the outer ones."""
    absent: dict[str, Any] = {"default": argparse.SUPPRESS} if suppress else {}
    parser.add_argument("--json", action="store_true", help="print JSON", **absent)
    parser.add_argument("--plain", action="store_true", help="print the default model and nothing else", **absent)
    parser.add_argument(
        "--check", action="store_true", help="exit 1 if something is expired or missing, 2 if it soon will be", **absent
    )
    parser.add_argument("--session", metavar="KEY", help="also show this session", **absent)
    parser.add_argument("--agent", metavar="ID", help="the agent (default: main)", **absent)
    models_probe.add_probe_flags(parser, suppress)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 failed, 2 wrong usage; `status --check` as interfaces.md says."""
    if getattr(args, "json", False) and getattr(args, "plain", False):
        complain("Choose either --json or --plain, not both.")
        return exit_codes.USAGE
    if args.what == "auth":
        return models_auth.run(args)
    if args.what in models_lists.MODULES:
        return models_lists.run(args)
    problem = models_probe.probe_problem(args) if args.what in (None, "status") else None
    if problem is not None:
        complain(problem)
        return exit_codes.USAGE
    from bot.cli.models_opened import opened
    from bot.paths import Paths

    paths = Paths.of(os.environ)
    settings, inspection, notes = opened(paths)
    if args.what == "explain":
        return _explain(args, inspection)
    return _status(args, inspection, settings, paths, notes)


def _key(args: argparse.Namespace, inspection: "Inspection") -> "SessionKey":
    from core.resolution.snapshot import unknown_agent
    from core.sessions.key import SessionKey

    agent = models_auth.agent_named(args.agent, inspection.rules.agents)
    if args.session is None:
        key = SessionKey(agent, "main")
    else:
        full = args.session.lower().startswith("agent:")
        try:
            key = SessionKey.parse(args.session if full else f"agent:{agent}:terminal:default:named:{args.session}")
        except ValueError as error:
            raise UserError("usage", f"{error}.", "See /whoami or /status in the chat.") from None
    if key.agent not in inspection.rules.agents:
        raise unknown_agent(key.agent, inspection.rules)
    return key


def _status(
    args: argparse.Namespace, inspection: "Inspection", settings: "Settings", paths: "Paths", notes: tuple[str, ...]
) -> int:
    from bot.cli import models_status, models_status_json
    from core.sessions.session import Session

    try:
        snapshot = inspection.snapshots.take(_key(args, inspection))
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    agent = replace(snapshot, session=Session(key=replace(snapshot.session.key, thread=None)), parent=None)
    asked = snapshot if args.session is not None else None
    report = models_probe.run_probe(args, agent, inspection) if args.probe else None
    environment = inspection.credentials.environment
    names_agent = args.agent is not None
    status = models_status.look(agent, asked, settings, paths, environment, names_agent=names_agent, notes=notes)
    if args.plain:
        say(str(agent.agent.default))
    elif args.json:
        probes = {} if report is None else {"probes": models_probe.probe_view(report)}
        say_json({**models_status_json.view(status), **probes})
    else:
        from bot.cli.colour import say_states
        from bot.cli.models_status_text import lines

        probed = [] if report is None else models_probe.probe_lines(report)
        say_states("\n".join([*lines(status, models_status_json.view(status)), *probed]))
    return models_status.verdict(status) if args.check else exit_codes.OK


def _explain(args: argparse.Namespace, inspection: "Inspection") -> int:
    from bot.cli.models_status import explained
    from core.commands.explain import explain
    from core.resolution.resolver import resolve
    from core.resolution.view import session_view

    try:
        assumed = [_assumption(text) for text in args.assume]
        key = _key(args, inspection)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    snapshot: Snapshot = explain(inspection.snapshots.take(key), " ".join(args.ref), assumed)
    if args.json:
        say_json(session_view(snapshot, resolve(snapshot)))
    else:
        from bot.cli.colour import say_states

        say_states("\n".join(explained(snapshot)))
    return exit_codes.OK


def _assumption(text: str) -> tuple[str, FailureReason]:
    profile, _, reason = text.rpartition("=")
    known = ", ".join(FailureReason)
    if not profile:
        raise UserError("usage", f"--assume {text!r} is not of the form PROFILE=REASON.", f"Reasons: {known}.")
    try:
        return profile, FailureReason(reason)
    except ValueError:
        raise UserError("usage", f"{reason!r} is not a failure reason.", f"Reasons: {known}.") from None
