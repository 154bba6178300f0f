"""What a stored Discord update means. Pure: it reads the payload that payloads.py wrote, also after a restart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.discord.addresses import chat_address
from adapters.discord.components import OPTIONS, read_custom_id
from adapters.discord.plain import as_written
from adapters.discord.slash_commands import only_looks
from core.messages import Inbound, Ingress, Place, Quoted, Sender
from core.ports import Update
from core.sessions.key import SessionKey, chat_key, direct_key

PLATFORM = "discord"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads payloads for one bot account. `dm_scope` is `session.dm_scope`."""

    agent: str
    account: str
    dm_scope: str

    def read(self, update: Update) -> Inbound | None:
        """The update in the words of core; None for other bots, webhooks, empty messages and components that are not ours, and
        for what people in a shared chat say to each other: what neither names the bot nor begins as a command does.

        A message with files and no text is not empty. The files are not in the answer: see `offers`, which takes the payload.
        An announcement reads as a message from its chat that says nothing, by nobody in a shared chat.
        """
        payload = update.payload
        match payload["type"]:
            case "message":
                return self._message(payload, Ingress.MESSAGE)
            case "edit":
                return self._message(payload, Ingress.EDIT)
            case "deletion":
                return self._inbound(payload, Ingress.DELETION, message=payload["id"], mentioned=True)
            case "announcement":
                return self._inbound(payload, Ingress.MESSAGE, mentioned=True)
            case "command":
                unseen = is_unseen(payload)
                return self._inbound(
                    payload, Ingress.COMMAND, text=command_text(payload), mentioned=True, unseen=unseen
                )
            case "suggest":
                return self._inbound(payload, Ingress.SUGGEST, text=payload["option"], mentioned=True)
            case "press":
                pressed = read_custom_id(payload["custom_id"], payload["values"])
                if pressed is None:
                    return None
                token, number = pressed
                typed = payload.get("typed", "")
                unseen = is_unseen(payload)
                return self._inbound(
                    payload, Ingress.BUTTON, text=typed, mentioned=True, token=token, number=number, unseen=unseen
                )
        return None

    def session(self, payload: Mapping[str, Any]) -> SessionKey:
        """The session of the chat that the payload comes from; a thread's own within its channel."""
        if payload["direct"]:
            return direct_key(self.agent, PLATFORM, self.account, payload["user"]["id"], self.dm_scope)
        channel, parent = payload["channel"], payload["parent"]
        if parent is None:
            return chat_key(self.agent, PLATFORM, self.account, "channel", channel)
        return chat_key(self.agent, PLATFORM, self.account, "channel", parent).in_thread(channel)

    def _message(self, payload: Mapping[str, Any], ingress: Ingress) -> Inbound | None:
        """A message, new or changed. A changed one that was for us stays so, whatever it says now."""
        if payload["user"]["bot"] or payload["webhook"]:
            return None
        text = without_mention(payload["content"], payload["bot"], payload["bot_role"], payload["bot_name"])
        known = payload.get("known", False)
        mentioned = payload["direct"] or payload["mentioned"]
        ours = (text or payload["attachments"]) and (mentioned or text.startswith("/"))
        if not (known or ours):
            return None
        quoted = _quoted(payload)
        return self._inbound(payload, ingress, text=text, mentioned=mentioned, message=payload["id"], quoted=quoted)

    def _inbound(self, payload: Mapping[str, Any], ingress: Ingress, **facts: Any) -> Inbound:
        user = payload["user"]
        places = [place for place in (payload["channel"], payload["parent"], payload["guild"]) if place is not None]
        return Inbound(
            ingress=ingress,
            sender=Sender(PLATFORM, user["id"], user["name"], tuple(user["roles"])),
            session=self.session(payload),
            place=Place(direct=payload["direct"], ids=tuple(f"{PLATFORM}:{place}" for place in places)),
            chat=chat_address(payload),
            rows=OPTIONS,
            has_secret=bool(payload.get("has_secret")),
            **facts,
        )


def is_unseen(payload: Mapping[str, Any]) -> bool:
    """Whether only its sender sees what answers a command, or what takes the place of the pressed message."""
    if payload["type"] == "command":
        return bool(payload.get("private")) or only_looks(command_text(payload))
    return bool(payload.get("ephemeral"))


def command_text(payload: Mapping[str, Any]) -> str:
    """A slash command as it would be typed: `/model opus@work`."""
    return f"/{payload['name']} {payload['option'].strip()}".strip()


def without_mention(content: str, bot: str, role: str | None, name: str) -> str:
    """The text without the mentions of the bot (by itself or by its role) that it begins with; later ones become its name."""
    mention = rf"<(?:@!?{re.escape(bot)}" + (rf"|@&{re.escape(role)}" if role else "") + ")>"
    text = re.sub(rf"\A(?:\s*{mention}[\s,:]*)+", "", content).strip()
    return re.sub(mention, lambda _: f"@{name}", text)


def _quoted(payload: Mapping[str, Any]) -> Quoted | None:
    """What a message replies to; words of our own as they were before they were made harmless for Discord, those of others
    without the name by which they called us."""
    stored = payload.get("quoted")
    if stored is None:
        return None
    names = payload["bot"], payload["bot_role"], payload["bot_name"]
    text = as_written(stored["text"]) if stored["own"] else without_mention(stored["text"], *names)
    return Quoted(stored["author"], text, stored["own"])
