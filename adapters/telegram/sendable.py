"""What a request to Telegram can carry."""


def sendable(text: str) -> str:
    """The text without lone surrogates and NULs, which no request can carry."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
