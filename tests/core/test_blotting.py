"""Secrets in what people write: what is blotted out, and what is left alone."""

import base64
import hashlib
import random
import string
import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.blotting import BLOT, blot, blot_payload

LETTERS = string.ascii_letters + string.digits
URL_SAFE = f"{LETTERS}-_"
HEX = "0123456789abcdef"
RUNS: set[str] = set()
"""Every run of eight letters that were drawn."""


def drawn(length: int, letters: str = LETTERS, seed: str = "") -> str:
    """Letters drawn by lot, the same in every run."""
    lot = random.Random(f"{seed}{length}{letters}")
    text = "".join(lot.choice(letters) for _ in range(length))
    if length > 16:  # shorter parts are ids, which are no secrets
        RUNS.update(text[at : at + 8] for at in range(length - 7))
    return text


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


SECRETS = {
    "anthropic": f"sk-ant-api03-{drawn(93, URL_SAFE)}AA",
    "anthropic setup-token": f"sk-ant-oat01-{drawn(93, URL_SAFE)}AA",
    "openai": f"sk-{drawn(48)}",
    "openai project": f"sk-proj-{drawn(124, URL_SAFE)}",
    "openrouter": f"sk-or-v1-{drawn(64, HEX)}",
    "deepseek": f"sk-{drawn(32, HEX)}",
    "groq": f"gsk_{drawn(52)}",
    "xai": f"xai-{drawn(80)}",
    "google": f"AIza{drawn(35, URL_SAFE)}",
    "github": f"ghp_{drawn(36)}",
    "github, fine-grained": f"github_pat_{drawn(22)}_{drawn(59)}",
    "gitlab": f"glpat-{drawn(20)}",
    "hugging face": f"hf_{drawn(34, string.ascii_letters)}",
    "replicate": f"r8_{drawn(37)}",
    "perplexity": f"pplx-{drawn(48)}",
    "slack": f"xoxb-{drawn(12, string.digits)}-{drawn(24)}",
    "telegram bot": f"7284286647:AA{drawn(33, URL_SAFE)}",
    "discord bot": f"MTE{drawn(23)}.{drawn(6)}.{drawn(38, URL_SAFE)}",
    "jwt": f"eyJ{drawn(33)}.eyJ{drawn(80)}.{drawn(43, URL_SAFE)}",
    "z.ai": f"api_key={drawn(32, HEX)}.{drawn(16)}",
    "aws": f"AKIA{drawn(16, string.ascii_uppercase)} {drawn(40, LETTERS + '+/')}",
    "aws, assigned": f"aws_secret_access_key = {drawn(40, LETTERS + '+/')}",
    "bearer": f"Authorization: Bearer {drawn(40)}",
    "basic": f"authorization: basic {base64.b64encode(f'ada:{drawn(20)}'.encode()).decode()}",
    "header": f"x-api-key: {drawn(40)}",
    "environment": f"export ACME_API_KEY={drawn(32, HEX)}",
    "environment, short name": f"KEY='{drawn(40)}'",
    "json": f'{{"api_key": "{drawn(32)}"}}',
    "yaml": f"client_secret: {drawn(40)}",
    "code": f'apiKey: "{drawn(32)}",',
    "toml": f'token = "{drawn(48)}"',
    "a sentence": f"the api key is {drawn(32, HEX)}, use it",
    "a short sentence": f"my key: {drawn(32)}",
    "markdown": f"**API key:** `{drawn(32)}`",
    "flag": f"--api-key {drawn(32)}",
    "password": f"password: {drawn(24)}",
    "uuid of a client": f"client_secret={uuid.UUID(hex=drawn(32, HEX))}",
    "url": f"https://x.test/v1?api_key={drawn(32)}&page=2",
    "url with a password": f"postgres://app:{drawn(24)}@db.test/app",
    "url of telegram": f"https://api.telegram.org/bot7284286647:AA{drawn(33, URL_SAFE)}/getMe",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    + "\n".join(drawn(64, LETTERS + "+/", str(n)) for n in range(6))
    + "\n-----END OPENSSH PRIVATE KEY-----",
    "private key, cut": f"-----BEGIN RSA PRIVATE KEY-----\n{drawn(64, LETTERS + '+/')}",
}


@pytest.mark.parametrize("around", ["{}", "please use {} from now on 😀", "a\n{}\nb", "({})", "`{}`", "🔑{}🔑"])
@pytest.mark.parametrize("name", SECRETS)
def test_every_kind_of_secret_is_blotted_out(name: str, around: str) -> None:
    text = around.format(SECRETS[name])
    clean, found = blot(text)
    assert found
    assert units(clean) == units(text)
    assert not [run for run in RUNS if run in clean], "nothing of the drawn letters is left"


@pytest.mark.parametrize("seed", range(40))
def test_it_does_not_depend_on_the_lot(seed: int) -> None:
    for shape in ("sk-ant-api03-{}", "sk-proj-{}", "ghp_{}", "7284286647:AA{}", "Bearer {}", "ACME_API_KEY={}"):
        assert blot(shape.format(drawn(44, seed=str(seed))))[1], shape


ORDINARY = {
    "prose": "The key to success is patience; a token of thanks, the secret of life. My password is on a note at home.",
    "questions about keys": "Where do I put my API key? I set ANTHROPIC_API_KEY=sk-ant-... in .env, is that right?",
    "placeholders": "api_key = YOUR_API_KEY_HERE_1234567890 or sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxx or <your-secret-token-goes-here>",
    "placeholder of a provider": "sk-ant-your-key-goes-right-here-2024 and sk-proj-replace-me-with-your-own-key",
    "environment": "export OPENAI_API_KEY=$OPENAI_API_KEY; token: ${{ secrets.GITHUB_TOKEN }}; os.environ['SECRET_KEY']",
    "code": "const token = getServerSideTokenForUser2024(user.apiKey); self.private_key: ed25519.Ed25519PrivateKey = key",
    "python": "secret = hmac.new(self.secret_key_bytes, message, hashlib.sha256).hexdigest()\npassword = get_password()",
    "uuid": "session 550e8400-e29b-41d4-a716-446655440000 failed, key 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "git": "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 (key 9fceb02d0ae598e95dc970b74767f19372d61af8) broke it",
    "hash": f"sha256:{hashlib.sha256(b'x').hexdigest()}",
    "integrity": f"integrity sha512-{base64.b64encode(hashlib.sha512(b'x').digest()).decode()}",
    "url": "https://docs.google.com/document/d/1aBcD2eFgH3iJkL4mNoP5qRsT6uVwX7yZ8/edit?usp=sharing&key=abc123",
    "video": "https://youtu.be/dQw4w9WgXcQ?si=Xa1B2c3D4e5F6g7H",
    "attachment": f"https://cdn.discordapp.com/attachments/1/2/a.png?ex=66f1a2b3&is=66f05133&hm={drawn(64, HEX)}&",
    "paging": "?next_page_token=CAUQAAEaBlBUOkNBVQ&token=CAUQAAEaBlBUOkNBVQabcDEF123456",
    "picture": f"data:image/png;base64,{base64.b64encode(random.Random(1).randbytes(3000)).decode()}",
    "base64url": base64.urlsafe_b64encode(random.Random(2).randbytes(3000)).decode(),
    "public key": f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{drawn(200, LETTERS + '+/')} ada@host",
    "certificate": f"-----BEGIN CERTIFICATE-----\n{drawn(64, LETTERS + '+/')}\n-----END CERTIFICATE-----",
    "a header of a key alone": "It must begin with -----BEGIN PRIVATE KEY----- and end with -----END PRIVATE KEY-----.",
    "library": "from sklearn import sk-learn-contrib; pip install sk-learn-extra-utilities; 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",
    "model names": "anthropic/claude-opus-4-5-20251101@anthropic:work, gpt-4o-2024-08-06, meta-llama/Llama-3.3-70B-Instruct",
    "commands": "/model opus@anthropic:work for 2h strict",
    "account of aws": "arn:aws:iam::123456789012:user/AKIAIOSFODNN7EXAMPLE",
    "times": "2026-03-01T12:30:15.123457Z took 12345678:90 ms",
    "german": "Das Donaudampfschifffahrtsgesellschaftskapitänspatent ist kein Passwort: Geheimniskrämerei!",
    "json": '{"cache_key": "user:12345:profile:v2", "primary_key": "id", "token_count": 123456789012345678901234}',
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_is_left_alone(name: str) -> None:
    assert blot(ORDINARY[name]) == (ORDINARY[name], False)


WORDS = sorted({
    word
    for name in ("prose", "questions about keys", "environment", "code", "python", "library", "german")
    for word in ORDINARY[name].split()
    if len(word) < 16 or not any(c.isdigit() for c in word)  # behind "token" a long word with digits is taken for one
})  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from([" ", "\n", ": ", " = ", "="]))
def test_ordinary_words_are_left_alone_in_any_order(words: list[str], between: str) -> None:
    text = between.join(words)
    assert blot(text) == (text, False)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
@example("\ud83d key: half a pair \ude00")
def test_any_text_is_left_alone(text: str) -> None:
    assert blot(text) == (text, False)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.sampled_from(sorted(SECRETS.values())), st.text(max_size=30))
def test_the_length_in_utf_16_units_is_kept_and_doing_it_twice_changes_nothing(a: str, secret: str, b: str) -> None:
    text = f"{a} {secret} {b}"
    clean, found = blot(text)
    assert found
    assert units(clean) == units(text)
    assert blot(clean) == (clean, False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A_" * 50_000, id="names"),
        pytest.param("sk-" * 33_000, id="prefixes"),
        pytest.param("-----BEGIN PRIVATE KEY-----" * 3_700, id="beginnings of keys"),
        pytest.param("key is " * 14_000, id="assignments"),
        pytest.param("a://" * 25_000, id="addresses"),
        pytest.param("eyJaaaaaaaaaa." * 7_000, id="tokens"),
        pytest.param(f"M{'a' * 24}." * 4_000, id="tokens of bots"),
        pytest.param("1" * 100_000, id="digits"),
        pytest.param('"' * 100_000, id="quotes"),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """A pattern that looks at every character again for each one would take minutes, and the runner would end it."""
    assert blot(text[:100_000]) == (text[:100_000], False)


def known(text: str) -> str:
    for value in ("correct-horse-battery-staple", "hunter2", "pässwörd-of-the-house"):
        text = text.replace(value, "***")
    return text


def test_what_is_known_here_is_found_by_value() -> None:
    assert blot("it is 'correct-horse-battery-staple'.", known) == (f"it is '{BLOT * 28}'.", True)
    assert blot("it is pässwörd-of-the-house!", known) == (f"it is {BLOT * 21}!", True)
    assert blot("correct horse battery staple", known) == ("correct horse battery staple", False)


def test_a_known_word_that_is_too_short_for_a_secret_can_still_be_said() -> None:
    assert blot("hunter2 is a joke about hunter2", known) == ("hunter2 is a joke about hunter2", False)


KEY = SECRETS["openai"]


def test_a_payload_is_blotted_wherever_the_secret_stands() -> None:
    payload = {"a": {"caption": f"x {KEY}", "n": 1, "none": None}, "list": [KEY, {"deep": [KEY]}], "other": "text"}
    clean, own = blot_payload(payload)
    assert own
    assert KEY[3:] not in repr(clean)
    assert clean["other"] == "text"
    assert payload["list"][0] == KEY, "what was given is not changed"


def test_a_payload_without_one_is_the_very_same() -> None:
    payload = {"message": {"text": "hello", "entities": [{"offset": 0}]}}
    assert blot_payload(payload)[0] is payload


@pytest.mark.parametrize("where", ["reply_to_message", "quote", "quoted", "callback_query", "from"])
def test_what_somebody_else_wrote_is_blotted_and_not_held_against_the_sender(where: str) -> None:
    clean, own = blot_payload({"message": {where: {"text": KEY}, "text": "what is this?"}})
    assert KEY[3:] not in repr(clean)
    assert not own


def test_what_the_platform_must_get_back_is_left_as_it_was() -> None:
    payload = {"token": KEY, "custom_id": KEY, "values": [KEY], "callback_query": {"data": KEY, "id": KEY}}
    assert blot_payload(payload) == (payload, False)
