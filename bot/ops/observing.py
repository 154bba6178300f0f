"""What `/metrics` needs of a running gateway: counted platforms, and a page. Imported only where the page is served."""

from collections.abc import Callable, Mapping

from bot.health_http import Page
from bot.ops.gathering import gather
from bot.ops.measured import MeasuredPlatform
from bot.ops.metrics import CONTENT_TYPE, Metrics
from bot.served import ServedApp, ServedPlatform


class Observing:
    """Counts from now on."""

    def __init__(self, app: ServedApp) -> None:
        self._app = app
        self._metrics = Metrics(app.clock.now())

    def platform(self, platform: ServedPlatform) -> ServedPlatform:
        """The platform, with an eye on what is delivered to it."""
        return MeasuredPlatform(platform, self._metrics, self._app.clock)

    def page(self, connected: Callable[[], Mapping[str, bool]]) -> Page:
        """The page. `connected` says whether each platform is."""

        async def make() -> bytes:
            return self._metrics.page(await gather(self._app, connected()))

        return Page(CONTENT_TYPE, make)
