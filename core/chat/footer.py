"""The small line under an answer: who gave it, and what it has used."""

from dataclasses import replace

from core.chat.completion import Usage
from core.messages import Reply, ReplyKind
from core.resolution.resolver import Candidate
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees
from core.screening import HIDDEN
from core.sessions.session import Footer
from core.sessions.spending import Spent


def with_footer(reply: Reply, line: str) -> Reply:
    """The answer with its footer, also in its data. A footer belongs to an answer only."""
    if not line or reply.kind is not ReplyKind.TEXT:
        return reply
    return replace(reply, data={**reply.data, "footer": line}, footer=line)


def footer_line(form: Footer, snapshot: Snapshot, candidate: Candidate, spent: Spent, sees: Sees) -> str:
    """`opus · anthropic:work · 1,234 in · 56 out · $0.0123`, or the tokens alone, or nothing. What is not known is left out.
    `sees`: which profiles everybody who reads it may see."""
    if form is Footer.OFF:
        return ""
    usage = Usage(spent.input_tokens, spent.output_tokens, spent.cache_read_tokens, spent.cache_write_tokens)
    parts = [] if usage == Usage() else [f"{spent.input_tokens:,} in", f"{spent.output_tokens:,} out"]
    if form is Footer.FULL:
        alias = next(iter(snapshot.rules.catalog.aliases_of(candidate.model)), str(candidate.model))
        profile = candidate.profile.id if sees(candidate.profile) else HIDDEN
        cost = [f"${spent.cost / 1_000_000:.4f}"] if spent.cost is not None and parts else []
        parts = [alias, profile, *parts, *cost]
    return " · ".join(parts)
