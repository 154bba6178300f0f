"""What the older files of an agent hold for its store, and what stays of them (product.md 2, credentials.md 1.8).

`auth.json` and `oauth.json` hold credentials, `auth-state.json` orders and bookkeeping. What the store takes goes out of
`auth.json` and `auth-state.json`, so it comes once; oauth.json belongs to all agents and is left, and the store notes the ids
that it has seen there. An entry whose id the store has already, or that cannot be used, stays where it is.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.storage.older_logins import (
    AUTH,
    OAUTH,
    OlderLogin,
    is_newer_layout,
    older_logins,
    set_aside,
    with_set_aside,
)
from adapters.storage.profile_disk import CLOSED, UNWRITABLE, read_document
from adapters.storage.profile_document import (
    Document,
    profiles,
    read_order,
    shown_id,
    usage_stats,
    with_orders,
    without_stats,
)
from adapters.storage.profile_entry import read_entry
from adapters.storage.profile_file import STATE
from core.errors import StoreError

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """The store with all that older files have for it, and then: `left` of each file that gave something (empty: it goes).

    `said` tells what is imported, `refused` holds the error of each file, by its name, that cannot be used, and `skipped`
    the sentences about entries that stay where they are.
    """

    document: Document
    is_changed: bool = False
    left: Mapping[Path, tuple[Document, Document]] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    refused: Mapping[str, StoreError] = field(default_factory=dict)

    @property
    def is_due(self) -> bool:
        """Whether anything is to be written or removed."""
        return self.is_changed or bool(self.left)


class OlderFiles:
    """The older files of one agent, in its folder. `oauth` is for the agent that takes from the one of all agents."""

    def __init__(self, folder: Path, oauth: Path | None) -> None:
        self._auth = folder / AUTH
        self._state = folder / STATE
        self._oauth = oauth

    def are_there(self) -> bool:
        """Whether any of them exists, also one that cannot be used."""
        return any(path is not None and os.path.lexists(path) for path in (self._auth, self._state, self._oauth))

    def plan(self, document: Document) -> Plan:
        """What to do, given what the store holds. Writes nothing and never raises."""
        plan = Plan(document)
        for path in (self._auth, self._oauth):
            if path is not None:
                plan = self._with_logins(plan, path)
        plan = self._with_state(plan)
        if not usage_stats(document):
            stripped = without_stats(plan.document)
            if len(stripped) != len(plan.document):
                return replace(plan, document=stripped, is_changed=True)
        return plan

    def _with_logins(self, plan: Plan, path: Path) -> Plan:
        try:
            data = read_document(path, CLOSED, to_replace=path.name == AUTH)
        except StoreError as error:
            return replace(plan, refused={**plan.refused, path.name: error})
        if data is None or is_newer_layout(data):
            return plan
        found = _sorted(plan.document, path, data)
        document = plan.document
        if found.fresh:
            taken = {login.id: login.entry for login in found.fresh}
            document = {**document, "profiles": {**profiles(document), **taken}}
        aside = (*found.fresh, *found.same, *found.others) if path.name == OAUTH else found.others
        if aside:
            document = with_set_aside(document, path.name, [login.id for login in aside])
        plan = replace(
            plan,
            document=document,
            is_changed=plan.is_changed or document is not plan.document,
            said=(*plan.said, *_said(found.fresh, path)),
            skipped=(*plan.skipped, *_skipped(found, path)),
        )
        gone = {login.key for login in (*found.fresh, *found.same)}
        if path.name == AUTH and (gone or set(data) <= {"version"}):
            rest = {key: raw for key, raw in data.items() if key not in gone}
            return replace(plan, left={**plan.left, path: (data, {} if set(rest) <= {"version"} else rest)})
        return plan

    def _with_state(self, plan: Plan) -> Plan:
        try:
            data = read_document(self._state, UNWRITABLE)
        except StoreError as error:
            return replace(plan, refused={**plan.refused, STATE: error})
        if data is None:
            return plan
        order, _ = read_order(data)
        rest = {key: value for key, value in data.items() if key != "order"}
        rest = rest if usage_stats(rest) else without_stats(rest)
        if len(rest) == len(data) and not set(data) <= {"version"}:
            return plan
        left = {**plan.left, self._state: (data, {} if set(rest) <= {"version"} else rest)}
        if not order:
            return replace(plan, left=left)
        said = f"Imported the order of {named([shown_id(provider) for provider in order])} from {self._state}."
        document = with_orders(plan.document, order)
        return replace(plan, document=document, is_changed=True, left=left, said=(*plan.said, said))


def named(ids: Sequence[str]) -> str:
    """Ids in a sentence, the first ten by name."""
    shown = ", ".join(ids[:_MOST_NAMED])
    return shown if len(ids) <= _MOST_NAMED else f"{shown} and {len(ids) - _MOST_NAMED} more"


@dataclass(frozen=True, slots=True)
class _Found:
    """The credentials of one file that were not set aside before: new ones, ones that the store has just so, ones whose id the
    store has for something else, and by their keys the reasons of those that cannot be used."""

    fresh: Sequence[OlderLogin]
    same: Sequence[OlderLogin]
    others: Sequence[OlderLogin]
    wrong: Mapping[str, str]


def _sorted(document: Document, path: Path, data: Mapping[str, object]) -> _Found:
    known, aside = profiles(document), set_aside(document, path.name)
    logins = [login for login in older_logins(path.name, data) if login.id not in aside]
    wrong = {login.key: reason for login in logins if (reason := _fault(login, path)) is not None}
    fresh: list[OlderLogin] = []
    same: list[OlderLogin] = []
    others: list[OlderLogin] = []
    for login in logins:
        if login.key in wrong:
            continue
        if login.id not in known:
            fresh.append(login)
        else:
            (same if _equal(known[login.id], login.entry) else others).append(login)
    return _Found(fresh, same, others, wrong)


def _fault(login: OlderLogin, path: Path) -> str | None:
    try:
        read_entry(login.id, login.entry, str(path))
    except ValueError as error:
        return str(error)
    return None


def _equal(stored: object, older: object) -> bool:
    """Compared as text: a number that equals nothing (NaN) is still the same number in both files."""
    try:
        return json.dumps(stored, sort_keys=True) == json.dumps(older, sort_keys=True)
    except RecursionError:
        return False


def _said(fresh: Sequence[OlderLogin], path: Path) -> list[str]:
    return [f"Imported {named([login.id for login in fresh])} from {path}."] if fresh else []


def _skipped(found: _Found, path: Path) -> list[str]:
    told = [f"{path}: {shown_id(key)} is not imported: {reason}." for key, reason in found.wrong.items()]
    if path.name == AUTH:
        told += [f"{path}: {shown_id(o.key)} is not imported: the store has {o.id} already." for o in found.others]
    return told[:_MOST_NAMED] + ([f"{path}: and {len(told) - _MOST_NAMED} more."] if len(told) > _MOST_NAMED else [])
