"""Scenarios of answers on their way: whole, in order, in time, whatever the platform does meanwhile."""

import base64
import re
import time

from tests.fakes.pictures import PNG
from tests.fakes.provider_script import Slow, Stall, ok, paced
from tests.scenarios.questions import newest
from tests.scenarios.seat import Seat
from tests.scenarios.stage import Stage

_WORD = re.compile(r"x\d{4}")


def long_answer() -> str:
    """More than 9,000 characters: prose, lists, a table, and code that is longer than a message. Its words are numbered."""
    numbers = iter(range(10_000))

    def words(count: int) -> list[str]:
        return [f"x{next(numbers):04}" for _ in range(count)]

    parts = ["# " + " ".join(words(3))]
    parts += [" ".join(words(120)), "\n".join(f"- {' '.join(words(6))}" for _ in range(12))]
    code = ["def run():", *(f'    print("{" ".join(words(4))}")' for _ in range(120))]
    parts += ["```python\n" + "\n".join(code) + "\n```"]
    head, *rows = [words(3) for _ in range(9)]
    parts += ["\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * 3, *rows))]
    parts += [f"**{' '.join(words(40))}**", "```\n" + "\n".join(" ".join(words(8)) for _ in range(60)) + "\n```"]
    return "\n\n".join([*parts, " ".join(words(60))])


def told(seat: Seat, before: int) -> str:
    """All that the bot has said here beyond so many messages."""
    return "\n".join(sight.text for sight in seat.looks()[before:])


async def test_a_long_answer_with_code_and_a_table_is_whole_in_order_and_within_every_limit(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada = stage.ada.enters(group)
    answer = long_answer()
    assert len(answer) > 9000
    stage.script("acme:main", ok(answer))
    ada.asks("tell me all of it")
    await ada.sees(_WORD.findall(answer)[-1])
    await ada.settles()
    found = _WORD.findall(told(ada, 0))
    assert found == _WORD.findall(answer)
    assert max(stage.driver.sizes(group)) <= stage.driver.longest
    pieces = ada.looks()[:-1]
    assert len(pieces) <= 2 + len(answer) // (stage.driver.longest // 2), "it is not told in crumbs"


async def test_while_a_picture_cannot_be_had_the_chat_goes_on_and_stop_ends_it_at_once(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    picker = await bob.opens_picker()
    held = stage.driver.holds_files()
    ada.sends("look", "dot.png", PNG, "image/png")
    await stage.driver.until(held.reached)
    await stage.driver.until(lambda: stage.driver.is_typing(group))
    await bob.picks("opus", on=picker)
    await bob.sees("Credential for opus")
    ada.commands("stop")
    await ada.sees("Stopped. Nothing had been said yet.")
    held.ends()
    assert await ada.served_by() == "acme:main"
    assert stage.questions.keys("look") == []


async def test_flood_control_in_the_middle_of_an_answer_delays_it_and_loses_nothing(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    stage.script("acme:main", paced("the beginning, ", "the middle ", "and the end"))
    stage.driver.floods(1, times=1)
    ada.asks("tell me")
    await ada.sees("the beginning")
    stage.provider.release()
    await stage.driver.until(stage.driver.flooded)
    await ada.sees("the beginning, the middle")
    stage.provider.release()
    await ada.sees("the beginning, the middle and the end")
    await ada.settles()
    assert told(ada, 0).count("the beginning") == 1


async def test_an_answer_in_a_private_chat_grows_before_the_persons_eyes_and_is_there_once_in_the_end(
    stage: Stage,
) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    stage.script("acme:main", paced("the beginning, ", "the middle ", "and the end"))
    ada.asks("tell me")
    await ada.sees_growing("the beginning")
    assert stage.driver.is_typing(ada.place)
    stage.provider.release()
    await ada.sees_growing("the beginning, the middle")
    stage.provider.release()
    await ada.sees("the beginning, the middle and the end")
    await ada.settles()
    assert told(ada, 0).count("the beginning") == 1


async def test_an_answer_whose_changes_are_made_but_never_confirmed_is_there_once_and_whole(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    stage.script("acme:main", paced("the beginning, ", "the middle ", "and the end"))
    ada.asks("tell me")
    await ada.sees("the beginning")
    stage.driver.loses_answers(2)
    stage.provider.release()
    await ada.sees("the beginning, the middle")
    stage.provider.release()
    await ada.sees("the beginning, the middle and the end")
    await ada.settles()
    assert told(ada, 0).count("the beginning") == 1


async def test_stop_ends_a_stalled_answer_within_a_second_and_the_chat_goes_on(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    stage.script("acme:main", Stall("half of it"))
    ada.asks("tell me")
    await ada.sees("half")
    begun = time.monotonic()
    ada.commands("stop")
    await ada.sees("topped")
    assert time.monotonic() - begun < 1
    assert await ada.served_by() == "acme:main"
    assert stage.provider.abandoned == 1
    assert any("half of it" in sight.text for sight in ada.looks()), "what was said stays"


async def test_a_bot_that_is_thrown_out_in_the_middle_of_an_answer_still_serves_the_others(stage: Stage) -> None:
    await stage.opens()
    ada, bob = stage.ada.enters(stage.group()), stage.bob.enters(stage.group())
    stage.script("acme:main", Slow("never read"))
    ada.asks("tell me")
    await stage.questions.arrives("tell me")
    ada.asks("are you there?")
    ada.expels()
    assert await bob.served_by() == "acme:main"
    stage.provider.release()
    assert await stage.bob.at_home().served_by() == "acme:main"
    assert told(ada, 0) == ""


async def test_a_picture_and_a_text_file_reach_the_model_with_the_words_they_came_with(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    ada.sends("what does it say", "notes.txt", b"the text of the file", "text/plain")
    await ada.sees("served-by:")
    assert "the text of the file" in newest(stage.questions.last("what does it say"))
    ada.sends("what does it show", "dot.png", PNG, "image/png")
    await ada.sees("served-by:")
    content = stage.questions.last("what does it show").body["messages"][-1]["content"]
    assert [part["image_url"]["url"] for part in content if part["type"] == "image_url"] == [
        "data:image/png;base64," + base64.b64encode(PNG).decode()
    ]
