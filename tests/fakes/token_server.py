"""A token server on loopback that rotates refresh tokens and can be told to misbehave, in a thread of its own.

Unscripted it gives `access-<n>` and `refresh-<n>` for the refresh token that it gave last, and `invalid_grant` for any other.
`script` is used up request by request: `LOST` does what was asked and hangs up, `SLOW` does nothing until `release()`, a number
is that HTTP status, bytes are the whole body of a 200, a pair is (status, body), `REDIRECT` leads elsewhere.
"""

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

LOST, SLOW, REDIRECT, HANG_UP = "lost", "slow", "redirect", "hang up"
Step = str | int | bytes | tuple[int, dict[str, Any]]


class ScriptedTokenServer:
    """`with ScriptedTokenServer() as server`. `refresh` is the only refresh token that it takes; `lenient`: also the one before
    it, as servers do that allow for lost answers."""

    def __init__(self, *script: Step, lenient: bool = False, expires_in: int = 3600, rotates: bool = True) -> None:
        self.script: deque[Step] = deque(script)
        self.lenient = lenient
        self.expires_in = expires_in
        self.rotates = rotates
        self.refresh = "refresh-0"
        self.before = ""
        self.given = 0
        self.seen: list[dict[str, str]] = []
        """The form of every request, with its Authorization header as `authorization`."""
        self.granted: list[str] = []
        """Every access token that was made."""
        self._lock = threading.Lock()
        self._permit = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._serve(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release(100)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def release(self, times: int = 1) -> None:
        """Let a slow answer go."""
        for _ in range(times):
            self._permit.release()

    def _serve(self, handler: Any) -> None:
        raw = handler.rfile.read(int(handler.headers.get("content-length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(raw).items()}
        with self._lock:
            self.seen.append({**form, "authorization": handler.headers.get("authorization", "")})
            step = self.script.popleft() if self.script else None
        self.arrived.release()
        if step == SLOW:
            self._permit.acquire(timeout=20)
            step = None
        if step == HANG_UP:
            handler.connection.close()
            return
        if isinstance(step, int):
            self._send(handler, step, b"{}")
        elif isinstance(step, bytes):
            self._send(handler, 200, step)
        elif isinstance(step, tuple):
            self._send(handler, step[0], json.dumps(step[1]).encode())
        elif step == REDIRECT:
            self._send(handler, 307, b"", ("location", f"{self.url}/elsewhere"))
        else:
            status, body = self._answer(form)
            if step == LOST:
                handler.connection.close()
                return
            self._send(handler, status, json.dumps(body).encode())

    def _answer(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            sent = form.get("refresh_token")
            if sent != self.refresh and not (self.lenient and sent == self.before):
                return 400, {"error": "invalid_grant"}
            self.given += 1
            if self.rotates:
                self.before, self.refresh = self.refresh, f"refresh-{self.given}"
            access = f"access-{self.given}"
            self.granted.append(access)
            rotated = {"refresh_token": self.refresh} if self.rotates else {}
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": self.expires_in, **rotated}

    def _send(self, handler: Any, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        try:
            handler.send_response(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the client has hung up
