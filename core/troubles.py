"""What goes wrong again and again for a while is said once when it begins and once when it is over."""

import logging


class Trouble:
    """One such thing. `over` is the line that ends it; it is logged as information, what begins it as an error."""

    def __init__(self, log: logging.Logger, over: str) -> None:
        self._log = log
        self._over = over
        self.reason = ""
        """What is wrong; empty while nothing is."""

    def begins(self, reason: str) -> None:
        """It goes wrong, for the first time or again. `reason` is a whole sentence."""
        if not self.reason:
            self._log.error("%s", reason)
        self.reason = reason

    def is_over(self) -> None:
        """It went well."""
        if self.reason:
            self._log.info("%s", self._over)
        self.reason = ""
