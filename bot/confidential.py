"""Which values are confidential, as far as the name of a variable or of a header tells."""

import re

_VARIABLE = re.compile(r"KEYS?(_|$)|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL")
_HEADER = re.compile(r"key|token|secret|password|auth|cookie|credential", re.IGNORECASE)
_SHORTEST = 6
_COUNT = re.compile(r"[0-9]{1,9}|true|false", re.IGNORECASE)
"""What variables hold that only sound confidential, such as `..._TOKEN_LIMIT`."""


def is_confidential_variable(name: str, value: str, shortest: int = _SHORTEST) -> bool:
    """Whether a variable holds a secret: it is called like one, and its value has `shortest` characters at least."""
    text = value.strip()
    return bool(_VARIABLE.search(name.upper())) and len(text) >= shortest and not _COUNT.fullmatch(text)


def is_confidential_header(name: str) -> bool:
    """Whether a header carries a secret."""
    return bool(_HEADER.search(name))
