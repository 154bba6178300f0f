"""A person in a chat: what they do there, and what they see."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.scenarios.driver import Gesture, Member, Place, Sight

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

_questions = itertools.count(1)


class Seat:
    """A person in a chat."""

    def __init__(self, stage: "Stage", member: Member, place: Place) -> None:
        self.place = place
        self.member = member
        self._stage = stage
        self._driver = stage.driver
        self._known: dict[Any, int] = {}
        self._whispers: list[Gesture] = []

    # -- what a person does

    def says(self, text: str, *, answers: Any = None) -> Any:
        """Write a message, to everybody. Returns it, at once."""
        self._begins()
        return self._driver.says(self.member, self.place, text, to_bot=False, answers=answers)

    def asks(self, text: str, *, answers: Any = None) -> Any:
        """Write a message to the bot, named where others read it. Returns it, at once."""
        self._begins()
        return self._driver.says(self.member, self.place, text, to_bot=True, answers=answers)

    def sends(self, text: str, name: str, data: bytes, media_type: str) -> Any:
        """Write to the bot and attach a file."""
        self._begins()
        return self._driver.sends(self.member, self.place, text, name, data, media_type)

    def edits(self, message: Any, text: str) -> None:
        """Change a message of one's own."""
        self._begins()
        self._driver.edits(self.member, message, text)

    def deletes(self, message: Any) -> None:
        """Take a message of one's own back."""
        self._begins()
        self._driver.deletes(self.member, message)

    def expels(self) -> None:
        """Throw the bot out of this chat."""
        self._driver.expels(self.member, self.place)

    def commands(self, text: str) -> None:
        """Use a command in the platform's native way; `text` without the slash. Returns at once."""
        self._begins()
        name, _, argument = text.partition(" ")
        gesture = self._driver.commands(self.member, self.place, name, argument)
        self._whispers += [gesture] if gesture else []

    async def opens_picker(self) -> Sight:
        """`/model`"""
        self.commands("model")
        return await self.sees_choice("Cancel")

    def touches(self, label: str, on: Sight | None = None) -> Gesture:
        """Press what is labelled so, and wait for nothing. `on`: a message of earlier, as it is now."""
        sight, exact = self._find(label, on)
        self._begins()
        gesture = self._driver.presses(self.member, sight, exact)
        self._whispers.append(gesture)
        return gesture

    async def picks(self, label: str, on: Sight | None = None) -> Gesture:
        """Press what is labelled so, once it is offered, and wait until something comes of it."""
        await self._driver.until(lambda: self._offered(label, on))
        gesture = self.touches(label, on)
        await self._until(lambda: gesture.took() is not None)
        await self._until(lambda: self._fresh() or gesture.whisper())
        return gesture

    async def searches(self, text: str) -> Sight:
        """Press Search and type what it asks for; the message with what was found."""
        gesture = self.touches("Search")
        question = await self._until(lambda: self._driver.question(self.member, self.place, gesture))
        self._begins()
        typed = self._driver.types(self.member, self.place, question, text)
        self._whispers += [typed] if typed else []
        return await self.sees(text)

    # -- what a person sees

    async def sees(self, *words: str) -> Sight:
        """A message for this person with all these words, new since the last deed."""
        return await self._until(  # type: ignore[no-any-return]
            lambda: next((s for s in self._fresh() if all(word in s.text for word in words)), None)
        )

    async def sees_growing(self, words: str) -> None:
        """The same of an answer that is still being written."""
        await self._until(
            lambda: any(
                words in text for text in (*self._driver.drafts(self.place), *(sight.text for sight in self._fresh()))
            )
        )

    async def sees_choice(self, label: str) -> Sight:
        """A new message that offers a choice whose label holds this."""
        return await self._until(  # type: ignore[no-any-return]
            lambda: next((s for s in self._fresh() if any(label in one for one in s.labels)), None)
        )

    async def sees_reply(self, message: Any) -> Sight:
        """What answers a message of this person's own, and offers choices."""
        return await self._until(  # type: ignore[no-any-return]
            lambda: next((s for s in self._fresh() if s.answers == message.id and s.labels), None)
        )

    async def sees_privately(self, words: str) -> str:
        """What nobody else is told, in answer to a press or a command of this person."""
        return await self._until(lambda: next((w for g in self._whispers if words in (w := g.whisper())), ""))  # type: ignore[no-any-return]

    async def is_told(self, words: str) -> str:
        """What this person reads, in a message or privately."""

        def told() -> str:
            heard = [*(s.text for s in self._fresh()), *(gesture.whisper() for gesture in self._whispers)]
            return next((text for text in heard if words in text), "")

        return await self._until(told)  # type: ignore[no-any-return]

    def looks(self) -> list[Sight]:
        """All messages of the bot for this person, oldest first."""
        return self._driver.sights(self.member, self.place)

    def looks_at(self, sight: Sight) -> Sight:
        """The message as it is now."""
        return next(one for one in self.looks() if one.id == sight.id)

    def choices(self) -> tuple[str, ...]:
        """The labels under the newest message that has any."""
        return next((s.labels for s in reversed(self.looks()) if s.labels), ())

    async def served_by(self, text: str = "who serves") -> str:
        """Ask something and wait for the answer: the profile whose key arrived at the provider with this very question."""
        question = f"{text} {next(_questions)}?"
        self.asks(question)
        questions, house = self._stage.questions, self._stage.house

        def answered() -> bool:
            asked = questions.keys(question)
            return bool(asked) and any(f"served-by:{house.keys[asked[-1]][-4:]}" in s.text for s in self._fresh())

        await self._until(answered)
        return questions.keys(question)[-1]

    async def status(self) -> str:
        """What `/model status` says."""
        self.commands("model status")
        return (await self.sees("acme")).text

    async def settles(self) -> None:
        """Everything that was done here before is answered or ignored: this question came after it."""
        known = dict(self._known)
        self.commands("whoami")
        await self.sees("You are")
        self._known = known

    def _begins(self) -> None:
        self._known = {sight.id: sight.version for sight in self.looks()}

    def _fresh(self) -> list[Sight]:
        return [sight for sight in self.looks() if sight.version > self._known.get(sight.id, 0)]

    def _offered(self, label: str, on: Sight | None) -> bool:
        try:
            self._find(label, on)
        except LookupError:
            return False
        return True

    def _find(self, label: str, on: Sight | None) -> tuple[Sight, str]:
        """The newest message with such a choice, and its label in full: an exact one, else one that begins so, else one that
        holds it. The last of several, since later menus are those of the present step."""
        sights = self.looks() if on is None else [self.looks_at(on)]
        for sight in reversed(sights):
            bare = [(one.removeprefix("✓ "), one) for one in reversed(sight.labels)]
            fits: tuple[Callable[[str], bool], ...] = (
                lambda one: one == label, lambda one: one.startswith(label), lambda one: label in one,
            )  # fmt: skip
            for fit in fits:
                if found := next((one for words, one in bare if fit(words)), None):
                    return sight, found
        raise LookupError(f"nothing offers {label!r}; there are {[sight.labels for sight in sights]}")

    async def _until(self, predicate: Callable[[], Any], within: float = 10) -> Any:
        try:
            return await self._driver.until(predicate, within)
        except TimeoutError as error:
            seen = "\n".join(f"{s.text!r} {s.labels}" for s in self._fresh())
            whispers = [gesture.whisper() for gesture in self._whispers]
            raise TimeoutError(f"{self.member.name} sees\n{seen}\nand privately {whispers}; {error}") from None


@dataclass
class Person:
    """Somebody, wherever they are."""

    stage: "Stage"
    member: Member

    def enters(self, place: Place) -> Seat:
        return Seat(self.stage, self.member, place)

    def at_home(self) -> Seat:
        """In their private chat with the bot."""
        return self.enters(self.stage.driver.private(self.member))
