"""`/model status`, `/status`, `/model why` and the cards as facts: complete, with their tones, and the next step at hand."""

from collections.abc import Iterable

import pytest

from core.auth.profiles import CredentialKind
from core.errors import FailureReason
from core.messages import Block, Reply, ReplyKind, Row, Tone
from tests.core.test_picker import ROWS, fails, pressed, stands
from tests.world import ALLOWED, GROUP, OWNER, World, profile, provider, rules


def rows(reply: Reply) -> list[Row]:
    return [row for block in reply.blocks for row in block.rows]


def row(reply: Reply, head: str) -> Row:
    return next(one for one in rows(reply) if one.head.startswith(head))


def actions(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons]


async def status(world: World, words: str = "", **where: object) -> Reply:
    return await world.say(f"/model status {words}", rows=ROWS, **where)


async def test_the_card_has_every_fact_with_its_tone() -> None:
    world = World(
        profiles=[
            profile("acme:work", label="Work"),
            profile("acme:home"),
            profile("acme:broke"),
            profile("acme:old", CredentialKind.TOKEN, expires=1000),
        ]
    )
    await fails(world, "acme:home", FailureReason.RATE_LIMIT, minutes=4)
    await fails(world, "acme:broke", FailureReason.BILLING, hours=5)
    await world.say("/model @work for 2h")
    card = await status(world)
    assert [block.title for block in card.blocks] == ["", "acme · http://acme.test/v1 · openai-completions"]
    assert [one.head for one in card.blocks[0].rows] == ["Model", "Credential", "Next", "Default"]
    assert row(card, "Next").tone is Tone.GOOD
    said = {one.head: (one.tone, one.number) for one in card.blocks[1].rows}
    assert said == {
        "acme:work (Work)": (Tone.GOOD, 1),
        "acme:home": (Tone.WAITING, 2),
        "acme:broke": (Tone.BAD, 3),
        "acme:old": (Tone.BAD, 0),
    }
    assert row(card, "acme:work").text == "api_key · ready · pinned · next · #work"
    assert row(card, "acme:home").text.startswith("api_key · cooling 4m · rate_limit · acme/small")
    for one in rows(card):
        assert one.head in card.text
        assert one.text in card.text


async def test_the_next_steps_stand_beside_it_and_work() -> None:
    world = World()
    assert actions(await status(world)) == ["Choose", "Why"]
    await world.say("/model big@home")
    card = await status(world)
    assert actions(card) == ["Choose", "Automatic", "Undo", "Why"]
    assert all(not button.command for button in card.buttons), "they have no numbers"
    done = await pressed(world, card, "Automatic")
    assert stands(world) == ("acme/large", None)
    assert done.replaces
    assert (await pressed(world, card, "Undo")).code == "number_without_picker", "one of them was made"
    await pressed(world, done, "Undo")
    assert stands(world) == ("acme/large", "acme:home")
    why = await pressed(world, await status(world), "Why")
    assert [block.title for block in why.blocks] == ["Last decisions"]


async def test_checks_of_owners_come_first_and_keep_their_numbers() -> None:
    world = World()
    await fails(world, "acme:work", FailureReason.RATE_LIMIT, minutes=4)
    card = await status(world)
    assert actions(card) == ["Check acme:work again", "Choose", "Why"]
    assert "  1. Check acme:work again" in card.text
    (told, *_) = await world.do(world.inbound("/model 1", rows=ROWS))
    assert "acme:work is back" in told.text
    assert actions(await status(world, by=ALLOWED)) == ["Choose", "Why"]


async def test_long_lists_are_paged_in_a_chat_and_whole_in_a_terminal() -> None:
    names = [f"acme:k{n:02}" for n in range(60)]
    world = World(profiles=[profile(name) for name in names])
    first = await status(world)
    assert actions(first) == ["▶", "Choose", "Why"]
    assert row(first, "Page").text == "1 of 5"
    seen, page = [], first
    while True:
        seen += [one.head for one in page.blocks[1].rows]
        assert len(page.blocks[1].rows) <= 12
        assert len(page.data["providers"][0]["candidates"]) == 60, "data is always complete"
        if "▶" not in actions(page):
            break
        page = await pressed(world, page, "▶")
    assert seen == names
    assert actions(page)[0] == "◀"
    assert page.text.endswith("\nPage 5 of 5")
    terminal = await world.say("/model status")
    assert all(name in terminal.text for name in names)
    assert "Page" not in terminal.text
    assert terminal.buttons == ()


async def test_one_provider_alone_and_a_page_of_it() -> None:
    world = World(profiles=[profile("acme:work"), *(profile(f"zeta:k{n:02}") for n in range(20))])
    card = await status(world, "zeta 2")
    assert [block.title.partition(" ")[0] for block in card.blocks] == ["", "zeta", ""]
    assert len(card.blocks[1].rows) == 8
    assert [entry["provider"] for entry in card.data["providers"]] == ["acme", "zeta"]
    assert (await pressed(world, card, "◀")).text.endswith("Page 1 of 2; more: /model status zeta 2")


@pytest.mark.parametrize("words", ["9", "nobody", "acme 1 2", "acme x", "0"])
async def test_what_is_no_provider_with_a_page_is_an_error(words: str) -> None:
    assert (await status(World(), words)).code == "usage"


async def test_the_short_card() -> None:
    world = World()
    await world.say("hi")
    card = await world.say("/status", rows=ROWS)
    heads = [one.head for one in rows(card)]
    assert heads == ["Session", "Model", "Credential", "Next", "Default", "Last answer"]
    assert row(card, "Last answer").text == "acme/small with acme:work, 0s ago"


async def test_hidden_profiles_are_in_no_fact() -> None:
    boss = profile("acme:bo\x07ss\u202e!", pin_allow=("owners",))
    world = World(profiles=[boss, profile("acme:me")])
    await world.say('/model @"acme:bo\\u0007ss\\u202e!"', by=OWNER, key=GROUP)
    assert stands(world, GROUP)[1] == boss.id
    world.provider.script[boss.id] = [FailureReason.BILLING]
    card = await world.say("hi", by=ALLOWED, key=GROUP)
    assert card.code == "pinned_unavailable"
    for text in ("/model status", "/status", "/model why", "/model"):
        seen = await world.say(text, by=ALLOWED, key=GROUP, rows=ROWS)
        for reply in (seen, card):
            told = f"{reply.text}{reply.blocks}{[b.label for b in reply.buttons]}{reply.data}"
            assert "acme:bo" not in told, text
            assert "hidden" in told
            assert all(one.head.isprintable() and one.text.isprintable() for one in rows(reply))


class TestCards:
    """A message that could not be served: the same facts as its text."""

    async def test_a_strict_pin_that_is_out(self) -> None:
        world = World()
        await world.say("/model @work")
        world.provider.script["acme:work"] = [FailureReason.BILLING]
        card = await world.say("hi")
        self.same(card, "The pinned credential is out", "pinned_unavailable")
        out = row(card, "acme:work")
        assert (out.text, out.tone) == ("disabled 5h · billing", Tone.BAD)
        assert row(card, "Tried").text == "acme/small with acme:work: billing"
        assert "kept" in rows(card)[-1].text

    async def test_a_pin_whose_profile_is_gone(self) -> None:
        world = World()
        await world.say("/model @work")
        world.credentials.remove("acme:work")
        card = await world.say("hi")
        assert row(card, "acme:work").text == "there is no such profile any more"

    async def test_everything_out(self) -> None:
        world = World()
        for name in ("acme:work", "acme:home"):
            world.provider.script[name] = [FailureReason.RATE_LIMIT]
        card = await world.say("hi")
        self.same(card, "Nobody can answer now", "all_unavailable")
        assert [one.tone for one in rows(card) if one.head.startswith("acme:")] == [Tone.WAITING, Tone.WAITING]

    async def test_what_costs(self) -> None:
        plan = profile("acme:plan", CredentialKind.TOKEN, billing="subscription")
        world = World(profiles=[plan, profile("acme:paid", billing="metered")])
        world.provider.script["acme:plan"] = [FailureReason.RATE_LIMIT]
        self.same(await world.say("hi"), "The subscription is out", "cross_billing")

    async def test_a_failure_of_the_request(self) -> None:
        world = World()
        world.provider.script["acme:work"] = [FailureReason.FORMAT]
        self.same(await world.say("hi"), "There is no answer", "format")

    async def test_a_card_that_comes_again_says_first_what_came_of_the_choice(self) -> None:
        world = World()
        await world.say("/model @work")
        world.provider.script["acme:work"] = [FailureReason.BILLING]
        card = await world.say("hi")
        world.check.script["acme:work"] = [FailureReason.BILLING]
        again = (await world.press(card, "Check"))[-1]
        assert [block.title for block in again.blocks] == ["", "The pinned credential is out"]
        assert rows(again)[0].text == "acme:work is still out: the provider answered billing to acme/small."

    def same(self, card: Reply, title: str, code: str) -> None:
        assert (card.kind, card.code, card.blocks[0].title) == (ReplyKind.ERROR, code, title)
        assert card.buttons
        words = " ".join(card.text.split())
        for one in self.facts(card.blocks):
            assert one.rstrip(".") in words, one

    def facts(self, blocks: Iterable[Block]) -> Iterable[str]:
        return (one.text for block in blocks for one in block.rows if "kept" not in one.text and one.head != "Model")


async def test_an_open_provider_says_that_it_takes_any_model() -> None:
    world = World(rules=rules(provider("acme", "small"), provider("open", is_open=True)), profiles=[profile("open:me")])
    home = await world.say("/model", rows=ROWS)
    step = await pressed(world, home, "open · any model · ready")
    assert row(step, "Others").text == "any model can be written as /model open/<model>"
