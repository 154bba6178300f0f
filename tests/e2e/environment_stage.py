"""What the tests of a changing environment look at: the health page, the log, and who was answered how often."""

import json
import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.e2e.installation import Gateway, Installation, until
from tests.fakes.telegram_world import Chat


def listening(house: Installation) -> None:
    """Have the gateway answer for its health."""
    config = house.state / "config.toml"
    config.write_text(config.read_text() + '\n[gateway]\nlisten = "127.0.0.1:0"\n')


def replaced(house: Installation, before: str, after: str) -> None:
    """Write another text in the place of one in the config."""
    config = house.state / "config.toml"
    assert before in config.read_text()
    fresh = config.with_suffix(".new")
    fresh.write_text(config.read_text().replace(before, after))
    fresh.replace(config)


def health(gateway: Gateway) -> tuple[int, dict[str, Any]]:
    """What /readyz says now."""
    address = re.search(r"http://\S+/readyz", gateway.says("Health is answered"))
    assert address
    try:
        with urlopen(address[0]) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())


def unready(gateway: Gateway, words: str) -> None:
    """Wait until /readyz names this among its reasons."""
    until(lambda: health(gateway)[0] == 503 and any(words in reason for reason in health(gateway)[1]["reasons"]))


def noted(gateway: Gateway, words: str) -> None:
    """Wait until /readyz notes this while everybody is served."""
    until(lambda: any(words in note for note in health(gateway)[1]["notes"]))
    assert health(gateway)[0] == 200


def well(gateway: Gateway) -> None:
    """Wait until /readyz has nothing to say."""
    until(lambda: (page := health(gateway))[0] == 200 and page[1]["reasons"] == page[1]["notes"] == [])


def told(gateway: Gateway, words: str) -> int:
    """In how many lines the log has these words."""
    return sum(words in line for line in list(gateway.log))


def served(chat: Chat) -> list[str]:
    """The answers of models in a chat, as people see them."""
    return [message.text for message in chat.answers if "served-by:" in message.text]
