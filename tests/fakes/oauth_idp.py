"""nanoidp, an independent OpenID provider, on loopback: PKCE demanded, refresh tokens rotated, a device flow.

`people` have `<name>@example.org` as their address and `secret` as their password. What a person does in a browser is done by
`allow` and `decide`.
"""

import contextlib
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

CLIENT = "remoteclaw-cli"
CONFIDENTIAL, CLIENT_SECRET = "remoteclaw-web", "s3cret-of-the-client"
PASSWORD = "secret"
_SETTINGS = """
config_version: 1
server: {{host: "127.0.0.1", port: {port}}}
device_flow: {{polling_interval: 1, code_expiry_seconds: {device_seconds}}}
oauth:
  issuer: "http://127.0.0.1:{port}"
  audience: "models"
  token_expiry_minutes: {minutes}
  refresh_token_rotation: true
  require_pkce: true
  clients:
    - {{client_id: "remoteclaw-cli", token_endpoint_auth_method: "none", redirect_uris: ["http://127.0.0.1/callback"]}}
    - client_id: "remoteclaw-web"
      client_secret: "s3cret-of-the-client"
      token_endpoint_auth_method: "client_secret_basic"
      redirect_uris: ["http://127.0.0.1/callback"]
"""
_USERS = """
config_version: 1
users:
  ada: {password: "secret", email: "ada@example.org", roles: ["USER"]}
  bob: {password: "secret", email: "bob@example.org", roles: ["USER"]}
"""


@dataclass
class Idp:
    """`with Idp(folder) as idp`."""

    folder: Path
    minutes: int = 60
    device_seconds: int = 600

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        told = _SETTINGS.format(port=port, minutes=self.minutes, device_seconds=self.device_seconds)
        (self.folder / "settings.yaml").write_text(told)
        (self.folder / "users.yaml").write_text(_USERS)
        self._log = (self.folder / "log").open("wb")
        command = [sys.executable, "-m", "nanoidp", "--config", str(self.folder), "--port", str(port)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=self.folder)
        deadline = time.monotonic() + 20
        while not self._is_up():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "nanoidp did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        self._log.close()

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/.well-known/openid-configuration", trust_env=False).status_code == 200
        return False

    def table(self, client: str = CLIENT) -> dict[str, Any]:
        """What `auth.oauth.<provider>` has to say of it."""
        return {
            "authorization_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "device_url": f"{self.url}/device_authorization",
            "userinfo_url": f"{self.url}/userinfo",
            "issuer": self.url,
            "client_id": client,
            "scopes": ["openid", "email", "offline_access"],
        }

    def log_in(self, url: str, person: str = "ada") -> str:
        """What a person does at the authorisation address; where the browser is sent then."""
        with httpx.Client(trust_env=False) as browser:
            page = browser.get(url)
            assert page.status_code == 200, page.text
            found = re.search(r'name="transaction_id" value="([^"]+)"', page.text)
            assert found is not None, page.text
            form = {"transaction_id": found[1], "username": person, "password": PASSWORD}
            sent = browser.post(f"{self.url}/authorize", data=form)
        assert sent.status_code in (302, 303), sent.text
        return str(sent.headers["location"])

    def allow(self, url: str, person: str = "ada") -> httpx.Response:
        """The same, and the browser goes there."""
        return httpx.get(self.log_in(url, person), trust_env=False)

    def decide(self, user_code: str, action: str = "authorize", person: str = "ada") -> None:
        """What a person does at the verification address of the device flow."""
        form = {"user_code": user_code, "username": person, "password": PASSWORD, "action": action}
        assert httpx.post(f"{self.url}/device", data=form, trust_env=False).status_code == 200

    def takes(self, access: str) -> bool:
        """Whether an access token is good at the userinfo endpoint."""
        headers = {"authorization": f"Bearer {access}"}
        return httpx.get(f"{self.url}/userinfo", headers=headers, trust_env=False).status_code == 200


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
