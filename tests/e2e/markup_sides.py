"""Owners at work on a stage of hostile names, and everything that the platforms' servers received of it."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.e2e.installation import until
from tests.e2e.markup_stage import MarkupStage
from tests.fakes.discord_world import Interaction

BUTTON, SELECT, TEXT_DISPLAY = 2, 3, 10


@dataclass
class Heard:
    """One thing that a server was sent: its words, and the labels under them. `request` is all of it."""

    words: str
    labels: list[str]
    request: dict[str, Any] = field(repr=False)


class OnTelegram:
    """Ada at work in one chat. `heard` is what came of it, everywhere on the platform."""

    def __init__(self, stage: MarkupStage, *, group: bool = False) -> None:
        self.stage = stage
        self.chat = stage.group if group else stage.private
        self._named = "@Our_Bot " if group else ""
        self._from = len(stage.telegram.calls)

    def says(self, *texts: str) -> list[Heard]:
        """Write them one after the other; all that was sent until the last was answered."""
        for text in texts:
            self.stage.ada.says(self.chat, text if text.startswith("/") else self._named + text)
        self.settle()
        return self.heard()

    def asks(self, text: str, last: str) -> list[Heard]:
        """Write a question; all that was sent until something with these words was."""
        self.stage.ada.says(self.chat, self._named + text)
        self.stage.telegram.wait(lambda: any(last in heard.words for heard in self.heard()), 20)
        self.settle()
        return self.heard()

    def walks(self, *steps: str) -> list[Heard]:
        """Press, one after the other, the buttons whose labels begin so, under what was shown last."""
        for step in steps:
            shown = [m for m in self.chat.messages if m.by_bot and m.history[-1].keyboard][-1]
            press = self.stage.ada.presses(shown, _begins(step, [label for row in shown.labels for label in row]))
            self.stage.telegram.wait(partial(getattr, press, "answered"))
        self.settle()
        return self.heard()

    def pages(self) -> list[Heard]:
        """Press ▶ for as long as there is one."""
        while any("▶" in label for label in [heard for heard in self.heard() if heard.labels][-1].labels):
            self.walks("▶")
        return self.heard()

    def searches(self, text: str) -> list[Heard]:
        """Press Search, and answer the question that comes."""
        self.walks("Search")
        question = next(m for m in reversed(self.chat.messages) if m.by_bot and m.prompt is not None)
        self.stage.ada.says(self.chat, text, reply_to=question)
        self.settle()
        return self.heard()

    def knocks(self) -> list[Heard]:
        """A stranger writes to the bot; all that was sent until they have an answer."""
        chat = self.stage.telegram.private(self.stage.stranger)
        self.stage.stranger.says(chat, "let me in")
        self.stage.telegram.wait(lambda: chat.answers)
        self.stage.telegram.wait(lambda: any(f"telegram:{self.stage.stranger.id}" in one.words for one in self.heard()))
        self.settle()
        return self.heard()

    def settle(self) -> None:
        """Everything that was asked before is answered: this command came after it."""
        before = len(self.chat.all_messages)
        self.stage.ada.says(self.chat, "/whoami")
        self.stage.telegram.wait(lambda: any("You are telegram" in m.text for m in self.chat.all_messages[before:]), 20)

    def heard(self) -> list[Heard]:
        made = [
            call for call in self.stage.telegram.calls[self._from :] if call.status == 200 and "text" in call.params
        ]
        return [Heard(call.params["text"], _keys(call.params), {"method": call.method, **call.params}) for call in made]


class OnDiscord:
    """Alice at work in the channel. `heard` is what came of it, everywhere on the platform."""

    def __init__(self, stage: MarkupStage) -> None:
        self.stage = stage
        self.channel = stage.channel
        self._from = len(stage.discord.requests)

    def says(self, *texts: str) -> list[Heard]:
        """Write commands as slash commands and the rest as messages; all that was sent until the last was answered."""
        for text in texts:
            name, _, argument = text.removeprefix("/").partition(" ")
            if text.startswith("/"):
                self.stage.alice.slash(self.channel, name, argument or None)
            else:
                self.stage.alice.asks(self.channel, text)
        self.settle()
        return self.heard()

    def asks(self, text: str, last: str) -> list[Heard]:
        """Write a question; all that was sent until something with these words was."""
        self.stage.alice.asks(self.channel, text)
        until(lambda: any(last in heard.words for heard in self.heard()))
        self.settle()
        return self.heard()

    def walks(self, *steps: str) -> list[Heard]:
        """Choose or press, one after the other, what begins so, under what was shown last."""
        for step in steps:
            until(partial(getattr, self._press(step), "callback"))
        self.settle()
        return self.heard()

    def _press(self, words: str) -> Interaction:
        bot = self.stage.discord.bot
        shown = [m for m in self.channel.everything if m.author is bot and m.components and not m.deleted][-1]
        kinds = {label: kind for kind, label in _parts(shown.components)}
        label = _begins(words, list(kinds))
        return (self.stage.alice.selects if kinds[label] == SELECT else self.stage.alice.presses)(shown, label)

    def pages(self) -> list[Heard]:
        """Press ▶ for as long as there is one."""
        while any("▶" in label for label in [heard for heard in self.heard() if heard.labels][-1].labels):
            self.walks("▶")
        return self.heard()

    def searches(self, text: str) -> list[Heard]:
        """Press Search, and fill in the form that comes."""
        used = self._press("Search")
        until(lambda: used.modal)
        self.stage.alice.types(used, text)
        self.settle()
        return self.heard()

    def knocks(self) -> list[Heard]:
        """A stranger writes to the bot; all that was sent until they have an answer."""
        guest = self.stage.guest
        guest.says(guest.dm, "let me in")
        until(lambda: guest.dm.messages[1:])
        until(lambda: any(f"discord:{guest.id}" in one.words for one in self.heard()))
        self.settle()
        return self.heard()

    def settle(self) -> None:
        """Everything that was asked before is answered: this command came after it."""
        used = self.stage.alice.slash(self.channel, "whoami")
        until(lambda: [m for m in used.answers if "You are discord" in m.content])

    def heard(self) -> list[Heard]:
        found = []
        for request in self.stage.discord.requests[self._from :]:
            body = request["body"]
            if isinstance(body, dict) and ("content" in body or "components" in body):
                shown = [str(body.get("content") or ""), *_displayed(body.get("components") or [])]
                labels = [label for _, label in _parts(body.get("components") or [])]
                found.append(Heard("\n".join(shown), labels, {"path": request["path"], **body}))
        return found


def _begins(words: str, labels: list[str]) -> str:
    """The last of the labels that begins so, a mark before it aside: the newest step stands last."""
    found = [label for label in labels if label.lstrip("✓🟢🟡🔴 ").startswith(words)]
    assert found, f"nothing begins with {words!r}; there are {labels}"
    return found[-1]


def _keys(params: dict[str, Any]) -> list[str]:
    rows = (params.get("reply_markup") or {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


def _parts(components: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """(kind, label) of every button and option."""
    found: list[tuple[int, str]] = []
    for part in components:
        found += _parts(part.get("components") or [])
        if part["type"] == BUTTON:
            found.append((BUTTON, part["label"]))
        for option in part.get("options") or []:
            found.append((SELECT, option["label"]))
    return found


def _displayed(components: list[dict[str, Any]]) -> list[str]:
    """The texts that stand among the components."""
    found: list[str] = []
    for part in components:
        found += _displayed(part.get("components") or [])
        if part["type"] == TEXT_DISPLAY:
            found.append(part["content"])
    return found
