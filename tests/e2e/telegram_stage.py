"""A Telegram server, a provider, and an installation between them: what the tests of the gateway process play on."""

from dataclasses import dataclass

from tests.e2e.installation import KEYS, Gateway, Installation
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat, ChatMessage, Person

ONE, TWO = "sk-iota-key-of-no-ONE1", "sk-iota-key-of-no-TWO2"


@dataclass
class Stage:
    """People, chats and the processes behind them. Ada owns the installation, Bob is allowed, Mallory is nobody."""

    house: Installation
    telegram: TelegramServer
    provider: ThreadedProviderServer

    def __post_init__(self) -> None:
        self.ada = self.telegram.person(1001, "Ada")
        self.bob = self.telegram.person(1002, "Bob")
        self.mallory = self.telegram.person(1003, "Mallory")
        self.house.keep({**KEYS, "iota:one": ONE, "iota:two": TWO}, {"iota": ["iota:one", "iota:two"]})
        self.house.configure(
            self.provider.base_url,
            "[models.providers.iota]",
            f'base_url = "{self.provider.base_url}/v1"',
            'api = "openai-completions"',
            'models = ["tiny"]',
            "[channels.telegram]",
            f'token = "{self.telegram.token}"',
            f'api_base_url = "{self.telegram.url}"',
            "[access]",
            'owners = ["telegram:1001"]',
            'allow = ["telegram:1002"]',
        )

    def gateway(self) -> Gateway:
        """A gateway that listens."""
        gateway = Gateway(self.house)
        gateway.says("telegram (default): connected")
        return gateway

    def asks(self, person: Person, chat: Chat, text: str, topic: int | None = None) -> ChatMessage:
        """The first answer to what a person writes."""
        before = len(chat.all_messages)
        person.says(chat, text, topic=topic)
        self.telegram.wait(lambda: self._new(chat, before))
        return self._new(chat, before)[0]

    def serves(self, person: Person, chat: Chat, text: str, topic: int | None = None) -> str:
        """The key's last four characters that answered a question."""
        before = len(chat.all_messages)
        person.says(chat, text, topic=topic)
        self.telegram.wait(lambda: any("served-by:" in m.text for m in self._new(chat, before)))
        return next(m.text for m in self._new(chat, before) if "served-by:" in m.text).removeprefix("served-by:")

    def shows(self, message: ChatMessage, words: str) -> None:
        """Wait until a message shows these words."""
        self.telegram.wait(lambda: words in message.text)

    def settled(self, person: Person, chat: Chat) -> None:
        """Everything that was written before is answered or ignored: this command came after it."""
        assert "You are" in self.asks(person, chat, "/whoami").text

    @staticmethod
    def _new(chat: Chat, before: int) -> list[ChatMessage]:
        return [message for message in chat.all_messages[before:] if message.by_bot and not message.deleted]
