"""Pictures and text files through the real gateway process, from a person to the provider, over a kill as well."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.chat.names import SHARED
from tests.e2e.installation import KEYS, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.e2e.test_discord_gateway import Stage as DiscordStage
from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_server import DiscordServer
from tests.fakes.pictures import JPEG, PNG
from tests.fakes.provider_script import Stall, ok
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_files import document, other, photo
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    """Everything but a gateway."""
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        yield Stage(Installation(state_dir), telegram, provider)


def asked(provider: ThreadedProviderServer) -> list[Any]:
    """What the provider was asked, request by request: the content of the last message."""
    return [seen.body["messages"][-1]["content"] for seen in provider.seen]


def noted(house: Installation) -> bool:
    """Whether what was sent of an answer is noted: killed before that, its message would be sent once more."""
    return house.rows("select count(*) from inbox where delivery != '{}'") == [(1,)]


def kinds(content: list[dict[str, Any]]) -> list[str]:
    return [part["text"] if part["type"] == "text" else part["image_url"]["url"][:15] for part in content]


def framed(name: str, words: str) -> str:
    """What the first question of a shared chat says."""
    return f"{SHARED}\n\n{name}: {words}"


def test_an_album_of_a_killed_gateway_is_one_question_to_the_next(stage: Stage) -> None:
    group = stage.telegram.group()
    with stage.gateway() as gateway:
        stage.ada.sends_album(group, photo(JPEG), photo(PNG), caption="@Our_Bot compare these")
        stage.provider.script[KEYS["acme:work"]] = [Stall("half an answer, which", " never ends")]
        until(lambda: noted(stage.house))
        gateway.kill()
    stage.provider.script[KEYS["acme:work"]] = [ok("they differ")]
    fetched = len(stage.telegram.called("file"))
    with stage.gateway():
        stage.telegram.wait(lambda: any(m.text == "they differ" for m in group.answers))
        stage.settled(stage.ada, group)
        assert [m.text for m in group.answers[:-1]] == ["they differ"]
        until(lambda: stage.house.rows("select state, count(*) from inbox group by state") == [("done", 2)])
    first, second = asked(stage.provider)
    assert kinds(first) == kinds(second) == [framed("Ada", "compare these"), "data:image/jpeg", "data:image/png;"]
    assert (fetched, len(stage.telegram.called("file"))) == (2, 4)


def test_a_strangers_file_is_not_fetched_and_a_voice_message_is_answered_in_words(stage: Stage) -> None:
    theirs, chat = stage.telegram.private(stage.mallory), stage.telegram.private(stage.ada)
    with stage.gateway():
        stage.mallory.sends(theirs, photo(JPEG), "look")
        stage.ada.sends(chat, other("voice"))
        stage.telegram.wait(lambda: any("A voice message cannot be read here." in m.text for m in chat.answers))
        stage.ada.sends(chat, document(b"a,b\n1,2\n", "t.csv", "text/csv"), "sum")
        stage.telegram.wait(lambda: any("served-by" in m.text for m in chat.answers))
        stage.settled(stage.ada, chat)
    assert [m.text for m in theirs.answers if "give this code" not in m.text] == []
    assert len(stage.telegram.called("getFile")) == 1
    assert asked(stage.provider) == ["sum\n\nt.csv:\n```\na,b\n1,2\n```"]


def test_a_file_in_discord_reaches_the_provider_also_when_its_url_has_expired(state_dir: Path) -> None:
    with DiscordServer() as discord, ThreadedProviderServer() as provider:
        stage = DiscordStage(Installation(state_dir), discord, provider)
        room = stage.rooms[0]
        with stage.gateway() as gateway:
            provider.script[KEYS["acme:work"]] = [Stall("half an answer, which", " never ends")]
            stage.ada.says(room, f"{stage.mention} what is it?", files=(Upload("a.png", PNG, "image/png"),))
            until(lambda: noted(stage.house))
            gateway.kill()
        discord.cdn.expire()
        provider.script[KEYS["acme:work"]] = [ok("a dot")]
        with stage.gateway():
            until(lambda: [m for m in stage.told(room, 0) if m.content == "a dot"])
        assert [kinds(content) for content in asked(provider)] == [
            [framed("ada", "what is it?"), "data:image/png;"]
        ] * 2
