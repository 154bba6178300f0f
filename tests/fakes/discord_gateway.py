"""The gateway half of Discord's counterpart: sessions that survive a lost connection and replay what was missed."""

import asyncio
import itertools
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.discord_world import Guild, Person

_GUILDS, _GUILD_MESSAGES, _DIRECT_MESSAGES, _CONTENT = 1 << 0, 1 << 9, 1 << 12, 1 << 15
_numbers = itertools.count(1)


@dataclass(eq=False)
class Session:
    intents: int
    id: str = field(default_factory=lambda: f"session-{next(_numbers)}")
    sequence: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    socket: "Socket | None" = None


class Socket:
    """One websocket, compressed as it asked."""

    def __init__(self, ws: web.WebSocketResponse, *, compressed: bool) -> None:
        self.ws = ws
        self._compressor = zlib.compressobj() if compressed else None

    async def send(self, payload: dict[str, Any]) -> None:
        text = json.dumps(payload)
        # Who was killed is gone before its connection is: what is sent to it is lost, or replayed to whoever resumes.
        with suppress(ConnectionResetError):
            if self._compressor is None:
                await self.ws.send_str(text)
            else:
                await self.ws.send_bytes(
                    self._compressor.compress(text.encode()) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
                )


class Gateway:
    """Everything behind the websocket. Runs in the server's loop."""

    def __init__(
        self, token: str, bot: Person, application: int, guilds: list[Guild], changed: Callable[[], None]
    ) -> None:
        self.token = token
        self._bot = bot
        self._application = application
        self._guilds = guilds
        self._changed = changed
        self.sessions: dict[str, Session] = {}
        self.sockets: list[Socket] = []
        self.url = ""
        self.content_allowed = True
        self.refused: int | None = None
        """A close code for every connection that comes, while set."""
        self.identified: list[int] = []
        """The intents of every IDENTIFY."""
        self.resumed = 0

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(ws, compressed=request.query.get("compress") == "zlib-stream")
        self.sockets.append(socket)
        if self.refused is not None:
            await ws.close(code=self.refused)
        else:
            await socket.send({"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._received(socket, json.loads(message.data))
        finally:
            self.sockets.remove(socket)
            for session in self.sessions.values():
                if session.socket is socket:
                    session.socket = None
            self._changed()
        return ws

    async def _received(self, socket: Socket, payload: dict[str, Any]) -> None:
        match payload["op"]:
            case 1:
                await socket.send({"op": 11, "d": None, "s": None, "t": None})
            case 2:
                await self._identify(socket, payload["d"])
            case 6:
                await self._resume(socket, payload["d"])

    async def _identify(self, socket: Socket, data: dict[str, Any]) -> None:
        self.identified.append(data["intents"])
        if data["token"] != self.token:
            await socket.ws.close(code=4004, message=b"Authentication failed.")
            return
        if data["intents"] & _CONTENT and not self.content_allowed:
            await socket.ws.close(code=4014, message=b"Disallowed intent(s).")
            return
        session = Session(data["intents"], socket=socket)
        self.sessions[session.id] = session
        ready = {
            "v": 10,
            "user": self._bot.wire(),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in self._guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "application": {"id": str(self._application), "flags": 0},
        }
        guilds = [guild.wire() for guild in self._guilds]
        await self._dispatch(session, "READY", ready)
        for guild in guilds:
            await self._dispatch(session, "GUILD_CREATE", guild)
        self._changed()

    async def _resume(self, socket: Socket, data: dict[str, Any]) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self.token:
            await socket.send({"op": 9, "d": False, "s": None, "t": None})
            return
        session.socket = socket
        self.resumed += 1
        for payload in [entry for entry in session.sent if entry["s"] > data["seq"]]:
            await socket.send(payload)
        await self._dispatch(session, "RESUMED", {})
        self._changed()

    async def emit(self, event: str, data: dict[str, Any], *, direct: bool) -> None:
        """Tell every session that has asked for such events; one without a connection gets it when it resumes."""
        talk = event.startswith("MESSAGE_")
        wanted = _GUILDS if not talk else _DIRECT_MESSAGES if direct else _GUILD_MESSAGES
        for session in list(self.sessions.values()):
            if event != "INTERACTION_CREATE" and not session.intents & wanted:
                continue
            blank = "content" in data and talk and not direct and not session.intents & _CONTENT
            await self._dispatch(session, event, data | {"content": ""} if blank else data)

    async def _dispatch(self, session: Session, event: str, data: dict[str, Any]) -> None:
        session.sequence += 1
        payload = {"op": 0, "t": event, "s": session.sequence, "d": data}
        session.sent.append(payload)
        if session.socket is not None and not session.socket.ws.closed:
            await session.socket.send(payload)

    async def ask(self, op: int, data: Any = None) -> None:
        """Send an operation to all connections: 7 reconnect, 9 invalid session."""
        for socket in list(self.sockets):
            await socket.send({"op": op, "d": data, "s": None, "t": None})

    async def drop(self) -> None:
        """Cut all connections without a word. What happens next is kept for a resume."""
        for session in self.sessions.values():
            session.socket = None
        for socket in list(self.sockets):
            transport = socket.ws._req.transport if socket.ws._req else None
            if transport is not None:
                transport.abort()

    async def close_all(self) -> None:
        await asyncio.gather(*(socket.ws.close(code=1001) for socket in list(self.sockets)))
