"""`secrets configure`: set up providers of secrets and move credentials to them, question by question.

Nothing is written before the last question is answered, and then all of it or nothing.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes, prompts
from bot.cli.output import complain, say, say_json
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.problems import InvalidConfig
    from bot.secrets_plan import Plan, Target
    from bot.secrets_preflight import Prepared
    from bot.secrets_state import State, Workplace
    from core.auth.secret import SecretRef


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to ask about, and what to do with the answers."""
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--providers-only", action="store_true", help="only set up providers, move nothing")
    parts.add_argument(
        "--skip-provider-setup", action="store_true", help="only move credentials to the providers there are"
    )
    parser.add_argument("--agent", metavar="ID", help="whose stored credentials to offer (default: main)")
    parser.add_argument("--apply", action="store_true", help="carry the plan out when it is complete")
    parser.add_argument("--yes", action="store_true", help="carry it out without asking once more")
    parser.add_argument(
        "--plan-out", metavar="FILE", type=Path, help="write the plan here, for `secrets apply --from FILE`"
    )
    parser.add_argument("--allow-exec", action="store_true", help="run the commands that references name")
    parser.add_argument("--json", action="store_true", help="print JSON when it is done")


@dataclass(slots=True)
class _Draft:
    """The answers so far. `providers` are the tables as they are to be."""

    providers: dict[str, dict[str, Any]]
    before: Mapping[str, Mapping[str, Any]]
    targets: "list[Target]" = field(default_factory=list)
    scrub_env: tuple[str, ...] = ()

    def plan(self) -> "Plan":
        from bot.secrets_plan import Plan

        changed = {alias: table for alias, table in self.providers.items() if self.before.get(alias) != table}
        gone = tuple(alias for alias in self.before if alias not in self.providers)
        return Plan(changed, gone, tuple(self.targets), self.scrub_env)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 nothing was written, 130 broken off. Raises BotError; then nothing was changed."""
    from bot.cli.secrets_apply import open_workplace
    from bot.secrets_plan import Plan
    from bot.secrets_state import read_state

    if not prompts.can_ask():
        raise BotError(
            "no_terminal",
            "`secrets configure` requires an interactive TTY.",
            "In a script, write a plan and run `remoteclaw secrets apply --from PLAN`.",
        )
    place = open_workplace(allow_exec=args.allow_exec, dry_run=True)
    state = read_state(Plan(), place)
    agent = _agent(args.agent, state)
    before = {alias: dict(table) for alias, table in state.tree.get("secrets", {}).get("providers", {}).items()}
    draft = _Draft(dict(before), before)
    if not args.skip_provider_setup:
        _ask_providers(draft, place)
    if not args.providers_only:
        _ask_targets(draft, state, agent, place)
    return _finish(args, draft, place)


def _agent(text: str | None, state: "State") -> str:
    from bot.cli.models_auth import agent_named

    return agent_named(text, {*state.stores, *state.unknown})


def _ask_providers(draft: _Draft, place: "Workplace") -> None:
    from bot.cli.secrets_provider_form import ask_alias, ask_table

    def judge(alias: str, table: Mapping[str, Any]) -> "InvalidConfig | None":
        from bot.config.problems import InvalidConfig

        try:
            place.settings({"secrets": {"providers": {alias: table}}})
        except InvalidConfig as error:
            return error
        return None

    while True:
        choices = [("done", "go on"), ("add", "add a provider")]
        choices += [(f"change {alias}", f"change {alias} ({t['source']})") for alias, t in draft.providers.items()]
        choices += [(f"remove {alias}", f"remove {alias}") for alias in draft.providers]
        what, _, alias = prompts.choose("Providers of secrets", choices).partition(" ")
        if what == "done":
            return
        if what == "remove":
            del draft.providers[alias]
            continue
        alias = alias or ask_alias(draft.providers, judge)
        draft.providers[alias] = ask_table(alias, draft.providers.get(alias, {}), judge)


def _ask_targets(draft: _Draft, state: "State", agent: str, place: "Workplace") -> None:
    from bot.cli.secrets_target_form import ask_target
    from bot.secrets_candidates import candidates
    from bot.secrets_preflight import scrubbable

    offered = list(candidates(state, agent))
    if not offered:
        prompts.tell("There is no credential that could be moved.")
        return
    words = [(str(n), str(candidate)) for n, candidate in enumerate(offered)]
    for chosen in prompts.choose_many("Which credentials shall be kept by a provider?", words):
        wanted = offered[int(chosen)]
        check = partial(_problem, path=wanted.path, draft=draft, state=state, place=place)
        target = ask_target(wanted, draft.providers, check)
        if target is not None:
            draft.targets.append(target)
    names = scrubbable(draft.plan(), _now(place)) if draft.targets else ()
    if names and prompts.confirm(f"Take {', '.join(names)} out of {place.paths.dotenv}, too?", default=False):
        draft.scrub_env = names


def _problem(ref: "SecretRef", path: tuple[str, ...], draft: _Draft, state: "State", place: "Workplace") -> str | None:
    """Why a reference gives nothing usable now, with the providers as they are to be."""
    from bot.secrets_preflight import problem_of

    if ref.source == "exec" and not place.allow_exec:
        prompts.tell("It is not checked: without --allow-exec no command is run.")
        return None
    providers = {**state.tree.get("secrets", {}), "providers": draft.providers}
    here = _now(place)
    return problem_of(ref, path, here.settings({**state.tree, "secrets": providers}), here)


def _now(place: "Workplace") -> "Workplace":
    """With the environment as it is now: a variable may have been added to `.env` meanwhile."""
    from bot.cli.secrets_apply import open_workplace

    return open_workplace(allow_exec=place.allow_exec, dry_run=True)


def _finish(args: argparse.Namespace, draft: _Draft, place: "Workplace") -> int:
    from bot.secrets_preflight import prepare

    plan = draft.plan()
    prepared = prepare(plan, _now(place))
    if not prepared.swaps:
        prompts.tell("There is nothing to change.")
    else:
        _show(plan, prepared)
    is_wanted = bool(prepared.swaps) and _is_wanted(args, prepared)
    if not is_wanted and args.plan_out is None and prepared.swaps:
        complain("Nothing was written.")
        return exit_codes.FAILED
    if args.plan_out is not None:
        _write_plan(plan, args.plan_out, place)
    if is_wanted:
        prepared = _carry_out(plan, place)
    _tell(args, plan, prepared, is_wanted)
    return exit_codes.OK


def _is_wanted(args: argparse.Namespace, prepared: "Prepared") -> bool:
    if prepared.skipped:
        prompts.tell("It cannot be carried out now: without --allow-exec not every reference could be checked.")
        return False
    if args.yes:
        return True
    if args.plan_out is not None and not args.apply:
        return False
    return prompts.confirm("Carry it out? The secrets go from these files and are not kept.", default=args.apply)


def _show(plan: "Plan", prepared: "Prepared") -> None:
    prompts.tell("The plan:")
    for alias, table in plan.upserts.items():
        prompts.tell(f"- set up {alias} ({table['source']})")
    for target in plan.targets:
        prompts.tell(f"- {target}: {target.ref.source}:{target.ref.provider}:{target.ref.id}")
    for alias in plan.deletes:
        prompts.tell(f"- remove {alias}")
    for name in plan.scrub_env:
        prompts.tell(f"- take {name} out of .env")
    prompts.tell(f"Files that change: {', '.join(str(path) for path in prepared.changed)}")
    for note in prepared.notes:
        prompts.tell(f"Note: {note}")


def _write_plan(plan: "Plan", path: Path, place: "Workplace") -> None:
    """Whole or not at all, and for this user alone: it tells where secrets are."""
    from bot.secrets_plan import encode_plan
    from core.durations import iso

    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(encode_plan(plan, iso(place.tools.clock.now()) or ""))
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise BotError("secrets_plan", f"{path} cannot be written: {reason}. Nothing was changed.") from error


def _carry_out(plan: "Plan", place: "Workplace") -> "Prepared":
    """Judged once more, for time has passed."""
    from bot.cli.secrets_apply import write
    from bot.secrets_preflight import prepare

    now = replace(_now(place), dry_run=False)
    prepared = prepare(plan, now)
    write(prepared, now)
    return prepared


def _tell(args: argparse.Namespace, plan: "Plan", prepared: "Prepared", is_applied: bool) -> None:
    import json

    from bot.cli.secrets_apply import lines
    from bot.secrets_plan import encode_plan

    if args.json:
        say_json({
            "version": 1,
            "applied": is_applied,
            "changed_files": [str(path) for path in prepared.changed] if is_applied else [],
            "plan_path": str(args.plan_out) if args.plan_out is not None else None,
            "plan": json.loads(encode_plan(plan, "")),
            "notes": list(prepared.notes),
        })  # fmt: skip
        return
    if args.plan_out is not None:
        say(f"Plan: {args.plan_out}")
    if is_applied:
        say("\n".join(lines(prepared, dry_run=False)))
