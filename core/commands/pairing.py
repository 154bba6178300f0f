"""`/pairing`, for owners: who asks to be let in, who is, and deciding it. To everybody else there is no such command."""

from collections.abc import Sequence

from core.commands.command import CommandContext, Outcome
from core.commands.visibility import is_owner
from core.errors import UserError, shown
from core.messages import Block, Button, Reply, ReplyKind, Row, Tone
from core.pairing import NO_CODES, Pairing, PairingRequest, put_out, request_view
from core.resolution.labels import shorten
from core.sessions.key import ONE_FOR_ALL, SessionKey

USAGE = "Write /pairing, /pairing approve <code>, /pairing deny <code> or /pairing revoke <platform:id>."
PER_PAGE = 8
"""People on one page, and requests with buttons: they fit under one message everywhere."""


async def pairing(context: CommandContext, argument: str) -> Outcome:
    """The list (of a page), or one decision. Every press comes here too, so it is asked again who presses."""
    if context.pairing is None or not is_owner(context.sender, context.snapshot.rules.access):
        raise UserError("not_authorised", "Only owners decide who is let in. Nothing was changed.")
    verb, _, named = " ".join(argument.split()).partition(" ")
    if verb in ("", "list") and (not named or _is_number(named)):
        if _is_shared(context.snapshot.session.key):
            raise UserError("usage", "Who asks to be let in is shown in private only.", "Write /pairing to me alone.")
        return Outcome((await _list(context, context.pairing, int(named[:6] or 1)),))
    if verb in ("approve", "deny", "revoke") and named and " " not in named:
        return Outcome((await _decide(context, context.pairing, verb, named),))
    raise UserError("usage", f"/pairing {shown(argument)} was not understood. Nothing was changed.", USAGE)


async def _decide(context: CommandContext, pairings: Pairing, verb: str, named: str) -> Reply:
    access, by = context.snapshot.rules.access, context.sender.key
    if verb == "approve":
        request = await pairings.approve(named, by, access)
        text = f"{request.title} is let in, in private chats. /pairing revoke {request.person} takes it back."
    elif verb == "deny":
        request = await pairings.deny(named, by, access)
        text = f"{request.title} is turned away. /pairing approve {request.person} lets them in after all."
    else:
        request = await pairings.revoke(named, by, access)
        text = put_out(request, access)
        if request.person not in access.owners:
            text += f" /pairing approve {request.person} lets them in again."
    return Reply(kind=ReplyKind.NOTICE, text=text, data={"request": request_view(request)})


async def _list(context: CommandContext, pairings: Pairing, page: int) -> Reply:
    rules = context.snapshot.rules
    waiting, approved = await pairings.waiting(rules.access), await pairings.approved()
    pages = max(1, -(-len(approved) // PER_PAGE))
    page = min(max(page, 1), pages)
    people = approved[(page - 1) * PER_PAGE : page * PER_PAGE]
    buttons = _numbered([
        *(("Approve", one.title, f"approve {one.code}", one.code) for one in waiting[:PER_PAGE]),
        *(("Deny", one.title, f"deny {one.code}", one.code) for one in waiting[:PER_PAGE]),
        *(("Revoke", one.title, f"revoke {one.person}", one.person) for one in people),
        *(("action", f"◀ {page - 1}/{pages}", f"list {page - 1}", "") for _ in range(page > 1)),
        *(("action", f"{page + 1}/{pages} ▶", f"list {page + 1}", "") for _ in range(page < pages)),
    ])  # fmt: skip
    blocks = (
        Block("Ask to be let in", tuple(Row(one.title, _asks(one), Tone.WAITING) for one in waiting)),
        Block(_people_title(page, pages), tuple(Row(one.title, _since(one), Tone.GOOD) for one in people)),
    )
    data = {"waiting": [request_view(one) for one in waiting], "paired": [request_view(one) for one in approved]}
    return Reply(
        kind=ReplyKind.NOTICE,
        text=_as_text(blocks, buttons, NO_CODES if rules.dm_scope == ONE_FOR_ALL else ""),
        data=data,
        buttons=buttons,
        blocks=tuple(block for block in blocks if block.rows),
    )


def _as_text(blocks: Sequence[Block], buttons: Sequence[Button], warning: str) -> str:
    lines = [warning, ""] if warning else []
    for block in blocks:
        facts = [f"  {row.head}: {row.text}" for row in block.rows]
        lines += [f"{block.title}:", *(facts or ["  nobody"]), ""]
    if buttons:
        lines += [*(f"  {one.n}. {one.label}" for one in buttons), "Choose with /model <number>.", ""]
    return "\n".join([*lines, USAGE])


def _numbered(choices: Sequence[tuple[str, str, str, str]]) -> tuple[Button, ...]:
    """Buttons of (group, label, what follows /pairing, detail). A label says what it does: several kinds stand together."""
    return tuple(
        Button(
            n=n,
            label=label if group == "action" else shorten(f"{group} {label}"),
            command=f"/pairing {command}",
            group=group,
            detail=detail,
        )
        for n, (group, label, command, detail) in enumerate(choices, 1)
    )


def _asks(request: PairingRequest) -> str:
    return f"code {request.code}, asked {request.asked_at:%H:%M}, until {request.expires_at:%H:%M} UTC"


def _since(request: PairingRequest) -> str:
    return f"let in by {request.decided_by}, {request.decided_at:%d %b %Y}"


def _is_shared(key: SessionKey) -> bool:
    return ":group:" in key.chat or ":channel:" in key.chat


def _people_title(page: int, pages: int) -> str:
    return "Paired" if pages == 1 else f"Paired (page {page} of {pages})"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
