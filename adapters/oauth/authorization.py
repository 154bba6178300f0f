"""The authorisation request, and the redirect that answers it: PKCE, state, nonce, issuer (RFC 6749, 7636, 9207, 9700)."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from core.auth.oauth import OAuthProvider
from core.auth.secret import Secret
from core.errors import BotError, UserError

_LONGEST = 16 * 1024
_VERIFIER_BYTES = 32


class ForeignRedirect(UserError):
    """A redirect that does not belong to the login that is waited for. The right one may still come."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login that was begun. `verifier` proves at the end that the end belongs to this beginning."""

    url: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    verifier: Secret
    nonce: str | None = field(repr=False)
    issuer: str
    bare_code: bool


def begin(provider: OAuthProvider, redirect_uri: str) -> Attempt:
    """A fresh attempt, with the address at which a person allows it."""
    verifier, state = secrets.token_hex(_VERIFIER_BYTES), secrets.token_urlsafe(24)
    nonce = secrets.token_urlsafe(24) if "openid" in provider.scopes else None
    asked = {
        **dict(provider.authorize_parameters),
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    if provider.scopes:
        asked["scope"] = " ".join(provider.scopes)
    if nonce is not None:
        asked["nonce"] = nonce
    parts = urlsplit(provider.authorize_url)
    query = "&".join(part for part in (parts.query, urlencode(asked)) if part)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
    return Attempt(url, redirect_uri, state, Secret(verifier), nonce, provider.issuer, provider.bare_code)


def challenge(verifier: str) -> str:
    """What the server is shown of the verifier beforehand (RFC 7636 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def read_redirect(attempt: Attempt, query: str) -> Secret:
    """The code in the query of a redirect. Raises ForeignRedirect for one of another login, and BotError for a refusal."""
    given = {name: values[0] for name, values in parse_qs(query[:_LONGEST], keep_blank_values=True).items()}
    state = given.get("state")
    if state is None:
        raise ForeignRedirect("usage", "The redirect carries no state.", "Paste the whole address.")
    _check_state(attempt, state)
    if attempt.issuer and given.get("iss", attempt.issuer) != attempt.issuer:
        raise ForeignRedirect("usage", f"The redirect does not come from {attempt.issuer}.", "Begin again.")
    if "error" in given:
        raise _refused(given["error"])
    if not given.get("code", "").strip():
        raise ForeignRedirect("usage", "The redirect carries no code.", "Paste the whole address.")
    return Secret(given["code"].strip())


def read_pasted(attempt: Attempt, text: str) -> Secret:
    """The code in what a person pasted: the redirect's whole address, its query, or the code alone, also as `code#state`.

    Raises ForeignRedirect for what cannot be it, and BotError for a refusal."""
    pasted = text.strip()
    if not pasted:
        raise ForeignRedirect("usage", "Nothing was pasted.", "Paste the address that the browser ended at.")
    if any("\ud800" <= c <= "\udfff" for c in pasted):  # bytes that a terminal took for no text
        raise ForeignRedirect(
            "usage", "What was pasted is damaged: it is no UTF-8 text.", "Copy it and paste it again."
        )
    if "code=" in pasted or "error=" in pasted or "://" in pasted:
        query = pasted.partition("?")[2] if "://" in pasted else pasted.lstrip("?")
        return read_redirect(attempt, query.partition("#")[0])
    code, _, state = pasted.partition("#")
    if state:
        _check_state(attempt, state)
    elif not attempt.bare_code:
        raise ForeignRedirect("usage", "That is the code alone.", "Paste the whole address that the browser ended at.")
    if any(c.isspace() or not c.isprintable() for c in code):
        raise ForeignRedirect("usage", "That is no code.", "Paste the whole address that the browser ended at.")
    return Secret(code)


def _check_state(attempt: Attempt, state: str) -> None:
    if not hmac.compare_digest(state.encode(), attempt.state.encode()):
        raise ForeignRedirect("usage", "That belongs to another login: its state is another one.", "Begin again.")


def _refused(code: str) -> BotError:
    if code == "access_denied":
        return BotError("login_denied", "The login was denied. Nothing was stored.")
    shown = f" ({code[:60]})" if code.isprintable() and code.isascii() else ""
    return BotError("login_refused", f"The provider refused the login{shown}. Nothing was stored.")
