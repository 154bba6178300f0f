"""What updates mean. Pure: no server, no library."""

from typing import Any

import pytest

from adapters.telegram.attached import offers
from adapters.telegram.inbound import lane, read_update
from adapters.telegram.places import Address, Scope, address
from core.messages import Ingress
from tests.adapters.telegram_updates import ADA, GROUP, PRIVATE, SCOPE, SIZE, edited, entity, message, press, read


@pytest.mark.parametrize(
    ("text", "wanted", "mentioned"),
    [
        pytest.param(
            "/model@our_bot opus@anthropic:work", "/model opus@anthropic:work", True, id="our name, arguments"
        ),
        pytest.param("/model@OUR_BOT", "/model", True, id="other case"),
        pytest.param("/model opus", "/model opus", False, id="no name"),
        pytest.param("/my-alias@our_bot x", "/my-alias x", True, id="a command that Telegram does not mark"),
        pytest.param("/model@our_bot\nsecond line", "/model\nsecond line", True, id="line break after the name"),
        pytest.param("/opus@anthropic:work", "/opus@anthropic:work", False, id="a profile is no bot name"),
        pytest.param("see /model@other_bot", "see /model@other_bot", False, id="not at the start"),
        pytest.param("  spaced  ", "spaced", False, id="blanks"),
    ],
)
def test_our_name_is_cut_off_the_command(text: str, wanted: str, mentioned: bool) -> None:
    inbound = read(message(text))
    assert (inbound.text, inbound.mentioned) == (wanted, mentioned)


@pytest.mark.parametrize(
    ("text", "part", "wanted"),
    [
        pytest.param("@Our_Bot what is up", "@Our_Bot", "what is up", id="at the start"),
        pytest.param("@our_bot, what", "@our_bot", "what", id="with a comma"),
        pytest.param("@our_bot /model opus", "@our_bot", "/model opus", id="before a command"),
        pytest.param("hey @our_bot", "@our_bot", "hey @our_bot", id="elsewhere it stays"),
        pytest.param("😀👍🏽 hey @our_bot 😀", "@our_bot", "😀👍🏽 hey @our_bot 😀", id="after emoji"),
    ],
)
def test_a_mention_anywhere_counts_and_is_removed_at_the_start(text: str, part: str, wanted: str) -> None:
    inbound = read(message(text, entities=[entity("mention", text, part)]))
    assert (inbound.text, inbound.mentioned) == (wanted, True)


VOICE = {"voice": {"file_id": "x", "duration": 1}}
DOCUMENT = {"file_id": "x", "file_name": "a.txt"}


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        pytest.param({"photo": [SIZE]}, ["photo.jpg"], id="photo"),
        pytest.param({"document": DOCUMENT}, ["a.txt"], id="document"),
        pytest.param({"document": DOCUMENT, "animation": DOCUMENT}, ["animation"], id="animation"),
        pytest.param({"venue": {}, "location": {}}, ["venue"], id="venue"),
        pytest.param({"photo": "x"}, [], id="photo of a wrong shape"),
        pytest.param({"photo": [None, {}, {"file_id": 5}]}, [], id="sizes of a wrong shape"),
        pytest.param({"document": [DOCUMENT]}, [], id="document of a wrong shape"),
        pytest.param({"hologram": {}}, ["file"], id="a kind not known here"),
    ],
)
def test_a_caption_is_a_text_and_what_it_is_about_is_offered(fields: dict[str, Any], offered: list[str]) -> None:
    payload = message(None, chat=PRIVATE, caption="look", **fields)
    assert read(payload).text == "look"
    assert [offer.name for offer in offers(payload)] == offered


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"photo": [SIZE]}, id="photo"),
        pytest.param({"photo": [SIZE], "caption": "  "}, id="photo with a blank caption"),
        pytest.param({"photo": [SIZE], "caption": ["look"]}, id="caption of a wrong shape"),
        pytest.param(VOICE, id="voice"),
    ],
)
def test_files_without_a_word_are_a_message(fields: dict[str, Any]) -> None:
    inbound = read(message(None, **fields))
    assert (inbound.text, inbound.mentioned) == ("", False)


def test_mentions_and_commands_in_a_caption_are_read_as_in_a_text() -> None:
    mention = entity("mention", "@our_bot look", "@our_bot")
    mentioned = read(message(None, photo=[SIZE], caption="@our_bot look", caption_entities=[mention]))
    assert (mentioned.text, mentioned.mentioned) == ("look", True)
    assert read(message(None, photo=[SIZE], caption="/model@our_bot opus")).text == "/model opus"


def test_an_album_has_the_captions_and_files_of_all_its_parts() -> None:
    mention = entity("mention", "@our_bot two", "@our_bot")
    second = {"photo": [SIZE], "caption": "@our_bot two", "caption_entities": [mention]}
    payload = {**message(None, photo=[SIZE], caption="one"), "album": [second, VOICE, None, 5]}
    inbound = read(payload)
    assert (inbound.text, inbound.mentioned) == ("one\ntwo", True)
    assert [offer.name for offer in offers(payload)] == ["photo.jpg", "photo 2.jpg", "voice"]
    assert read_update({**payload, "album": [{"caption": "/model@other_bot", "photo": [SIZE]}]}, SCOPE) is None


def test_a_mention_of_a_bot_without_user_name_is_told_by_its_id() -> None:
    text = "😀 Botty hello"
    mention = entity("text_mention", text, "Botty", user={"id": 777, "is_bot": True, "first_name": "Botty"})
    assert read(message(text, entities=[mention])).mentioned


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        pytest.param("@other_bot hi", [entity("mention", "@other_bot hi", "@other_bot")], id="somebody else"),
        pytest.param("mail me@our_bot", [], id="not marked"),
        pytest.param("hi", [{"type": "mention", "offset": 0, "length": 9000}], id="beyond the text"),
        pytest.param("hi", [{"type": "mention", "offset": -1, "length": 1}], id="negative"),
        pytest.param("hi", [{"type": "mention", "offset": "0", "length": None}], id="no numbers"),
        pytest.param("hi", ["mention", None, 7], id="no entities at all"),
        pytest.param("hi", {"type": "mention"}, id="no list"),
        pytest.param("😀x", [{"type": "mention", "offset": 1, "length": 1}], id="inside a character"),
    ],
)
def test_what_only_looks_like_a_mention_is_none(text: str, entities: Any) -> None:
    inbound = read(message(text, entities=entities))
    assert (inbound.text, inbound.mentioned) == (text, False)


def test_a_reply_to_our_message_counts_as_a_mention_but_the_opening_of_a_topic_does_not() -> None:
    ours = {"message_id": 1, "from": {"id": 777, "is_bot": True}}
    assert read(message(reply_to_message=ours)).mentioned
    assert not read(message(reply_to_message={**ours, "forum_topic_created": {"name": "T"}})).mentioned
    assert not read(message(reply_to_message={"message_id": 1, "from": ADA})).mentioned


@pytest.mark.parametrize(
    ("chat", "fields", "key"),
    [
        pytest.param(PRIVATE, {}, "agent:main:telegram:default:direct:1001", id="private"),
        pytest.param(GROUP, {}, "agent:main:telegram:default:group:-100200", id="supergroup"),
        pytest.param({"id": -5, "type": "group"}, {}, "agent:main:telegram:default:group:-5", id="group"),
        pytest.param(
            GROUP,
            {"message_thread_id": 42, "is_topic_message": True},
            "agent:main:telegram:default:group:-100200:thread:42",
            id="topic",
        ),
        pytest.param(GROUP, {"message_thread_id": 42}, "agent:main:telegram:default:group:-100200", id="reply thread"),
    ],
)
def test_the_session_and_lane_of_a_message(chat: dict[str, Any], fields: dict[str, Any], key: str) -> None:
    payload = message(chat=chat, **fields)
    assert str(read(payload).session) == key
    assert lane(payload, SCOPE) == key


def test_who_spoke_and_where() -> None:
    inbound = read(message(chat=PRIVATE))
    assert (inbound.ingress, inbound.sender.key, inbound.sender.name) == (Ingress.MESSAGE, "telegram:1001", "Ada L.")
    assert (inbound.place.direct, inbound.place.ids, inbound.mentioned) == (True, ("telegram:1001",), True)
    group = read(message())
    assert (group.place.direct, group.place.ids, group.mentioned) == (False, ("telegram:-100200",), False)


def test_the_private_session_is_as_wide_as_the_setting_says() -> None:
    wide = Scope(agent="writer", account="second", dm_scope="main")
    inbound = read_update(message(chat=PRIVATE), wide)
    assert inbound is not None
    assert str(inbound.session) == "agent:writer:main"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(message("/model@other_bot"), id="command for another bot"),
        pytest.param(message("/model@other_bot", chat=PRIVATE), id="command for another bot in private"),
        pytest.param(message(**{"from": {"id": 2, "is_bot": True, "first_name": "B"}}), id="a bot"),
        pytest.param(message(sender_chat={"id": -100200, "type": "supergroup"}), id="anonymous admin"),
        pytest.param(message(sender_chat={"id": -9, "type": "channel"}), id="in the name of a channel"),
        pytest.param(message(chat={"id": -9, "type": "channel"}), id="channel"),
        pytest.param(message(None, photo=[]), id="a photo of no size"),
        pytest.param(message(None, photo=[SIZE], caption="/model@other_bot"), id="a captioned command for another bot"),
        pytest.param(message(None, sticker={}), id="a sticker of a wrong shape"),
        pytest.param(message(None, pinned_message={}), id="a notice of Telegram's own"),
        pytest.param(message("   "), id="blank"),
        pytest.param({"update_id": 1, "channel_post": message()["message"]}, id="channel post"),
        pytest.param(edited("hello", edit_date=None), id="an edit that nobody wrote"),
        pytest.param(edited(None, photo=[SIZE]), id="an edited message without words"),
        pytest.param(edited("/model@other_bot"), id="an edited command for another bot"),
        pytest.param(edited(sender_chat={"id": -9, "type": "channel"}), id="an edit in the name of a channel"),
        pytest.param(edited(None, location={}, edit_date=3), id="a place that moved"),
        pytest.param({"update_id": 1, "my_chat_member": {"chat": GROUP, "from": ADA}}, id="a change of membership"),
        pytest.param({"announcement": {"chat": "x"}}, id="an announcement to no chat"),
        pytest.param({"announcement": 7}, id="an announcement of a wrong shape"),
        pytest.param({}, id="nothing"),
        pytest.param({"message": []}, id="wrong shape"),
        pytest.param(message(chat="x"), id="chat of a wrong shape"),
        pytest.param(message(chat={"id": "1", "type": "private"}), id="chat id of a wrong shape"),
        pytest.param(message(**{"from": {"id": True, "is_bot": False}}), id="sender id of a wrong shape"),
        pytest.param(message(5), id="text of a wrong shape"),
        pytest.param(
            {"callback_query": {"id": "1", "from": ADA, "inline_message_id": "z", "data": "a:1"}}, id="inline"
        ),
    ],
)
def test_what_is_nothing_for_us(payload: dict[str, Any]) -> None:
    assert read_update(payload, SCOPE) is None
    assert isinstance(lane(payload, SCOPE), str)


@pytest.mark.parametrize(
    ("data", "token", "number"),
    [
        pytest.param("Zk3_-x:7", "Zk3_-x", 7, id="ours"),
        pytest.param("t:9999", "t", 9999, id="many"),
        pytest.param("t:0", "", 0, id="zero"),
        pytest.param("t:07", "", 0, id="leading zero"),
        pytest.param("t:7model", "", 0, id="trailing"),
        pytest.param("t:٧", "", 0, id="other digits"),
        pytest.param("t:7\n", "", 0, id="line end"),
        pytest.param(":7", "", 0, id="no token"),
        pytest.param("a b:7", "", 0, id="blank"),
        pytest.param("mdl_sel_a/b", "", 0, id="another program's"),
        pytest.param("", "", 0, id="empty"),
        pytest.param(None, "", 0, id="a game"),
    ],
)
def test_button_data_is_read_strictly_and_foreign_data_names_no_list(data: Any, token: str, number: int) -> None:
    inbound = read(press(data))
    assert (inbound.ingress, inbound.token, inbound.number) == (Ingress.BUTTON, token, number)
    assert inbound.sender.key == "telegram:1001"


def test_a_press_acts_on_the_session_of_the_chat_that_shows_the_button() -> None:
    in_topic = press("t:1", message_thread_id=42, is_topic_message=True)
    assert str(read(in_topic).session) == "agent:main:telegram:default:group:-100200:thread:42"
    assert str(read(press("t:1", chat=PRIVATE)).session) == "agent:main:telegram:default:direct:1001"


def test_where_the_answer_goes() -> None:
    topic = {"message_thread_id": 42, "is_topic_message": True}
    group = {"chat": -100200, "onlookers": True}
    assert address(message(**topic)) == Address(thread=42, reply_to=5, written=(5,), asked=5, **group)
    assert address(message(chat=PRIVATE)) == Address(chat=1001, written=(5,))
    assert address(edited()) == Address(reply_to=5, written=(5,), asked=5, **group)
    assert address(press("t:1")) == Address(query="q1", pressed=9, **group)
    album = {**message(None, photo=[SIZE]), "album": [{"message_id": 6, "photo": [SIZE]}, {"message_id": "x"}]}
    assert address(album) == Address(reply_to=5, written=(5, 6), asked=5, **group)
    assert address({"update_id": 1}) is None


def test_a_question_to_who_pressed_replies_to_what_they_wrote_and_to_nothing_of_others() -> None:
    theirs = address(press("t:1", reply_to_message={"message_id": 4, "from": ADA}))
    assert theirs is not None
    assert theirs.asked == 4
    others = address(press("t:1", reply_to_message={"message_id": 4, "from": {**ADA, "id": 2}}))
    assert others is not None
    assert others.asked is None
