"""The one door: Inbound in, events out; and the error boundary. What is refused, stored or answered is decided below it.

Order of things: access; then what holds a secret goes no further; then a command, a press, a number, an inline `/model`, a
correction of something said before, or a turn. Commands of a session run one after the other and do not wait for a turn; turns
wait for one another.
"""

import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from core.access import Action, Verdict, admitting_roles, decide
from core.announcements import Announcer
from core.blotting import secret_refusal
from core.chat.lanes import Ticket
from core.chat.names import source_of
from core.chat.ports import TurnGuard
from core.chat.turn import Turns
from core.clock import Clock
from core.command_work import Asked, CommandWork, Said
from core.commands.checks import Checks
from core.commands.errors_told import error_reply
from core.commands.model_request import RESERVED
from core.commands.new import split_new
from core.commands.parse import Invocation, parse, parse_inline
from core.commands.presses import find_number, find_press, find_prompt
from core.commands.registry import BY_NAME
from core.commands.suggestions import suggestions
from core.commands.visibility import is_owner, reader, sees
from core.corrections import Corrections
from core.errors import BotError, LostRace, StorageError, Suggestion, UserError
from core.messages import Event, Inbound, Ingress, Reply, ReplyKind, Working
from core.offers import Offers
from core.pairing import Pairing
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.screening import Screen
from core.sessions.key import SessionKey
from core.sessions.ports import SessionStore, ShownStore
from core.turn_work import TurnWork, Work, error_screen

log = logging.getLogger(__name__)

_CORRECTIONS = (Ingress.EDIT, Ingress.DELETION)


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
        pairing: Pairing,
        announcer: Announcer,
    ) -> None:
        self._snapshots = snapshots
        self._sessions = sessions
        self._shown = shown
        self._clock = clock
        self._redact = redact
        self._pairing = pairing
        self._announcer = announcer
        self._offers = Offers(shown, snapshots, clock)
        self._turns = TurnWork(snapshots, sessions, turns, self._offers, redact, guard)
        self._commands = CommandWork(snapshots, sessions, shown, self._offers, self._turns, checks, pairing, redact)
        self._corrections = Corrections(sessions, shown, self._offers, self._turns)

    async def handle(
        self, inbound: Inbound, item: int | None = None, begun: bool = False
    ) -> AsyncGenerator[Event, None]:
        """Answer one inbound. Never raises for anything that a sender, a provider or a file can cause. `begun`: the command in it
        is done and was answered; what is left is the message that came with it."""
        try:
            async with aclosing(self._answer(inbound, item, begun)) as events:
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
        totals = await self._sessions.totals(inbound.session)
        return suggestions(snapshot, sees(inbound.sender, snapshot.rules.access), inbound.text, totals)

    def may_command(self, inbound: Inbound) -> bool:
        """Whether a command of this sender is answered there. For platforms that must say at once who sees the answer."""
        return decide(inbound, Action.COMMAND, self._snapshots.take(inbound.session).rules.access) is Verdict.ALLOW

    def waits(self, inbound: Inbound) -> bool:
        """Whether this waits for the turn before it: a message, or the correction of one that is not answered yet. Commands and
        presses do not."""
        if inbound.ingress in _CORRECTIONS:
            return self._corrections.waits(inbound)
        invocation, mistake = self._parse(inbound, self._snapshots.take(inbound.session))
        return inbound.ingress is Ingress.MESSAGE and invocation is None and mistake is None

    def _may_chat(self, inbound: Inbound, snapshot: Snapshot) -> bool:
        return decide(inbound, Action.CHAT, snapshot.rules.access) is Verdict.ALLOW

    def busy(self, key: SessionKey) -> bool:
        """Whether a turn of this session is running."""
        return self._turns.busy(key)

    async def _answer(self, inbound: Inbound, item: int | None, begun: bool) -> AsyncGenerator[Event, None]:
        snapshot = self._snapshots.take(inbound.session)
        invocation, mistake = self._parse(inbound, snapshot)
        command = invocation is not None or mistake is not None
        match decide(inbound, Action.COMMAND if command else Action.CHAT, snapshot.rules.access):
            case Verdict.REFUSE:
                yield _refusal(inbound, snapshot)
                return
            case Verdict.IGNORE if inbound.has_secret and self._may_chat(inbound, snapshot):
                yield secret_refusal(snapshot, inbound)  # also where the command that holds it is nobody's business
                return
            case Verdict.IGNORE:
                async for reply in self._to_stranger(inbound, snapshot, item):
                    yield reply
                return
        if inbound.has_secret:
            yield secret_refusal(snapshot, inbound)
            return
        if mistake is not None:
            raise mistake
        # The place among the turns is taken now, before anything is waited for: a turn comes when its message came.
        is_message = inbound.ingress is Ingress.MESSAGE and invocation is None
        ticket = self._turns.ticket(inbound.session, source_of(inbound.sender, inbound.message) if is_message else "")
        try:
            async with aclosing(self._allowed(inbound, item, snapshot, invocation, ticket, begun)) as events:
                async for event in events:
                    yield event
        finally:
            ticket.give_back()

    async def _to_stranger(self, inbound: Inbound, snapshot: Snapshot, item: int | None) -> AsyncGenerator[Event, None]:
        """What somebody is told who may not be here: nothing, or how to be let in."""
        try:
            reply = await self._pairing.greet(inbound, snapshot.rules.access, item)
        except StorageError as error:
            log.error("a request to be let in could not be stored: %s", error)
            return
        if reply is not None:
            yield reply

    async def _allowed(
        self,
        inbound: Inbound,
        item: int | None,
        snapshot: Snapshot,
        invocation: Invocation | None,
        ticket: Ticket,
        begun: bool,
    ) -> AsyncGenerator[Event, None]:
        """What somebody says who may be here."""
        if inbound.ingress is not Ingress.DELETION:  # it may come from where nothing was ever said to us
            await self._announcer.heard(inbound, admitting_roles(inbound, snapshot.rules.access))
        if inbound.ingress in _CORRECTIONS:
            ticket.give_back()
            if self._corrections.waits(inbound) or inbound.files is not None:
                yield Working()  # the lane of the chat goes on
            for reply in await self._corrections.apply(inbound, snapshot, item):
                yield reply
            return
        asked = await self._asked(inbound, item, snapshot, invocation)
        has_question = asked.has_question(inbound)
        is_turn = has_question or asked.wish is not None
        if not is_turn:
            ticket.give_back()
        if asked.command is not None and not begun:
            said = Said()
            async with aclosing(self._commands.run(inbound, asked, item, said)) as events:
                async for event in events:
                    yield event
            if not said.on:
                return
        if is_turn:
            work = Work(
                replace(inbound, text=asked.text or ""), has_question, asked.kept, asked.insists, asked.wish, item
            )
            async with aclosing(self._turns.run(work, ticket)) as events:
                async for event in events:
                    yield event

    async def _asked(
        self, inbound: Inbound, item: int | None, snapshot: Snapshot, invocation: Invocation | None
    ) -> Asked:
        """A press, a number or the answer to a question stand for what was shown; a command may bring a message along, and a
        message a `/model`."""
        now, found = self._clock.now(), None
        if inbound.ingress is Ingress.BUTTON:
            found = await find_press(self._shown, snapshot, inbound, now)
            if (
                found.command is not None
                and decide(inbound, Action.COMMAND, snapshot.rules.access) is not Verdict.ALLOW
            ):
                raise UserError("not_authorised", *_not_authorised(inbound, snapshot))
        elif invocation is not None:
            found = await find_number(self._shown, snapshot, inbound.sender, invocation, now)
        else:
            may_choose = decide(inbound, Action.COMMAND, snapshot.rules.access) is Verdict.ALLOW
            found = await find_prompt(self._shown, snapshot, inbound, now, may_choose)
        asked = Asked(invocation) if found is None else await self._commands.pressed(found, inbound, item)
        if found is None and invocation is None:
            inline, text = self._inline(inbound, snapshot)
            return Asked(inline, text)
        if found is None and invocation is not None and invocation.name == "new":
            reference, text = split_new(snapshot, inbound.sender, invocation.argument)
            return Asked(Invocation("new", reference), text or None)
        if asked.command is not None and BY_NAME[asked.command.name].handler is None:
            return replace(asked, command=None, wish=asked.command.argument)
        return asked

    def _parse(self, inbound: Inbound, snapshot: Snapshot) -> tuple[Invocation | None, UserError | None]:
        """The command that was typed, or what is wrong with it."""
        if inbound.ingress not in (Ingress.MESSAGE, Ingress.COMMAND):
            return None, None
        try:
            owner = is_owner(inbound.sender, snapshot.rules.access)
            return parse(inbound.text, self._aliases(snapshot), owner), None
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

    async def _told(self, inbound: Inbound, error: BotError) -> Reply:
        """An error as a reply, its choices included where they can be remembered."""
        if isinstance(error, StorageError) and not isinstance(error, LostRace):
            # Which file and why concerns the operator; the sender learns that nothing happened.
            log.error("%s", error)
            error = BotError(error.code, "The database cannot be used now. Nothing was changed.", "Tell an owner.")
        reply = self._screen(inbound).reply(error_reply(error))
        if inbound.ingress is Ingress.BUTTON:
            reply = replace(reply, private=True)  # what is wrong with a press concerns who pressed
        return await self._offers.offer(inbound, reply)

    def _screen(self, inbound: Inbound) -> Screen:
        try:
            snapshot = self._snapshots.take(inbound.session)
            readers = reader(inbound, snapshot.rules.access)
            return error_screen(self._redact, inbound.sender, readers, snapshot)
        except BotError:  # what is known now names no profile
            return Screen(self._redact)

    def _aliases(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(snapshot.rules.catalog.aliases) if snapshot.rules.alias_commands else ()


def _not_authorised(inbound: Inbound, snapshot: Snapshot) -> tuple[str, str]:
    """The sentence and the next step."""
    step = f"An owner can add {inbound.sender.key} to access.allow."
    if inbound.place.direct and snapshot.rules.access.pairing:
        step = "Write me a message, and I give you a code with which an owner can let you in."
    return "You are not authorised here.", step


def _refusal(inbound: Inbound, snapshot: Snapshot) -> Reply:
    text = " ".join(_not_authorised(inbound, snapshot))
    return Reply(kind=ReplyKind.ERROR, code="not_authorised", text=text, private=True)
