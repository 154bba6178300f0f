"""The one door: Inbound in, events out; and the error boundary. What is refused, stored or answered is decided below it.

Order of things: choices that have ended are told and removed first; then access; then a command, a press, a number, an inline
`/model`, or a turn. Commands of a session run one after the other and do not wait for a turn; turns wait for one another.
"""

import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from core.access import Action, Verdict, decide
from core.chat.card import retry_card
from core.chat.lanes import Lanes, Ticket
from core.chat.ports import TurnGuard
from core.chat.question import Question, ask
from core.chat.settle import settle
from core.chat.stop import Stop
from core.chat.turn import TurnInput, Turns
from core.clock import Clock
from core.commands.command import CommandContext
from core.commands.errors_told import error_reply
from core.commands.model_request import RESERVED
from core.commands.parse import Invocation, parse, parse_inline
from core.commands.presses import Pressed, find_number, find_press
from core.commands.registry import BY_NAME
from core.commands.suggestions import suggestions
from core.commands.visibility import sees
from core.errors import BotError, LostRace, StorageError, Suggestion, UserError
from core.messages import Event, Inbound, Ingress, Reply, ReplyKind, Working, reply_to_json
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.screening import Screen
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.ports import Answered, SessionStore, Shown, ShownStore, Use

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a turn is to do. `wish` not None: compact the conversation first, with this in mind. `kept`: the question is one that a
    card has kept."""

    inbound: Inbound
    has_question: bool
    kept: Message | None
    insists: bool
    wish: str | None
    item: int | None


class Gateway:
    """Everything that a platform can ask of us."""

    def __init__(
        self,
        snapshots: SnapshotSource,
        sessions: SessionStore,
        shown: ShownStore,
        turns: Turns,
        clock: Clock,
        redact: Callable[[str], str],
        guard: TurnGuard,
    ) -> None:
        self._snapshots = snapshots
        self._sessions = sessions
        self._shown = shown
        self._turns = turns
        self._clock = clock
        self._redact = redact
        self._turn_lanes = Lanes(guard)
        self._command_lanes = Lanes()
        self._stops: dict[SessionKey, Stop] = {}

    async def handle(self, inbound: Inbound, item: int | None = None) -> AsyncGenerator[Event, None]:
        """Answer one inbound. Never raises for anything that a sender, a provider or a file can cause."""
        try:
            async with aclosing(self._answer(inbound, item)) as events:
                async for event in events:
                    yield event
        except BotError as error:
            yield await self._told(inbound, error)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("unexpected error %s in %s", reference, inbound.session)
            text = (
                f"Something went wrong here that should not; nothing more was done. Reference for the log: {reference}."
            )
            yield Reply(kind=ReplyKind.ERROR, code="internal", text=text)

    async def suggest(self, inbound: Inbound) -> tuple[Suggestion, ...]:
        """Completions of what was typed after `/model`, best first. Nothing for whom may not command."""
        snapshot = self._snapshots.take(inbound.session)
        if decide(inbound, Action.COMMAND, snapshot.rules.access) is not Verdict.ALLOW:
            return ()
        return suggestions(snapshot, sees(inbound.sender, snapshot.rules.access), inbound.text)

    def waits(self, inbound: Inbound) -> bool:
        """Whether this is a message that waits for the turn before it. Commands and presses do not."""
        aliases = self._aliases(self._snapshots.take(inbound.session))
        try:
            return inbound.ingress is Ingress.MESSAGE and parse(inbound.text, aliases) is None
        except UserError:
            return False

    def busy(self, key: SessionKey) -> bool:
        """Whether a turn of this session is running."""
        return self._turn_lanes.busy(key)

    async def _answer(self, inbound: Inbound, item: int | None) -> AsyncGenerator[Event, None]:
        snapshot = self._snapshots.take(inbound.session)
        press = inbound.ingress is Ingress.BUTTON
        invocation, mistake = self._parse(inbound, snapshot)
        command = press or invocation is not None or mistake is not None
        refusal = self._refusal(inbound, Action.COMMAND if command else Action.CHAT, snapshot)
        if refusal is not None:
            for reply in refusal:
                yield reply
            return
        if mistake is not None:
            raise mistake
        # The place among the turns is taken now, before anything is waited for: a turn comes when its message came.
        ticket = self._turn_lanes.ticket(inbound.session)
        try:
            async with aclosing(self._allowed(inbound, item, snapshot, invocation, ticket)) as events:
                async for event in events:
                    yield event
        finally:
            ticket.give_back()

    async def _allowed(
        self, inbound: Inbound, item: int | None, snapshot: Snapshot, invocation: Invocation | None, ticket: Ticket
    ) -> AsyncGenerator[Event, None]:
        """A command, a press or number (a command, a kept message, or both), or a message, inline `/model` included."""
        pressed: Pressed | None = None
        text: str | None = None
        kept: Message | None = None
        if inbound.ingress is Ingress.BUTTON:
            pressed = await find_press(self._shown, snapshot, inbound, self._clock.now())
        elif invocation is not None:
            pressed = await find_number(self._shown, snapshot, inbound.sender, invocation, self._clock.now())
        elif inbound.text.strip() or inbound.files is not None:
            invocation, text = self._inline(inbound, snapshot)
        insists = False
        if pressed is not None:
            invocation, kept = await self._use(pressed, item)
            insists = pressed.command is None
        has_question = kept is not None or (text is not None and (text.strip() != "" or inbound.files is not None))
        wish: str | None = None
        if invocation is not None and BY_NAME[invocation.name].handler is None:
            invocation, wish = None, invocation.argument
        if not has_question and wish is None:
            ticket.give_back()
        if invocation is not None:
            for reply in (await settle(self._snapshots, self._sessions, inbound.session))[0]:
                yield reply
            try:
                # With a message to follow, it is the turn that answers the inbox item.
                replies = await self._command(inbound, invocation, None if has_question else item)
            except BotError as error:
                if kept is None:
                    raise
                # The card is used up, but its message is not lost.
                yield await self._offer(inbound, retry_card(error_reply(error)), kept)
                return
            for reply in replies:
                yield reply
        if has_question or wish is not None:
            work = _Work(replace(inbound, text=text or ""), has_question, kept, insists, wish, item)
            async with aclosing(self._turn(work, ticket)) as events:
                async for event in events:
                    yield event

    async def _use(self, pressed: Pressed, item: int | None) -> tuple[Invocation | None, Message | None]:
        """What a resolved choice does: its command, then its kept message. A card can be used once."""
        if pressed.message is None:
            return pressed.command, None
        use = await self._shown.use_shown(pressed.token, item)
        if use is Use.TAKEN:
            raise UserError("number_without_picker", "This choice was already made.", "Look with /model.")
        # An earlier process may have begun this. Whether it stored the choice is not known, and doing it twice would be wrong;
        # the message is answered by what stands, or by the card once more.
        return pressed.command if use is Use.FIRST else None, pressed.message

    def _parse(self, inbound: Inbound, snapshot: Snapshot) -> tuple[Invocation | None, UserError | None]:
        if inbound.ingress is Ingress.BUTTON:
            return None, None
        try:
            return parse(inbound.text, self._aliases(snapshot)), None
        except UserError as error:
            return None, error

    def _inline(self, inbound: Inbound, snapshot: Snapshot) -> tuple[Invocation | None, str]:
        """A `/model <ref>` inside a sentence is obeyed only if it names an existing model exactly; else it is text."""
        inline = parse_inline(inbound.text, self._aliases(snapshot))
        if inline is None or inline.selector is None or inline.argument is None:
            return None, inbound.text
        if decide(inbound, Action.COMMAND, snapshot.rules.access) is not Verdict.ALLOW:
            return None, inbound.text
        try:
            found = snapshot.lookup.exact(inline.selector.model)
        except UserError:  # several have this id: not exactly one model, so it is text
            found = None
        if found is None or inline.selector.model.lower() in RESERVED:
            return None, inbound.text
        return Invocation("model", inline.argument), inline.rest

    async def _command(self, inbound: Inbound, invocation: Invocation, item: int | None) -> list[Reply]:
        """Run a command and store what it changes, together with its replies."""
        async with self._command_lanes.ticket(inbound.session):
            running = self._stops.get(inbound.session)
            context = CommandContext(
                snapshot=self._snapshots.take(inbound.session),
                sender=inbound.sender,
                sessions=self._sessions,
                busy=self._turn_lanes.busy(inbound.session),
                stop=running.ask if running is not None else None,
            )
            handler = BY_NAME[invocation.name].handler
            assert handler is not None, "a command without a handler is a turn"
            outcome = await handler(context, invocation.argument)
            screen = self._screen(inbound, context.snapshot)
            replies = [await self._offer(inbound, screen.reply(reply), None) for reply in outcome.replies]
            if inbound.ingress is Ingress.BUTTON and replies:
                replies[0] = replace(replies[0], replaces=True)
            if outcome.change is not None:
                replies = [replace(reply, shared=True) for reply in replies]
                answered = None if item is None else Answered(item, tuple(reply_to_json(reply) for reply in replies))
                await self._sessions.save_choice(outcome.change.session, outcome.change.decisions, answered)
            return replies

    async def _turn(self, work: _Work, ticket: Ticket) -> AsyncGenerator[Event, None]:
        """What waits for the turns before it: a summary of the conversation, a question, or both in this order."""
        inbound = work.inbound
        if ticket.must_wait:
            yield Working()
        async with ticket:
            told, snapshot = await settle(self._snapshots, self._sessions, inbound.session)
            for reply in told:
                yield reply
            stop = self._stops[inbound.session] = Stop()
            try:
                async with aclosing(self._work(work, snapshot, stop)) as events:
                    async for event in events:
                        yield event
            finally:
                del self._stops[inbound.session]  # turns of a session never overlap

    async def _work(self, work: _Work, snapshot: Snapshot, stop: Stop) -> AsyncGenerator[Event, None]:
        inbound = work.inbound
        screen = self._screen(inbound, snapshot)
        if work.wish is not None:
            item = None if work.has_question else work.item
            async with aclosing(self._turns.compact(snapshot, screen, stop, item, work.wish)) as events:
                async for event in events:
                    yield event
        if not work.has_question or stop.asked:
            return
        question = Question(work.kept) if work.kept is not None else await _question(inbound, snapshot)
        for problem in question.problems:
            yield Reply(kind=ReplyKind.NOTICE, text=problem)
        turn = TurnInput(
            question=question.message,
            sees=sees(inbound.sender, snapshot.rules.access),
            screen=screen,
            item=work.item,
            stream=inbound.stream,
            insists=work.insists,
            stop=stop,
        )
        async with aclosing(self._turns.run(snapshot, turn)) as events:
            async for event in events:
                if isinstance(event, Reply) and event.buttons:
                    yield await self._offer(inbound, event, question.message)
                else:
                    yield event

    # What all of them need

    async def _told(self, inbound: Inbound, error: BotError) -> Reply:
        """An error as a reply, its choices included where they can be remembered."""
        if isinstance(error, StorageError) and not isinstance(error, LostRace):
            # Which file and why concerns the operator; the sender learns that nothing happened.
            log.error("%s", error)
            error = BotError(error.code, "The database cannot be used now. Nothing was changed.", "Tell an owner.")
        reply = Screen(self._redact).reply(error_reply(error))
        if inbound.ingress is Ingress.BUTTON:
            reply = replace(reply, private=True)  # what is wrong with a press concerns who pressed
        return await self._offer(inbound, reply, None)

    def _screen(self, inbound: Inbound, snapshot: Snapshot) -> Screen:
        """What the sender may read: no secret, no profile that they may not pin."""
        may_see = sees(inbound.sender, snapshot.rules.access)
        return Screen(self._redact, (p.id for p in snapshot.credentials.profiles.values() if not may_see(p)))

    def _refusal(self, inbound: Inbound, action: Action, snapshot: Snapshot) -> list[Reply] | None:
        """None: go on. Otherwise what is answered, which may be nothing."""
        match decide(inbound, action, snapshot.rules.access):
            case Verdict.ALLOW:
                return None
            case Verdict.IGNORE:
                return []
        text = f"You are not authorised here. An owner can add {inbound.sender.key} to access.allow."
        return [Reply(kind=ReplyKind.ERROR, code="not_authorised", text=text, private=True)]

    async def _offer(self, inbound: Inbound, reply: Reply, message: Message | None) -> Reply:
        """Remember the choices of a reply, so that a number or a press can be resolved, also after a restart."""
        if not reply.buttons:
            return reply
        shown = Shown(
            token=secrets.token_urlsafe(9),
            session=inbound.session,
            sender=inbound.sender.key,
            commands=tuple(button.command for button in reply.buttons),
            catalog=self._snapshots.take(inbound.session).rules.catalog.fingerprint(),
            at=self._clock.now(),
            card=message is not None,
            message=message,
        )
        try:
            await self._shown.show(shown)
        except StorageError as error:
            log.error("choices could not be stored: %s", error)
            return replace(
                reply, buttons=(), text=f"{reply.text}\n(The database cannot be written now: numbers do not work.)"
            )
        return replace(reply, token=shown.token)

    def _aliases(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(snapshot.rules.catalog.aliases) if snapshot.rules.alias_commands else ()


async def _question(inbound: Inbound, snapshot: Snapshot) -> Question:
    """The message with what was sent along. Raises UserError if nothing of it can be asked."""
    files = await inbound.files() if inbound.files is not None else ()
    model = resolve(snapshot).next.model
    return ask(inbound.text, files, snapshot.rules.catalog.entry(model), str(model))
