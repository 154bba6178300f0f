"""`/model status`: everything that decides the next message (product.md 4.3), and `/status`: the same in five lines."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from core.auth.order import Placed
from core.auth.provider_names import provider_id
from core.commands import picker_links as links
from core.commands.clear import with_checks
from core.commands.command import CommandContext, Outcome
from core.commands.picker_choices import Choices
from core.commands.picker_page import ACTION, next_tone, screen_of
from core.commands.visibility import is_owner
from core.errors import UserError, shown
from core.messages import Block, Button, Reply, ReplyKind, Row, Tone
from core.resolution import words
from core.resolution.labels import one_line, tone_of
from core.resolution.summary import candidate_line, candidate_words, candidates, endpoint, facts
from core.resolution.view import provider_view, session_view

PAGE = 12
"""Credentials on one page where there are pages: a terminal shows all."""
_USAGE = "Write /model status [<provider>] [<page>]."
_Entry = tuple[str, Placed | None]
"""A provider with one of its credentials, or with none where it has none."""


def show_status(context: CommandContext, arguments: Sequence[str] = ()) -> Outcome:
    """The full view, of all providers in use or of one, paged where the platform has buttons. `data` is always complete."""
    view = _View(context)
    provider, page = view.asked(arguments)
    data = session_view(view.snapshot, view.resolution, view.may_see, view.owner)
    names = [entry["provider"] for entry in data["providers"]]
    if provider is not None and provider not in names:
        whole = provider_view(view.snapshot, view.resolution, provider, view.may_see, view.owner)
        data["providers"].append(whole)
    entries = [entry for name in ([provider] if provider is not None else names) for entry in view.entries(name)]
    room = PAGE if context.rows else max(1, len(entries))
    pages = max(1, -(-len(entries) // room))
    if not 1 <= page <= pages:
        raise UserError("usage", f"There is no page {page}; pages go from 1 to {pages}.", _USAGE)
    command = f"/model status {provider}" if provider is not None else "/model status"
    part = entries[(page - 1) * room : page * room]
    reply = Reply(
        kind=ReplyKind.STATUS,
        text="\n".join(view.lines(part, page, pages, command)).strip(),
        data=data,
        blocks=tuple(view.blocks(part, page, pages)),
    )
    if is_owner(context.sender, view.snapshot.rules.access):
        reply = with_checks(reply, view.snapshot, view.may_see)
    return Outcome((_with_steps(view, reply, command, page, pages) if context.rows else reply,))


class _View(Choices):
    """The state of one session as those may see it who read it."""

    def __init__(self, context: CommandContext) -> None:
        super().__init__(context)
        self.owner = context.reader.owner
        self._screen = screen_of(self)

    def asked(self, arguments: Sequence[str]) -> tuple[str | None, int]:
        """The provider and the page that are asked for. Raises UserError usage."""
        rest = list(arguments)
        page = int(rest.pop()[:9]) if rest and rest[-1].isascii() and rest[-1].isdecimal() else 1
        name = provider_id(rest.pop(0)) if rest else None
        if rest or (name is not None and name not in self.snapshot.rules.catalog.providers):
            raise UserError("usage", f"{shown(' '.join(arguments))} is no provider with a page.", _USAGE)
        return name, page

    def entries(self, provider: str) -> list[_Entry]:
        """A provider's credentials; one entry without any if it has none."""
        found = candidates(self.snapshot, self.resolution, provider, self.may_see)
        return [(provider, placed) for placed in found] or [(provider, None)]

    def lines(self, part: Sequence[_Entry], page: int, pages: int, command: str) -> Iterator[str]:
        """As plain text."""
        yield from (f"{head}: {text}" if head else text for head, text in facts(self.snapshot, self.resolution))
        for name, entries in groupby(part, lambda entry: entry[0]):
            yield from ("", f"[{name}] {endpoint(self.snapshot, name)}")
            for _, placed in entries:
                if placed is None:
                    yield "  no credential"
                else:
                    yield candidate_line(self.snapshot, self.resolution, placed, self.owner)
        if pages > 1:
            yield from ("", f"Page {page} of {pages}" + (f"; more: {command} {page + 1}" if page < pages else ""))
        elif self._problems:
            yield ""
        yield from (f"Note: {problem}" for problem in self._problems)

    def blocks(self, part: Sequence[_Entry], page: int, pages: int) -> Iterator[Block]:
        """As facts."""
        yield Block("", self.head())
        for name, entries in groupby(part, lambda entry: entry[0]):
            yield Block(self.line(f"{name} · {endpoint(self.snapshot, name)}"), tuple(map(self._row, entries)))
        if self._problems:
            yield Block("Notes", tuple(Row("", self.line(problem), Tone.WAITING) for problem in self._problems))
        if pages > 1:
            yield Block("", (Row("Page", f"{page} of {pages}"),))

    def head(self) -> tuple[Row, ...]:
        """Model, credential, next, default."""
        tones = {"Next": next_tone(self), "": Tone.BAD}
        found = facts(self.snapshot, self.resolution)
        return tuple(Row(head, self.line(text), tones.get(head, Tone.PLAIN)) for head, text in found)

    @property
    def _problems(self) -> Sequence[str]:
        return self.snapshot.credentials.problems if self.owner else ()

    def _row(self, entry: _Entry) -> Row:
        placed = entry[1]
        if placed is None:
            return Row("", "no credential", Tone.BAD)
        name, *said = candidate_words(self.snapshot, self.resolution, placed, self.owner)
        told = self.line(" · ".join(said))
        return Row(self.line(name), told, Tone(tone_of(placed)), placed.position or 0)

    def line(self, text: str) -> str:
        """In one line, without the names of hidden profiles."""
        return one_line(self._screen.text(text))


def _with_steps(view: _View, reply: Reply, command: str, page: int, pages: int) -> Reply:
    """The pages, and what is near at hand from here. They have no numbers: those are the picker's, and those of checks."""
    wanted = [("◀", f"{command} {page - 1}")] if page > 1 else []
    wanted += [("▶", f"{command} {page + 1}")] if page < pages else []
    wanted.append(("Choose", links.home()))
    if not view.snapshot.is_locked:
        pinned = view.resolution.pinned
        wanted += [("Automatic", "/model auto")] if pinned is not None and pinned.pin is not None else []
        wanted += [("Undo", "/model undo")] if view.snapshot.session.undo is not None else []
    wanted.append(("Why", "/model why"))
    first = len(reply.buttons) + 1
    steps = tuple(
        Button(n=n, label=label, command="", press=press, group=ACTION)
        for n, (label, press) in enumerate(wanted, start=first)
    )
    return replace(reply, buttons=(*reply.buttons, *steps))


async def show_short(context: CommandContext, argument: str) -> Outcome:
    """`/status`: the session in a few lines."""
    view = _View(context)
    snapshot = view.snapshot
    data = session_view(snapshot, view.resolution, view.may_see, view.owner)
    rows = [Row("Session", str(snapshot.session.key)), *view.head()]
    lines = [rows[0], *(Row(head, text) for head, text in facts(snapshot, view.resolution))]
    more = []
    if snapshot.session.served is not None:
        served = snapshot.session.served
        more.append(Row("Last answer", f"{served.model} with {served.profile}, {words.ago(served.at, snapshot.now)}"))
    if context.busy:
        more.append(Row("", "A message is being answered now.", Tone.WAITING))
    text = "\n".join(f"{row.head}: {row.text}" if row.head else row.text for row in (*lines, *more))
    blocks = (Block("", (*rows, *(replace(row, text=view.line(row.text)) for row in more))),)
    return Outcome((Reply(kind=ReplyKind.STATUS, text=text, data=data, blocks=blocks),))
