"""Who writes a code to the bot: found without taking a message away from whoever serves it later."""

from collections.abc import Iterator

import pytest

from adapters.telegram.introduction import wait_for_code
from core.auth.secret import Secret
from core.errors import BotError
from tests.fakes.telegram_server import TOKEN, TelegramServer

CODE = "k7m2p9qa"


def never() -> bool:
    return False


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


@pytest.mark.parametrize("text", [CODE, f"/start {CODE}", f"  {CODE} ", CODE.upper(), f"/Start {CODE.capitalize()}"])
def test_whoever_sends_the_code_in_a_private_chat_is_found_and_nothing_is_confirmed(
    server: TelegramServer, text: str
) -> None:
    mallory, ada = server.person(1003, "Mallory"), server.person(1001, "Ada")
    mallory.says(server.private(mallory), "hello")
    ada.says(server.private(ada), text)
    found = wait_for_code(server.url, Secret(TOKEN), CODE, 10, never)
    assert found is not None
    assert (found.id, found.name) == (1001, "Ada")
    assert len(server.world.updates) == 2, "both wait still"
    assert all(not call.params.get("offset") and "allowed_updates" not in call.params for call in server.calls)


def test_a_code_in_a_group_or_another_one_is_nobodys(server: TelegramServer) -> None:
    ada = server.person(1001)
    ada.says(server.group("Club"), CODE)
    ada.says(server.private(ada), "/start abcdefgh")
    pauses: list[float] = []
    assert wait_for_code(server.url, Secret(TOKEN), CODE, 0.3, never, pauses.append) is None
    assert pauses, "it does not ask without a pause"


def test_whoever_does_not_want_to_wait_any_longer_does_not(server: TelegramServer) -> None:
    looks = iter([False, True])
    assert wait_for_code(server.url, Secret(TOKEN), CODE, 3600, lambda: next(looks)) is None
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [pytest.param(409, "busy", id="served-elsewhere"), pytest.param(502, "unreachable", id="out-of-order")],
)
def test_what_cannot_be_seen_is_told_without_the_token(server: TelegramServer, code: int, error: str) -> None:
    server.fail("getUpdates", code, "Conflict: terminated by other getUpdates request")
    with pytest.raises(BotError) as caught:
        wait_for_code(server.url, Secret(TOKEN), CODE, 5, never)
    assert caught.value.code == error
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(BotError) as caught:
        wait_for_code("http://127.0.0.1:9", Secret(TOKEN), CODE, 5, never)
    assert caught.value.code == "unreachable"
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
