"""Which database a `database.url` names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.auth.secret import Secret
from core.errors import ConfigError


def sqlite_path(url: Secret) -> Path:
    """The file of a `sqlite:///...` URL. Raises ConfigError for any other one; it is not shown, for it may hold a password."""
    scheme, separator, path = url.reveal().partition(":///")
    if scheme != "sqlite" or not separator or not path:
        raise ConfigError("database.url", "must be of the form sqlite:////absolute/path.db")
    return Path(path).absolute()


def password(url: Secret) -> Secret | None:
    """The password in the URL, for redaction; None if there is none. A URL that cannot be read is confidential as a whole."""
    try:
        found = urlsplit(url.reveal()).password
    except ValueError:
        return url
    return Secret(unquote(found)) if found else None
