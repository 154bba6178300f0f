"""How the Claude command line is called: its arguments, and the few variables that it gets.

What somebody has written in a chat stands in none of them. The program works for a person at their own terminal: it would read
files that a text names (`@path`), obey `/commands`, load the user's settings, hooks, plugins and memories, and use tools. For a
chat all of that is off, each thing in every way that there is to do it, since versions differ in what they obey.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/\[\]-]{0,127}")
_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "CLAUDE_CONFIG_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
_ALONE = {
    "CLAUDE_CODE_SAFE_MODE": "1",
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    # Whether and when to try again is for the gateway to say.
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
}
_ARGUMENTS = (
    *("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    *("--include-partial-messages", "--tools", "", "--setting-sources", "", "--strict-mcp-config"),
    *("--disable-slash-commands", "--system-prompt", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The program as the operator has it. `extra` are arguments of the config; `folder` is a private directory to work in;
    `places` is how many of it may run at a time."""

    executable: str
    extra: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    places: int = 2


def is_model_name(name: str) -> bool:
    """Whether a model can be named to the program at all. No other text becomes an argument."""
    return _MODEL.fullmatch(name) is not None


def arguments(installed: Installed, model: str, resume: str | None) -> list[str]:
    """What the program is called with. The operator's arguments stand first, so that these win."""
    resumed = [f"--resume={resume}"] if resume is not None else []
    return [*installed.extra, *_ARGUMENTS, f"--model={model}", *resumed]


def variables(environ: Mapping[str, str], base_url: str, max_tokens: int | None) -> dict[str, str]:
    """All variables of the program. Keys of the gateway are never among them. `base_url` empty: Anthropic's own address."""
    passed = {name: value for name, value in environ.items() if name in _PASSED or name.startswith("LC_")}
    more = {"ANTHROPIC_BASE_URL": base_url} if base_url else {}
    if max_tokens is not None:
        more["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(max_tokens)
    return {**passed, **more, **_QUIET, **_ALONE}
