"""Discord's people, chats and messages as its counterpart keeps them, and as they look on the wire."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

EPHEMERAL, LOADING = 64, 128
TEXT, DIRECT, THREAD = 0, 1, 11
_EPOCH_MS = 1420070400000
_counter = itertools.count()


def snowflake() -> int:
    """A new id, later than all before; its upper bits are the time, as Discord's are."""
    return ((int(time.time() * 1000) - _EPOCH_MS) << 22) | (next(_counter) & 0x3FFFFF)


@dataclass(eq=False, kw_only=True)
class Person:
    name: str
    bot: bool = False
    id: int = field(default_factory=snowflake)

    def wire(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": None,
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }


@dataclass(eq=False, kw_only=True)
class Guild:
    name: str
    bot: Person
    id: int = field(default_factory=snowflake)
    bot_role: int = field(default_factory=snowflake)
    channels: "list[Channel]" = field(default_factory=list)
    roles: dict[int, list[int]] = field(default_factory=dict)
    """Member id to the ids of the member's roles."""

    def member(self, person: Person, *, with_user: bool = True) -> dict[str, Any]:
        own = [self.bot_role] if person is self.bot else []
        data: dict[str, Any] = {
            "roles": [str(role) for role in (*own, *self.roles.get(person.id, ()))],
            "joined_at": "2024-01-01T00:00:00+00:00",
            "deaf": False,
            "mute": False,
            "flags": 0,
            "nick": None,
            "permissions": "0",
        }
        return data | {"user": person.wire()} if with_user else data

    def wire(self) -> dict[str, Any]:
        numbers = {self.id, self.bot_role, *(role for roles in self.roles.values() for role in roles)}
        roles = [
            role_wire(number, {"bot_id": str(self.bot.id)} if number == self.bot_role else {})
            for number in sorted(numbers)
        ]
        return {
            "id": str(self.id),
            "name": self.name,
            "owner_id": "1",
            "unavailable": False,
            "joined_at": "2024-01-01T00:00:00+00:00",
            "large": False,
            "member_count": 2,
            "members": [self.member(self.bot)],
            "roles": roles,
            "channels": [channel.wire() for channel in self.channels if channel.kind == TEXT],
            "threads": [channel.wire() for channel in self.channels if channel.kind == THREAD],
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "afk_timeout": 300,
            "system_channel_flags": 0,
            "preferred_locale": "en-US",
        } | {key: [] for key in ("emojis", "stickers", "features", "voice_states", "presences", "stage_instances")}


def role_wire(number: int, tags: dict[str, str]) -> dict[str, Any]:
    """A role; the bot's own has tags that say whose it is."""
    shape = {"id": str(number), "name": f"role {number}", "permissions": "0", "position": 1, "color": 0, "flags": 0}
    return shape | {"hoist": False, "managed": bool(tags), "mentionable": True, "tags": tags}


@dataclass(eq=False, kw_only=True)
class Channel:
    name: str
    kind: int
    guild: Guild | None = None
    parent: "Channel | None" = None
    recipient: Person | None = None
    id: int = field(default_factory=snowflake)
    everything: "list[Message]" = field(default_factory=list)
    typing: int = 0
    forbidden: bool = False
    """The bot may not write here any more."""
    lost: bool = False
    """The bot is not in its guild any more."""
    may_manage: bool = True
    """The bot may delete what others have written here."""

    @property
    def messages(self) -> "list[Message]":
        """What everybody sees here now: nothing that was deleted, nothing for one person alone."""
        return [message for message in self.everything if not message.deleted and not message.ephemeral]

    def wire(self) -> dict[str, Any]:
        newest = str(self.messages[-1].id) if self.messages else None
        data: dict[str, Any] = {"id": str(self.id), "type": self.kind, "last_message_id": newest}
        if self.kind == DIRECT:
            return data | {"recipients": [self.recipient.wire()] if self.recipient else []}
        assert self.guild is not None
        data |= {"name": self.name, "guild_id": str(self.guild.id), "permission_overwrites": [], "position": 0}
        data |= {"nsfw": False, "permissions": "0"}
        if self.parent is None:
            return data | {"parent_id": None, "rate_limit_per_user": 0}
        stamp = "2024-01-01T00:00:00+00:00"
        meta = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": stamp, "locked": False}
        return data | {
            "parent_id": str(self.parent.id),
            "owner_id": "1",
            "message_count": 0,
            "member_count": 1,
            "thread_metadata": meta,
            "rate_limit_per_user": 0,
            "flags": 0,
        }


@dataclass(eq=False, kw_only=True)
class Message:
    channel: Channel
    author: Person
    content: str
    components: list[dict[str, Any]] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    reference: int | None = None
    interaction: "Interaction | None" = None
    attachments: "tuple[Attachment, ...]" = ()
    webhook: bool = False
    pings: list[str] = field(default_factory=list)
    """Whom the message would make a sound for: `everyone`, user ids, role ids."""
    history: list[str] = field(default_factory=list)
    """Every content it has had, the present one included."""
    edited_at: list[float] = field(default_factory=list)
    edited: str | None = None
    """When its author has changed it last, as Discord writes it."""
    deleted: bool = False
    id: int = field(default_factory=snowflake)

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Its buttons and menus, from top to bottom."""
        return [part for row in self.components for part in row["components"]]

    @property
    def buttons(self) -> list[str]:
        """The labels of its buttons."""
        return [part["label"] for part in self.parts if part["type"] == 2]

    @property
    def menus(self) -> dict[str, list[str]]:
        """The labels of its menus' options, by what the menu says while nothing is chosen."""
        return {p["placeholder"]: [o["label"] for o in p["options"]] for p in self.parts if p["type"] == 3}

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        return bool(self.flags & LOADING)

    def wire(self) -> dict[str, Any]:
        guild = self.channel.guild
        named = guild is not None and any(f"<@{sign}{guild.bot.id}>" in self.content for sign in ("", "!"))
        data: dict[str, Any] = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.wire(),
            "content": self.content,
            "timestamp": "2024-01-01T00:00:00+00:00",
            "edited_timestamp": self.edited or ("2024-01-01T00:00:00+00:00" if len(self.history) > 1 else None),
            "tts": False,
            "mention_everyone": False,
            "mentions": [guild.bot.wire()] if guild and named else [],
            "mention_roles": [str(guild.bot_role)] if guild and f"<@&{guild.bot_role}>" in self.content else [],
            "attachments": [attachment.wire() for attachment in self.attachments],
            "embeds": [],
            "pinned": False,
            "type": 19 if self.reference else 0,
            "flags": self.flags,
            "components": self.components,
        }
        if self.webhook:
            data["webhook_id"] = str(snowflake())
        if self.nonce is not None:
            data["nonce"] = self.nonce
        if self.reference is not None:
            data["message_reference"] = {
                "message_id": str(self.reference),
                "channel_id": str(self.channel.id),
                "type": 0,
            }
            answered = next((m for m in self.channel.everything if m.id == self.reference and not m.deleted), None)
            data["referenced_message"] = answered.wire() if answered else None
        return data

    def event(self) -> dict[str, Any]:
        """As the gateway tells it, with what only the gateway tells."""
        guild = self.channel.guild
        if guild is None:
            return self.wire()
        return self.wire() | {"guild_id": str(guild.id), "member": guild.member(self.author, with_user=False)}


class Attachment(Protocol):
    """A file on a message, as it looks on the wire now: its URL changes."""

    def wire(self) -> dict[str, Any]: ...


@dataclass(eq=False, kw_only=True)
class Interaction:
    """A slash command, an autocomplete request, a press or a form that was sent, and what the bot made of it."""

    type: int
    person: Person
    channel: Channel
    data: dict[str, Any]
    pressed: Message | None = None
    id: int = field(default_factory=snowflake)
    token: str = field(default_factory=lambda: f"interaction-token-{snowflake()}")
    begun: float = field(default_factory=time.monotonic)
    callback: int | None = None
    """The type of the first answer: 5 deferred, 6 deferred update, 8 autocomplete, 9 form. None: there was none."""
    acknowledged_after: float | None = None
    expired: bool = False
    original: Message | None = None
    sent: list[Message] = field(default_factory=list)
    choices: list[dict[str, Any]] | None = None
    modal: dict[str, Any] | None = None
    """The form that the answer has opened."""

    @property
    def answers(self) -> list[Message]:
        """What the person sees as answers: deferred ones once they are filled, follow-ups; not what was deleted."""
        return [message for message in self.sent if not message.deleted and not message.loading]

    @property
    def thinking(self) -> bool:
        return any(message.loading and not message.deleted for message in self.sent)

    def event(self, application: int) -> dict[str, Any]:
        guild = self.channel.guild
        data: dict[str, Any] = {
            "id": str(self.id),
            "application_id": str(application),
            "type": self.type,
            "token": self.token,
            "version": 1,
            "data": self.data,
            "channel_id": str(self.channel.id),
            "channel": self.channel.wire(),
            "locale": "en-US",
            "app_permissions": "0",
            "attachment_size_limit": 10485760,
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(guild.id) if guild else "0"},
            "context": 0 if guild else 1,
        }
        if self.pressed is not None:
            data["message"] = self.pressed.wire()
        if guild is None:
            return data | {"user": self.person.wire()}
        return data | {"guild_id": str(guild.id), "member": guild.member(self.person)}
