"""The bots: a token is asked for, checked, and kept in `.env`, which the config names a variable of."""

import re
import tomllib
from typing import Any

from bot import doctor_wiring
from bot.cli import prompts
from bot.cli.models_auth_paste import learnt
from bot.config.edit_models import together
from bot.config.edit_value import set_value
from bot.config.substitution import variables
from bot.onboard.asking import say_meanwhile
from bot.onboard.channels import DISCORD, Channel, table, token_and_url
from bot.onboard.draft import Check, Draft, Verdict
from bot.onboard.questions import Back, ask_secret
from bot.onboard.wish import ChannelWish, Wish
from core.auth.secret import Secret, clean_secret
from core.auth.variables import Origin
from core.errors import BotError

_SENDABLE = re.compile(r"[A-Za-z0-9._:+/=~-]{20,512}")
"""What a line of `.env` holds as it is. Both platforms make their tokens of fewer characters than these."""
_INVITATION = "https://discord.com/oauth2/authorize?client_id={}&scope=bot+applications.commands&permissions={}"
_PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 16 | 1 << 38
"""View channels, send messages, read message history, send messages in threads."""
_DEAF = (
    "Discord's application has no Message Content Intent, and without it Discord does not connect the bot. Switch it on at "
    "discord.com/developers/applications: the application, Bot, Privileged Gateway Intents."
)
_TOKEN, _AGAIN, _KEEP, _LEAVE = "token", "again", "keep", "leave"


def choose_channel(draft: Draft, wish: Wish, channel: Channel) -> None:
    """The token of a platform, checked and in the draft. Raises BotError."""
    said, begin = wish.channels[channel.name], draft.plans.get(channel.name)
    while True:
        try:
            _token(draft, wish, channel, said)
        except Back:
            draft.plan(channel.name, begin)
            prompts.tell(f"{channel.title} is left as it is. Once you have a token, run `remoteclaw onboard` again.")
            return
        except BotError as error:
            if not wish.asks:
                raise
            prompts.tell(str(error))
            said = ChannelWish(api_url=said.api_url)
            continue
        what = _checked(draft, wish, channel)
        if what == _KEEP:
            return
        draft.plan(channel.name, begin)
        draft.variables.pop(_variable(draft, channel), None)
        draft.bots.pop(channel.name, None)
        draft.invitation = None if channel is DISCORD else draft.invitation
        if what == _LEAVE:
            return
        said = ChannelWish(api_url=said.api_url)


def _checked(draft: Draft, wish: Wish, channel: Channel) -> str:
    """Ask the platform until the token is to be kept, or another one to be given, or none."""
    while True:
        trouble, check = _ask(draft, channel) if wish.checks else (None, _unchecked(channel))
        if trouble is None:
            draft.checks.append(check)
            return _KEEP
        if not wish.asks:
            raise BotError("check", trouble, "Nothing was changed. --skip-checks stores it without asking.")
        prompts.tell(trouble)
        choices = (
            (_TOKEN, "give another token"),
            (_AGAIN, "ask once more"),
            (_KEEP, "keep it all the same"),
            (_LEAVE, f"leave {channel.title} out"),
        )
        what = prompts.choose("What now?", choices)
        if what == _KEEP:
            draft.checks.append(check)
        if what != _AGAIN:
            return what


def _token(draft: Draft, wish: Wish, channel: Channel, said: ChannelWish) -> None:
    if said.token is not None or said.variable is not None or not wish.asks:
        _take(draft, channel, said)
        return
    if draft.environment.trusted.get(channel.variable, "").strip():
        use = prompts.confirm(f"{channel.variable} is set. Shall its token be used?")
        if use:
            _take(draft, channel, ChannelWish(variable=channel.variable, api_url=said.api_url))
            return
    prompts.tell(channel.where)
    text = ask_secret(f"Token of the bot for {channel.title}", _no_token)
    learnt(text)
    _take(draft, channel, ChannelWish(token=Secret(clean_secret(text)), api_url=said.api_url))


def _no_token(text: str) -> str | None:
    return None if _SENDABLE.fullmatch(clean_secret(text)) else "That is no bot token: paste the whole of it."


def _take(draft: Draft, channel: Channel, said: ChannelWish) -> None:
    """Put a token into the draft: the variable that holds it into the config, and what was pasted into that variable."""
    place = ("channels", channel.name)
    changes = [set_value((*place, "enabled"), True)] if _is_off(draft, channel) else []
    if said.token is not None or said.variable is not None:
        variable = said.variable or _variable(draft, channel)
        if said.token is not None:
            text = said.token.reveal()
            if not _SENDABLE.fullmatch(text):
                raise BotError("secret", f"That is no bot token of {channel.title}.", "Paste the whole of it.")
            draft.variables[variable] = said.token
            _tell_covered(draft, variable, text)
        elif not draft.environment.trusted.get(variable, "").strip():
            raise BotError(
                "no_variable", f"The variable {variable} is not set here.", f"Write it into {draft.desk.paths.dotenv}."
            )
        elif draft.environment.trusted.origins[variable] is Origin.PROCESS:
            path = draft.desk.paths.dotenv
            draft.notes.append(f"{variable} is set in this shell. A service does not see that: put it into {path} too.")
        changes.append(set_value((*place, "token"), f"${{{variable}}}"))
    if said.api_url is not None:
        changes.append(set_value((*place, "api_base_url"), said.api_url))
    draft.plan(channel.name, (lambda _: together(changes)) if changes else None)


def _tell_covered(draft: Draft, variable: str, text: str) -> None:
    """A variable of the shell wins over the file."""
    set_here = draft.environment.process.get(variable)
    if set_here is not None and set_here != text:
        draft.notes.append(f"{variable} is set to something else in this shell, where that counts. Unset it.")


def _is_off(draft: Draft, channel: Channel) -> bool:
    found = table(draft.desk.settings, channel)
    return found is not None and not found.enabled


def _variable(draft: Draft, channel: Channel) -> str:
    """The variable that the config names for the token already, else the usual one."""
    try:
        tree: Any = tomllib.loads(draft.desk.paths.config.read_text("utf-8-sig"))
        named = variables(tree["channels"][channel.name]["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return channel.variable
    return next(iter(named), channel.variable) if len(named) == 1 else channel.variable


def _unchecked(channel: Channel) -> Check:
    return Check(
        channel.name, channel.title, Verdict.UNKNOWN, f"{channel.title} was not asked, for --skip-checks says so."
    )


def _ask(draft: Draft, channel: Channel) -> tuple[str | None, Check]:
    """Whose token it is, and what the platform lets the bot do. What is wrong, in a sentence; None: nothing."""
    try:
        token, api_url = token_and_url(draft, channel)
        say_meanwhile(f"Asking {channel.title} at {api_url} ...")
        name = doctor_wiring.bot_of(channel.name, api_url, token).name
    except BotError as error:
        return str(error), Check(channel.name, channel.title, Verdict.FAILED, str(error))
    draft.bots[channel.name] = name
    found = f"{channel.title} accepts the token: this is {name}."
    say_meanwhile(found)
    if channel is DISCORD and (trouble := _deaf(draft, api_url, token)) is not None:
        return trouble, Check(channel.name, name, Verdict.FAILED, trouble)
    return None, Check(channel.name, name, Verdict.OK, found)


def _deaf(draft: Draft, api_url: str, token: Secret) -> str | None:
    """Why Discord would not connect the bot; None: nothing is known of that. Where it can be invited goes into the draft."""
    try:
        application = doctor_wiring.application_of(api_url, token)
    except BotError:
        return None
    draft.invitation = _INVITATION.format(application.id, _PERMISSIONS)
    return None if application.reads_messages else _DEAF
