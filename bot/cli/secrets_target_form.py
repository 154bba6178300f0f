"""Asking where one credential is kept, until the reference gives a secret or the credential is left as it is."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.cli import prompts
from bot.secrets_candidates import Candidate
from bot.secrets_plan import Target
from core.auth.refs import DEFAULT_PROVIDER, SOURCES, read_ref
from core.auth.secret import SecretRef

Check = Callable[[SecretRef], str | None]
"""Why a reference gives no usable secret, asked anew each time; None: it does, or may not be asked."""
_WORDS = {"env": "a variable", "file": "a file", "exec": "a command"}
_LEAVE = "leave"


def ask_target(candidate: Candidate, providers: Mapping[str, Mapping[str, Any]], check: Check) -> Target | None:
    """The reference for a credential, seen to give a secret; None: leave it. `providers` are the tables that there are."""
    ref = _ask_ref(candidate, providers)
    while (problem := check(ref)) is not None:
        prompts.tell(problem)
        choices = [
            ("again", "try again"),
            ("change", "give another reference"),
            (_LEAVE, "leave this credential as it is"),
        ]
        answer = prompts.choose(f"What about {candidate}?", choices)
        if answer == _LEAVE:
            return None
        if answer == "change":
            ref = _ask_ref(candidate, providers)
    return Target(candidate.path, ref, candidate.agent)


def _ask_ref(candidate: Candidate, providers: Mapping[str, Mapping[str, Any]]) -> SecretRef:
    known = {
        source: [alias for alias, table in providers.items() if table.get("source") == source] for source in SOURCES
    }
    if DEFAULT_PROVIDER not in providers:
        known["env"].insert(0, DEFAULT_PROVIDER)
    sources = [(source, _WORDS[source]) for source in SOURCES if known[source]]
    source = prompts.choose(f"Where is {candidate} to be kept?", sources) if len(sources) > 1 else sources[0][0]
    aliases = known[source]
    provider = prompts.choose("By which provider?", [(a, a) for a in aliases]) if len(aliases) > 1 else aliases[0]
    is_whole_file = source == "file" and providers[provider].get("mode") == "single_value"
    default = {"env": candidate.variable, "file": "value" if is_whole_file else "/"}.get(source, "")

    def problem(text: str) -> str | None:
        try:
            read_ref({"source": source, "provider": provider, "id": text.strip()})
        except ValueError as error:
            return f"{error}."[0].upper() + f"{error}."[1:]
        return None

    name = prompts.ask_line(f"The id of {candidate} at {source}:{provider}:", default, problem)
    return SecretRef(source, provider, name)
