"""An audit of the secrets of an installation: which lie about as they are, and which references give nothing.

Every file is taken as it is: none has to be valid for the others to be looked at. Nothing is written.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config.load import own_variables, settings_from
from bot.config.problems import InvalidConfig
from bot.environment import Environment
from bot.secrets_files import Unreadable, json_object, mode_for_others, read_regular, text_of, toml_table
from bot.secrets_findings import Code, Finding, Place, Scanned, Severity, Use, unresolved
from bot.secrets_scan import scan_config, scan_dotenv, scan_models, scan_older_keys, scan_older_logins, scan_store
from core.auth.refs import SecretSource, UnresolvedRef, prepare_refs, resolve_ref
from core.auth.secret import SecretRef
from core.auth.variables import Origin
from core.errors import BotError
from core.sessions.key import DEFAULT_AGENT, agent_id

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths

Reasons = Mapping[SecretRef, str]
"""Why each of these references gives nothing."""
_URGENCY = list(Severity)
_COUNTED = {
    "plaintext": Code.PLAINTEXT_FOUND,
    "unresolved_ref": Code.REF_UNRESOLVED,
    "shadowed_ref": Code.REF_SHADOWED,
    "legacy_residue": Code.LEGACY_RESIDUE,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found, the most urgent first. `checked` references were asked for; `skipped` ones were not, because a
    command gives them. `complete`: there is no reference of which it is not known whether it gives a secret."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    checked: int
    skipped: int
    complete: bool

    @property
    def status(self) -> str:
        """clean, findings, or unresolved."""
        if self.count(Code.REF_UNRESOLVED):
            return "unresolved"
        return "findings" if self.findings else "clean"

    def count(self, code: Code) -> int:
        """How many findings of a kind there are."""
        return sum(finding.code is code for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """The same of every kind, by the names that scripts know."""
        return {name: self.count(code) for name, code in _COUNTED.items()}


@dataclass(slots=True)
class _Seen:
    """What the files hold, as they are looked at one by one."""

    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def look(self, path: Path, scan: Callable[[bytes], Scanned]) -> bool:
        """Scan a file; whether it could be read or is not there."""
        try:
            content = read_regular(path)
            if content is None:
                return True
            self.files.append(str(path))
            mode = mode_for_others(path)
            for found in scan(content):
                if isinstance(found, Use):
                    self.uses.append(found)
                else:
                    self.findings.append(found if mode is None else found.in_open_file(mode))
        except Unreadable as error:
            why = f"The file {error}, so it is not known which secrets and references it holds."
            self.findings.append(unresolved(Place(str(path)), why))
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Looks at an installation. `open_sources` makes the sources that settings mean, in an environment.

    `declared` are the variables that built-in providers declare. `learn` hides what references give from all that is written.
    """

    paths: "Paths"
    environ: Mapping[str, str]
    open_sources: Callable[["Settings", Mapping[str, str]], Mapping[str, SecretSource]]
    declared: Set[str]
    learn: Callable[[Iterable[str]], None]

    def audit(self, agent: str | None = None, *, allow_exec: bool = False) -> Report:
        """All agents, or of the stores only those of one. Commands are asked with `allow_exec` only.

        Raises BotError for an agent that there is not.
        """
        seen = _Seen()
        tree: dict[str, Any] = {}

        def config(content: bytes) -> Scanned:
            tree.update(toml_table(content))
            yield from scan_config(str(self.paths.config), tree)

        is_known = seen.look(self.paths.config, config)
        seen.look(self.paths.dotenv, lambda content: scan_dotenv(str(self.paths.dotenv), text_of(content)))
        logins = self.paths.state / "credentials" / "oauth.json"
        seen.look(logins, lambda content: scan_older_logins(str(logins), json_object(content)))
        for name in self._chosen(agent, tree):
            self._look_at_agent(name, modes_of(tree), seen)
        return self._report(seen, tree if is_known else None, allow_exec)

    def _look_at_agent(self, agent: str, modes: Mapping[str, str | None], seen: _Seen) -> None:
        folder = self.paths.agent(agent)
        store, older, models = self.paths.auth_store(agent), folder / "auth.json", folder / "models.json"
        seen.look(store, lambda content: scan_store(str(store), json_object(content), modes))
        seen.look(older, lambda content: scan_older_keys(str(older), json_object(content)))
        seen.look(models, lambda content: scan_models(str(models), json_object(content), self.declared))

    def _chosen(self, agent: str | None, tree: Mapping[str, Any]) -> list[str]:
        known = agents_of(self.paths, tree)
        if agent is None:
            return known
        if agent.strip().lower() not in known:
            raise BotError("unknown_agent", f'Unknown agent id "{agent}".', f"Known agents: {', '.join(known)}.")
        return [agent.strip().lower()]

    def _report(self, seen: _Seen, tree: Mapping[str, Any] | None, allow_exec: bool) -> Report:
        """With every reference asked for once. Without a config nobody knows where they lead."""
        environment = Environment.of(self.environ)
        own = own_variables(tree or {}, environment.for_config)
        variables = {**own, **{name: value for name, value in environment.for_config.items() if value.strip()}}
        wanted = {use.ref for use in seen.uses if not use.variable}
        commands = {ref for ref in wanted if ref.source == "exec" and not allow_exec}
        settings = self._settings(tree, variables, seen)
        asked = wanted - commands if settings is not None else set()
        reasons: Reasons = {}
        if settings is not None:
            sources = self.open_sources(settings, dict(environment.trusted.with_layer(Origin.CONFIG, own)))
            reasons = reasons_of(asked, sources, self.learn)
        for use in seen.uses:
            if use.variable and use.ref.id not in variables:
                why = f"The environment variable {use.ref.id} is missing or empty."
                seen.findings.append(unresolved(use.place, why))
            elif not use.variable and use.ref in reasons:
                seen.findings.append(unresolved(use.place, reasons[use.ref]))
        names = {use.ref for use in seen.uses if use.variable}
        findings = sorted(seen.findings, key=lambda finding: _URGENCY.index(finding.severity))
        checked = len(asked) + len(names)
        return Report(tuple(findings), tuple(seen.files), checked, len(commands), asked == wanted)

    def _settings(self, tree: Mapping[str, Any] | None, variables: Mapping[str, str], seen: _Seen) -> "Settings | None":
        """Those of the table `secrets` alone: the rest of the config may be wrong. None where nobody knows them."""
        if tree is None:
            return None
        try:
            return settings_from({"secrets": tree["secrets"]} if "secrets" in tree else {}, variables)
        except InvalidConfig as error:
            place = Place(str(self.paths.config), ("secrets",))
            seen.findings += [unresolved(place, f"{problem}".rstrip(".") + ".") for problem in error.problems]
            return None


def reasons_of(
    refs: Iterable[SecretRef], sources: Mapping[str, SecretSource], learn: Callable[[Iterable[str]], None]
) -> Reasons:
    """Ask for references, those of one provider together, and give the reasons of those that give nothing. Blocks."""
    wanted = list(refs)
    prepare_refs(wanted, sources)
    reasons: dict[SecretRef, str] = {}
    for ref in wanted:
        try:
            learn([resolve_ref(ref, sources).reveal()])
        except UnresolvedRef as error:
            reasons[ref] = str(error)
    return reasons


def agents_of(paths: "Paths", tree: Mapping[str, Any]) -> list[str]:
    """The agents of the config, and those that have a folder."""
    names = {DEFAULT_AGENT, *_table(tree, "agents", "list")}
    with suppress(OSError):  # what cannot be listed may still be read by name
        names |= {entry.name for entry in (paths.state / "agents").iterdir()}
    return sorted(name for name in names if agent_id(name) == name)


def modes_of(tree: Mapping[str, Any]) -> dict[str, str | None]:
    """What kind of credential the config says each profile is."""
    profiles = _table(tree, "auth", "profiles")
    modes = ((name, entry.get("mode")) for name, entry in profiles.items() if isinstance(entry, Mapping))
    return {name: mode if isinstance(mode, str) else None for name, mode in modes}


def _table(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: object = tree
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
