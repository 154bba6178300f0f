"""Where environment variables come from, and what a variable could do if somebody else chose its value (credentials.md 8.1).

A variable can decide which code runs, where a credential is sent, or whose credential serves. The environment, the state
directory and the config belong to the operator. The `.env` of a working directory may have come with a project of anybody's,
so it gives keys and nothing of that kind. Names are compared without regard to case: proxies are read in both.
"""

import re
from enum import StrEnum


class Origin(StrEnum):
    """Where a variable was found, in order of precedence. The value begins the source label of a credential."""

    PROCESS = "env"
    WORKING_DIR = "./.env"
    STATE_DIR = ".env"
    GATEWAY_ENV = "gateway.env"
    CONFIG = "config env"
    LOGIN_SHELL = "shell env"


EXPECTED_IN_SHELL = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "DEEPSEEK_API_KEY",
    "ANTHROPIC_OAUTH_TOKEN",
    "GEMINI_API_KEY",
    "ZAI_API_KEY",
    "OPENROUTER_API_KEY",
    "AI_GATEWAY_API_KEY",
    "MINIMAX_API_KEY",
    "QWEN_API_KEY",
    "MODELSTUDIO_API_KEY",
    "SYNTHETIC_API_KEY",
    "KILOCODE_API_KEY",
    "ELEVENLABS_API_KEY",
    "TELEGRAM_BOT_TOKEN",
    "DISCORD_BOT_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "REMOTECLAW_GATEWAY_TOKEN",
    "REMOTECLAW_GATEWAY_PASSWORD",
)
"""What a login shell is asked for, besides the keys of the providers (credentials.md 8.2)."""

# Long patterns, compiled when the first name is judged: most commands judge none.
_RUNS_CODE = (
    r"LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|MALLOC_.*"  # the loader and the C library
    r"|BASH_.*|ENV|IFS|CDPATH|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|GLOBIGNORE|ZDOTDIR|FPATH|FIGNORE"  # shells
    r"|PYTHON.*|NODE_OPTIONS|NODE_PATH|NPM_CONFIG_.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|LUA_.*|PHPRC|PHP_INI_SCAN_DIR"
    r"|(?:_|JDK_)?JAVA_(?:TOOL_)?OPTIONS|CLASSPATH|CARGO_.*|RUSTC_.*|GO(?:FLAGS|ENV|ROOT)|UV_.*|PIP_.*|DOTNET_.*|COR_.*"
    r"|GIT_.*|EDITOR|VISUAL|PAGER|BROWSER|LESSOPEN|LESSCLOSE|MANPAGER"  # programs that others start
)
_BELONGS_TO_THE_OPERATOR = (
    r"PATH|SHELL|HOME|USER|LOGNAME|USERPROFILE|APPDATA|XDG_.*|TMPDIR|TEMP|TMP"  # where everything is
    r"|REMOTECLAW_.*|CLAUDE_.*|CODEX_.*|PI_CODING_AGENT_DIR"  # this program's, and the logins that it finds
    r"|(?:ANTHROPIC|OPENAI)_.*"  # so common in projects that their key would be paid without anybody noticing
    r"|.*_PROXY|.*_BASE_URL|.*_API_(?:BASE|URL|HOST)|.*_ENDPOINT|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS"  # where to
    r"|SSL_.*|SSLKEYLOGFILE|OPENSSL_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|AWS_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|NODE_TLS_REJECT_UNAUTHORIZED"  # who may listen
    r"|.*_BOT_TOKEN|SLACK_APP_TOKEN"  # whose bot this is: its owner reads every chat
    r"|NOTIFY_SOCKET|DBUS_.*|DOCKER_.*|KUBECONFIG|AWS_(?:PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE)|PG[A-Z]+"
)


def changes_what_runs(name: str) -> bool:
    """Whether a shell or a program that is started with this variable may run other code than its own."""
    return re.fullmatch(_RUNS_CODE, name.upper()) is not None


def may_come_from_anybody(name: str) -> bool:
    """Whether the `.env` of a working directory may set this variable."""
    return not changes_what_runs(name) and re.fullmatch(_BELONGS_TO_THE_OPERATOR, name.upper()) is None
