"""A ModelLibrary that knows what a test gives it, and counts how often it is asked."""

from core.models.catalog import ModelEntry


class FakeModelLibrary:
    """`known` are its models by id, whoever serves them."""

    def __init__(self, known: dict[str, ModelEntry] | None = None, edition: str = "1") -> None:
        self.known = known or {}
        self.edition = edition
        self.asked = 0

    def __call__(self, provider: str, base_url: str, model: str) -> ModelEntry | None:
        self.asked += 1
        return self.known.get(model)
