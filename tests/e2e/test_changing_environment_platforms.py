"""A token that is revoked while the gateway runs: it says so, waits, takes a new one over, and answers what was written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.environment_stage import health, listening, replaced, served, told, unready, well
from tests.e2e.installation import KEYS, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.e2e.test_discord_gateway import Stage as DiscordStage
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import slow
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TOKEN, TelegramServer

pytestmark = pytest.mark.xdist_group("changing environment")

NEW = "777000777:AAcanary-Token_that_came_later00"
REFUSED = "Telegram does not accept this bot token"


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        listening(stage.house)
        yield stage


def refusals(stage: Stage) -> int:
    return sum(call.status == 401 for call in stage.telegram.called("getMe"))


def test_a_telegram_token_that_is_valid_again_is_found_out_and_everything_is_answered_once(stage: Stage) -> None:
    ada, bob = stage.telegram.private(stage.ada), stage.telegram.private(stage.bob)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        (key,) = [key for key in KEYS.values() if key.endswith(end)]
        stage.provider.script[key] = [slow("served-by:LATE")]
        stage.ada.says(ada, "under way while the token is revoked")
        stage.provider.wait_seen(2)
        stage.telegram.revoke()
        unready(gateway, REFUSED)
        stage.provider.release()
        stage.ada.says(ada, "written meanwhile")
        stage.bob.says(bob, "by somebody else")
        until(lambda: refusals(stage) >= 1)
        assert served(ada) == [f"served-by:{end}"]
        assert told(gateway, REFUSED) == 1
        stage.telegram.token = TOKEN
        stage.telegram.wait(lambda: len(served(ada)) == 3 and len(served(bob)) == 1, 20)
        well(gateway)
        stage.settled(stage.ada, ada)
        stage.settled(stage.bob, bob)
        assert sorted(served(ada)) == sorted([f"served-by:{end}", "served-by:LATE", f"served-by:{end}"])
        assert len(served(bob)) == 1
        assert len(stage.provider.seen) == 4
        assert (told(gateway, REFUSED), told(gateway, "telegram (default): connected")) == (1, 2)
        assert not any("Traceback" in line for line in gateway.log)


def test_a_new_telegram_token_is_taken_over_from_the_environment_file(stage: Stage) -> None:
    variables = stage.house.state / ".env"

    def write(token: str) -> None:
        fresh = stage.house.state / ".env.new"
        fresh.touch(0o600)
        fresh.write_text(f"BOT_TOKEN={token}\n")
        fresh.replace(variables)

    write(TOKEN)
    replaced(stage.house, TOKEN, "${BOT_TOKEN}")
    ada = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        stage.telegram.revoke(NEW)
        unready(gateway, REFUSED)
        stage.ada.says(ada, "written meanwhile")
        write(NEW)
        stage.telegram.wait(lambda: len(served(ada)) == 2, 20)
        well(gateway)
        stage.settled(stage.ada, ada)
        assert served(ada) == [f"served-by:{end}"] * 2
        gateway.says("telegram (default): connects anew, with another token")
        reloaded = stage.house.run("secrets", "reload")
        assert (reloaded.code, reloaded.out) == (0, "Secrets reloaded.\n"), "nothing waits for a restart"
        assert (told(gateway, REFUSED), told(gateway, "telegram (default): connected")) == (1, 2)
    assert not any(token in line for token in (TOKEN, NEW) for line in gateway.log)


def test_a_text_that_is_no_token_leaves_the_one_before_in_use(stage: Stage) -> None:
    ada = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        replaced(stage.house, f'token = "{TOKEN}"', 'token = "not a token"')
        until(lambda: health(gateway)[1]["notes"])
        (note,) = health(gateway)[1]["notes"]
        assert note.startswith(
            "telegram (default): the new token is not used: channels.telegram.token: This is not a bot"
        )
        assert stage.serves(stage.ada, ada, "hi")
        replaced(stage.house, 'token = "not a token"', f'token = "{TOKEN}"')
        well(gateway)
        assert told(gateway, "the new token is not used") == 1


def test_where_the_only_token_is_refused_at_the_start_the_process_says_so_and_ends(stage: Stage) -> None:
    stage.telegram.revoke()
    ended = stage.house.run("gateway")
    assert (ended.code, ended.out) == (1, "")
    (sentence,) = [line for line in ended.err.splitlines() if line.startswith("remoteclaw: ")]
    assert sentence.startswith(f"remoteclaw: channels.telegram.token: {REFUSED}")


def test_a_new_discord_token_is_taken_over_from_the_config_and_what_was_missed_is_answered_once(
    state_dir: Path,
) -> None:
    with DiscordServer() as discord, ThreadedProviderServer() as provider:
        stage = DiscordStage(Installation(state_dir), discord, provider)
        listening(stage.house)
        room, old = stage.rooms[0], discord.token
        with stage.gateway() as gateway:
            stage.serves(stage.ada, room, "before")
            discord.renew_token("counterpart-bot-token-that-came-later-000")
            unready(gateway, "Discord refused the bot token")
            stage.ada.says(room, f"{stage.mention} written meanwhile")
            until(lambda: sum(entry["path"].endswith("/users/@me") for entry in discord.requests) >= 2)
            assert told(gateway, "Discord refused the bot token") == 1
            replaced(stage.house, old, discord.token)
            until(lambda: len(answers(stage)) == 2)
            well(gateway)
            stage.settled(stage.ada, room)
            assert len(answers(stage)) == 2
            assert len(provider.seen) == 2
            assert told(gateway, "Discord refused the bot token") == 1
            assert told(gateway, "discord (default): connected") == 2
            assert not any("Traceback" in line for line in gateway.log)
        assert not any(token in line for token in (old, discord.token) for line in gateway.log)


def answers(stage: DiscordStage) -> list[str]:
    return [m.content for m in stage.told(stage.rooms[0], 0) if m.content.startswith("served-by:")]
