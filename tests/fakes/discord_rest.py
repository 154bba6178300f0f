"""The REST half of Discord's counterpart: messages, commands, interactions, with Discord's codes for what it refuses."""

import json
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.discord_limits import Refused, check_choices, check_commands, check_message, check_modal, pings_of
from tests.fakes.discord_world import DIRECT, EPHEMERAL, LOADING, Channel, Interaction, Message, snowflake

if TYPE_CHECKING:
    from tests.fakes.discord_server import DiscordServer

_ROUTES = (
    ("GET", "/users/@me", "me"),
    ("GET", "/oauth2/applications/@me", "application"),
    ("GET", "/applications/@me", "application"),
    ("GET", "/gateway/bot", "gateway"),
    ("GET", "/applications/{application}/commands", "synced"),
    ("PUT", "/applications/{application}/commands", "sync"),
    ("POST", "/users/@me/channels", "open_private"),
    ("GET", "/channels/{channel}", "channel"),
    ("GET", "/channels/{channel}/messages", "history"),
    ("POST", "/channels/{channel}/messages", "send"),
    ("GET", "/channels/{channel}/messages/{message}", "message_again"),
    ("PATCH", "/channels/{channel}/messages/{message}", "edit"),
    ("DELETE", "/channels/{channel}/messages/{message}", "delete"),
    ("POST", "/channels/{channel}/typing", "typing"),
    ("GET", "/guilds/{guild}/members/{user}", "member"),
    ("POST", "/interactions/{interaction}/{token}/callback", "callback"),
    ("POST", "/webhooks/{application}/{token}", "follow_up"),
    ("GET", "/webhooks/{application}/{token}/messages/{message}", "get_answer"),
    ("PATCH", "/webhooks/{application}/{token}/messages/{message}", "edit_answer"),
    ("DELETE", "/webhooks/{application}/{token}/messages/{message}", "delete_answer"),
)


class Rest:
    """The handlers, by name. Each gets the matched parts of the path and the body."""

    def __init__(self, server: "DiscordServer") -> None:
        self._server = server

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [web.route(method, prefix + path, self._handler(name)) for method, path, name in _ROUTES]

    def _handler(self, name: str) -> Any:
        async def handle(request: web.Request) -> web.Response:
            text = await request.text()
            body = json.loads(text) if text else {}
            headers = {key.lower(): value for key, value in request.headers.items()}
            self._server.requests.append(
                {"method": request.method, "path": request.path, "body": body, "headers": headers}
            )
            try:
                planned = self._server.planned(request.method, request.path)
                if planned is not None and not planned.lost:
                    if planned.status != 429:
                        raise Refused(planned.status, planned.code, "planned failure")
                    limit = {
                        "message": "You are being rate limited.",
                        "retry_after": planned.retry_after,
                        "global": False,
                    }
                    return _json(limit, 429, {"Via": "1.1 google", "Retry-After": str(planned.retry_after)})
                if "token" not in request.match_info and headers.get("authorization") != f"Bot {self._server.token}":
                    raise Refused(401, 0, "401: Unauthorized")
                answer = getattr(self, f"_{name}")(request.match_info, body, request)
                if planned is not None and request.transport is not None:
                    request.transport.abort()
            except Refused as refused:
                return _json(refused.body, refused.status)
            finally:
                self._server.changed()
            return web.Response(status=204) if answer is None else _json(answer)

        return handle

    def _me(self, *_: Any) -> Any:
        return self._server.bot.wire()

    def _application(self, *_: Any) -> Any:
        shape = {
            "id": str(self._server.application),
            "name": "RemoteClaw",
            "description": "",
            "verify_key": "00",
            "flags": self._server.flags,
        }
        owner = self._server.bot.wire()
        return shape | {"icon": None, "bot_public": True, "bot_require_code_grant": False, "owner": owner, "team": None}

    def _gateway(self, *_: Any) -> Any:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return {"url": self._server.gateway_url, "shards": 1, "session_start_limit": limit}

    def _sync(self, _: Any, body: list[dict[str, Any]], *__: Any) -> Any:
        check_commands(body)
        extra = {"application_id": str(self._server.application), "version": str(snowflake())}
        self._server.commands = [entry | extra | {"id": str(snowflake())} for entry in body]
        return self._server.commands

    def _synced(self, *_: Any) -> Any:
        """As Discord tells them: with what it adds, and without what is at its default."""
        more = {"default_member_permissions": None, "nsfw": False, "name_localizations": None}
        told = [{key: value for key, value in entry.items() if value != []} | more for entry in self._server.commands]
        for entry in told:
            options = [{key: value for key, value in o.items() if value is not False} for o in entry.get("options", ())]
            entry |= {"options": options} if options else {}
        return told

    def _open_private(self, _: Any, body: dict[str, Any], *__: Any) -> Any:
        person = self._server.people.get(int(body["recipient_id"]))
        if person is None:
            raise Refused(404, 10013, "Unknown User")
        return self._server.private(person).wire()

    def _channel(self, parts: Any, *_: Any) -> Any:
        return self._of(parts).wire()

    def _history(self, parts: Any, _: Any, request: web.Request) -> Any:
        after, before = (int(request.query.get(name, 0)) for name in ("after", "before"))
        limit = min(int(request.query.get("limit", 50)), 100)
        found = [m for m in self._of(parts).messages if m.id > after and (not before or m.id < before)]
        found = found[:limit] if after else found[-limit:]
        return [message.wire() for message in reversed(found)]

    def _member(self, parts: Any, *_: Any) -> Any:
        guild = next((g for g in self._server.guilds if g.id == int(parts["guild"])), None)
        person = self._server.people.get(int(parts["user"]))
        if guild is None or person is None:
            raise Refused(404, 10007, "Unknown Member")
        return guild.member(person)

    def _typing(self, parts: Any, *_: Any) -> None:
        self._writable(parts).typing += 1

    def _send(self, parts: Any, body: dict[str, Any], _: Any) -> Any:
        channel = self._writable(parts)
        check_message(body)
        if body.get("enforce_nonce"):
            known = next((m for m in channel.everything if m.nonce is not None and m.nonce == body.get("nonce")), None)
            if known is not None:
                return known.wire()
        message = self._new(channel, body)
        message.reference = int(body["message_reference"]["message_id"]) if body.get("message_reference") else None
        return message.wire()

    def _message_again(self, parts: Any, *_: Any) -> Any:
        return self._message(self._of(parts), parts).wire()

    def _edit(self, parts: Any, body: dict[str, Any], _: Any) -> Any:
        message = self._message(self._writable(parts), parts)
        if message.author is not self._server.bot:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        return self._change(message, body)

    def _delete(self, parts: Any, *_: Any) -> None:
        channel = self._writable(parts)
        message = self._message(channel, parts)
        if message.author is not self._server.bot:
            if channel.kind == DIRECT:
                raise Refused(403, 50003, "Cannot execute action on a DM channel")
            if not channel.may_manage:
                raise Refused(403, 50013, "Missing Permissions")
        message.deleted = True

    def _callback(self, parts: Any, body: dict[str, Any], _: Any) -> Any:
        found = self._server.interactions.get(int(parts["interaction"]))
        late = found is not None and time.monotonic() - found.begun > self._server.acknowledge_within
        if found is None or found.token != parts["token"] or (late and found.callback is None):
            raise Refused(404, 10062, "Unknown interaction")
        if found.callback is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        data = body.get("data") or {}
        if body["type"] == 8:
            check_choices(data["choices"])
            found.choices = data["choices"]
        elif body["type"] == 5:
            flags = LOADING | (data.get("flags", 0) & EPHEMERAL)
            found.original = self._new(found.channel, {"content": "", "flags": flags}, found)
        elif body["type"] == 6 and found.pressed is not None:
            found.original = found.pressed
        elif body["type"] == 9:
            if found.type == 5:
                raise Refused(400, 50035, "A form cannot be answered with a form.")
            check_modal(data)
            found.modal = data
        elif body["type"] == 4:
            check_message(data)
            found.original = self._new(found.channel, data, found)
        found.callback = body["type"]
        found.acknowledged_after = time.monotonic() - found.begun
        return {"interaction": {"id": str(found.id), "type": found.type}, "resource": {"type": body["type"]}}

    def _follow_up(self, parts: Any, body: dict[str, Any], _: Any) -> Any:
        found = self._open(parts)
        check_message(body)
        if found.original is not None and found.original.loading:
            if found.original.deleted:
                raise Refused(404, 10008, "Unknown Message")
            return self._change(found.original, body)
        return self._new(found.channel, body, found).wire()

    def _get_answer(self, parts: Any, *_: Any) -> Any:
        return self._answer(parts).wire()

    def _edit_answer(self, parts: Any, body: dict[str, Any], _: Any) -> Any:
        return self._change(self._answer(parts), body)

    def _delete_answer(self, parts: Any, *_: Any) -> None:
        self._answer(parts).deleted = True

    def _open(self, parts: Any) -> Interaction:
        found = next((i for i in self._server.interactions.values() if i.token == parts["token"]), None)
        if found is None or found.callback is None:
            raise Refused(404, 10015, "Unknown Webhook")
        if found.expired:
            raise Refused(401, 50027, "Invalid Webhook Token")
        if found.channel.lost:
            raise Refused(404, 10015, "Unknown Webhook")
        return found

    def _answer(self, parts: Any) -> Message:
        found = self._open(parts)
        wanted = parts["message"]
        candidates = [found.original] if wanted == "@original" else [m for m in found.sent if str(m.id) == wanted]
        if not candidates or candidates[0] is None or candidates[0].deleted:
            raise Refused(404, 10008, "Unknown Message")
        return candidates[0]

    def _of(self, parts: Any) -> Channel:
        channel = self._server.channels.get(int(parts["channel"]))
        if channel is None:
            raise Refused(404, 10003, "Unknown Channel")
        if channel.lost:
            raise Refused(403, 50001, "Missing Access")
        return channel

    def _writable(self, parts: Any) -> Channel:
        channel = self._of(parts)
        if channel.forbidden:
            raise Refused(403, 50013, "Missing Permissions")
        if getattr(channel.recipient, "closed", False):
            raise Refused(403, 50007, "Cannot send messages to this user")
        return channel

    def _message(self, channel: Channel, parts: Any) -> Message:
        for message in channel.everything:
            if str(message.id) == parts["message"] and not message.deleted and not message.ephemeral:
                return message
        raise Refused(404, 10008, "Unknown Message")

    def _new(self, channel: Channel, body: dict[str, Any], interaction: Interaction | None = None) -> Message:
        message = Message(
            channel=channel,
            author=self._server.bot,
            content=(body.get("content") or "").strip(),
            components=body.get("components") or [],
            flags=body.get("flags", 0),
            nonce=body.get("nonce"),
            interaction=interaction,
            pings=pings_of(body),
        )
        message.history.append(message.content)
        channel.everything.append(message)
        if interaction is not None:
            interaction.sent.append(message)
        return message

    def _change(self, message: Message, body: dict[str, Any]) -> Any:
        check_message({"content": message.content, "components": message.components} | body)
        message.content = (body.get("content", message.content) or "").strip()
        message.components = body.get("components", message.components)
        message.flags &= ~LOADING
        message.pings += pings_of(body)
        message.history.append(message.content)
        message.edited_at.append(time.monotonic())
        return message.wire()


def _json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """With the bare content type that Discord sends: with a charset its clients take the body for text."""
    return web.Response(body=json.dumps(data).encode(), status=status, content_type="application/json", headers=headers)
