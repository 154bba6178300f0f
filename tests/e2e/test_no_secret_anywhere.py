"""No character of a secret leaves: canaries of every kind go through everything that people and programs see or keep.

Looked for is every run of eight characters of a canary's random part, as it is and in base64 at each alignment.
"""

import base64
import json
import logging
import pickle
import random
import string
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from adapters.telegram.client import TelegramPlatform
from bot.app import inspect_installation
from bot.config import load_settings
from bot.paths import Paths
from core.auth.secret import Secret
from core.chat.completion import CompletionRequest, Endpoint
from core.resolution.resolver import resolve
from core.resolution.view import session_view
from core.sessions.history import Message, Role
from core.sessions.key import SessionKey
from tests.e2e.installation import Gateway, Installation, until
from tests.fakes.clock import FakeClock
from tests.fakes.discord_server import DiscordServer
from tests.fakes.inbox import FakeInbox
from tests.fakes.provider_script import Step, error_event, ok, raw, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_files import document
from tests.fakes.telegram_server import TelegramServer

RUN = 8


def chance(name: str) -> str:
    """32 characters that occur nowhere else, the same in every run."""
    letters = random.Random(f"canary of {name}")
    return "".join(letters.choice(string.ascii_letters + string.digits) for _ in range(32))


PASTED = (
    "pasted message", "pasted command", "pasted edit", "pasted file", "pasted caption", "pasted quote", "pasted aside",
    "pasted line", "pasted slash", "pasted form", "pasted on discord", "pasted discord edit",
)  # fmt: skip
"""What people write into chats though they should not."""
RANDOM = {
    name: chance(name)
    for name in (
        "stored key", "stored token", "oauth access", "oauth refresh", "environment", "list", "configured", "literal",
        "reference", "dotenv", "header", "telegram", "discord", "removed", *PASTED,
    )
}  # fmt: skip
KEY = {name: f"sk-{value}/+=" for name, value in RANDOM.items()} | {
    "oauth access": f"{RANDOM['oauth access']}.opaque",
    "telegram": f"777000777:AA{RANDOM['telegram']}",
    "discord": f"{RANDOM['discord']}.x",
    "header": RANDOM["header"],
}
CONFIDED = {"auth-profiles.json", "config.toml", ".env"}
"""Where secrets are kept; every other file is searched."""


def runs(text: str) -> Iterator[str]:
    return (text[at : at + RUN] for at in range(len(text) - RUN + 1))


TRACES = {
    run: name
    for name, value in RANDOM.items()
    for form in (value, *(base64.b64encode(b"." * shift + value.encode()).decode()[4:-4] for shift in range(3)))
    for run in runs(form)
}


def leaks(*texts: str | bytes) -> set[str]:
    """The names of the canaries that a text shows any part of."""
    whole = "\n".join(text if isinstance(text, str) else text.decode("latin-1") for text in texts)
    return {name for run, name in TRACES.items() if run in whole}


def test_the_search_finds_what_it_should() -> None:
    for name, key in KEY.items():
        assert leaks(f"… {key[5:20]} …") == {name}
        assert leaks(base64.b64encode(f"user:{key}".encode())) == {name}
        assert leaks(quote(key, safe="")) == {name}
    assert leaks("nothing of the kind") == set()


@dataclass
class House:
    """An installation with a secret of every kind, its provider, and another server that must never hear of them."""

    at: Installation
    provider: ThreadedProviderServer
    elsewhere: ThreadedProviderServer

    def furnish(self, *channels: str) -> None:
        profiles = {
            "acme:key": {"type": "api_key", "provider": "acme", "key": KEY["stored key"]},
            "tok:one": {"type": "token", "provider": "tok", "token": KEY["stored token"]},
            "login:me": {
                "type": "oauth", "provider": "login", "access": KEY["oauth access"], "refresh": KEY["oauth refresh"],
                "expires": 4_000_000_000_000,
            },
            "ref:one": {
                "type": "api_key", "provider": "ref",
                "keyRef": {"source": "env", "provider": "default", "id": "REFERRED"},
            },
            "acme:bad": {"type": KEY["removed"], "provider": "acme", "key": 7},
        }  # fmt: skip
        self.at.write_store(json.dumps({"version": 1, "profiles": profiles}))
        dotenv = self.at.state / ".env"
        dotenv.write_text(f'DOT_API_KEY="{KEY["dotenv"]}"\n')
        dotenv.chmod(0o600)
        self.at.env |= {
            "ENVY_API_KEY": KEY["environment"],
            "LIST_API_KEYS": f"{KEY['list']},{KEY['list'][::-1]}",
            "CONFIGURED": KEY["configured"],
            "REFERRED": KEY["reference"],
            "IN_A_HEADER": KEY["header"],
        }
        lines = [
            "[access]",
            'owners = ["telegram:1001"]',
            "[log]",
            'level = "debug"',
            'file = "gateway.log"',
            *channels,
        ]
        for name, api in NAMES.items():
            base = self.provider.base_url + ("/v1" if api == "openai-completions" else "")
            lines += [f"[models.providers.{name}]", f'base_url = "{base}"', f'api = "{api}"', 'models = ["m"]']
            lines += {
                "conf": ['api_key = "${CONFIGURED}"'],
                "lit": [f'api_key = "{KEY["literal"]}"'],
                "acme": ['headers = { "X-Gate-Token" = "${IN_A_HEADER}" }'],
            }.get(name, [])
        lines += ["[agents.defaults]", 'model = "acme/m"']
        (self.at.state / "config.toml").write_text("\n".join(lines))

    def script(self, key: str) -> int:
        """Let the provider do to a key what gives it away. The number of messages that this takes."""
        coded = base64.b64encode(f"user:{key}".encode()).decode()
        said = f"Bad key {key} ({key[:-3]}…, {coded}, {quote(key, safe='')}); it came as Authorization: Bearer {key}"
        error: dict[str, object] = {"error": {"message": said, "type": said, "code": said, "param": key}}
        steps: list[Step] = [
            ok(f"I was asked with {key}, which is {coded}."),
            status(400, body={"error": {"message": said, "type": "invalid_request_error"}}),
            status(307, {"location": f"{self.elsewhere.base_url}/v1/chat/completions?key={quote(key)}"}),
            error_event({"error": {"message": said, "code": "invalid_request_error"}}, "half"),
            raw(f"<html>{key}</html>".encode(), headers={"content-type": "text/html"}, code=403),
            status(429, {"retry-after": key, "x-echo": key, "set-cookie": f"a={key}"}, error),
        ]
        self.provider.script[key] = steps
        return len(steps)

    def files(self) -> Iterator[bytes]:
        """Every file that is kept, but those that are meant to hold secrets."""
        for path in self.at.state.rglob("*"):
            if path.is_file() and path.name not in CONFIDED:
                yield path.read_bytes()


NAMES = {
    "acme": "openai-completions",
    "tok": "anthropic-messages",
    "login": "anthropic-messages",
    "ref": "openai-completions",
    "envy": "openai-completions",
    "list": "anthropic-messages",
    "conf": "openai-completions",
    "lit": "openai-completions",
    "dot": "openai-completions",
}
USED = (
    "stored key",
    "stored token",
    "oauth access",
    "reference",
    "environment",
    "list",
    "configured",
    "literal",
    "dotenv",
)


@pytest.fixture
def place(state_dir: Path) -> Iterator[House]:
    with ThreadedProviderServer() as provider, ThreadedProviderServer() as elsewhere:
        house = House(Installation(state_dir), provider, elsewhere)
        house.furnish()
        yield house


@pytest.mark.parametrize(("form", "debug"), [("--json", "1"), ("--stream", "")])
def test_nothing_that_a_chat_says_logs_or_keeps(place: House, form: str, debug: str) -> None:
    messages = [
        text
        for name, key in zip(NAMES, USED, strict=True)
        for text in (f"/model {name}/m", *["hi"] * place.script(KEY[key]), "/model status", "/model")
    ]
    flags = [flag for text in (*messages, "/model nope@nope", "/status", "/model why") for flag in ("-m", text)]
    ended = place.at.run("chat", form, *flags, REMOTECLAW_DEBUG=debug)
    assert ended.code == 0
    assert "***" in ended.out, "the provider's sentences are told, without the key"
    assert leaks(ended.out, ended.err, *place.files()) == set()
    assert {seen.key for seen in place.provider.seen} >= {KEY[name] for name in USED}, "every kind was really used"
    gates = {seen.headers.get("x-gate-token") for seen in place.provider.seen if seen.key == KEY["stored key"]}
    assert gates == {KEY["header"]}
    assert place.elsewhere.seen == []


@pytest.mark.parametrize(
    "command",
    [
        ("models", "status"),
        ("models", "status", "--json"),
        ("models", "explain", "acme/m@acme:key", "--assume", "acme:key=auth"),
        ("models", "explain", "--json", "lit/m"),
        ("config", "validate"),
        ("db", "upgrade"),
        ("gateway",),
        ("chat", "--session", KEY["removed"], "-m", "hi"),
        ("models", "explain", "acme/m@nope"),
    ],
    ids=lambda command: " ".join(command[:3])[:30],
)
def test_nothing_that_a_command_prints(place: House, command: tuple[str, ...]) -> None:
    ended = place.at.run(*command, REMOTECLAW_DEBUG="1")
    assert leaks(ended.out, ended.err) <= {"removed"}, "what was typed as an argument may be repeated"
    assert "removed" not in leaks(*place.files())
    assert leaks(*place.files()) == set()


BROKEN = """
import sys
from adapters.providers.registry import HttpProviderClient
from bot.cli.main import main

async def complete(self, request):
    authorization = f"Bearer {request.profile.secret.reveal()}"
    raise RuntimeError(f"nobody expected {authorization}", {"headers": {"Authorization": authorization}})
    yield

HttpProviderClient.complete = complete
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_nothing_of_an_error_that_nobody_expected(place: House, debug: str) -> None:
    place.at.command = [sys.executable, "-c", BROKEN]
    messages = [flag for name in NAMES for flag in ("-m", f"/model {name}/m", "-m", "hi")]
    ended = place.at.run("chat", "--json", *messages, REMOTECLAW_DEBUG=debug)
    assert [event["code"] for event in ended.events if event.get("kind") == "error"] == ["internal"] * len(NAMES)
    assert ended.err.count("Traceback") == (len(NAMES) if debug else 0)
    assert leaks(ended.out, ended.err, *place.files()) == set()


def test_nothing_of_a_config_that_is_wrong_around_a_secret(place: House) -> None:
    config = place.at.state / "config.toml"
    right = config.read_text()
    for wrong in (
        right.replace('api_key = "${CONFIGURED}"', 'api_keys = "${CONFIGURED}"'),
        right.replace('api_key = "${CONFIGURED}"', 'api_key = ["${CONFIGURED}"]'),
        right.replace('api_key = "${CONFIGURED}"', f'api_key = "{KEY["literal"]}'),
        right.replace('base_url = "', 'base_url = "${CONFIGURED}'),
        right.replace('level = "debug"', 'level = "${CONFIGURED}"'),
        f'[channels.telegram]\ntoken = {{ source = "env", id = "{KEY["telegram"]}" }}\n{right}',
    ):
        config.write_text(wrong)
        for command in (("config", "validate"), ("chat", "-m", "hi")):
            ended = place.at.run(*command, REMOTECLAW_DEBUG="1")
            assert ended.code == 1
            assert leaks(ended.out, ended.err) == set(), ended.err


def test_nothing_that_a_gateway_says_logs_or_keeps(state_dir: Path) -> None:
    with (
        TelegramServer(KEY["telegram"]) as telegram,
        DiscordServer(KEY["discord"]) as discord,
        ThreadedProviderServer() as provider,
        ThreadedProviderServer() as elsewhere,
    ):
        house = House(Installation(state_dir), provider, elsewhere)
        house.furnish(
            "[channels.telegram]",
            f'token = "{KEY["telegram"]}"',
            f'api_base_url = "{telegram.url}"',
            "[channels.discord]",
            f'token = "{KEY["discord"]}"',
            f'api_base_url = "{discord.api_base_url}"',
            f'gateway_url = "{discord.gateway_url}"',
        )
        ada = telegram.person(1001)
        chat = telegram.private(ada)
        log = state_dir / "gateway.log"
        with Gateway(house.at) as gateway:
            until(lambda: log.exists() and log.read_text().count(": connected") == 2)
            for name, key in zip(NAMES, USED, strict=True):
                ada.says(chat, f"/model {name}/m")
                for _ in range(house.script(KEY[key])):
                    ada.says(chat, "hi")
            ada.says(chat, "/model status")
            ada.says(chat, "/whoami")
            until(lambda: any("You are" in message.text for message in chat.answers))
            until(lambda: not house.at.rows("select 1 from inbox where state <> 'done'"))
            discord.drop_connections()
            telegram.fail("getUpdates", 502, "Bad Gateway", times=2)
            telegram.revoke()
            until(lambda: "channels.telegram.token" in log.read_text())
            gateway.stop()
        shown = [version.text for message in chat.all_messages for version in message.history]
        assert any("***" in text for text in shown)
        assert leaks(*shown, *gateway.log, *house.files()) == set()
        assert "channels.telegram.token" in log.read_text()
        assert elsewhere.seen == []


def test_nothing_that_people_paste_into_a_chat_goes_anywhere(state_dir: Path) -> None:
    with (
        TelegramServer(KEY["telegram"]) as telegram,
        DiscordServer(KEY["discord"]) as discord,
        ThreadedProviderServer() as provider,
    ):
        house = House(Installation(state_dir), provider, provider)
        ada, bob = telegram.person(1001), telegram.person(1002, "Bob")
        eve, room = discord.user("eve"), discord.channel(discord.guild(), "room")
        house.furnish(
            "[channels.telegram]",
            f'token = "{KEY["telegram"]}"',
            f'api_base_url = "{telegram.url}"',
            "[channels.discord]",
            f'token = "{KEY["discord"]}"',
            f'api_base_url = "{discord.api_base_url}"',
            f'gateway_url = "{discord.gateway_url}"',
        )
        config = state_dir / "config.toml"
        config.write_text(config.read_text().replace('["telegram:1001"]', f'["telegram:1001", "discord:{eve.id}"]'))
        chat, group, log = telegram.private(ada), telegram.group(), state_dir / "gateway.log"
        with Gateway(house.at, REMOTECLAW_DEBUG="1") as gateway:
            until(lambda: log.exists() and log.read_text().count(": connected") == 2)
            paste_on_telegram(ada, bob, chat, group)
            answers = paste_on_discord(discord, eve, room)
            until(lambda: sum("not passed on" in message.text for message in chat.answers) >= 4)
            ada.says(chat, "and now?")
            until(lambda: any("served-by" in message.text for message in chat.answers))
            until(lambda: not house.at.rows("select 1 from inbox where state <> 'done'"))
            pasted = set(PASTED) - {"pasted line"}
            told = [version.text for room in (chat, group) for message in room.answers for version in message.history]
            assert leaks(*told, *answers(), *gateway.log, *house.files()) & pasted == set()
            gateway.kill()
        assert leaks(*told, *house.files()) & pasted == set(), "nor in what a kill leaves behind"
        assert provider.seen, "ordinary messages were passed on"
        assert leaks(*(json.dumps(seen.body) for seen in provider.seen)) & pasted == set()
        assert [m.deleted for m in chat.all_messages if m.text.startswith("my key")] == [True]


def paste_on_telegram(ada: Any, bob: Any, chat: Any, group: Any) -> None:
    ada.says(chat, f"my key is {KEY['pasted message']}, remember it")
    ada.says(chat, f"/model {KEY['pasted command']}")
    ordinary = ada.says(chat, "hello")
    until(lambda: any("served-by" in message.text for message in chat.answers))
    ada.edits(ordinary, f"hello {KEY['pasted edit']}")
    ada.sends(chat, document(f"KEY={KEY['pasted file']}\n".encode(), "notes.txt", "text/plain"), "read this")
    ada.sends(chat, document(b"text", "a.txt", "text/plain"), f"with {KEY['pasted caption']}")
    aside = bob.says(group, f"not for the bot: {KEY['pasted aside']}")
    ada.says(group, "@Our_Bot what is that?", reply_to=aside)
    quoted = bob.says(group, f"look at {KEY['pasted quote']}")
    ada.says(group, "@Our_Bot and that?", reply_to=quoted, quote=KEY["pasted quote"])
    until(lambda: len([message for message in group.answers if "served-by" in message.text]) == 2)


def paste_on_discord(discord: DiscordServer, eve: Any, room: Any) -> Any:
    """Returns what gives everything that the bot has said there."""
    eve.asks(room, f"it is {KEY['pasted on discord']}")
    until(lambda: any("not passed on" in message.content for message in room.messages))
    typed = eve.asks(room, "hello")
    until(lambda: any("served-by" in message.content for message in room.messages))
    eve.edits(typed, f"<@{discord.bot.id}> hello {KEY['pasted discord edit']}")
    slash = eve.slash(room, "model", KEY["pasted slash"])
    until(lambda: slash.answers and "not passed on" in slash.answers[-1].content)
    picker = eve.slash(room, "model")
    until(lambda: picker.answers and "Search" in picker.answers[-1].buttons)
    asked = eve.presses(picker.answers[-1], "Search")
    until(lambda: asked.modal is not None)
    form = eve.types(asked, KEY["pasted form"])
    until(lambda: any("not passed on" in m.content for m in (*picker.answers, *form.answers)))
    interactions = (slash, picker, asked, form)

    def said() -> list[str]:
        by_bot = [message for message in room.messages if message.author is discord.bot]
        found = [*by_bot, *(message for one in interactions for message in one.answers)]
        return [json.dumps(message.wire(), default=str) for message in found]

    return said


def test_nothing_that_somebody_pastes_into_the_terminal_goes_anywhere(place: House) -> None:
    ended = place.at.run("chat", "--json", "-m", f"my key: {KEY['pasted line']}", "-m", "hi", REMOTECLAW_DEBUG="1")
    codes = [event["code"] for event in ended.events if event["event"] == "reply"]
    assert codes[0] == "secret_in_chat"
    assert None in codes, "what came after it was answered"
    bodies = [json.dumps(seen.body) for seen in place.provider.seen]
    assert bodies
    assert leaks(ended.out, ended.err, *bodies, *place.files()) == set()


def renderings(*values: object) -> Iterable[str]:
    """As reprs, and as a crash reporter with local variables shows them."""
    for value in values:
        yield repr(value)
        yield str(value)
        yield f"{value}"
    try:
        kept = values
        raise RuntimeError(len(kept))
    except RuntimeError as error:
        yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "%r %s", (values, values), None)
    yield logging.Formatter().format(record)


def test_nothing_that_an_object_in_memory_shows_of_itself(place: House) -> None:
    environment = place.at.environment(DOT_API_KEY=KEY["dotenv"])
    paths = Paths.of(environment)
    settings = load_settings(paths.config, environment)
    inspection = inspect_installation(settings, paths, environment)
    snapshot = inspection.snapshots.take(SessionKey.parse("agent:main:main"))
    resolution = resolve(snapshot)
    entry = inspection.rules.catalog.providers["acme"]
    profiles = list(snapshot.credentials.profiles.values())
    assert {profile.secret.reveal() for profile in profiles if profile.secret} >= {KEY[name] for name in USED}
    endpoint = Endpoint(provider="acme", base_url=entry.base_url, api=entry.api, headers=entry.headers)
    request = CompletionRequest(endpoint=endpoint, model="m", messages=(Message(Role.USER, "hi"),), profile=profiles[0])
    telegram = TelegramPlatform(
        Secret(KEY["telegram"]),
        api_base_url="http://127.0.0.1:9",
        agent="main",
        dm_scope="main",
        inbox=FakeInbox(),
        clock=FakeClock(),
        commands=(),
    )
    held = (settings, inspection, snapshot, resolution, entry, endpoint, request, telegram, *profiles)
    assert leaks(*renderings(*held)) == set()
    assert leaks(*renderings(*(vars(value) for value in held if hasattr(value, "__dict__")))) == set()
    assert leaks(json.dumps(session_view(snapshot, resolution))) == set()
    for profile in profiles:
        changed = replace(profile, label="another")
        assert leaks(repr(changed)) == set()
        if profile.secret is not None:
            with pytest.raises(TypeError):
                pickle.dumps(profile)
