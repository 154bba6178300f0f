"""What is asked for in a browser, and what of its answer counts: RFC 7636, 9207, and what people paste (credentials.md C218)."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.oauth.authorization import ForeignRedirect, begin, challenge, read_pasted
from core.auth.oauth import OAuthProvider
from core.errors import BotError

HOME = "http://127.0.0.1:50000/callback"
PROVIDER = OAuthProvider(
    id="acme",
    authorize_url="https://id.test/authorize?tenant=a%20b",
    client_id="c",
    scopes=("openid", "email"),
    issuer="https://id.test",
    authorize_parameters=(("prompt", "consent"),),
)


def test_the_challenge_of_rfc_7636_appendix_b() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_request_carries_everything_and_no_secret() -> None:
    attempt = begin(PROVIDER, HOME)
    parts = urlsplit(attempt.url)
    asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
    verifier = attempt.verifier.reveal()
    assert re.fullmatch(r"[0-9a-f]{64}", verifier), "C218: 64 hex characters"
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert asked == {
        "tenant": "a b", "prompt": "consent", "response_type": "code", "client_id": "c", "redirect_uri": HOME,
        "scope": "openid email", "state": attempt.state, "nonce": attempt.nonce, "code_challenge": digest,
        "code_challenge_method": "S256",
    }  # fmt: skip
    assert verifier not in attempt.url + repr(attempt)
    assert begin(PROVIDER, HOME).state != attempt.state


def test_without_an_id_token_there_is_no_nonce() -> None:
    attempt = begin(OAuthProvider(id="acme", authorize_url="https://id.test/a", client_id="c"), HOME)
    assert attempt.nonce is None
    assert "nonce" not in attempt.url
    assert "scope" not in attempt.url


@pytest.mark.parametrize("bare_code", [True, False])
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        pytest.param(f"{HOME}?code=c-1&state=STATE", "c-1", id="C218 the full address"),
        pytest.param(f"  {HOME}?state=STATE&code=c-1#there\n", "c-1", id="with blanks and a fragment"),
        pytest.param("code=c-1&state=STATE", "c-1", id="C218 the query alone"),
        pytest.param("?code=c-1&state=STATE&iss=https%3A%2F%2Fid.test", "c-1", id="with the right issuer"),
        pytest.param("c-1#STATE", "c-1", id="code and state"),
        pytest.param("c-1", "bare", id="C218 the code alone"),
        pytest.param(f"{HOME}?code=c-1", "carries no state", id="C218 without a state"),
        pytest.param(f"{HOME}?code=c-1&state=other", "another login", id="C218 with another state"),
        pytest.param("c-1#other", "another login", id="code and another state"),
        pytest.param("code=c-1&state=STATE&iss=https%3A%2F%2Fevil.test", "does not come from", id="another issuer"),
        pytest.param(f"{HOME}?state=STATE", "carries no code", id="without a code"),
        pytest.param(f"{HOME}?state=STATE&code=", "carries no code", id="with an empty code"),
        pytest.param(HOME, "carries no state", id="the address alone"),
        pytest.param("", "Nothing was pasted", id="nothing"),
        pytest.param("a b#STATE", "no code", id="a sentence"),
        pytest.param("http://[?code=1", "carries no state", id="no address at all"),
        pytest.param("c-1\udcff", "is damaged", id="a code with what is no text"),
        pytest.param("c-1#STATE\udcff", "is damaged", id="a state with what is no text"),
        pytest.param(f"{HOME}?code=c-1\udcff&state=STATE", "is damaged", id="an address with what is no text"),
        pytest.param("code=c-1&state=\ud800", "is damaged", id="half a character"),
    ],
)
def test_what_counts_of_what_is_pasted(text: str, verdict: str, bare_code: bool) -> None:
    attempt = begin(OAuthProvider(id="acme", issuer="https://id.test", bare_code=bare_code), HOME)
    pasted = text.replace("STATE", attempt.state)
    if verdict == "c-1" or (verdict == "bare" and bare_code):
        assert read_pasted(attempt, pasted).reveal() == "c-1"
        return
    with pytest.raises(ForeignRedirect, match="code alone" if verdict == "bare" else verdict) as told:
        read_pasted(attempt, pasted)
    assert "c-1" not in str(told.value)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("error=access_denied", "login_denied"),
        ("error=server_error", "login_refused"),
        ("error=%1b%5b2J", "login_refused"),
    ],
)
def test_a_refusal_in_the_redirect_ends_the_login(query: str, code: str) -> None:
    attempt = begin(PROVIDER, HOME)
    with pytest.raises(BotError) as told:
        read_pasted(attempt, f"{HOME}?{query}&state={attempt.state}")
    assert (told.value.code, "\x1b" in str(told.value)) == (code, False)
