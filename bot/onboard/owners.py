"""Who owns the bot: by numeric id, which the person knows or which a message of theirs to the bot tells."""

import secrets
from typing import TYPE_CHECKING

from bot import doctor_wiring
from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.config.edit import Tree, TreeChange
from bot.config.edit_value import set_value
from bot.onboard.asking import say_meanwhile
from bot.onboard.channels import CHANNELS, TELEGRAM, Channel, is_served, token_and_url
from bot.onboard.draft import Draft
from bot.onboard.questions import Back, ask_line, has_pressed_enter
from bot.onboard.wish import Wish
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Settings

_WRITE, _ID, _LATER = "write", "id", "later"
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_LENGTH = 8


def choose_owners(draft: Draft, wish: Wish) -> None:
    """Owners of every platform that is used and has none yet. Raises BotError."""
    found = list(wish.owners)
    if wish.asks:
        for channel in CHANNELS:
            named = any(owner.startswith(f"{channel.name}:") for owner in (*draft.desk.settings.access.owners, *found))
            if is_served(draft, channel) and not named:
                owner = _asked(draft, channel, wish.checks)
                found += [owner] if owner is not None else []
    add_owners(draft, found)


def add_owner(draft: Draft, wish: Wish) -> None:
    """One more owner, for who comes back to add one. Raises BotError."""
    found = list(wish.owners)
    for channel in CHANNELS:
        if is_served(draft, channel):
            owner = _asked(draft, channel, wish.checks)
            found += [owner] if owner is not None else []
    add_owners(draft, found)


def add_owners(draft: Draft, found: list[str]) -> None:
    """Put owners into the draft, beside those that there are."""
    draft.owners = tuple(dict.fromkeys(found))

    def plan(settings: "Settings") -> TreeChange:
        fresh = [owner for owner in draft.owners if owner not in settings.access.owners]

        def change(tree: Tree) -> None:
            access = tree.get("access", {})
            if "owners" not in access:
                set_value(("access", "owners"), fresh)(tree)
            else:
                for owner in fresh:
                    access["owners"].append(owner)

        return change if fresh else lambda _: None

    draft.plan("owners", plan if draft.owners else None)


def _asked(draft: Draft, channel: Channel, may_ask_platform: bool) -> str | None:
    """An owner of one platform; None: later."""
    from bot.ops.running import running_gateway

    later = "later, by a code: write to the bot, then `remoteclaw pairing approve CODE --owner` with the code that it answers"
    choices = [(_ID, "by my numeric id"), (_LATER, later)]
    # A gateway that runs takes the messages itself, and answers the first of a stranger with a code.
    if channel is TELEGRAM and may_ask_platform and running_gateway(draft.desk.paths.state) is None:
        choices.insert(0, (_WRITE, "by a message that I write to the bot now"))
    while True:
        how = prompts.choose(f"How shall the bot know you in {channel.title}?", choices)
        if how == _LATER:
            return None
        try:
            owner = _by_id(channel) if how == _ID else _by_message(draft, channel)
        except Back:
            continue
        except BotError as error:
            prompts.tell(str(error))
            continue
        return owner


def _by_id(channel: Channel) -> str:
    number = ask_line(f"Your numeric id in {channel.title}", check=_no_number)
    return f"{channel.name}:{int(number)}"


def _by_message(draft: Draft, channel: Channel) -> str:
    """Whoever sends the code, which is shown here alone. Raises BotError, and Back where nobody has sent it."""
    token, api_url = token_and_url(draft, channel)
    if channel.name not in draft.bots:
        say_meanwhile(f"Asking {channel.title} at {api_url} ...")
        draft.bots[channel.name] = doctor_wiring.bot_of(channel.name, api_url, token).name
    bot = draft.bots[channel.name]
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    told = (
        f"Send this to {bot} in a private chat:\n\n    {code}\n\n"
        f"Or open https://t.me/{bot.removeprefix('@')}?start={code} and press Start.\n"
        f"Waiting for it for {wiring.PATIENCE / 60:.0f} minutes. Enter ends that."
    )
    person = wiring.who_writes(api_url, token, code, lambda: prompts.tell(told), has_pressed_enter)
    if person is None:
        prompts.tell("Nobody has written it.")
        raise Back
    prompts.tell(f"You are {person.name or 'there'}, {channel.name}:{person.id}.")
    return f"{channel.name}:{person.id}"


def _no_number(text: str) -> str | None:
    number = text.strip()
    if number.isascii() and number.isdigit() and len(number) <= 19 and 0 < int(number) < 2**63:
        return None
    return "It must be the numeric id, which never changes hands: /whoami tells it, in Discord also Copy User ID."
