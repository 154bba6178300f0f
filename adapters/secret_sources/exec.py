"""Secrets from a command, such as the client of a password store."""

from collections.abc import Mapping, Sequence

from adapters.secret_sources.answers import Answers
from adapters.secret_sources.command import checked_command
from adapters.secret_sources.options import ProviderOptions
from adapters.secret_sources.process import Bounds, Stopped, run
from adapters.secret_sources.protocol import answers, request
from core.auth.refs import UnresolvedRef

_SHORTEST_CONFIDENTIAL = 4
"""Shorter values of variables would blot out harmless letters of the command's words."""


class ExecProvider:
    """A configured command. One run serves all ids; without `json_only` each has its own, for a plain answer names none."""

    def __init__(self, alias: str, options: ProviderOptions, environ: Mapping[str, str], max_batch_bytes: int) -> None:
        self._alias = alias
        self._name = f"The secret provider '{alias}' (exec)"
        self._options = options
        self._environ = environ
        self._largest = max_batch_bytes

    def fetch(self, ids: Sequence[str]) -> Answers:
        """See Provider."""
        if self._options.json_only or len(ids) == 1:
            return self._run(ids)
        found: dict[str, str | UnresolvedRef] = {}
        for name in ids:
            try:
                found.update(self._run([name]))
            except UnresolvedRef as reason:
                found[name] = reason
        return found

    def _run(self, ids: Sequence[str]) -> Answers:
        asked = request(self._alias, ids)
        if len(asked) > self._largest:
            raise UnresolvedRef(f"{self._name} request exceeded maxBatchBytes ({self._largest}).")
        options = self._options
        command = checked_command(self._name, options)
        environ = self._named_environment()
        bounds = Bounds(options.timeout, options.no_output_timeout or options.timeout, options.max_output_bytes)
        try:
            output = run(command, options.args, environ, asked, bounds)
        except Stopped as stopped:
            raise UnresolvedRef(f"{self._name} {stopped}.", _hint(self._alias, str(stopped))) from stopped
        confidential = [value for value in environ.values() if len(value) >= _SHORTEST_CONFIDENTIAL]
        return answers(self._name, output, ids, options.json_only, confidential)

    def _named_environment(self) -> dict[str, str]:
        """Only what the config names: the command gets none of the gateway's own keys by accident."""
        passed = {name: self._environ[name] for name in self._options.pass_env if name in self._environ}
        return passed | {name: value.reveal() for name, value in self._options.env.items()}


def _hint(alias: str, stopped: str) -> str:
    for words, setting in (
        ("timed out", "timeout"),
        ("produced no output", "no_output_timeout"),
        ("exceeded", "max_output_bytes"),
    ):
        if stopped.startswith(words):
            return f"The limit is secrets.providers.{alias}.{setting}."
    return "Run it by hand, as the user of the gateway and with no other variables than it gets."
