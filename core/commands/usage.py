"""`/usage`: what the answers of this session have used, by model and credential."""

from core.commands.command import CommandContext, Outcome
from core.messages import Reply, ReplyKind
from core.sessions.spending import Total


async def usage(context: CommandContext, argument: str) -> Outcome:
    """Since the session exists; a new conversation does not begin it anew. Costs are those of the price list."""
    totals = await context.sessions.totals(context.snapshot.session.key)
    if not totals:
        return Outcome((Reply(kind=ReplyKind.NOTICE, text="Nothing has been used here yet.", private=True),))
    lines = [f"{total.model} with {total.profile}: {_words(total)}" for total in totals]
    if len(totals) > 1:
        lines.append(f"Together: {_words(_sum(totals))}")
    data = {"totals": [_view(total) for total in totals]}
    return Outcome((Reply(kind=ReplyKind.NOTICE, text="\n".join(lines), data=data, private=True),))


def _words(total: Total) -> str:
    answers = "1 answer" if total.answers == 1 else f"{total.answers} answers"
    tokens = f"{total.input_tokens:,} tokens in, {total.output_tokens:,} out"
    return f"{answers}, {tokens}{_price(total)}"


def _price(total: Total) -> str:
    if total.unpriced == total.answers:
        return ""
    unknown = f" (without {total.unpriced} whose price is not known)" if total.unpriced else ""
    return f", ${total.cost / 1_000_000:.4f}{unknown}"


def _sum(totals: tuple[Total, ...]) -> Total:
    return Total(
        model="",
        profile="",
        answers=sum(total.answers for total in totals),
        input_tokens=sum(total.input_tokens for total in totals),
        output_tokens=sum(total.output_tokens for total in totals),
        cost=sum(total.cost for total in totals),
        unpriced=sum(total.unpriced for total in totals),
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
