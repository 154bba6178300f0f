"""A Bot API counterpart over real HTTP on loopback, in a thread of its own: for tests in the process and of the process.

    with TelegramServer() as server:
        ada = server.person(1001)
        chat = server.private(ada)
        ada.says(chat, "hello")
        await server.wait_for(lambda: chat.answers)

Trouble is made with `fail`, `drop`, `hold`, `without`, `revoke`, `steal_polling`, `person.blocks` and `person.kicks`.
Once a webhook is set, updates are posted to it; `hook` tells how that went.
"""

import asyncio
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.fakes.telegram_calls import Call, Gate, Trouble, body_of, parsed
from tests.fakes.telegram_limits import ApiError
from tests.fakes.telegram_methods import Methods
from tests.fakes.telegram_webhook import Deliveries, Webhook
from tests.fakes.telegram_world import Chat, Person, World

TOKEN = "777000777:AAcanary-Token_of_the_counterpart0"


class TelegramServer:
    """The counterpart. `url` is the `api_base_url`; `calls` is everything that was asked of it."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token: str | None = token
        self.world = World(self.changed)
        self._methods = Methods(self.world)
        self.calls: list[Call] = []
        self.hook = Webhook()
        """The webhook that is set, and what was posted to it."""
        self._deliveries: Deliveries | None = None
        self.redirect = ""
        """Where an answer with a 3xx sends its reader."""
        self.url = ""
        self._troubles: list[Trouble] = []
        self._gates: dict[str, Gate] = {}
        self._poll = 0
        self._closing = False
        self._stopped = asyncio.Event()
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._watch = threading.Condition(self.world.lock)
        self._loop = asyncio.new_event_loop()
        self._pulse = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="telegram counterpart", daemon=True)

    # -- life

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the Telegram counterpart did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for gate in self._gates.values():
            gate.open()
        self.changed()
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._site())

    async def _site(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_route("GET", "/file/bot{token}/{path:.+}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._deliveries = Deliveries(self.world, self.hook, self.changed)
        posting = asyncio.create_task(self._deliveries.run())
        self._ready.set()
        await self._stopped.wait()
        posting.cancel()
        await asyncio.wait((posting,))
        await runner.cleanup()

    # -- what a test does

    @property
    def webhook(self) -> str:
        """Where updates are posted to; empty while none is set."""
        return self.hook.url

    @webhook.setter
    def webhook(self, url: str) -> None:
        """What another program sets."""
        self.hook.url = url
        self.changed()

    def person(self, number: int, name: str = "Ada") -> Person:
        return self.world.person(number, name)

    def private(self, person: Person) -> Chat:
        return self.world.private(person)

    def group(self, name: str = "Group", *, forum: bool = False) -> Chat:
        return self.world.group(name, forum=forum)

    def fail(self, method: str, code: int, description: str, *, times: int = 1, **parameters: Any) -> None:
        """Refuse the next calls of a method (* is any)."""

        def refuse() -> None:
            raise ApiError(code, description, **parameters)

        self._troubles.append(Trouble(method.lower(), refuse, times))

    def flood(self, method: str, seconds: int, *, times: int = 1) -> None:
        """Answer the next calls of a method with flood control."""
        self.fail(method, 429, f"Too Many Requests: retry after {seconds}", times=times, retry_after=seconds)

    def drop(self, method: str, *, after: bool, times: int = 1) -> None:
        """Cut the connection of the next calls without an answer, before or after carrying them out."""

        def cut() -> None:
            raise ConnectionAbortedError

        self._troubles.append(Trouble(method.lower(), cut, times, after))

    def hold(self, method: str) -> Gate:
        """Let calls of a method wait, not carried out, until the gate is opened."""
        gate = self._gates[method.lower()] = Gate(self.changed)
        return gate

    def without(self, method: str) -> None:
        """Be a server of an older Bot API, which does not know a method."""
        self._methods.unknown.add(method.lower())

    def revive(self, method: str) -> None:
        """Know the method again, as after an upgrade."""
        self._methods.unknown.discard(method.lower())

    def steal_polling(self) -> None:
        """Another process asks for updates: the poll that is waiting ends with a conflict."""
        self._poll += 1
        self.changed()

    def revoke(self, new: str | None = None) -> None:
        """The owner had a new token made: the old one is refused from now on."""
        self.token = new
        self.changed()

    def called(self, method: str) -> list[Call]:
        """The calls of one method so far."""
        return [call for call in self.calls if call.method == method.lower()]

    def changed(self) -> None:
        """Wake everybody who waits for something."""
        with self._watch:
            self._watch.notify_all()
            for loop, event in self._watchers:
                loop.call_soon_threadsafe(event.set)
        if not self._loop.is_closed() and self._ready.is_set():
            self._loop.call_soon_threadsafe(self._pulse.set)
            if self._deliveries is not None:
                self._loop.call_soon_threadsafe(self._deliveries.pulse.set)

    async def wait_for(self, predicate: Callable[[], object], within: float = 10) -> None:
        """Wait until something is so. Raises TimeoutError, with the calls made, if it does not come about."""
        watcher = asyncio.get_running_loop(), asyncio.Event()
        with self._watch:
            self._watchers.append(watcher)
        try:
            async with asyncio.timeout(within):
                while not self._holds(predicate):
                    await watcher[1].wait()
                    watcher[1].clear()
        except TimeoutError:
            raise TimeoutError(self._story()) from None
        finally:
            with self._watch:
                self._watchers.remove(watcher)

    def wait(self, predicate: Callable[[], object], within: float = 10) -> None:
        """The same for a test without an event loop."""
        with self._watch:
            if not self._watch.wait_for(lambda: self._holds(predicate), within):
                raise TimeoutError(self._story())

    def _holds(self, predicate: Callable[[], object]) -> bool:
        with self.world.lock:
            return bool(predicate())

    def _story(self) -> str:
        return "nothing of the kind happened; calls: " + ", ".join(
            f"{call.method} {call.status}" for call in self.calls[-30:]
        )

    # -- the Bot API

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        params = dict(request.query) | await body_of(request)
        # A download is a call of the method `file`, so that trouble can be made for it as for any other.
        call = Call(request.match_info.get("method", "file").lower(), parsed(params))
        # A poll that has been seen to arrive is safe from trouble that is made afterwards: it waits for a long time.
        troubles = self._take_troubles(call.method, after=False) if call.method == "getupdates" else None
        self.calls.append(call)
        self.changed()
        try:
            self._check_token(request.match_info["token"])
            await self._wait_at_gate(call.method)
            download = self._content(request.match_info["path"]) if call.method == "file" else None
            for trouble in self._take_troubles(call.method, after=False) if troubles is None else troubles:
                trouble.act()
            answer = await self._answer(call) if download is None else None
            for trouble in self._take_troubles(call.method, after=True):
                trouble.act()
            call.status, body = 200, {"ok": True, "result": answer}
        except ApiError as error:
            call.status = error.code
            body = {"ok": False, "error_code": error.code, "description": error.description}
            if error.parameters:
                body["parameters"] = error.parameters
        except ConnectionAbortedError:
            call.status = -1
            if request.transport is not None:
                request.transport.abort()
            self.changed()
            return web.Response()
        self.changed()
        if call.status == 200 and download is not None:
            return web.Response(body=download, content_type="application/octet-stream")
        headers = {"Location": self.redirect} if 300 <= call.status < 400 else None
        return web.json_response(body, status=call.status, headers=headers)

    def _content(self, path: str) -> bytes:
        kept = self.world.files.at(path)
        if kept is None:
            raise ApiError(404, "Not Found")
        return kept.data

    def _check_token(self, token: str) -> None:
        if not re.fullmatch(r"\d+:[\w-]+", token):
            raise ApiError(404, "Not Found")
        if token != self.token:
            raise ApiError(401, "Unauthorized")

    async def _wait_at_gate(self, method: str) -> None:
        gate = self._gates.get(method)
        if gate is not None and not gate.is_open:
            gate.waiting += 1
            self.changed()
            await self.wait_for(lambda: gate.is_open, within=60)

    def _take_troubles(self, method: str, *, after: bool) -> list[Trouble]:
        """Those that a call runs into: the first refuses it, so only that one is used up."""
        for trouble in self._troubles:
            if trouble.method in ("*", method) and trouble.after == after and trouble.times > 0:
                trouble.times -= 1
                return [trouble]
        return []

    async def _answer(self, call: Call) -> Any:
        if call.method == "getupdates":
            return await self._get_updates(call.params)
        if call.method in ("setwebhook", "deletewebhook"):
            return self.hook.set(call.params if call.method == "setwebhook" else {})
        if call.method == "getwebhookinfo":
            return self.hook.info(len(self.world.updates))
        return self._methods.answer(call.method, call.params)

    async def _get_updates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first",
            )
        self._poll += 1
        mine, token = self._poll, self.token
        self._pulse.set()
        self.changed()
        offset, wanted = int(params.get("offset") or 0), params.get("allowed_updates") or []
        deadline = self._loop.time() + float(params.get("timeout") or 0)
        while True:
            self._pulse.clear()
            if self._poll != mine:
                raise ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            if self.token != token:
                raise ApiError(401, "Unauthorized")
            with self.world.lock:
                kept = [u for u in self.world.updates if u["update_id"] >= offset]
                if len(kept) < len(self.world.updates):
                    self.world.updates = kept
                    self.changed()
                ready = [u for u in self.world.updates if not wanted or any(kind in u for kind in wanted)]
            rest = deadline - self._loop.time()
            if ready or rest <= 0 or self._closing:
                return ready[: int(params.get("limit") or 100)]
            try:
                await asyncio.wait_for(self._pulse.wait(), rest)
            except TimeoutError:
                continue
