"""What has arrived at the provider, and with whose key."""

import asyncio
import time

from tests.fakes.provider_server import Seen
from tests.scenarios.house import House


class Questions:
    """The requests of an installation, found by what their newest message holds."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._provider = house.provider

    def last(self, question: str) -> Seen:
        """The last request with this question."""
        return self._found(question)[-1]

    def keys(self, question: str) -> list[str]:
        """Whose keys have arrived with this question, in their order."""
        return [self._house.profile(seen.key) for seen in self._found(question)]

    async def arrives(self, question: str, profile: str = "acme:main", within: float = 10) -> None:
        """Return once this question has arrived with this profile's key."""
        deadline = time.monotonic() + within
        while profile not in self.keys(question):
            assert time.monotonic() < deadline, f"nobody asked {question!r}: {[newest(s) for s in self._provider.seen]}"
            count, rest = len(self._provider.seen) + 1, deadline - time.monotonic()
            await asyncio.to_thread(self._provider.wait_seen, count, rest)

    def _found(self, question: str) -> list[Seen]:
        return [seen for seen in self._provider.seen if question in newest(seen)]


def newest(seen: Seen) -> str:
    """The newest message of a request, as text: what its content says, in whatever parts."""
    content = seen.body["messages"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
