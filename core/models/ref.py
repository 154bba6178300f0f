"""ModelRef: `provider/name`, exact. The provider is lower case; the name keeps its case and may contain `/`, `@` and `:`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ModelRef:
    """One model of one provider."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Split at the first `/`. Raises ValueError if a half is empty. For exact refs (config, storage), not for typed text."""
        provider, slash, name = text.strip().partition("/")
        if not slash or not provider.strip() or not name.strip():
            raise ValueError(f"{text!r} is not of the form provider/model")
        return cls(provider.strip().lower(), name.strip())
