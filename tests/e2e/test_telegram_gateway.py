"""The real gateway process on Telegram, driven by people; the provider records whose key arrived."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Installation, until
from tests.e2e.telegram_stage import ONE, TWO, Stage
from tests.fakes.provider_script import Stall, ok, slow, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import ChatMessage, Person

pytestmark = pytest.mark.xdist_group("telegram gateway")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One gateway for all that does not need one of its own; every test has its own chat."""
    state = tmp_path_factory.mktemp("telegram") / "state"
    state.mkdir(mode=0o700)
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state), telegram, provider)
        with stage.gateway():
            yield stage


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    """Everything but a gateway."""
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        yield Stage(Installation(state_dir), telegram, provider)


def step(stage: Stage, person: Person, message: ChatMessage, label: str, shows: str) -> None:
    """Press the button that begins so, and wait until the message shows what it leads to."""
    found = next(known for row in message.labels for known in row if known.lstrip("✓🟡🔴 ").startswith(label))
    person.presses(message, found)
    stage.shows(message, shows)


class TestChoosing:
    def test_the_menu_offers_the_commands(self, running: Stage) -> None:
        assert {"model", "models", "new", "status", "help"} <= {row["command"] for row in running.telegram.world.menu}

    def test_a_button_of_the_picker_chooses_and_takes_its_place(self, running: Stage) -> None:
        chat = running.telegram.private(running.ada)
        picker = running.asks(running.ada, chat, "/model")
        assert "Model: acme/small · default" in picker.text
        step(running, running.ada, picker, "opus · ready", "Credential for opus (zeta/opus-1)")
        step(running, running.ada, picker, "Automatic", "Now opus (zeta/opus-1)")
        assert running.serves(running.ada, chat, "hi") in ("MINE", "YOUR")
        picker = running.asks(running.ada, chat, "/model")
        assert "✓ opus · ready" in [label for row in picker.labels for label in row]
        step(running, running.ada, picker, "Credentials", "Credential for opus")
        step(running, running.ada, picker, "zeta:you · ready", "Now opus (zeta/opus-1) with zeta:you, pinned strict.")
        assert running.serves(running.ada, chat, "hi") == "YOUR"
        assert running.provider.seen[-1].path == "/v1/messages"

    def test_a_number_that_is_typed_chooses_too(self, running: Stage) -> None:
        bob = running.telegram.private(running.bob)
        picker = running.asks(running.bob, bob, "/model")
        step(running, running.bob, picker, "Credentials", "Credential for acme/small")
        number = [row[0] for row in picker.labels].index("acme:home · ready") + 1
        assert "acme:home, pinned strict" in running.asks(running.bob, bob, f"/model {number}").text
        assert running.serves(running.bob, bob, "hi") == "HOME"

    def test_a_command_that_names_the_bot_pins_for_a_whole_group(self, running: Stage) -> None:
        group = running.telegram.group()
        reply = running.asks(running.ada, group, "/model@our_bot big@acme:home")
        assert "Now big (acme/large) with acme:home, pinned strict." in reply.text
        running.ada.says(group, "/model@another_bot opus")
        running.ada.says(group, "not for the bot")
        for person in (running.ada, running.bob):
            assert running.serves(person, group, "@Our_Bot hi") == "HOME"
        assert running.provider.seen[-1].model == "large"
        assert len(group.answers) == 3

    def test_two_people_in_a_group_have_a_picker_each(self, running: Stage) -> None:
        group = running.telegram.group()
        adas = running.asks(running.ada, group, "/model")
        bobs = running.asks(running.bob, group, "/model")
        shown = adas.text
        press = running.bob.presses(adas, "opus · ready")
        running.telegram.wait(lambda: press.answered)
        assert press.alert is not None
        assert "somebody else" in press.alert
        assert adas.text == shown
        step(running, running.bob, bobs, "big · ready", "Credential for big")
        step(running, running.ada, adas, "Credentials", "Credential for acme/small")
        step(running, running.bob, bobs, "Automatic", "Now big (acme/large)")
        step(running, running.ada, adas, "acme:work · ready", "acme:work, pinned strict")
        assert len(group.answers) == 2

    def test_a_topic_inherits_the_groups_pin_until_it_chooses_for_itself(self, running: Stage) -> None:
        forum = running.telegram.group(forum=True)
        topic = forum.topic()
        running.asks(running.ada, forum, "/model big@acme:home")
        assert running.serves(running.ada, forum, "@Our_Bot hi", topic=topic) == "HOME"
        told = running.asks(running.ada, forum, "/model status", topic=topic)
        assert told.thread == topic
        assert f"inherited from agent:main:telegram:default:group:{forum.id}" in told.text
        running.asks(running.ada, forum, "/model opus@zeta:you", topic=topic)
        assert running.serves(running.ada, forum, "@Our_Bot hi", topic=topic) == "YOUR"
        assert running.serves(running.ada, forum, "@Our_Bot hi") == "HOME"

    def test_a_strict_pin_that_is_out_becomes_a_card_whose_button_runs_the_kept_message_once(
        self, running: Stage
    ) -> None:
        group = running.telegram.group()
        running.asks(running.ada, group, "/model iota/tiny@iota:one")
        running.provider.script[ONE] = [status(429, {"retry-after": "900"})]
        card = running.asks(running.ada, group, "@Our_Bot the kept message")
        assert "The pinned credential is out" in card.text
        assert "iota:one · cooling 15m" in card.text
        offered = ["Use iota:two once", "Prefer instead", "Release pin", "Try again", "Check iota:one again"]
        assert [label for row in card.labels for label in row] == offered
        press = running.bob.presses(card, "Release pin")
        running.telegram.wait(lambda: press.answered)
        assert press.alert is not None
        first, second = (running.ada.presses(card, "Use iota:two once") for _ in range(2))
        running.telegram.wait(lambda: first.answered and second.answered)
        running.telegram.wait(lambda: any("it was for one turn" in m.text for m in group.answers))
        running.settled(running.ada, group)
        assert [m.text for m in group.answers].count("served-by:TWO2") == 1
        kept = [s for s in running.provider.seen if s.key == TWO]
        assert [s.body["messages"][-1]["content"].rpartition("\n")[2] for s in kept] == ["Ada: the kept message"]
        assert "cooling" in running.asks(running.ada, group, "@Our_Bot once more").text, "the pin stands again"

    def test_a_long_answer_that_grows_is_whole_and_there_once(self, running: Stage) -> None:
        group = running.telegram.group()
        running.asks(running.ada, group, "/model iota/tiny@iota:two")
        text = " ".join(f"word{n}" for n in range(500))
        running.provider.script[TWO] = [ok(text)]
        before = len(group.answers)
        running.ada.says(group, "@Our_Bot tell me")
        running.telegram.wait(lambda: len(group.answers) > before and group.answers[-1].text == text)
        running.settled(running.ada, group)
        assert [m.text for m in group.answers[before:-1]] == [text]

    def test_who_is_not_allowed_is_not_heard_and_a_press_is_refused_to_them_alone(self, running: Stage) -> None:
        theirs = running.telegram.private(running.mallory)
        group = running.telegram.group()
        picker = running.asks(running.ada, group, "/model")
        asked = len(running.provider.seen)
        for text in ("hi", "/model big", "/whoami"):
            running.mallory.says(theirs, text)
            running.mallory.says(group, f"@Our_Bot {text}")
        press = running.mallory.presses(picker, "big · ready")
        running.telegram.wait(lambda: press.answered)
        assert press.alert is not None
        assert "not authorised" in press.alert
        running.settled(running.ada, group)
        assert ["give this code" in m.text for m in theirs.answers] == [True], "and nothing else"
        assert len(group.answers) == 2
        assert len(running.provider.seen) == asked


class TestInterruptions:
    def test_a_kill_in_the_middle_loses_nothing_and_answers_nothing_twice(self, stage: Stage) -> None:
        chat, other = stage.telegram.private(stage.ada), stage.telegram.private(stage.bob)
        home = KEYS["acme:home"]
        with stage.gateway() as gateway:
            stage.asks(stage.ada, chat, "/model @acme:home")
            stage.provider.script[home] = [Stall("half an answer, which", " never ends")]
            stage.ada.says(chat, "question one")
            stage.telegram.wait(lambda: chat.draft is not None and "half an answer" in chat.draft.text)
            stage.ada.says(chat, "question two")
            stage.ada.says(chat, "question three")
            stage.bob.says(other, "/model opus@zeta:you")
            # Between Telegram's word that a message is sent and our note of it a kill would send it once more.
            until(
                lambda: (
                    stage.house.rows("select state, count(*) from inbox group by state") == [("done", 2), ("new", 3)]
                )
            )
            gateway.kill()
        stage.provider.script[home] = [ok("answer one"), ok("answer two"), ok("answer three"), ok("answer four")]
        stage.ada.says(chat, "question four")
        stage.bob.says(other, "question of bob")
        with stage.gateway():
            stage.telegram.wait(lambda: any(m.text == "answer four" for m in chat.answers))
            stage.telegram.wait(lambda: any(m.text == "served-by:YOUR" for m in other.answers))
            stage.settled(stage.ada, chat)
            stage.settled(stage.bob, other)
        told = [m.text for m in chat.answers[1:-1]]
        assert told == ["answer one", "answer two", "answer three", "answer four"]
        assert chat.draft is None, "nothing of what had begun to grow is left"
        assert [m.text for m in other.answers[1:-1]] == ["served-by:YOUR"]
        asked = [s.body["messages"][-1]["content"] for s in stage.provider.seen if s.key == home]
        assert asked == ["question one", "question one", "question two", "question three", "question four"]

    def test_a_button_that_was_shown_before_a_restart_still_chooses(self, stage: Stage) -> None:
        chat = stage.telegram.private(stage.ada)
        with stage.gateway() as gateway:
            picker = stage.asks(stage.ada, chat, "/model")
            step(stage, stage.ada, picker, "Credentials", "Credential for acme/small")
            gateway.kill()
        stage.ada.presses(picker, "acme:home · ready")
        with stage.gateway():
            stage.shows(picker, "acme:home, pinned strict")
            assert stage.serves(stage.ada, chat, "hi") == "HOME"

    def test_a_refusal_of_a_press_that_waited_for_a_restart_is_not_told_to_the_group(self, stage: Stage) -> None:
        group = stage.telegram.group()
        with stage.gateway() as gateway:
            picker = stage.asks(stage.ada, group, "/model")
            until(lambda: stage.house.rows("select state from inbox") == [("done",)])
            gateway.kill()
        before = [m.text for m in group.answers]
        presses = [person.presses(picker, "big · ready") for person in (stage.mallory, stage.bob)]
        for press in presses:
            press.answered = True  # Telegram no longer takes an answer to it
        with stage.gateway():
            until(lambda: stage.house.rows("select state, count(*) from inbox group by state") == [("done", 3)])
        assert [m.text for m in group.answers] == before
        assert len(stage.telegram.called("answerCallbackQuery")) == 2

    def test_a_stop_lets_a_running_answer_end_and_leaves_later_questions_to_the_next_start(self, stage: Stage) -> None:
        chat = stage.telegram.private(stage.ada)
        stage.provider.script[KEYS["acme:work"]] = [slow("at last")]
        with stage.gateway() as gateway:
            stage.ada.says(chat, "one")
            stage.provider.wait_seen(1)
            stage.telegram.wait(lambda: not stage.telegram.world.updates)
            gateway.process.terminate()
            gateway.says("Stopping")
            stage.ada.says(chat, "two")
            stage.provider.release()
            assert gateway.process.wait(20) == 0
        assert [m.text for m in chat.answers] == ["at last"]
        with stage.gateway() as gateway:
            stage.telegram.wait(lambda: len(chat.answers) == 2)
            assert gateway.stop() == 0
        assert chat.answers[1].text == "served-by:WORK"
        assert len(stage.provider.seen) == 2
