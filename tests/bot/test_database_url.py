"""`database.url`: which file it names, also through a reference, and that it is never shown."""

from pathlib import Path

import pytest

from bot.app import database_path
from bot.config.load import settings_from
from bot.database_url import password
from bot.paths import Paths
from core.auth.secret import Secret
from core.errors import ConfigError

REF = {"source": "env", "provider": "default", "id": "CLAW_DATABASE"}
PATHS = Paths(Path("/state"), Path("/state/config.toml"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param(None, "/state/remoteclaw.db", id="not set"),
        pytest.param("sqlite:////var/x.db", "/var/x.db", id="sqlite"),
        pytest.param(REF, "/var/from-the-environment.db", id="a reference"),
    ],
)
def test_the_database_is_the_file_that_the_url_names(url: object, path: str):
    settings = settings_from({"database": {} if url is None else {"url": url}}, {})
    environ = {"CLAW_DATABASE": "sqlite:////var/from-the-environment.db"}
    assert database_path(settings, PATHS, environ) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql+psycopg://u:secret-word@h/d", id="another database"),
        pytest.param("sqlite://secret-word", id="no path"),
        pytest.param(REF, id="a reference to nothing"),
    ],
)
def test_a_url_that_cannot_be_used_is_named_and_not_shown(url: object):
    settings = settings_from({"database": {"url": url}}, {})
    with pytest.raises(ConfigError, match=r"^database\.url: ") as caught:
        database_path(settings, PATHS, {})
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        pytest.param("postgresql+psycopg://u:secret%20word@h/d", "secret word", id="there is one"),
        pytest.param("sqlite:////var/x.db", None, id="there is none"),
        pytest.param("postgresql://[broken", "postgresql://[broken", id="unreadable"),
    ],
)
def test_the_password_of_a_url_is_known_to_the_redactor(url: str, found: str | None):
    assert password(Secret(url)) == (Secret(found) if found else None)
