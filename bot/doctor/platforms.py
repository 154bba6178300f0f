"""The chat platforms: whether each enabled one has a token of the right form, and with `--online` whose bot it is."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, error, ok, warning
from bot.doctor.scene import Scene
from core.auth.refs import UnresolvedRef, resolve_ref
from core.auth.secret import Secret, SecretRef, unsendable
from core.durations import format_duration
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Discord, Telegram

_FORMS = {
    "telegram": (re.compile(r"[0-9]{5,20}:[A-Za-z0-9_-]{30,}"), "digits, a colon, then letters and digits"),
    "discord": (
        re.compile(r"[A-Za-z0-9_-]{18,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{25,}"),
        "three parts with dots between",
    ),
}
_WHERE = {
    "telegram": "Ask @BotFather for it: /mybots, the bot, API Token.",
    "discord": "Get it at discord.com/developers: the application, Bot, Reset Token.",
}
_SKEW = timedelta(seconds=60)


def checks(scene: Scene) -> Iterator[Check]:
    """A platform that is switched off or has no table is not looked at."""
    if scene.settings is None:
        return
    channels = scene.settings.channels
    for name, channel in (("telegram", channels.telegram), ("discord", channels.discord)):
        if channel is not None and channel.enabled:
            yield from _platform(name, channel, scene)


def _platform(name: str, channel: "Telegram | Discord", scene: Scene) -> Iterator[Check]:
    path = f"channels.{name}.token"
    try:
        token = _token(channel.token, scene)
    except UnresolvedRef as failure:
        yield _nothing(name, path, failure, scene)
        return
    form, words = _FORMS[name]
    text = token.reveal()
    reason = unsendable(text)
    if reason is not None:
        yield error(f"{name}.token", path, f"{path} is no bot token: it {reason}.", _WHERE[name])
        return
    is_usual = form.fullmatch(text) is not None
    if not is_usual:
        told = f"{path} does not look like a bot token ({words})."
        yield warning(f"{name}.token_form", path, told, _WHERE[name])
    if scene.online:
        yield from _asked(name, channel.api_base_url, token, scene)
    elif is_usual:
        yield ok(f"{name}.token", path, f"{path} has the form of a bot token; --online asks whose it is.")


def _nothing(name: str, path: str, failure: UnresolvedRef, scene: Scene) -> Check:
    """Of a gateway that runs it is not said that it does not: what it has may not be seen from here."""
    step = failure.hint or _WHERE[name]
    if scene.gateway is None:
        told = f"{path} gives no token, so the gateway does not start: {failure.message}"
        return error(f"{name}.token", path, told, step)
    if scene.sees_gateway:
        told = f"{path} gives no token any more, so the next start of the gateway fails: {failure.message}"
        return error(f"{name}.token", path, told, step)
    return warning(f"{name}.token", path, f"{path} gives no token in this shell: {failure.message}", step)


def _token(value: Secret | SecretRef | None, scene: Scene) -> Secret:
    from bot.log import learn_secrets

    if value is None:
        raise UnresolvedRef("There is none.")
    token = value if isinstance(value, Secret) else resolve_ref(value, scene.sources)
    learn_secrets([token.reveal()])
    return token


def _asked(name: str, api_base_url: str, token: Secret, scene: Scene) -> Iterator[Check]:
    path = f"channels.{name}.token"
    try:
        bot = wiring.bot_of(name, api_base_url, token)
    except BotError as failure:
        if failure.code == "refused":
            yield error(f"{name}.refused", path, failure.message, _WHERE[name])
        else:
            yield warning(f"{name}.unreachable", f"channels.{name}", failure.message, failure.hint)
        return
    yield ok(f"{name}.bot", path, f"{path} is accepted: the bot is {bot.name}.")
    if bot.told_at is not None:
        yield from _skew(name, bot.told_at, scene.clock.now())


def _skew(name: str, told_at: datetime, now: datetime) -> Iterator[Check]:
    off = abs(now - told_at)
    if off > _SKEW:
        side = "ahead" if now > told_at else "behind"
        told = f"The clock is {format_duration(off)} {side} of {name}'s."
        yield warning("clock.skew", "clock", told, "Set the clock, or let it be set by the network (NTP).")
