"""Edits, quotes and the names of chats: what is read from updates for the conversation around them. Pure."""

from typing import Any

import pytest

from adapters.telegram.inbound import lane
from adapters.telegram.places import address, announced_in
from core.messages import Ingress, Quoted
from tests.adapters.telegram_updates import PRIVATE, SCOPE, SIZE, edited, message, press, read


def test_an_edit_is_the_same_message_of_the_same_chat_read_anew() -> None:
    first, later = read(message("/model@our_bot opus")), read(edited("/model@our_bot sonnet"))
    assert (first.ingress, later.ingress) == (Ingress.MESSAGE, Ingress.EDIT)
    assert (later.text, later.mentioned) == ("/model sonnet", True)
    assert (later.message, later.session, later.chat) == (first.message, first.session, first.chat) != ("", None, "")
    assert lane(edited(), SCOPE) == lane(message(), SCOPE)
    assert read(edited(None, photo=[SIZE], caption="look")).text == "look"


def test_what_a_chat_is_called_leads_back_to_its_session_and_its_topic() -> None:
    topic = {"message_thread_id": 42, "is_topic_message": True}
    for payload, chat in (
        (message(), "-100200"),
        (message(**topic), "-100200/42"),
        (press("t:1", **topic), "-100200/42"),
        (message(chat=PRIVATE), "1001"),
    ):
        said = read(payload)
        assert (said.chat, said.rows) == (chat, 8)
        announced = announced_in(chat)
        inbound = read(announced)
        assert (inbound.session, inbound.chat, inbound.place) == (said.session, chat, said.place)
        assert (inbound.text, inbound.ingress, lane(announced, SCOPE)) == ("", Ingress.MESSAGE, str(said.session))
        there, here = address(announced), address(payload)
        assert there is not None
        assert here is not None
        assert (there.chat, there.thread, there.onlookers) == (here.chat, here.thread, here.onlookers)
        assert (there.reply_to, there.written, there.query) == (None, (), None)


def test_a_persons_own_chat_is_named_by_the_person() -> None:
    inbound = read(announced_in("person:1001"))
    assert (inbound.sender.key, inbound.place.direct) == ("telegram:1001", True)
    assert inbound.session == read(message(chat=PRIVATE)).session
    assert read(announced_in("-100200")).sender.id == "0"


@pytest.mark.parametrize(
    "chat", ["", "x", "person:", "person:-1", "person:x", "-5/", "-5/x", "1 ", "person:0", "٧", "0"]
)
def test_what_names_no_chat_is_refused_by_name(chat: str) -> None:
    with pytest.raises(ValueError, match="is no chat of Telegram"):
        announced_in(chat)


BOB = {"id": 2, "is_bot": False, "first_name": "Bob"}
CHANNEL = {"id": -9, "type": "channel", "title": "News"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param(
            {"reply_to_message": {"from": BOB, "text": " all of it "}}, Quoted("Bob", "all of it"), id="a text"
        ),
        pytest.param({"reply_to_message": {"from": BOB, "caption": "look"}}, Quoted("Bob", "look"), id="a caption"),
        pytest.param(
            {"reply_to_message": {"from": BOB, "text": "all of it"}, "quote": {"text": "of"}},
            Quoted("Bob", "of"),
            id="the part that was marked",
        ),
        pytest.param(
            {"reply_to_message": {"from": {"id": 777, "is_bot": True, "first_name": "Our bot"}, "text": "mine"}},
            Quoted("Our bot", "mine", own=True),
            id="our own",
        ),
        pytest.param(
            {"reply_to_message": {"from": BOB, "sender_chat": CHANNEL, "text": "news"}},
            Quoted("News", "news"),
            id="a channel's",
        ),
        pytest.param(
            {"quote": {"text": "there"}, "external_reply": {"origin": {"type": "user", "sender_user": BOB}}},
            Quoted("Bob", "there"),
            id="of another chat",
        ),
        pytest.param(
            {"quote": {"text": "x"}, "external_reply": {"origin": {"sender_user_name": "Eve"}}},
            Quoted("Eve", "x"),
            id="of somebody hidden",
        ),
        pytest.param(
            {"quote": {"text": "x"}, "external_reply": {"origin": {"chat": CHANNEL}}},
            Quoted("News", "x"),
            id="of a channel",
        ),
        pytest.param({"reply_to_message": {"from": BOB, "photo": [SIZE]}}, None, id="no words"),
        pytest.param(
            {"reply_to_message": {"from": BOB, "text": "x", "forum_topic_created": {"name": "T"}}}, None, id="a topic"
        ),
        pytest.param({"reply_to_message": "x", "quote": ["y"], "external_reply": 5}, None, id="wrong shapes"),
        pytest.param({"reply_to_message": {"text": ["x"], "from": 5}}, None, id="wrong shapes inside"),
    ],
)
def test_what_a_message_replies_to(fields: dict[str, Any], wanted: Quoted | None) -> None:
    assert read(message(**fields)).quoted == wanted
    assert read(edited(**fields)).quoted == wanted


def test_a_secret_that_was_blotted_out_is_known_from_the_stored_payload() -> None:
    assert not read(message()).has_secret
    assert read({**message(), "has_secret": True}).has_secret
    assert read({**edited(), "has_secret": True}).has_secret
