"""Cards, keyboards, questions and footers: replies that are more than lines of text, as they arrive."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from core.messages import Block, Button, Reply, ReplyKind, Row, Tone
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat, ChatMessage, Person, units

CARD = (
    Block("Session", (Row("Model", "opus (acme/large)"), Row("", "It is strict."))),
    Block(
        "",
        (
            Row("acme:work", "api_key · ready", Tone.GOOD, 1),
            Row("acme:home", "cooling 4m · rate_limit", Tone.WAITING, 2),
            Row("acme:old", "expired", Tone.BAD, 3),
        ),
    ),
)
IN_WORDS = "Session\nModel: opus (acme/large)\n1. acme:work · ready\n2. one more"


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


@pytest.fixture
def ada(server: TelegramServer) -> Person:
    return server.person(1001)


@pytest.fixture
def chat(server: TelegramServer, ada: Person) -> Chat:
    return server.private(ada)


def card(*blocks: Block, **fields: object) -> Reply:
    return Reply(kind=ReplyKind.STATUS, text=IN_WORDS, blocks=blocks, **fields)  # type: ignore[arg-type]


async def shown(stage: Stage, ada: Person, chat: Chat, reply: Reply) -> list[ChatMessage]:
    """The messages that a reply becomes."""
    before = len(chat.all_messages) + 1
    await stage.answer(await stage.hears(ada, chat, "/model"), reply)
    return [message for message in chat.all_messages[before:] if not message.deleted]


async def test_blocks_are_lines_of_facts_with_titles_ids_and_a_dot_for_each_state(
    stage: Stage, ada: Person, chat: Chat
) -> None:
    (message,) = await shown(stage, ada, chat, card(*CARD))
    assert message.text.splitlines() == [
        "Session",
        "Model: opus (acme/large)",
        "It is strict.",
        "",
        "1. 🟢 acme:work · api_key · ready",
        "2. 🟡 acme:home · cooling 4m · rate_limit",
        "3. 🔴 acme:old · expired",
    ]
    assert message.history[-1].formats == [
        ("bold", "Session"),
        ("bold", "Model"),
        ("code", "acme/large"),
        ("code", "acme:work"),
        ("code", "acme:home"),
        ("code", "acme:old"),
    ]


async def test_a_card_that_is_longer_than_a_message_is_cut_between_facts(stage: Stage, ada: Person, chat: Chat) -> None:
    rows = tuple(Row(f"acme:{n}", f"api_key · ready · {'word ' * (n % 40)}end of {n}") for n in range(120))
    messages = await shown(stage, ada, chat, card(Block("Everything", rows)))
    assert len(messages) > 1
    assert all(units(message.text) <= 4096 for message in messages)
    lines = [line for message in messages for line in message.text.splitlines()]
    assert lines[0] == "Everything"
    assert [line.partition(" · ")[0] for line in lines[1:]] == [f"acme:{n}" for n in range(120)]
    assert all(line.endswith(f"end of {n}") for n, line in enumerate(lines[1:]))


HOSTILE = [
    pytest.param("@somebody", id="a mention"),
    pytest.param("anthropic:@somebody", id="a mention after a colon"),
    pytest.param("https://evil.example/x?y", id="a link"),
    pytest.param("evil.example/path", id="a bare domain"),
    pytest.param("HTTPS://EVIL.EXAMPLE", id="a link in capitals"),
    pytest.param("tg://user?id=5", id="a link to a person"),
    pytest.param("mail@evil.example", id="a mail address"),
    pytest.param("t.me/joinchat", id="an invitation"),
    pytest.param("/new", id="a command"),
    pytest.param("/new@Our_Bot", id="a command with our name"),
]


@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda label: card(Block(label, (Row("x", "y"),))), id="title"),
        pytest.param(lambda label: card(Block("", (Row(label, "y"),))), id="head"),
        pytest.param(lambda label: card(Block("", (Row("x", f"by ({label}), now"),))), id="fact"),
        pytest.param(lambda label: notice(f"{label} x (telegram:1002) asks to be let in."), id="words"),
        pytest.param(lambda label: text("answer", footer=f"acme/large · {label}"), id="footer"),
    ],
)
async def test_nothing_in_a_label_becomes_a_link_or_a_mention(
    stage: Stage, ada: Person, chat: Chat, label: str, reply: object
) -> None:
    (message,) = await shown(stage, ada, chat, reply(label))  # type: ignore[operator]
    covered = [part for kind, part in message.history[-1].formats if kind == "code"]
    # Telegram looks for links and mentions everywhere but in code.
    assert any(label.removeprefix("anthropic:") in part for part in covered), message.history[-1].formats
    call = stage.server.called("sendMessage")[-1]
    assert call.params["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in call.params


async def test_commands_that_our_own_sentences_name_can_be_tapped(stage: Stage, ada: Person, chat: Chat) -> None:
    (message,) = await shown(stage, ada, chat, notice("Nothing was changed. /model shows what there is."))
    assert message.history[-1].formats == []


async def test_titles_and_heads_are_bold_around_the_names_in_them(stage: Stage, ada: Person, chat: Chat) -> None:
    block = Block("acme · https://x.example · kind", (Row("acme:team (the team)", "ready"),))
    (message,) = await shown(stage, ada, chat, card(block))
    assert message.text == "acme · https://x.example · kind\nacme:team (the team) · ready"
    assert message.history[-1].formats == [
        ("bold", "acme ·"),
        ("code", "https://x.example"),
        ("bold", "· kind"),
        ("code", "acme:team"),
        ("bold", "(the team)"),
    ]


async def test_marks_in_a_card_are_words(stage: Stage, ada: Person, chat: Chat) -> None:
    (message,) = await shown(stage, ada, chat, card(Block("**a**", (Row("<b>x</b>", "_y_ `z` [l](http://x.y)"),))))
    assert message.text == "**a**\n<b>x</b>: _y_ `z` [l](http://x.y)"


async def test_choices_are_rows_by_lists_and_what_is_out_is_seen(stage: Stage, ada: Person, chat: Chat) -> None:
    buttons = (
        Button(n=1, label="acme · 3", command="x", group="provider"),
        Button(n=2, label="zeta · 1", command="x", group="provider", selected=True),
        Button(n=3, label="iota · 9", command="x", group="provider"),
        Button(n=4, label="acme:work · ready", command="x", group="credential", tone=Tone.GOOD),
        Button(n=5, label="acme:home · back in 4m", command="x", group="credential", tone=Tone.WAITING, selected=True),
        Button(n=6, label="acme:old · expired", command="x", group="credential", tone=Tone.BAD),
        Button(n=7, label="opus", command="x", group="model", earlier=True),
        Button(n=8, label="Back", command="x", group="action"),
        Button(n=9, label="Cancel", command="x", group="action"),
    )
    (message,) = await shown(stage, ada, chat, card(*CARD, buttons=buttons, token="tok"))
    assert message.labels == [
        ["acme · 3", "✓ zeta · 1"],
        ["iota · 9"],
        ["acme:work · ready"],
        ["✓ 🟡 acme:home · back in 4m"],
        ["🔴 acme:old · expired"],
        ["Back", "Cancel"],
    ]
    assert [data for row in message.history[-1].keyboard for _, data in row] == [
        f"tok:{n}" for n in (1, 2, 3, 4, 5, 6, 8, 9)
    ]


@pytest.mark.parametrize(
    ("group", "rows"),
    [
        pytest.param(
            "provider", [["short", "acme"], ["a-provider-with-a-long-name · 3 models"], ["x"]], id="providers"
        ),
        pytest.param(
            "action",
            [["Back", "Search", "Credentials"], ["Release this pin"], ["Use anthropic:home once"], ["Again", "Why so"]],
            id="actions",
        ),
        pytest.param("model", [["short"], ["x"]], id="models"),
    ],
)
async def test_buttons_stand_side_by_side_where_a_phone_has_room_for_their_words(
    stage: Stage, ada: Person, chat: Chat, group: str, rows: list[list[str]]
) -> None:
    labels = [label for row in rows for label in row]
    buttons = tuple(Button(n=n, label=label, command="x", group=group) for n, label in enumerate(labels, 1))
    (message,) = await shown(stage, ada, chat, card(*CARD, buttons=buttons, token="tok"))
    assert message.labels == rows


@pytest.mark.parametrize(
    ("count", "token"),
    [pytest.param(120, "tok", id="more than 100"), pytest.param(3, "t" * 63, id="data that is too long")],
)
async def test_where_not_every_choice_has_room_under_a_card_the_words_name_them_all(
    stage: Stage, ada: Person, chat: Chat, count: int, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    choices = tuple(Button(n=n, label=f"model {n}", command="x") for n in range(1, count))
    back = Button(n=count, label="Back", command="x", group="action")
    (message,) = await shown(stage, ada, chat, card(*CARD, buttons=(*choices, back), token=token))
    assert message.text == IN_WORDS
    labels = [label for row in message.labels for label in row]
    assert labels == ([f"model {n}" for n in range(1, 100)] + ["Back"] if count == 120 else [])
    assert "buttons were left out" in caplog.text


async def test_a_card_whose_keyboard_telegram_refuses_is_shown_in_words(stage: Stage, ada: Person, chat: Chat) -> None:
    stage.server.fail("sendMessage", 400, "Bad Request: BUTTON_TYPE_INVALID")
    button = Button(n=1, label="one", command="x")
    (message,) = await shown(stage, ada, chat, card(*CARD, buttons=(button,), token="tok"))
    assert (message.text, message.labels) == (IN_WORDS, [])


async def test_a_blank_or_odd_label_is_a_button_all_the_same(stage: Stage, ada: Person, chat: Chat) -> None:
    buttons = (Button(n=1, label=" ", command="x"), Button(n=2, label="a\ud800b\0", command="x"))
    (message,) = await shown(stage, ada, chat, card(*CARD, buttons=buttons, token="tok"))
    assert message.labels == [["1"], ["a?b"]]


async def test_a_footer_is_a_small_line_in_the_last_message_of_an_answer(stage: Stage, ada: Person, chat: Chat) -> None:
    (message,) = await shown(stage, ada, chat, text("**Yes.**", footer="acme/large · acme:work · 1,234 tokens"))
    assert message.text == "Yes.\n\nacme/large · acme:work · 1,234 tokens"
    assert message.history[-1].formats == [("bold", "Yes."), ("italic", "acme/large · acme:work · 1,234 tokens")]


@pytest.mark.parametrize("length", [4096, 4080, 4096 + 4090])
async def test_a_footer_never_stands_alone_and_counts_in_the_limit(
    stage: Stage, ada: Person, chat: Chat, length: int
) -> None:
    words = ("word " * 2000)[:length].rstrip()
    messages = await shown(stage, ada, chat, text(words, footer="acme/large · " + "x" * 60))
    assert all(units(message.text) <= 4096 for message in messages)
    before, _, footer = messages[-1].text.partition("\n\n")
    assert before.strip()
    assert footer == "acme/large · " + "x" * 60
    assert " ".join([*(m.text for m in messages[:-1]), before]) == words


@pytest.mark.parametrize("footer", ["acme/large · acme:work", "a:b@x.example.com · @name · /new" + " @abc" * 50])
async def test_a_footer_keeps_its_format_under_a_text_with_as_many_as_telegram_keeps(
    stage: Stage, ada: Person, chat: Chat, footer: str
) -> None:
    words = " ".join(f"**b{n}** c" for n in range(100))
    messages = await shown(stage, ada, chat, text(words, footer=footer))
    assert messages[-1].history[-1].formats[-1][1] == footer
    assert " ".join(message.text for message in messages) == words.replace("*", "") + f"\n\n{footer}"
    assert sum(len(message.history[-1].formats) for message in messages) == 101


async def test_a_question_opens_an_answer_to_it_with_the_words_as_they_are_known(
    stage: Stage, ada: Person, chat: Chat
) -> None:
    question = Reply(kind=ReplyKind.NOTICE, text="Which model? Part of its name is enough.", blocks=CARD, prompt=True)
    (message,) = await shown(stage, ada, chat, question)
    assert message.text == question.text
    assert message.prompt == {
        "force_reply": True,
        "selective": True,
        "input_field_placeholder": "Which model? Part of its name is enough.",
    }
    item = await stage.hears(ada, chat, "sonnet", reply_to=message)
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    assert inbound.quoted is not None
    assert (inbound.quoted.own, inbound.quoted.text, inbound.text) == (True, question.text, "sonnet")


async def test_a_question_asked_by_a_press_is_a_message_of_its_own_for_who_pressed(stage: Stage, ada: Person) -> None:
    group = stage.server.group()
    search = Button(n=1, label="Search", command="x", group="action")
    (picker,) = await shown(stage, ada, group, card(*CARD, buttons=(search,), token="tok"))
    item, press = await stage.sees_press(ada, picker, "Search")
    question = notice("Which model?\n" + "x" * 80, prompt=True, replaces=True, private=True)
    await stage.answer(item, question)
    assert (picker.labels, press.answered, press.alert) == ([["Search"]], True, None)
    asked = group.answers[-1]
    assert asked.reply_to is picker.reply_to, "the client asks only whom it replies to"
    assert asked.prompt is not None
    assert asked.prompt["input_field_placeholder"] == "Which model?"
    await stage.answer(item, question)
    assert group.answers[-1] is asked, "it is not asked twice after a restart"


async def test_a_question_that_was_sent_but_not_noted_as_whole_is_not_sent_twice(
    stage: Stage, ada: Person, chat: Chat
) -> None:
    item = await stage.hears(ada, chat, "/model")
    await stage.answer(item, notice("Which model?", prompt=True))
    (asked,) = chat.answers
    await stage.inbox.note_delivery(item.id, {"slots": {"other:0": {"messages": [asked.id]}}})
    await stage.answer(item, notice("Which model?", prompt=True))
    assert chat.answers == [asked]


async def test_a_message_that_is_to_go_is_removed_before_it_is_answered(stage: Stage, ada: Person, chat: Chat) -> None:
    item = await stage.hears(ada, chat, "sk-something")
    await stage.answer(item, notice("Not here. It was removed.", deletes=True))
    assert [message.text for message in chat.messages] == ["Not here. It was removed."]
    methods = [call.method for call in stage.server.calls if call.method in ("deletemessage", "sendmessage")]
    assert methods == ["deletemessage", "sendmessage"]
    await stage.answer(item, notice("Not here. It was removed.", deletes=True))
    assert len(chat.messages) == 1


@pytest.mark.parametrize("may", [pytest.param(True, id="as an admin"), pytest.param(False, id="without the right")])
async def test_in_a_group_it_takes_the_right_to_remove_a_message(
    stage: Stage, ada: Person, may: bool, caplog: pytest.LogCaptureFixture
) -> None:
    group = stage.server.group()
    group.may_delete = may
    item = await stage.hears(ada, group, "@Our_Bot sk-something")
    await stage.answer(item, notice("Not here.", deletes=True))
    assert [message.text for message in group.messages][-1] == "Not here."
    assert len(group.messages) == (1 if may else 2)
    assert group.answers[0].reply_to is None
    assert ("could not be removed" in caplog.text) is not may


async def test_every_part_of_an_album_is_removed_and_the_wait_that_telegram_asks_for_is_kept(
    stage: Stage, ada: Person, chat: Chat
) -> None:
    from tests.fakes.pictures import JPEG
    from tests.fakes.telegram_files import photo

    stage.clock.jumps = True
    ada.sends_album(chat, photo(JPEG), photo(JPEG), caption="sk-something")
    item = await stage.taken.get()
    stage.server.flood("deleteMessage", 7)
    await stage.answer(item, notice("Not here.", deletes=True))
    assert [message.text for message in chat.messages] == ["Not here."]
    assert 7 in stage.clock.slept


async def test_an_announcement_is_said_in_its_chat_and_topic_and_only_once(stage: Stage, ada: Person) -> None:
    group = stage.server.group(forum=True)
    topic = group.topic()
    item = await stage.hears(ada, group, "hello", topic=topic)
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    update = stage.platform.announcement(inbound.chat, "ended:5")
    assert (update.key, update.lane) == ("ended:5", str(inbound.session))
    (stored,) = await stage.inbox.receive([update, update], stage.clock.now())
    for _ in range(2):
        await stage.answer(stored, notice("The pin ended."))
    assert [(m.text, m.thread, m.reply_to) for m in group.answers] == [("The pin ended.", topic, None)]


async def test_somebody_who_never_opened_the_bot_cannot_be_told_and_that_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.server.person(3003, "Carol")
    (stored,) = await stage.inbox.receive([stage.platform.announcement("person:3003", "expiring")], stage.clock.now())
    with caplog.at_level(logging.WARNING):
        await stage.answer(stored, notice("acme:work expires tomorrow."))
    assert "Chat 3003 cannot be written to" in caplog.text
