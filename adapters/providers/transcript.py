"""The text of an answer as it grows, and how it ended, told in one vocabulary for all vendors."""

from adapters.providers.error_body import broken
from core.chat.completion import Completed, StopReason, Usage
from core.errors import Failure, FailureReason, ProviderError

LONGEST_ANSWER = 4 * 1024 * 1024
_LONGEST_WORD = 60

_REASONS = {
    StopReason.STOP: "stop end_turn stop_sequence completed complete eos eos_token done",
    StopReason.LENGTH: "length max_tokens max_output_tokens model_context_window_exceeded model_length",
    StopReason.FILTER: (
        "content_filter content_filtered safety recitation blocklist prohibited_content spii language jailbreak sensitive "
        "image_safety image_prohibited_content image_recitation model_armor"
    ),
    StopReason.REFUSAL: "refusal",
    StopReason.TOOL_CALLS: "tool_calls tool_use function_call",
}
_STOPS = {word: reason for reason, words in _REASONS.items() for word in words.split()}
"""The vendors' words for why an answer ended, in lower case."""
_FAULTS = {
    "error": FailureReason.NETWORK,
    "abort": FailureReason.NETWORK,
    "aborted": FailureReason.NETWORK,
    "cancelled": FailureReason.NETWORK,
    "failed": FailureReason.NETWORK,
    "network_error": FailureReason.NETWORK,
    "malformed_response": FailureReason.NETWORK,
    "insufficient_system_resource": FailureReason.OVERLOADED,
}
"""Words that look like an end and are a fault of the provider's: what came before is no whole answer."""


class Transcript:
    """Bounded. It is whole once a reason for its end is known."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._stop = ""
        self._reason: StopReason | None = None
        self.usage = Usage()
        self.refused = False
        """The model has declined; what it said is no answer to the question."""

    @property
    def is_empty(self) -> bool:
        return not self._length

    @property
    def has_stopped(self) -> bool:
        return bool(self._stop)

    def add(self, piece: str) -> str:
        """Keep and return the piece. Raises ProviderError when the answer outgrows any sense."""
        self._length += len(piece)
        if self._length > LONGEST_ANSWER:
            raise broken(f"The answer is longer than {LONGEST_ANSWER} characters.")
        self._pieces.append(piece)
        return piece

    def stop(self, word: str, reason: StopReason | None = None) -> None:
        """The vendor's word for why it ended, and what it means here if only its place tells. An empty word says nothing;
        the last one counts."""
        if word:
            self._stop, self._reason = word, reason

    def close(self) -> None:
        """The format's own end of stream: what is closed so is whole, whether or not a reason came with it."""
        self._stop = self._stop or StopReason.STOP

    def completed(self) -> Completed:
        """The whole answer.

        Raises ProviderError: network or overloaded if it never ended or ended by a fault; format if a filter or a refusal left
        nothing of it, for another credential would be told the same.
        """
        word = self._stop.lower()
        if not word:
            raise broken("The stream ended before the answer was complete.")
        if word in _FAULTS:
            detail = f"The provider broke the answer off ({word})."
            raise ProviderError(Failure(reason=_FAULTS[word], detail=detail))
        reason = self._reason or _STOPS.get(word, StopReason.OTHER)
        if self.refused and reason is StopReason.STOP:
            reason = StopReason.REFUSAL
        text = "".join(self._pieces)
        if not text.strip() and reason in (StopReason.FILTER, StopReason.REFUSAL):
            raise _withheld(reason, self._stop[:_LONGEST_WORD])
        return Completed(text, self.usage, reason)


def _withheld(reason: StopReason, word: str) -> ProviderError:
    if reason is StopReason.FILTER:
        detail = f"A content filter of the provider left nothing of the answer ({word})."
    else:
        detail = "The model refused to answer and did not say why."
    return ProviderError(Failure(reason=FailureReason.FORMAT, detail=detail))
