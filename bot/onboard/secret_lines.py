"""The secrets that flags of `remoteclaw onboard` announce: lines of standard input, or typed unseen where that is a terminal."""

import argparse
import sys

from core.auth.secret import Secret, clean_secret
from core.errors import BotError

_LONGEST = 16 * 1024
_FLAGS = {
    "api_key_stdin": "API key",
    "token_stdin": "Token",
    "telegram_token_stdin": "Token of the bot for Telegram",
    "discord_token_stdin": "Token of the bot for Discord",
}
"""Each takes one line, in this order."""


def read_secrets(args: argparse.Namespace) -> dict[str, Secret]:
    """The secrets by the name of their argument, hidden from logs from here on. Raises BotError."""
    from bot.log import learn_secrets

    found: dict[str, Secret] = {}
    for name, title in _FLAGS.items():
        if not getattr(args, name):
            continue
        flag = f"--{name.replace('_', '-')}"
        line = _line(title)
        if len(line) > _LONGEST:
            raise BotError("secret", f"The line for {flag} is longer than {_LONGEST // 1024} KiB; nothing was changed.")
        try:
            text = clean_secret(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise BotError("secret", "What came from standard input is not UTF-8 text; nothing was changed.") from None
        if not text:
            raise BotError(
                "secret",
                f"Standard input has no line for {flag}; nothing was changed.",
                "Pipe one line for each of these flags: API key or token, Telegram's token, Discord's token.",
            )
        learn_secrets([text, "".join(text.split())])
        found[name] = Secret(text)
    return found


def _line(title: str) -> bytes:
    if sys.stdin is None:
        return b""
    if sys.stdin.isatty():
        from bot.cli.prompts import ask_secret

        return ask_secret(f"{title} (it is not shown): ").encode(errors="surrogateescape")
    return sys.stdin.buffer.readline(_LONGEST + 1)
