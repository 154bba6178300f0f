"""Who speaks in a terminal, and in which session."""

import pytest

from adapters.terminal.inbound import Speaker, is_direct, local_sender, sender_of, session_of
from adapters.terminal.safe_text import decoded, printable
from core.errors import UserError
from core.messages import Sender
from core.sessions.key import SessionKey

FULL = "per-account-channel-peer"
ROOT = Sender("terminal", "root")


@pytest.mark.parametrize(
    ("text", "agent", "scope", "expected"),
    [
        pytest.param(None, None, FULL, "agent:main:terminal:default:direct:root", id="own direct session"),
        pytest.param(None, "writer", FULL, "agent:writer:terminal:default:direct:root", id="of another agent"),
        pytest.param(None, None, "main", "agent:main:main", id="as wide as dm_scope says"),
        pytest.param("work_2-b", None, FULL, "agent:main:terminal:default:named:work_2-b", id="plain name"),
        pytest.param("Work", "writer", FULL, "agent:writer:terminal:default:named:work", id="name of an agent"),
        pytest.param(
            "agent:main:telegram:default:group:-100:thread:7",
            None,
            FULL,
            "agent:main:telegram:default:group:-100:thread:7",
            id="whole key",
        ),
        pytest.param("AGENT:main:Discord:x:channel:1", "main", FULL, "agent:main:discord:x:channel:1", id="lower case"),
    ],
)
def test_a_session_is_named_by_key_by_name_or_not_at_all(
    text: str | None, agent: str | None, scope: str, expected: str
) -> None:
    assert str(session_of(text, agent=agent, sender=ROOT, dm_scope=scope)) == expected


@pytest.mark.parametrize(
    "text", ["", "two words", "agent:", "agent:main", "agent:main:a::b", "telegram:1", "agent:main:x:thread:", "a" * 65]
)
def test_what_is_no_session_is_refused_and_named(text: str) -> None:
    with pytest.raises(UserError, match="is not a session key") as caught:
        session_of(text, agent=None, sender=ROOT, dm_scope=FULL)
    assert caught.value.code == "usage"
    assert repr(text) in str(caught.value)


def test_a_key_of_another_agent_than_the_one_asked_for_is_refused() -> None:
    with pytest.raises(UserError, match="belongs to agent main, not to writer"):
        session_of("agent:main:terminal:default:named:x", agent="writer", sender=ROOT, dm_scope=FULL)


def test_two_people_of_two_platforms_do_not_share_a_direct_session() -> None:
    keys = {session_of(None, agent=None, sender=sender_of(who), dm_scope=FULL) for who in ("telegram:1", "discord:1")}
    assert len(keys) == 2


@pytest.mark.parametrize("text", ["", "root", ":1", "telegram:", "tele gram:1", "telegram:1:2", "telegram:a b"])
def test_what_is_no_sender_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a sender"):
        sender_of(text)


def test_a_sender_is_platform_and_id() -> None:
    assert sender_of(" Telegram:1001 ").key == "telegram:1001"
    assert local_sender("some one:x").key == "terminal:some-one-x"


@pytest.mark.parametrize(
    ("key", "direct"),
    [
        ("agent:main:main", True),
        ("agent:main:direct:7", True),
        ("agent:main:telegram:direct:7", True),
        ("agent:main:telegram:default:direct:7", True),
        ("agent:main:telegram:default:direct:7:thread:3", True),
        ("agent:main:terminal:default:named:x", True),
        ("agent:main:telegram:default:group:-1", False),
        ("agent:main:discord:default:channel:direct", False),
    ],
)
def test_a_private_conversation_is_known_by_its_key(key: str, direct: bool) -> None:
    assert is_direct(SessionKey.parse(key)) is direct


def test_a_line_said_in_a_group_counts_as_said_to_the_bot_in_that_group() -> None:
    said = Speaker(sender=ROOT, session=SessionKey.parse("agent:main:telegram:default:group:-1")).says("hi")
    assert (said.text, said.mentioned, said.place.direct, said.place.ids) == ("hi", True, False, ("telegram:-1",))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        pytest.param("a\tb\nc", "a\tb\nc", id="tab and newline stay"),
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colour"),
        pytest.param("x\x1b[2J\x1b[H\x1b[?25ly", "xy", id="clear, home, hide the cursor"),
        pytest.param("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab", id="title and link"),
        pytest.param("\x9b31mred\x9d0;t\x9c.", "red.", id="8-bit introducers"),
        pytest.param("half\x1b[", "half[", id="an unfinished sequence loses its introducer"),
        pytest.param("a\rb\x08c\x7fd\x00e\x07\x85", "abcde", id="other controls"),
        pytest.param("\ud83d", "\ufffd", id="half a pair"),
        pytest.param("Größe 🦀 日本", "Größe 🦀 日本", id="ordinary text"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left_in_a_text(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_typed_bytes_that_are_no_utf8_are_replaced() -> None:
    assert decoded(b"a\xffb".decode("utf-8", "surrogateescape")) == "a\ufffdb"
