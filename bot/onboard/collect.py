"""The way through the questions: everything where nothing is there yet, else what somebody wants to change."""

from shutil import which
from sys import platform as system

from bot.cli import prompts
from bot.config.edit import Plan
from bot.config.edit_models import together
from bot.config.edit_value import set_value
from bot.onboard.bots import choose_channel
from bot.onboard.channels import CHANNELS, Channel, is_served, present
from bot.onboard.draft import Draft
from bot.onboard.models import choose_models
from bot.onboard.owners import add_owner, choose_owners
from bot.onboard.standing import answering_model, as_it_is
from bot.onboard.wish import Wish

_BEGINNING = "Nothing is written before the last question is answered; Ctrl-C leaves everything as it is."
_MODELS, _OWNERS, _SERVICE = "models", "owners", "service"


def collect(draft: Draft, wish: Wish) -> None:
    """Fill the draft. Nothing is written. Raises BotError; KeyboardInterrupt where somebody breaks off."""
    _refuse_addresses(draft, wish)
    if not wish.asks:
        _by_flags(draft, wish)
    elif answering_model(draft.desk) is None or wish.is_made:
        _from_the_beginning(draft, wish)
    else:
        _changes(draft, wish)
    draft.refuse_mistakes()


def state_lines(draft: Draft) -> list[str]:
    """What is there already."""
    from core.resolution.resolver import resolve

    settings, snapshot = draft.desk.settings, as_it_is(draft.desk)
    lines = [f"Model       : {answering_model(draft.desk) or '-'}"]
    if snapshot is not None:
        lines.append(f"Credential  : {resolve(snapshot).next.profile or 'none that can be used'}")
    lines += [f"{c.title:<12}: {'configured' if present(draft, c) is not None else '-'}" for c in CHANNELS]
    lines.append(f"Owners      : {', '.join(settings.access.owners) or '-'}")
    return lines


def _refuse_addresses(draft: Draft, wish: Wish) -> None:
    """Raises ConfigError for a platform's address that cannot be one, before anybody answers anything."""
    for channel in CHANNELS:
        url = wish.channels[channel.name].api_url
        if url is not None:
            draft.plan(channel.name, _addressed(channel, url))
            _ = draft.settings
            draft.plan(channel.name, None)


def _addressed(channel: Channel, url: str) -> Plan:
    place = ("channels", channel.name)
    off = set_value((*place, "enabled"), False)  # or there would have to be a token
    return lambda _: together([off, set_value((*place, "api_base_url"), url)])


def _by_flags(draft: Draft, wish: Wish) -> None:
    """What the flags say and no more."""
    if wish.is_about_models or answering_model(draft.desk) is None:
        choose_models(draft, wish)
    for channel in CHANNELS:
        if wish.channels[channel.name].is_made:
            choose_channel(draft, wish, channel)
    choose_owners(draft, wish)
    draft.wants_service = wish.service


def _from_the_beginning(draft: Draft, wish: Wish) -> None:
    """Every question that no flag and no config answers."""
    if wish.is_about_models or answering_model(draft.desk) is None:
        prompts.tell(_BEGINNING)
        choose_models(draft, wish)
    for channel in CHANNELS:
        if wish.channels[channel.name].is_made or (present(draft, channel) is None and _wants(channel)):
            choose_channel(draft, wish, channel)
    choose_owners(draft, wish)
    draft.wants_service = wish.service if wish.service is not None else _wants_service(draft)


def _changes(draft: Draft, wish: Wish) -> None:
    """An installation is there: what of it is to be another."""
    prompts.tell("\n".join([f"There is an installation in {draft.desk.paths.state}.", *state_lines(draft)]))
    choices = [(_MODELS, "model and credential"), *((c.name, f"the bot for {c.title}") for c in CHANNELS)]
    if any(is_served(draft, channel) for channel in CHANNELS):
        choices.append((_OWNERS, "one more owner"))
    if _has_manager():
        choices.append((_SERVICE, "the service"))
    chosen = prompts.choose_many(
        "What do you want to change? (Space marks, Enter goes on; nothing: all stays)", choices
    )
    if _MODELS in chosen:
        choose_models(draft, wish)
    for channel in CHANNELS:
        if channel.name in chosen:
            choose_channel(draft, wish, channel)
    if _OWNERS in chosen:
        add_owner(draft, wish)
    elif chosen:
        choose_owners(draft, wish)
    draft.wants_service = True if _SERVICE in chosen else None


def _wants(channel: Channel) -> bool:
    return prompts.confirm(f"Do you want to chat in {channel.title}?", default=channel.name == "telegram")


def _wants_service(draft: Draft) -> bool:
    """Asked where a gateway would have something to serve, and something to be served by."""
    if not _has_manager() or not any(is_served(draft, channel) for channel in CHANNELS):
        return False
    return prompts.confirm("Shall the gateway run as a service, so that it is there without you?")


def _has_manager() -> bool:
    return which("launchctl" if system == "darwin" else "systemctl") is not None
