"""The one door: Inbound in, events out; and the error boundary. What is refused, stored or answered is decided below it.

Order of things: choices that have ended are told and removed first; then access; then a command, a press, a number, an inline
`/model`, or a turn. Commands of a session run one after the other and do not wait for a turn; turns wait for one another.
"""

import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from core.access import Action, Verdict, decide
from core.chat.card import card_again, retry_card
from core.chat.lanes import Lanes, Ticket
from core.chat.ports import TurnGuard
from core.chat.settle import settle
from core.chat.turn import Turns
from core.clock import Clock
from core.commands.checks import Checks
from core.commands.command import Change, CommandContext, Outcome
from core.commands.errors_told import error_reply
from core.commands.model_request import RESERVED
from core.commands.parse import Invocation, parse, parse_inline
from core.commands.presses import Pressed, find_number, find_press
from core.commands.registry import BY_NAME
from core.commands.suggestions import suggestions
from core.commands.visibility import is_owner, sees
from core.errors import BotError, LostRace, StorageError, Suggestion, UserError
from core.messages import Event, Inbound, Ingress, Reply, ReplyKind, Working, reply_to_json
from core.offers import Offers
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.screening import Screen
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.ports import Answered, SessionStore, ShownStore, TurnRecord, Use
from core.turn_work import TurnWork, Work, screen_for

log = logging.getLogger(__name__)


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
        checks: Checks,
    ) -> None:
        self._snapshots = snapshots
        self._sessions = sessions
        self._shown = shown
        self._clock = clock
        self._redact = redact
        self._checks = checks
        self._offers = Offers(shown, snapshots, clock)
        self._turns = TurnWork(snapshots, sessions, turns, self._offers, redact, guard)
        self._command_lanes = Lanes()

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
        return self._turns.busy(key)

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
        ticket = self._turns.ticket(inbound.session)
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
            wish = invocation.argument
            invocation = None
        if not has_question and wish is None:
            ticket.give_back()
        if invocation is not None:
            for reply in (await settle(self._snapshots, self._sessions, inbound.session))[0]:
                yield reply
            try:
                # With a message to follow, it is the turn that answers the inbox item.
                own = None if has_question else item
                once = (
                    pressed.token if pressed is not None and inbound.ingress is Ingress.BUTTON and kept is None else ""
                )
                outcome = await self._command(inbound, invocation, own, kept, once)
                if outcome.later is not None:
                    yield Working()
                    outcome = await self._stored(inbound, await outcome.later(), own, kept, once)
            except BotError as error:
                if kept is None:
                    raise
                # The card is used up, but its message is not lost.
                yield await self._offers.offer(inbound, retry_card(error_reply(error)), kept)
                return
            for reply in outcome.replies:
                yield reply
            if kept is not None and not outcome.goes_on:
                return
        if has_question or wish is not None:
            work = Work(replace(inbound, text=text or ""), has_question, kept, insists, wish, item)
            async with aclosing(self._turns.run(work, ticket)) as events:
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

    async def _command(
        self, inbound: Inbound, invocation: Invocation, item: int | None, kept: Message | None, once: str
    ) -> Outcome:
        """Run a command and store what it changes, together with its replies; or give what it does later. `once`: the shown
        choices that a change uses up."""
        async with self._command_lanes.ticket(inbound.session):
            context = CommandContext(
                snapshot=self._snapshots.take(inbound.session),
                sender=inbound.sender,
                sessions=self._sessions,
                checks=self._checks,
                busy=self._turns.busy(inbound.session),
                stop=self._turns.stopper(inbound.session),
                on_card=kept is not None,
                rows=inbound.rows,
                text=inbound.text if inbound.ingress is Ingress.BUTTON else "",
            )
            handler = BY_NAME[invocation.name].handler
            assert handler is not None, "a command without a handler is a turn"
            outcome = await handler(context, invocation.argument)
            return outcome if outcome.later is not None else await self._stored(inbound, outcome, item, kept, once)

    async def _stored(
        self, inbound: Inbound, outcome: Outcome, item: int | None, kept: Message | None, once: str
    ) -> Outcome:
        """The outcome as it is told, its change stored. A kept message that may not run yet stands below it on a card."""
        snapshot = self._snapshots.take(inbound.session)
        access, told, message = snapshot.rules.access, outcome.replies, None
        if kept is not None and not outcome.goes_on:
            owner, may_see = is_owner(inbound.sender, access), sees(inbound.sender, access)
            told, message = (card_again(told[0], snapshot, resolve(snapshot), may_see, owner),), kept
        screen = screen_for(self._redact, inbound, snapshot)
        replies = [await self._offers.offer(inbound, screen.reply(reply), message) for reply in told]
        if inbound.ingress is Ingress.BUTTON and replies:
            replies[0] = replace(replies[0], replaces=True)
        if outcome.change is not None:
            replies = [replace(reply, shared=True) for reply in replies]
            answered = Answered(item, tuple(reply_to_json(reply) for reply in replies), once)
            await self._save(inbound.session, outcome.change, answered)
        return replace(outcome, replies=tuple(replies))

    async def _save(self, key: SessionKey, change: Change, answered: Answered) -> None:
        if change.session is not None:
            await self._sessions.save_choice(change.session, change.decisions, answered)
            return
        session = self._snapshots.take(key).session
        record = TurnRecord(
            key=key,
            epoch=session.epoch,
            version=session.version,
            messages=(),
            session=session,
            decisions=change.decisions,
            answered=answered,
        )
        try:
            await self._sessions.finish_turn(record)
        except StorageError as error:
            # What it tells of has happened, and is told all the same.
            log.error("a decision in %s could not be stored: %s", key, error)

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
        return await self._offers.offer(inbound, reply)

    def _refusal(self, inbound: Inbound, action: Action, snapshot: Snapshot) -> list[Reply] | None:
        """None: go on. Otherwise what is answered, which may be nothing."""
        match decide(inbound, action, snapshot.rules.access):
            case Verdict.ALLOW:
                return None
            case Verdict.IGNORE:
                return []
        text = f"You are not authorised here. An owner can add {inbound.sender.key} to access.allow."
        return [Reply(kind=ReplyKind.ERROR, code="not_authorised", text=text, private=True)]

    def _aliases(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(snapshot.rules.catalog.aliases) if snapshot.rules.alias_commands else ()
