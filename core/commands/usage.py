"""`/usage`: what the answers of this session have used, by model and credential; and what stands under its answers."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from core.auth.profiles import AuthProfile
from core.commands.command import Change, CommandContext, Outcome
from core.commands.visibility import is_owner
from core.errors import UserError, shown
from core.messages import Block, Reply, ReplyKind, Row
from core.screening import HIDDEN
from core.sessions.session import Decision, Footer
from core.sessions.spending import Total

_HINT = "Write /usage off, /usage tokens or /usage full; /usage alone shows what was used."
_UNDER = {
    Footer.OFF: "Nothing stands under answers here.",
    Footer.TOKENS: "The tokens stand under answers here.",
    Footer.FULL: "Model, credential, tokens and cost stand under answers here.",
}


async def usage(context: CommandContext, argument: str) -> Outcome:
    """Without an argument the totals since the session exists; a new conversation does not begin them anew. Costs are those of
    the price list."""
    word = argument.strip().lower()
    if word in set(Footer):
        return _set_footer(context, Footer(word))
    if word == "all":
        return await _everywhere(context)
    if word:
        raise UserError("usage", f"{shown(argument.strip())} is nothing that /usage knows. Nothing was changed.", _HINT)
    totals = _seen(context, await context.sessions.totals(context.snapshot.session.key))
    footer = context.snapshot.footer
    text, blocks = "Nothing has been used here yet.", tuple[Block, ...]()
    if totals:
        text, blocks = _listed((("", _named(totals, lambda total: f"{total.model} with {total.profile}")),))
    return _told(f"{text}\n{_UNDER[footer]}" if footer is not Footer.OFF else text, totals, footer, blocks)


def _set_footer(context: CommandContext, footer: Footer) -> Outcome:
    before = context.snapshot.session
    text = _UNDER[footer]
    if context.busy:
        text += " It holds from the next answer."
    decision = Decision(
        at=context.snapshot.now,
        actor=context.sender.key,
        action="footer",
        before=context.snapshot.footer.value,
        after=footer.value,
        reason=f"/usage {footer}",
    )
    reply = Reply(kind=ReplyKind.NOTICE, text=text, data={"footer": footer.value})
    return Outcome((reply,), Change(replace(before, footer=footer), (decision,)))


async def _everywhere(context: CommandContext) -> Outcome:
    """All chats together, for who answers for the money."""
    if not is_owner(context.sender, context.snapshot.rules.access):
        raise UserError("not_authorised", "What all chats have used is for owners.", "/usage shows this chat.")
    totals = _seen(context, await context.sessions.all_totals())
    if not totals:
        return _told("Nothing has been used yet.", totals, None, ())
    text, blocks = _listed((
        ("By credential", _named(totals, lambda total: total.profile)),
        ("By model", _named(totals, lambda total: total.model)),
    ))  # fmt: skip
    return _told(text, totals, None, blocks)


def _seen(context: CommandContext, totals: Iterable[Total]) -> tuple[Total, ...]:
    """Credentials that may not be named here become one."""
    may_see = context.reader.sees
    known: Callable[[str], AuthProfile | None] = context.snapshot.credentials.profiles.get
    plain = (
        replace(total, profile=HIDDEN) if (profile := known(total.profile)) and not may_see(profile) else total
        for total in totals
    )
    groups: dict[tuple[str, str], Total] = {}
    for total in plain:
        name = total.model, total.profile
        groups[name] = total if name not in groups else _sum((groups[name], total), *name)
    return tuple(groups.values())


def _named(totals: Iterable[Total], name: Callable[[Total], str]) -> dict[str, Total]:
    """Added up by name, in their order."""
    found: dict[str, Total] = {}
    for total in totals:
        known = found.get(name(total))
        found[name(total)] = total if known is None else _sum((known, total))
    return found


def _listed(groups: tuple[tuple[str, dict[str, Total]], ...]) -> tuple[str, tuple[Block, ...]]:
    """The groups as lines and as blocks, with what all of it comes to."""
    lines, blocks = list[str](), list[Block]()
    for title, named in groups:
        lines += [f"{title}:"] if title else []
        lines += [f"{name}: {_words(total)}" for name, total in named.items()]
        blocks.append(Block(title or "Used here", tuple(Row(name, _words(total)) for name, total in named.items())))
    first = groups[0][1]
    if len(first) > 1:
        together = _words(_sum(first.values()))
        lines.append(f"Together: {together}")
        blocks.append(Block("", (Row("Together", together),)))
    return "\n".join(lines), tuple(blocks)


def _told(text: str, totals: tuple[Total, ...], footer: Footer | None, blocks: tuple[Block, ...]) -> Outcome:
    data: dict[str, object] = {"totals": [_view(total) for total in totals]}
    if footer is not None:
        data["footer"] = footer.value
        blocks = (
            (*blocks, Block("", (Row("Footer", _UNDER[footer]),))) if blocks and footer is not Footer.OFF else blocks
        )
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text, data=data, blocks=blocks, private=True),))


def _words(total: Total) -> str:
    answers = "1 answer" if total.answers == 1 else f"{total.answers} answers"
    tokens = f"{total.input_tokens:,} tokens in, {total.output_tokens:,} out"
    return f"{answers}, {tokens}{_price(total)}"


def _price(total: Total) -> str:
    if total.unpriced == total.answers:
        return ""
    unknown = f" (without {total.unpriced} whose price is not known)" if total.unpriced else ""
    return f", ${total.cost / 1_000_000:.4f}{unknown}"


def _sum(totals: Iterable[Total], model: str = "", profile: str = "") -> Total:
    added = tuple(totals)
    return Total(
        model=model,
        profile=profile,
        answers=sum(total.answers for total in added),
        input_tokens=sum(total.input_tokens for total in added),
        output_tokens=sum(total.output_tokens for total in added),
        cost=sum(total.cost for total in added),
        unpriced=sum(total.unpriced for total in added),
    )


def _view(total: Total) -> dict[str, object]:
    return {
        "model": total.model,
        "profile": total.profile,
        "answers": total.answers,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost_usd": total.cost / 1_000_000,
        "unpriced": total.unpriced,
    }
