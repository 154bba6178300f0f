"""One name for each provider, whatever people type (credentials.md 1.8). Comparing providers as raw strings lost pins."""

_PROVIDER_ALIASES = {
    "z.ai": "zai",
    "z-ai": "zai",
    "opencode-zen": "opencode",
    "opencode-go-auth": "opencode-go",
    "modelstudio": "qwen",
    "qwencloud": "qwen",
    "kimi-code": "kimi",
    "kimi-coding": "kimi",
    "bedrock": "amazon-bedrock",
    "aws-bedrock": "amazon-bedrock",
    "bytedance": "volcengine",
    "doubao": "volcengine",
}
_CREDENTIAL_ALIASES = {"volcengine-plan": "volcengine", "byteplus-plan": "byteplus"}


def provider_id(text: str) -> str:
    """The one name of a provider: trimmed, lower case, through the provider aliases."""
    lowered = text.strip().lower()
    return _PROVIDER_ALIASES.get(lowered, lowered)


def credential_provider(text: str) -> str:
    """The provider whose credentials serve this one: some products share their vendor's keys."""
    provider = provider_id(text)
    return _CREDENTIAL_ALIASES.get(provider, provider)
