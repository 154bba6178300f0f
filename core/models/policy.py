"""Which models a session may select: `model_policy.allow` (exact refs, `provider/*`, `provider/namespace/*`)."""

from collections.abc import Sequence

from core.auth.provider_names import provider_id
from core.models.ref import ModelRef


def allows(allow: Sequence[str], ref: ModelRef) -> bool:
    """Whether one of the patterns covers the model. No pattern at all allows everything. Compared without regard to case."""
    return not allow or any(_covers(pattern, ref) for pattern in allow)


def _covers(pattern: str, ref: ModelRef) -> bool:
    provider, _, name = pattern.partition("/")
    if provider_id(provider) != ref.provider:
        return False
    wanted, given = name.strip().lower(), ref.name.lower()
    if wanted.endswith("*"):
        return given.startswith(wanted[:-1])
    return given == wanted
