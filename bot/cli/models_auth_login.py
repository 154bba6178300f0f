"""`models auth login`: log in at a provider by OAuth. Nothing is stored before the provider has said yes; then all of it is."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import redirect_stdout
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes, prompts
from bot.cli.models_auth import Desk, profile_named, provider_named
from bot.cli.models_auth_paste import kept, refuse_foreign
from bot.cli.output import complain, on_one_line, say
from core.errors import BotError, ConfigError, UserError

if TYPE_CHECKING:
    from bot.interrupts import Interrupts
    from bot.login_wiring import LoggedIn, LoginTools
    from core.auth.oauth import Account, OAuthProvider
    from core.auth.profiles import AuthProfile

_WORDS = {
    "pkce": "in a browser on this machine",
    "device": "with a code on any device",
    "paste": "in a browser on another machine, and paste its last address here",
}
_PASTES = 3
"""How often something else may be pasted."""
_LONGEST_LINE = 64 * 1024
"""Bytes of it that are read at most: many times what an address takes."""


def run(args: argparse.Namespace, open_desk: Callable[[str | None], Desk]) -> int:
    """0 logged in, 1 not, 2 wrong usage, 130 broken off. Raises BotError."""
    try:
        given = provider_named(args.provider) if args.provider is not None else None
        name = profile_named(args.profile_id) if args.profile_id is not None else None
        method = _named_method(args)
        if given is None and not prompts.can_ask():
            raise UserError("usage", "Without a terminal that can ask, --provider has to say where to log in.")
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    from bot.app import open_logins

    desk = open_desk(args.agent)
    tools = open_logins(desk.settings, desk.paths, desk.stores.source.environment)
    provider = tools.provider(given or _provider(desk))
    if name is not None:
        refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), provider.id)
    done = log_in(desk, tools, provider, name, method, args.no_browser)
    if done is None:
        return exit_codes.INTERRUPTED
    name, entry = done
    tools.files().put(desk.agent, name, entry)
    code = kept(desk, name, entry, as_json=args.json)
    _default(args, tools, provider.id)
    return code


def log_in(
    desk: Desk, tools: "LoginTools", provider: "OAuthProvider", name: str | None, method: str | None, no_browser: bool
) -> tuple[str, dict[str, Any]] | None:
    """The login's id (`name`, else that of its account) and its entry, not stored yet; None where a signal has ended it. Raises
    BotError."""
    done = _logged_in(tools, provider, _method(provider, method, no_browser), no_browser)
    if done is None:
        return None
    name = name or _profile_id(desk, provider.id, done.account)
    refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), provider.id)
    _tell_other_account(desk, name, done.account)
    return name, done.entry(provider)


def _named_method(args: argparse.Namespace) -> str | None:
    """What the flags say. Raises UserError where they contradict each other."""
    if args.device_code and args.method not in (None, "device"):
        raise UserError("usage", f"--device-code and --method {args.method} exclude each other.")
    method: str | None = "device" if args.device_code else args.method
    return method


def _provider(desk: Desk) -> str:
    from bot.oauth_wiring import known_logins

    return prompts.choose("Where do you want to log in?", [(name, name) for name in known_logins(desk.settings)])


def _method(provider: "OAuthProvider", wanted: str | None, no_browser: bool) -> str:
    """How to log in. Raises ConfigError where too little is known for it."""
    from bot.oauth_wiring import METHODS, methods_of, missing

    known = methods_of(provider)
    if wanted in known:
        return str(wanted)
    if wanted is not None or not known:
        lacks = missing(provider, wanted) if wanted else min((missing(provider, m) for m in METHODS), key=len)
        path = f"auth.oauth.{provider.id}"
        raise ConfigError(path, f"is not complete: {', '.join(lacks)} is missing.", f"Add it to [{path}].")
    usual = "pkce" if "pkce" in known and not no_browser and _has_display() else "paste"
    order = sorted(known, key=lambda method: method != usual)
    if len(order) > 1 and prompts.can_ask():
        return prompts.choose(f"How do you want to log in at {provider.id}?", [(m, _WORDS[m]) for m in order])
    return order[0]


def _has_display() -> bool:
    """Whether a browser that is opened here would be seen."""
    if sys.platform == "darwin" or os.environ.get("BROWSER"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _logged_in(tools: "LoginTools", provider: "OAuthProvider", method: str, no_browser: bool) -> "LoggedIn | None":
    """The login; None where a signal has ended it. Raises BotError."""
    if method == "paste":
        attempt = tools.begin_paste(provider)
        _show(attempt.url, opens=False)
        for tries in range(_PASTES):
            try:
                code = tools.read_pasted(attempt, _pasted())
                break
            except UserError as error:
                if tries == _PASTES - 1 or not prompts.can_ask():
                    raise
                prompts.tell(str(error))
        return _awaited(lambda: tools.by_paste(provider, attempt, code))
    if method == "device":
        return _awaited(lambda: tools.by_device(provider, _show_code))
    opens = not no_browser and _has_display()
    return _awaited(lambda: tools.by_redirect(provider, lambda url: _show(url, opens)))


def _awaited(login: "Callable[[], Coroutine[None, None, LoggedIn]]") -> "LoggedIn | None":
    from bot.interrupts import run_interruptible
    from bot.unwaited_threads import wait_for_no_thread

    found: list[LoggedIn] = []

    async def waiting(_: "Interrupts") -> int:
        wait_for_no_thread()
        found.append(await login())
        return exit_codes.OK

    return found[0] if run_interruptible(waiting) == exit_codes.OK else None


def _show(url: str, opens: bool) -> None:
    prompts.tell(f"Open this address and log in:\n\n{url}\n")
    if opens:
        import webbrowser

        # A browser may hold on to whoever starts it; what it says is not ours to know.
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)


def _show_code(address: str, code: str, complete: str) -> None:
    lines = [f"Open {address} on any device, log in, and enter this code:", "", f"    {code}", ""]
    if complete:
        lines += [f"Or open {complete}, which has the code in it.", ""]
    prompts.tell("\n".join(lines))


def _pasted() -> str:
    if prompts.can_ask():
        return prompts.ask_line("The address that the browser ended at, though it shows no page:")
    prompts.tell("Paste the address that the browser ended at, though it shows no page:")
    line = sys.stdin.buffer.readline(_LONGEST_LINE) if sys.stdin is not None else b""
    return line.decode(errors="surrogateescape")  # as a terminal's line comes; whoever reads it says that it is no text


def _profile_id(desk: Desk, provider: str, account: "Account") -> str:
    """The id of this account's login: the one that it has already, else a free one that is made of its e-mail address, else of
    `default`. Nothing else is replaced: no key, and no login that may be somebody else's."""
    stored = desk.stored()
    for name in desk.of_provider(provider):
        if _is_login_of(stored[name], account):
            return name
    usual = f"{provider}:{account.email or 'default'}"
    if usual in stored and account.email is None and account.id is not None:
        usual = f"{provider}:{account.id}"
    names = chain((usual,), (f"{usual}-{number}" for number in count(2)))
    writer = desk.stores.writer(desk.agent)
    return next(name for name in names if name not in stored and writer.own_provider(name) is None)


def _is_login_of(profile: "AuthProfile", account: "Account") -> bool:
    """Whether it is certainly a login of this account. Ids may be shared by the members of a team, e-mail addresses are not."""
    from core.auth.profiles import CredentialKind

    if profile.kind is not CredentialKind.OAUTH:
        return False
    email = profile.metadata.get("email")
    if email and account.email is not None:
        return email.lower() == account.email
    return account.id is not None and profile.metadata.get("account_id") == account.id


def _tell_other_account(desk: Desk, name: str, account: "Account") -> None:
    """An id that people have pinned goes over to somebody else."""
    before = desk.stored().get(name)
    was = before.metadata.get("email") if before is not None else None
    if was and account.email and was.lower() != account.email:
        complain(f"Note: {on_one_line(name)} was the login of {on_one_line(was)} and is now that of {account.email}.")


def _default(args: argparse.Namespace, tools: "LoginTools", provider: str) -> None:
    """A model of the provider as the default, or the word that there is one."""
    model = tools.default_model(provider)
    if model is None:
        if args.set_default:
            raise BotError("no_model", f"No model of {provider} is known.", "Set one with `remoteclaw models set`.")
    elif args.set_default:
        from bot.cli import models_set

        with redirect_stdout(sys.stderr if args.json else sys.stdout):
            models_set.run(argparse.Namespace(what="set", model=model, agent=args.agent, json=False))
    elif not args.json:
        say(f"Default model available: {model} (use --set-default to apply)")
