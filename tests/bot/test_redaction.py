"""Secrets are taken out of text by value, in every form in which they travel, and by shape."""

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redaction import Redactor

SECRET = "sk-acme-0123456789abcdefghijklmnopqrstuvwxyz"
ODD = 'pa ss"wo\\rd/with+odd=signs&more'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("secret", [SECRET, ODD, "short1", "two words", "äöü-and-some-more-letters", "x" * 500])
@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda s: s, id="plain"),
        pytest.param(lambda s: quote(s, safe=""), id="url-encoded"),
        pytest.param(quote_plus, id="form-encoded"),
        pytest.param(lambda s: json.dumps(s), id="json"),
        pytest.param(lambda s: repr(s), id="repr"),
        pytest.param(lambda s: f"https://host/path?key={quote(s, safe='')}&x=1", id="in a url"),
        pytest.param(lambda s: f"x{s}x{s}", id="without a boundary, twice"),
    ],
)
def test_no_form_of_a_secret_is_left(secret: str, form):
    shown = Redactor([secret]).redact(f"before {form(secret)} after")
    assert form(secret) not in shown
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.endswith("after")


@pytest.mark.parametrize("prefix", ["", "a", "ab", "user:", "Bearer "])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_no_secret_is_left_inside_base64(prefix: str, encode):
    whole = encode(f"{prefix}{SECRET}ü tail".encode()).decode()
    shown = Redactor([SECRET]).redact(f"Authorization: Basic {whole}")
    for n in range(0, len(SECRET) - 12, 3):
        assert b64(SECRET[n : n + 12])[:-4] not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("key sk-proj-AbC123456789 is wrong", "key sk-*** is wrong", id="sk-"),
        pytest.param("Incorrect API key: sk-ab***wxyz.", "Incorrect API key: sk-***", id="cut short by the provider"),
        pytest.param("Authorization: Bearer abc.def-123456", "Authorization: Bearer ***", id="bearer"),
        pytest.param("authorization: bearer abcdef123456,", "authorization: bearer ***,", id="in small letters"),
        pytest.param("the bearer of this letter", "the bearer of this letter", id="an ordinary word"),
        pytest.param(
            "POST https://api.telegram.org/bot123456:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/getMe",
            "POST https://api.telegram.org/bot***/getMe",
            id="telegram url",
        ),
        pytest.param("token 123456:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc.", "token ***.", id="telegram token"),
        pytest.param("postgresql://me:word@host/db", "postgresql://me:***@host/db", id="password in a url"),
        pytest.param("https://host:8080/path sk-1 bot9", "https://host:8080/path sk-1 bot9", id="nothing of the kind"),
    ],
)
def test_shapes_of_secrets_are_taken_out_without_being_known(text: str, shown: str):
    assert Redactor().redact(text) == shown


def test_secrets_that_begin_alike_or_hold_each_other_are_all_taken_out():
    values = [SECRET, SECRET + "-and-longer", SECRET[:30], "prefix" + SECRET]
    redactor = Redactor(values)
    for value in values:
        assert redactor.redact(f"<{value}>") == "<***>"
    assert redactor.redact(" ".join(values)) == "*** *** *** ***"


def test_what_is_no_secret_stays_to_the_letter():
    text = f"model acme/large, session agent:main:telegram:default:direct:1001, {SECRET[:-4]} {'y' * 300}\n\t\x00"
    assert Redactor([SECRET]).redact(text.replace("sk-", "s_")) == text.replace("sk-", "s_")


def test_texts_too_short_to_be_secrets_blot_out_nothing():
    assert Redactor(["", " ", "on", "true"]).redact("turned on is true") == "turned on is true"


def test_secrets_are_learnt_and_never_forgotten():
    redactor = Redactor(["first-secret"])
    assert redactor.redact("first-secret second-secret") == "*** second-secret"
    redactor.learn(["second-secret"])
    redactor.learn([])
    assert redactor.redact("first-secret second-secret third-secret") == "*** *** third-secret"


def test_it_shows_none_of_them():
    assert SECRET not in repr(Redactor([SECRET]))


@given(
    secrets=st.lists(st.text(min_size=6, max_size=40).filter(lambda s: len(s.strip()) >= 6), min_size=1, max_size=4),
    around=st.lists(st.text(max_size=20), min_size=2, max_size=5),
)
def test_whatever_the_secrets_and_the_text_none_is_left(secrets: list[str], around: list[str]):
    values = [secret.strip() for secret in secrets]
    text = "".join(f"{part}{values[n % len(values)]}" for n, part in enumerate(around))
    shown = Redactor(values).redact(text)
    assert all(value not in shown for value in values if value.strip("*"))


def test_a_line_costs_less_than_half_of_replacing_each_secret_in_turn():
    secrets = [f"sk-{n:04d}-{'abcdefghijklmnopqrstuvwxyz'[n % 20 :]}{n * 7919:020d}{'q' * 16}" for n in range(200)]
    redactor = Redactor(secrets)
    words = (
        "INFO bot.gateway: turn of agent:main:telegram:default:direct:1001 served by acme/large with acme:work in 3.2s "
    )
    line = (words * 4)[:400]

    def naive() -> str:
        text = line
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    def seconds(work) -> float:
        started = time.perf_counter()
        for _ in range(200):
            work()
        return time.perf_counter() - started

    ratios = sorted(seconds(lambda: redactor.redact(line)) / seconds(naive) for _ in range(9))
    assert ratios[0] < 0.5
