"""A person on Discord's counterpart, and what such a person can do in the app."""

from typing import TYPE_CHECKING, Any

from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_world import Channel, Interaction, Message, Person

if TYPE_CHECKING:
    from tests.fakes.discord_server import DiscordServer


class User(Person):
    """A person with an account, and what such a person can do in the app."""

    def __init__(self, *, name: str, bot: bool, server: "DiscordServer") -> None:
        super().__init__(name=name, bot=bot)
        self._server = server
        self._dm: Channel | None = None
        self.closed = False
        """Takes no private messages of the bot."""

    @property
    def dm(self) -> Channel:
        """The private chat with the bot."""
        if self._dm is None:
            self._dm = self._server.private(self)
        return self._dm

    def says(
        self, channel: Channel, text: str, *, reply_to: Message | None = None, files: tuple[Upload, ...] = ()
    ) -> Message:
        """Write a message. A mention is `<@id>`, of a role `<@&id>`."""
        reference = reply_to.id if reply_to is not None else None
        kept = tuple(self._server.cdn.keep(upload) for upload in files)
        message = Message(channel=channel, author=self, content=text, reference=reference, attachments=kept)
        return self._server.post(message)

    def asks(self, channel: Channel, text: str, **how: Any) -> Message:
        """Write a message to the bot: one that names it."""
        return self.says(channel, f"<@{self._server.bot.id}> {text}", **how)

    def edits(self, message: Message, text: str) -> None:
        """Change a message of one's own."""
        assert message.author is self, "only its author can change a message"
        self._server.rewrite(message, text)

    def deletes(self, *messages: Message) -> None:
        """Take messages back; several of one chat at once as moderators do it."""
        self._server.take_back(*messages)

    def slash(self, channel: Channel, command: str, text: str | None = None) -> Interaction:
        """Use a slash command, its one option filled with `text`. It must have been synchronised, with such an option."""
        return self._command(2, channel, command, text, {})

    def autocomplete(self, channel: Channel, command: str, text: str) -> Interaction:
        """Type into the option of a slash command; `choices` is what is offered."""
        return self._command(4, channel, command, text, {"focused": True})

    def presses(self, message: Message, label: str) -> Interaction:
        """Press the button with this label."""
        for row in message.components:
            for part in row["components"]:
                if part["type"] == 2 and part["label"] == label:
                    return self._press(message, {"custom_id": part["custom_id"], "component_type": 2})
        raise AssertionError(f"there is no button {label!r} under {message.content!r}: {message.components}")

    def selects(self, message: Message, label: str) -> Interaction:
        """Choose the option with this label from a menu."""
        for row in message.components:
            for part in row["components"]:
                for option in part.get("options", ()):
                    if option["label"] == label:
                        assert not option.get("default"), f"{label!r} is chosen already: the app tells nobody"
                        data = {"custom_id": part["custom_id"], "component_type": 3, "values": [option["value"]]}
                        return self._press(message, data)
        raise AssertionError(f"there is no option {label!r} under {message.content!r}: {message.components}")

    def types(self, asked: Interaction, text: str) -> Interaction:
        """Fill in the one line of the form that a press has opened, and send it."""
        form = asked.modal
        assert form is not None, f"the press has opened no form: {asked.callback}"
        assert asked.person is self, "the form is open on somebody else's screen"
        (label,) = form["components"]
        line = label["component"] if label["type"] == 18 else label["components"][0]
        least, most = line.get("min_length", 0), line.get("max_length", 4000)
        assert least <= len(text) <= most, f"the app takes {least} to {most} characters"
        filled = {"type": 4, "id": 2, "custom_id": line["custom_id"], "value": text}
        rows = (
            {"type": 18, "id": 1, "component": filled} if label["type"] == 18 else {"type": 1, "components": [filled]}
        )
        data = {"custom_id": form["custom_id"], "components": [rows]}
        made = Interaction(type=5, person=self, channel=asked.channel, data=data, pressed=asked.pressed)
        return self._server.interact(made)

    def _press(self, message: Message, data: dict[str, Any]) -> Interaction:
        made = Interaction(type=3, person=self, channel=message.channel, data=data, pressed=message)
        return self._server.interact(made)

    def _command(self, kind: int, channel: Channel, name: str, text: str | None, extra: dict[str, Any]) -> Interaction:
        entry = next((command for command in self._server.commands if command["name"] == name), None)
        assert entry is not None, f"/{name} was never synchronised"
        options = []
        if text is not None:
            assert entry.get("options"), f"/{name} takes no argument"
            options = [{"name": entry["options"][0]["name"], "type": 3, "value": text} | extra]
        data = {"id": entry["id"], "name": name, "type": 1, "options": options}
        return self._server.interact(Interaction(type=kind, person=self, channel=channel, data=data))
