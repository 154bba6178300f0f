"""What the config says of a webhook for Telegram."""

from pathlib import Path

import pytest

from bot.config.load import load_settings
from core.errors import ConfigError

CANARY = "canary-secret.of the webhook"


def problem(tmp_path: Path, url: str, secret: str) -> str:
    """What is wrong with it; empty if nothing is."""
    file = tmp_path / "config.toml"
    file.write_text(
        f'[channels.telegram]\ntoken = "1:x"\nmode = "webhook"\nwebhook = {{ url = "{url}", secret_token = "{secret}" }}'
    )
    try:
        load_settings(file, {})
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        pytest.param("https://bot.example.com/telegram", True, id="https"),
        pytest.param("http://127.0.0.1:9000/telegram", True, id="loopback"),
        pytest.param("http://[::1]:9000/telegram", True, id="loopback, version 6"),
        pytest.param("http://localhost/telegram", True, id="localhost"),
        pytest.param("http://bot.example.com/telegram", False, id="http"),
        pytest.param("http://127.0.0.1.example.com/", False, id="a name that begins like loopback"),
        pytest.param("https://bot.example.com/telegram?x=1", False, id="query"),
    ],
)
def test_the_url_is_https_or_on_this_machine(tmp_path: Path, url: str, is_taken: bool) -> None:
    told = problem(tmp_path, url, "a-Secret_1")
    assert (told == "") is is_taken
    assert is_taken or "channels.telegram.webhook.url" in told


@pytest.mark.parametrize(
    ("secret", "is_taken"),
    [
        pytest.param("a-Secret_1", True, id="usual"),
        pytest.param("x" * 256, True, id="longest"),
        pytest.param("x" * 257, False, id="too long"),
        pytest.param(CANARY, False, id="blank and dot"),
        pytest.param("sécret", False, id="not ASCII"),
        pytest.param("", False, id="empty"),
    ],
)
def test_the_secret_is_one_that_telegram_takes_and_is_never_shown(tmp_path: Path, secret: str, is_taken: bool) -> None:
    told = problem(tmp_path, "https://bot.example.com/telegram", secret)
    assert (told == "") is is_taken
    assert is_taken or "channels.telegram.webhook.secret_token" in told
    assert not secret or secret not in told
