"""No name of a model, a profile, a label or a person means anything but itself: judged by what the platforms' servers received."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.hostile import NAMES, UNPRINTABLE, distorted, on_discord, plain
from tests.e2e.installation import Installation, until
from tests.e2e.markup_sides import Heard, OnDiscord, OnTelegram
from tests.e2e.markup_stage import KEY, MarkupStage
from tests.fakes.discord_limits import check_message, pings_of
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_script import Step, ok, status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("markup")
WORD = re.compile(r"h[0-9]{2}q")
SUPPRESS_EMBEDS = 4
LOOKS = {"bold", "italic", "underline", "code", "pre", "blockquote", "expandable_blockquote", "bot_command"}
"""Formats that our own words may have: nothing that leads anywhere, names anybody or hides anything."""
HOSTILE = (*NAMES, *UNPRINTABLE)
Side = type[OnTelegram] | type[OnDiscord]
BOTH = pytest.mark.parametrize("side", [pytest.param(OnTelegram, id="telegram"), pytest.param(OnDiscord, id="discord")])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarkupStage]:
    state = tmp_path_factory.mktemp("markup") / "state"
    state.mkdir(mode=0o700)
    with TelegramServer() as telegram, DiscordServer() as discord, ThreadedProviderServer() as provider:
        made = MarkupStage(Installation(state), telegram, discord, provider)
        with made.gateway():
            yield made


def harmless(heard: list[Heard]) -> None:
    """Nothing rings, opens, links or hides, whoever's words they are."""
    assert heard
    for one in heard:
        if "method" in one.request:
            assert not one.request.get("parse_mode")
            if one.request["method"] in ("sendmessage", "editmessagetext"):
                assert one.request["link_preview_options"]["is_disabled"] is True
            for entity in one.request.get("entities") or []:
                assert entity["type"] not in ("text_mention", "mention", "custom_emoji")
                assert entity.get("url", "https://").startswith(("https://", "http://", "mailto:"))
        else:
            check_message(one.request)
            assert pings_of(one.request) == []
            assert one.request["allowed_mentions"] == {"parse": [], "replied_user": False}
            assert one.request["flags"] & SUPPRESS_EMBEDS


def literal(heard: list[Heard]) -> str:
    """Our own words, as a reader sees them. Every hostile string in them stands there as it is."""
    harmless(heard)
    whole = []
    for one in heard:
        shown = one.words if "method" in one.request else on_discord(one.words)
        assert distorted(shown) == [], (one.words, shown)
        assert set(WORD.findall(one.words)) == set(WORD.findall(shown)), (one.words, shown)
        assert all("…" in label or distorted(label) == [] for label in one.labels), one.labels
        for entity in one.request.get("entities") or []:
            assert entity["type"] in LOOKS
        whole += [shown, *one.labels]
    return plain("\n".join(whole))


def all_names(shown: str) -> bool:
    return all(plain(name) in shown for name in NAMES if WORD.search(name))


@BOTH
class TestOurOwnWords:
    def test_the_status_card_shows_every_id_and_label_as_it_is(self, stage: MarkupStage, side: Side) -> None:
        scene = side(stage)
        scene.says("/model status")
        assert all_names(literal(scene.pages()))

    def test_lists_of_models_show_every_id_as_it_is(self, stage: MarkupStage, side: Side) -> None:
        scene = side(stage)
        pages = re.search(r"page1of([0-9]+)", literal(scene.says("/models acme")))
        assert pages is not None
        assert all_names(literal(scene.says(*(f"/models acme {page}" for page in range(2, int(pages[1]) + 1)))))

    def test_a_choice_is_told_and_remembered_under_its_own_name(self, stage: MarkupStage, side: Side) -> None:
        choices = [f'/model "acme/{_escaped(name)}"@"acme:{_escaped(name)}"' for name in NAMES]
        shown = literal(side(stage).says(*choices, "/status", "/model why", "/new"))
        assert all(f"Nowacme/{plain(name)}withacme:{plain(name)},pinned" in shown for name in NAMES)

    def test_every_step_of_the_picker_shows_ids_and_labels_as_they_are(self, stage: MarkupStage, side: Side) -> None:
        scene = side(stage)
        scene.says("/model")
        scene.walks("acme ·")
        models = literal(scene.pages())
        assert all(f"{plain(name)}" in models for name in NAMES)
        scene.walks("acme/$$h30q$$")
        assert all_names(literal(scene.pages()))
        scene.walks("acme:")
        assert "Nowacme/$$h30q$$" in literal(scene.heard())

    def test_a_search_that_finds_nothing_says_what_was_sought_as_it_is(self, stage: MarkupStage, side: Side) -> None:
        scene = side(stage)
        for name in (NAMES[3], NAMES[9], NAMES[16], UNPRINTABLE[0]):
            scene.says("/model")
            assert plain(name) in literal(scene.searches(f"{name} zz"))

    def test_what_somebody_types_comes_back_as_it_is(self, stage: MarkupStage, side: Side) -> None:
        typed = [f'/model "{_escaped(name)} x"' for name in NAMES[:6] + NAMES[9:12]]
        literal(side(stage).says(*typed, "/models </h09q:1>", "/usage <@1>", "/new @everyone h01q"))


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def every_key(stage: MarkupStage, *steps: Step) -> None:
    for key in stage.profiles.values():
        stage.provider.script[key] = list(steps)


@BOTH
class TestPeople:
    def test_a_strangers_name_reaches_the_owners_without_what_could_mean_anything(
        self, stage: MarkupStage, side: Side
    ) -> None:
        name, number = (
            (stage.stranger.name, f"telegram:{stage.stranger.id}")
            if side is OnTelegram
            else (stage.guest.name, f"discord:{stage.guest.id}")
        )
        told = next(
            one.words for one in side(stage).knocks() if "asks to be let in" in one.words and number in one.words
        )
        quoted = told.partition('"')[2].partition('"')[0]
        assert set(WORD.findall(name)) <= set(WORD.findall(quoted)), "its words are there"
        assert not set('()[]<>/:`"@') & set(quoted)


@BOTH
class TestWordsOfAProvider:
    def test_an_error_tells_what_the_provider_said_as_it_is(self, stage: MarkupStage, side: Side) -> None:
        for at in range(0, len(HOSTILE), 3):
            said = " and ".join(("There is no", *HOSTILE[at : at + 3]))
            every_key(stage, status(400, body={"error": {"message": said, "type": "invalid_request_error"}}))
            assert plain(HOSTILE[at]) in literal(side(stage).asks("why?", "kept"))

    def test_a_credential_that_is_out_is_told_by_its_own_name(self, stage: MarkupStage, side: Side) -> None:
        scene = side(stage)
        names = list(stage.profiles)
        scene.says(f'/model "acme/small"@"{_escaped(names[9])}"')
        stage.provider.script[KEY.format("0009")] = [status(429, {"retry-after": "1"})]
        card = literal(scene.asks("now?", "message is kept"))
        assert plain(NAMES[9]) in card

    def test_the_line_under_an_answer_names_model_and_credential_as_they_are(
        self, stage: MarkupStage, side: Side
    ) -> None:
        every_key(stage)
        for name in (NAMES[3], NAMES[9], NAMES[16], NAMES[19], NAMES[21]):
            scene = side(stage)
            scene.says(f'/model "acme/{_escaped(name)}"@"acme:{_escaped(name)}" once', "/usage full")
            shown = literal(scene.asks("and?", " out"))
            assert f"acme/{plain(name)}·acme:{plain(name)}·" in shown
        side(stage).says("/usage off")

    def test_an_answer_rings_nobody_and_opens_nothing(self, stage: MarkupStage, side: Side) -> None:
        answered_harmlessly(stage, side(stage))


def answered_harmlessly(stage: MarkupStage, scene: OnTelegram | OnDiscord) -> None:
    """Ask a model that answers with everything hostile."""
    scene.says("/model default")
    every_key(stage, ok("\n\n".join((*HOSTILE, "the end"))))
    told = scene.asks("tell me", "the end")
    harmless(told)
    for name in ("h01q", "h04q", "h11q", "h22q"):
        assert any(name in one.words for one in told)


def test_an_answer_in_a_group_rings_nobody_either(stage: MarkupStage) -> None:
    answered_harmlessly(stage, OnTelegram(stage, group=True))


def both_told(scene: OnTelegram | OnDiscord) -> bool:
    """Whether it was told of the lost pin and of the credential that ends."""
    told = "".join(heard.words for heard in scene.heard())
    return "no such profile" in told and "expires" in told


class TestAnnouncements:
    def test_what_is_told_without_being_asked_names_everything_as_it_is(self, state_dir: Path) -> None:
        gone, ending = f"acme:{NAMES[16]}", f"acme:{NAMES[9]}"
        with TelegramServer() as telegram, DiscordServer() as discord, ThreadedProviderServer() as provider:
            stage = MarkupStage(Installation(state_dir), telegram, discord, provider)
            with stage.gateway() as gateway:
                for side in (OnTelegram, OnDiscord):
                    side(stage).says(f'/model "acme/small"@"{gone}"')
                assert gateway.stop() == 0
            soon = round((time.time() + 3 * 3600) * 1000)
            store = json.loads(stage.house.store.read_text())
            del store["profiles"][gone]
            store["profiles"][ending] = {"type": "token", "provider": "acme", "token": "one-that-ends", "expires": soon}
            stage.house.write_store(json.dumps(store))
            sides = (OnTelegram(stage), OnDiscord(stage))
            with stage.gateway():
                for scene in sides:
                    until(partial(both_told, scene))
            for scene in sides:
                shown = literal(scene.heard())
                assert plain(f"{gone} is pinned here, and there is no such profile") in shown
                assert plain(f"{ending}: expires") in shown
