"""Discord's file server: attachments at signed URLs that expire, read without any credential."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.discord_world import snowflake

if TYPE_CHECKING:
    from tests.fakes.discord_server import DiscordServer


@dataclass(eq=False)
class Upload:
    """A file that somebody attaches. `told_size` and `media_type` are what Discord says of it; `url` replaces its own."""

    name: str
    data: bytes = field(default=b"x", repr=False)
    media_type: str | None = None
    told_size: int | None = None
    url: str = ""
    gone: bool = False
    id: int = field(default_factory=snowflake)
    cdn: "Cdn | None" = None

    def wire(self) -> dict[str, Any]:
        assert self.cdn is not None, "nobody has sent it yet"
        url = self.url or self.cdn.url(self)
        size = len(self.data) if self.told_size is None else self.told_size
        told = {"id": str(self.id), "filename": self.name, "size": size, "url": url, "proxy_url": url}
        return told | ({} if self.media_type is None else {"content_type": self.media_type})


class Cdn:
    """The attachments of a server. `expire` makes every URL that was told so far one that is refused."""

    def __init__(self, server: "DiscordServer") -> None:
        self._server = server
        self._uploads: dict[int, Upload] = {}
        self._signature = 1
        self.redirect = ""
        """Where an answer with a 3xx sends its reader."""

    def keep(self, upload: Upload) -> Upload:
        upload.cdn = self
        self._uploads[upload.id] = upload
        return upload

    def expire(self) -> None:
        self._signature += 1

    def url(self, upload: Upload) -> str:
        base = self._server.api_base_url.removesuffix("/api/v10")
        return f"{base}/cdn/attachments/1/{upload.id}/file%20{upload.id}?ex=6a&is=69&hm={self._signature}%2B&"

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/cdn/attachments/1/{id}/{name}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        headers = {key.lower(): value for key, value in request.headers.items()}
        self._server.requests.append({"method": "GET", "path": request.path, "body": {}, "headers": headers})
        try:
            if (planned := self._server.planned("GET", request.path)) is not None:
                more = {"Retry-After": str(planned.retry_after)} if planned.status == 429 else {}
                if 300 <= planned.status < 400:
                    more = {"Location": self.redirect}
                return web.Response(status=planned.status, headers=more)
            upload = self._uploads[int(request.match_info["id"])]
            if upload.gone or request.query.get("hm") != f"{self._signature}+":
                return web.Response(status=404, text="This content is no longer available.")
            return web.Response(body=upload.data, content_type="application/octet-stream")
        finally:
            self._server.changed()
