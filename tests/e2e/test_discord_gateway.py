"""The real gateway process on Discord, driven by people; the provider records whose key arrived."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.installation import KEYS, Gateway, Installation, until
from tests.fakes.discord_server import DiscordServer, User
from tests.fakes.discord_world import Channel, Interaction, Message
from tests.fakes.provider_script import Stall, ok, slow, status
from tests.fakes.provider_server import ThreadedProviderServer

ONE, TWO = "sk-iota-key-of-no-ONE1", "sk-iota-key-of-no-TWO2"

pytestmark = pytest.mark.xdist_group("discord gateway")


@dataclass
class Stage:
    """People, channels and the processes behind them. Ada owns the installation, Bob is allowed, Mallory is nobody."""

    house: Installation
    discord: DiscordServer
    provider: ThreadedProviderServer

    def __post_init__(self) -> None:
        self.ada, self.bob, self.mallory = (self.discord.user(name) for name in ("ada", "bob", "mallory"))
        self.guild = self.discord.guild()
        self.rooms = [self.discord.channel(self.guild, f"room-{n}") for n in range(8)]
        self.house.keep({**KEYS, "iota:one": ONE, "iota:two": TWO}, {"iota": ["iota:one", "iota:two"]})
        self.house.configure(
            self.provider.base_url,
            "[models.providers.iota]",
            f'base_url = "{self.provider.base_url}/v1"',
            'api = "openai-completions"',
            'models = ["tiny"]',
            "[channels.discord]",
            f'token = "{self.discord.token}"',
            f'api_base_url = "{self.discord.api_base_url}"',
            f'gateway_url = "{self.discord.gateway_url}"',
            "[access]",
            f'owners = ["discord:{self.ada.id}"]',
            f'allow = ["discord:{self.bob.id}"]',
        )
        self.mention = f"<@{self.discord.bot.id}>"

    def gateway(self) -> Gateway:
        """A gateway that listens."""
        gateway = Gateway(self.house)
        gateway.says("discord (default): connected")
        return gateway

    def slash(self, person: User, channel: Channel, text: str | None = None, command: str = "model") -> Message:
        """What a person sees in answer to a slash command."""
        return self.answer(person.slash(channel, command, text))

    def answer(self, interaction: Interaction) -> Message:
        # A public placeholder shows an ellipsis before the private answer follows and it is deleted.
        found = until(lambda: [message for message in interaction.answers if message.content != "…"])[0]
        assert interaction.acknowledged_after is not None
        assert interaction.acknowledged_after < 3
        return found

    def told(self, channel: Channel, after: int) -> list[Message]:
        """The bot's messages for all, beyond those that were there."""
        return [message for message in channel.messages if message.author is self.discord.bot][after:]

    def serves(self, person: User, channel: Channel, text: str = "hi") -> str:
        """The key's last four characters that answered a question."""
        before = len(self.told(channel, 0))
        person.says(channel, f"{self.mention} {text}")
        found = until(lambda: [m for m in self.told(channel, before) if m.content.startswith("served-by:")])
        return found[0].content.removeprefix("served-by:")

    def settled(self, person: User, channel: Channel) -> None:
        """Everything that was written before is answered or ignored: this command came after it."""
        assert "You are" in self.slash(person, channel, command="whoami").content


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One gateway for all that does not need one of its own; every test has its own channel."""
    state = tmp_path_factory.mktemp("discord") / "state"
    state.mkdir(mode=0o700)
    with DiscordServer() as discord, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state), discord, provider)
        with stage.gateway():
            yield stage


@pytest.fixture
def room(running: Stage) -> Channel:
    """A channel that nobody has used."""
    return running.rooms.pop()


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    """Everything but a gateway."""
    with DiscordServer() as discord, ThreadedProviderServer() as provider:
        yield Stage(Installation(state_dir), discord, provider)


def options(message: Message) -> list[str]:
    return [o["label"] for row in message.components for part in row["components"] for o in part.get("options", ())]


def buttons(message: Message) -> list[str]:
    return [part["label"] for row in message.components for part in row["components"] if part["type"] == 2]


def picks(person: User, picker: Message, label: str, shows: str) -> None:
    """Choose the option that begins so, or press the button, and wait until the message shows what it leads to."""
    found = next((known for known in options(picker) if known.startswith(label)), None)
    if found is not None:
        person.selects(picker, found)
    else:
        person.presses(picker, label)
    until(lambda: shows in picker.content)


class TestChoosing:
    def test_the_commands_are_registered_and_model_takes_one_text(self, running: Stage) -> None:
        commands = {command["name"]: command for command in running.discord.commands}
        assert {"model", "models", "new", "status", "help", "whoami"} <= set(commands)
        assert [option["autocomplete"] for option in commands["model"]["options"]] == [True]

    def test_a_menu_of_the_private_picker_chooses(self, running: Stage, room: Channel) -> None:
        picker = running.slash(running.ada, room)
        assert picker.ephemeral
        assert "acme/small · default" in picker.content
        picks(running.ada, picker, "opus", "Credential for opus")
        picks(running.ada, picker, "Automatic", "Now opus")
        (told,) = until(lambda: running.told(room, 0))
        assert told.content == f"ada: {picker.content}"
        assert running.serves(running.ada, room) in ("MINE", "YOUR")
        picker = running.slash(running.ada, room)
        picks(running.ada, picker, "Credentials", "Credential for opus")
        picks(running.ada, picker, "zeta:you", "zeta:you, pinned strict")
        assert running.serves(running.ada, room) == "YOUR"
        assert running.provider.seen[-1].path == "/v1/messages"

    def test_a_button_of_the_picker_acts(self, running: Stage, room: Channel) -> None:
        picker = running.slash(running.ada, room)
        running.ada.presses(picker, "Status")
        until(lambda: "acme:home" in picker.content)
        assert "next" in picker.content

    def test_what_is_typed_into_the_option_is_chosen_for_everybody_there(self, running: Stage, room: Channel) -> None:
        changed = running.slash(running.ada, room, "big@home")
        assert not changed.ephemeral
        assert "acme:home, pinned strict" in changed.content
        for person in (running.ada, running.bob):
            assert running.serves(person, room) == "HOME"
        assert running.provider.seen[-1].model == "large"

    def test_suggestions_show_each_credential_with_its_state(self, running: Stage, room: Channel) -> None:
        typed = running.ada.autocomplete(room, "model", "big@")
        choices = until(lambda: typed.choices)
        assert {"name": "big@acme:home · ready", "value": "big@acme:home"} in (choices or [])
        hidden = running.mallory.autocomplete(room, "model", "big@")
        until(lambda: hidden.callback)
        assert not hidden.choices

    def test_a_number_and_a_typed_command_work_as_everywhere(self, running: Stage, room: Channel) -> None:
        running.bob.says(room, "/model")
        (picker,) = until(lambda: running.told(room, 0))
        picks(running.bob, picker, "Credentials", "Credential for acme/small")
        shown = [o for row in picker.components for part in row["components"] for o in part.get("options", ())]
        number = next(option["value"] for option in shown if option["label"].startswith("acme:home"))
        running.bob.says(room, f"/model {number}")
        until(lambda: any("acme:home, pinned strict" in m.content for m in running.told(room, 1)))
        assert running.serves(running.bob, room) == "HOME"

    def test_two_people_in_a_channel_have_a_picker_each(self, running: Stage, room: Channel) -> None:
        running.ada.says(room, "/model")
        (adas,) = until(lambda: running.told(room, 0))
        running.bob.says(room, "/model")
        (bobs,) = until(lambda: running.told(room, 1))
        shown = adas.content
        refused = running.answer(running.bob.presses(adas, "Status"))
        assert refused.ephemeral
        assert "somebody else" in refused.content
        assert adas.content == shown
        picks(running.bob, bobs, "big", "Credential for big")
        picks(running.bob, bobs, "Automatic", "Now big")
        assert len(running.told(room, 0)) == 2

    def test_a_thread_inherits_the_channels_pin_until_it_chooses_for_itself(
        self, running: Stage, room: Channel
    ) -> None:
        thread = running.discord.thread(room)
        running.slash(running.ada, room, "big@acme:home")
        assert running.serves(running.ada, thread) == "HOME"
        told = running.slash(running.ada, thread, "status")
        assert f"inherited from agent:main:discord:default:channel:{room.id}" in told.content
        running.slash(running.ada, thread, "opus@zeta:you")
        assert running.serves(running.ada, thread) == "YOUR"
        assert running.serves(running.ada, room) == "HOME"

    def test_a_strict_pin_that_is_out_becomes_a_card_whose_button_runs_the_kept_message_once(
        self, running: Stage
    ) -> None:
        dm = running.ada.dm
        running.slash(running.ada, dm, "iota/tiny@iota:one")
        running.provider.script[ONE] = [status(429, {"retry-after": "900"})]
        running.ada.says(dm, "the kept message")
        card = until(lambda: [m for m in running.told(dm, 0) if "The pinned credential is out" in m.content])[0]
        assert buttons(card) == [
            "Use iota:two once", "Prefer instead", "Release pin", "Try again", "Check iota:one again",
        ]  # fmt: skip
        for _ in range(2):
            running.ada.presses(card, "Use iota:two once")
        until(lambda: any(m.content == "served-by:TWO2" for m in running.told(dm, 0)))
        running.settled(running.ada, dm)
        assert [m.content for m in running.told(dm, 0)].count("served-by:TWO2") == 1
        kept = [seen.body["messages"][-1]["content"] for seen in running.provider.seen if seen.key == TWO]
        assert kept == ["the kept message"]

    def test_a_long_answer_that_grows_is_whole_and_there_once(self, running: Stage) -> None:
        dm = running.bob.dm
        running.slash(running.bob, dm, "iota/tiny@iota:two")
        text = " ".join(f"word{n}" for n in range(200))
        running.provider.script[TWO] = [ok(text)]
        before = len(running.told(dm, 0))
        running.bob.says(dm, "tell me")
        until(lambda: any(m.content == text for m in running.told(dm, before)))
        running.settled(running.bob, dm)
        assert [m.content for m in running.told(dm, before) if "You are" not in m.content] == [text]

    def test_who_is_not_allowed_is_not_heard_and_a_slash_command_is_refused_to_them_alone(
        self, running: Stage, room: Channel
    ) -> None:
        asked = len(running.provider.seen)
        for text in ("hi", "/model big"):
            running.mallory.says(running.mallory.dm, text)
            running.mallory.says(room, f"{running.mention} {text}")
        refused = running.slash(running.mallory, room, "big")
        assert refused.ephemeral
        assert "not authorised" in refused.content
        running.settled(running.ada, room)
        assert ["give this code" in m.content for m in running.told(running.mallory.dm, 0)] == [True], (
            "and nothing else"
        )
        assert running.told(room, 0) == []
        assert len(running.provider.seen) == asked


class TestInterruptions:
    def test_a_kill_in_the_middle_loses_nothing_and_answers_nothing_twice(self, stage: Stage) -> None:
        dm, other = stage.ada.dm, stage.bob.dm
        home = KEYS["acme:home"]
        with stage.gateway() as gateway:
            stage.slash(stage.ada, dm, "@acme:home")
            stage.provider.script[home] = [Stall("half an answer, which", " never ends")]
            stage.ada.says(dm, "question one")
            growing = until(lambda: [m for m in stage.told(dm, 0) if "half an answer" in m.content])[0]
            stage.ada.says(dm, "question two")
            stage.slash(stage.bob, other, "opus@zeta:you")
            stage.bob.says(other, "question of bob")
            until(lambda: [m for m in stage.told(other, 0) if m.content == "served-by:YOUR"])
            until(
                lambda: (
                    stage.house.rows("select state, count(*) from inbox group by state") == [("done", 3), ("new", 2)]
                )
            )
            gateway.kill()
        stage.provider.script[home] = [ok("answer one"), ok("answer two"), ok("answer three")]
        stage.ada.says(dm, "question three")
        stage.bob.says(other, "another of bob")
        with stage.gateway():
            until(lambda: any(m.content == "answer three" for m in stage.told(dm, 0)))
            until(lambda: len([m for m in stage.told(other, 0) if m.content == "served-by:YOUR"]) == 2)
            stage.settled(stage.ada, dm)
            stage.settled(stage.bob, other)
        told = [m.content for m in stage.told(dm, 0) if m.content.startswith(("answer", "half"))]
        assert told == ["answer one", "answer two", "answer three"]
        assert growing.content == "answer one", "what had begun to grow was finished in its place"
        assert len([m for m in stage.told(other, 0) if m.content == "served-by:YOUR"]) == 2
        asked = [seen.body["messages"][-1]["content"] for seen in stage.provider.seen if seen.key == home]
        assert asked == ["question one", "question one", "question two", "question three"]

    def test_a_command_is_not_acknowledged_before_it_is_stored_and_in_time_even_if_it_cannot_be(
        self, stage: Stage
    ) -> None:
        room = stage.rooms[0]
        with stage.gateway() as gateway:
            stage.settled(stage.ada, room)
            with closing(sqlite3.connect(stage.house.database, isolation_level=None)) as other:
                other.execute("begin immediate")
                used = stage.ada.slash(room, "model", "big")
                until(lambda: used.callback)
                assert used.acknowledged_after is not None
                assert 1.4 < used.acknowledged_after < 2.9
                other.execute("rollback")
            assert "Now big" in stage.answer(used).content
            with closing(sqlite3.connect(stage.house.database, isolation_level=None)) as other:
                other.execute("begin immediate")
                lost = stage.ada.slash(room, "model", "small")
                gateway.kill()
        assert lost.callback is None, "the person is told by Discord that it failed"

    def test_a_question_is_found_behind_the_chatter_of_the_meantime(self, stage: Stage) -> None:
        room = stage.rooms[0]
        with stage.gateway() as gateway:
            stage.serves(stage.ada, room)
            assert gateway.stop() == 0
        for n in range(130):
            stage.bob.says(room, f"chatter {n}")
        stage.ada.says(room, f"{stage.mention} did you see it?")
        with stage.gateway():
            until(lambda: len(stage.told(room, 0)) == 2)
        assert stage.provider.seen[-1].body["messages"][-1]["content"] == "ada: did you see it?"
        assert stage.house.rows("select count(*) from inbox") == [(2,)]

    def test_a_stop_lets_a_running_answer_end_and_leaves_later_questions_to_the_next_start(self, stage: Stage) -> None:
        dm = stage.ada.dm
        stage.provider.script[KEYS["acme:work"]] = [slow("at last")]
        with stage.gateway() as gateway:
            stage.ada.says(dm, "one")
            stage.provider.wait_seen(1)
            gateway.process.terminate()
            gateway.says("Stopping")
            stage.provider.release()
            assert gateway.process.wait(20) == 0
        assert [m.content for m in stage.told(dm, 0)] == ["at last"]
        stage.ada.says(dm, "two")
        with stage.gateway() as gateway:
            until(lambda: len(stage.told(dm, 0)) == 2)
            assert gateway.stop() == 0
        assert stage.told(dm, 1)[0].content == "served-by:WORK"
        assert len(stage.provider.seen) == 2
