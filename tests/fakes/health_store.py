"""Profile health in memory."""

from collections.abc import Callable

from core.auth.health import ProfileHealth


class FakeHealthStore:
    """`core.auth.ports.HealthStore`. Look at `health`, by profile id and fingerprint."""

    def __init__(self, *known: ProfileHealth) -> None:
        self.health = {(one.profile, one.fingerprint): one for one in known}

    async def update_health(
        self, profile: str, fingerprint: str, change: Callable[[ProfileHealth], ProfileHealth]
    ) -> None:
        before = self.health.get((profile, fingerprint))
        after = change(before or ProfileHealth(profile=profile, fingerprint=fingerprint))
        if before is not None or after != ProfileHealth(profile=profile, fingerprint=fingerprint):
            self.health[profile, fingerprint] = after
