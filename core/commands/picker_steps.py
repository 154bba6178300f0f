"""The steps of the picker on a platform with buttons: home, providers, models, search, credentials, done.

Every step is made anew from what stands now; a press that leads to something that has gone says so and shows what there is.
Nothing is chosen here: that is `core.commands.pick`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from core.auth.provider_names import provider_id
from core.commands import picker_links as links
from core.commands.command import CommandContext, Outcome
from core.commands.picker_choices import Choices
from core.commands.picker_options import (
    CREDENTIAL,
    MODEL,
    PROVIDER,
    QUESTION,
    automatic_option,
    beside,
    credential_option,
    model_option,
    pager,
    provider_group,
    provider_option,
    who_serves,
)
from core.commands.picker_page import Group, Option, Page, around, page_reply, standing_rows
from core.errors import UserError, shown
from core.messages import Button, Reply, ReplyKind, Row, Tone
from core.models.ref import ModelRef
from core.resolution import words

T = TypeVar("T")
FALLBACK_ROWS = 8
"""Choices under a message where the platform has not said how many it shows."""
PROMPT = f"{QUESTION} Reply to this message with a part of its name."
_LONGEST_TEXT = 100
"""Characters of a search text that count."""


async def home(context: CommandContext, note: str = "", code: str | None = None) -> Outcome:
    """Where the session stands, models for one press, and the providers."""
    choices, rows = Choices(context), _rows(context)
    quick = [model_option(choices, ref, "home") for ref in await choices.quick(rows)]
    names = choices.providers()
    options, page, pages = paged(names, 1, rows)
    current = links.credentials(choices.current, back="home")
    more = (
        [Option(label=f"{page}/{pages} ▶", command=links.providers(2), press=links.providers(2))] if pages > 1 else []
    )
    shown_page = Page(
        title="Model and credential",
        rows=standing_rows(choices),
        groups=[
            Group(name=MODEL, title="Models", options=quick),
            Group(name=PROVIDER, title="Providers", options=[provider_option(choices, name) for name in options]),
        ],
        actions=[*more, Option(label="Credentials", command=current, press=current), *beside(choices)],
        note=note,
        code=code,
    )
    return _outcome(choices, shown_page)


def providers(context: CommandContext, page: int) -> Outcome:
    """All providers, paged."""
    choices = Choices(context)
    names, page, pages = paged(choices.providers(), page, _rows(context), "/model list")
    group = Group(name=PROVIDER, title="Providers", options=[provider_option(choices, name) for name in names])
    return _outcome(
        choices,
        Page(
            title=_titled("Providers", page, pages),
            rows=[_now(choices)],
            groups=[group],
            actions=[*pager(page, pages, links.providers), *beside(choices, links.home())],
            page=page,
            pages=pages,
        ),
    )


async def models(context: CommandContext, name: str, page: int) -> Outcome:
    """A provider's models, paged."""
    choices, provider = Choices(context), provider_id(name)
    if provider not in context.snapshot.rules.catalog.providers:
        return await home(context, f"No provider {shown(name)} can be chosen here.", "model_unknown")
    refs, page, pages = paged(choices.models(provider), page, _rows(context), f"/model list {provider}")
    entry = context.snapshot.rules.catalog.providers[provider]
    more = [Row("Others", f"any model can be written as /model {provider}/<model>")] if entry.is_open else []
    return _outcome(
        choices,
        Page(
            title=_titled(f"Models of {provider}", page, pages),
            rows=[_now(choices), *more],
            groups=[Group(name=MODEL, title="Models", options=[model_option(choices, ref) for ref in refs])],
            actions=[
                *pager(page, pages, partial(links.models, provider)),
                *beside(choices, _around_provider(choices, provider)),
            ],
            earlier=[_providers_around(choices, provider)],
            page=page,
            pages=pages,
        ),
    )


async def found(context: CommandContext, text: str, page: int) -> Outcome:
    """The models that fit a text, paged; without a text the sender is asked for one."""
    wanted = " ".join((text or context.text).split())[:_LONGEST_TEXT]
    if not wanted:
        back = Button(n=1, label="Back", command=links.find(1), press=links.home(), group="action")
        return Outcome((Reply(kind=ReplyKind.NOTICE, text=PROMPT, prompt=True, buttons=(back,)),))
    choices = Choices(context)
    fitting, nearest = choices.find(wanted)
    refs, page, pages = paged(fitting or nearest, page, _rows(context), f"/model list {wanted}")
    options = [model_option(choices, ref, links.find(page, wanted).removeprefix("/pick ")) for ref in refs]
    title = f"Models that fit {shown(wanted)}" if fitting else f"No model fits {shown(wanted)}"
    return _outcome(
        choices,
        Page(
            title=_titled(title, page, pages),
            rows=[_now(choices)],
            groups=[Group(name=MODEL, title="Models" if fitting else "The nearest", options=options)],
            actions=[
                *pager(page, pages, lambda to: links.find(to, wanted)),
                *beside(choices, links.home()),
            ],
            earlier=[provider_group(choices)],
            page=page,
            pages=pages,
            code=None if fitting else "model_unknown",
        ),
    )


async def credentials(
    context: CommandContext, ref: ModelRef | None, page: int, back: str, note: str = "", code: str | None = None
) -> Outcome:
    """Who serves a model: nobody in particular, or one of the credentials that the sender may pin. Page 0: the pinned one's."""
    choices = Choices(context)
    if ref is None or not choices.has(ref):
        return await home(context, *vanished(ref))
    room = _rows(context) - 1
    every = [credential_option(choices, ref, placed) for placed in choices.credentials(ref)]
    at = next((n for n, option in enumerate(every) if option.selected), 0)
    pages = max(1, -(-len(every) // room))
    page = min(page, pages) if page else at // room + 1
    options = [automatic_option(choices, ref), *every[(page - 1) * room : page * room]]
    return _outcome(
        choices,
        Page(
            title=_titled(f"Credential for {words.model_name(context.snapshot, ref)}", page, pages),
            rows=_credential_rows(choices, ref),
            groups=[Group(name=CREDENTIAL, title="Credentials", options=options)],
            actions=[
                *pager(page, pages, lambda to: links.credentials(ref, to, back)),
                *beside(choices, f"/pick {back}" if back else _around_model(choices, ref), on_credentials=True),
            ],
            earlier=[_providers_around(choices, ref.provider), _models_around(choices, ref)],
            page=page,
            pages=pages,
            note=note,
            code=code,
        ),
    )


def cancelled(context: CommandContext) -> Outcome:
    """The picker is put away."""
    choices = Choices(context)
    text = f"Nothing was changed. Still {_now(choices).text}."
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text),))


def vanished(ref: ModelRef | None) -> tuple[str, str]:
    """What is told of a model that was offered and is not any more, with its code."""
    return f"{ref or 'This model'} can no longer be chosen here. Nothing was changed.", "model_unknown"


def paged(options: Sequence[T], page: int, rows: int, command: str = "") -> tuple[Sequence[T], int, int]:
    """One page of a list, its number, and how many there are. Raises UserError usage for one that there is not."""
    pages = max(1, -(-len(options) // rows))
    if not 1 <= page <= pages:
        raise UserError("usage", f"There is no page {page}; pages go from 1 to {pages}.", f"Write {command} {pages}.")
    return options[(page - 1) * rows : page * rows], page, pages


def _outcome(choices: Choices, page: Page) -> Outcome:
    return Outcome((page_reply(choices, page),))


def _rows(context: CommandContext) -> int:
    return max(2, context.rows or FALLBACK_ROWS)


def _titled(title: str, page: int, pages: int) -> str:
    return f"{title} · page {page} of {pages}" if pages > 1 else title


def _now(choices: Choices) -> Row:
    """Where the session stands, in one line."""
    pinned = choices.resolution.pinned
    held = pinned.profile if pinned is not None and pinned.pin is not None else None
    return Row("Now", words.model_name(choices.snapshot, choices.current) + (f" with {held}, pinned" if held else ""))


def _credential_rows(choices: Choices, ref: ModelRef) -> list[Row]:
    if ref == choices.current:
        return standing_rows(choices)
    automatic = choices.automatic(ref)
    tone = Tone.GOOD if automatic.next.profile is not None else Tone.BAD
    return [_now(choices), Row("Automatic", who_serves(choices, automatic, ref), tone)]


def _providers_around(choices: Choices, provider: str) -> Group:
    group = provider_group(choices)
    return replace(group, options=[replace(o, selected=o.command == links.models(provider)) for o in group.options])


def _models_around(choices: Choices, ref: ModelRef) -> Group:
    """The models of the step before, the one whose credentials are shown among them."""
    refs = choices.models(ref.provider)
    at = refs.index(ref) if ref in refs else 0
    options = [model_option(choices, one) for one in around(refs, at)]
    return Group(
        name=MODEL, title="Models", options=[replace(o, selected=o.command == links.use(ref)) for o in options]
    )


def _around_provider(choices: Choices, provider: str) -> str:
    """The step that a provider was chosen on."""
    names, rows = choices.providers(), _rows(choices.context)
    is_first = len(names) <= rows or provider not in names
    return links.home() if is_first else links.providers(names.index(provider) // rows + 1)


def _around_model(choices: Choices, ref: ModelRef) -> str:
    """The step that a model was chosen on."""
    refs = choices.models(ref.provider)
    at = refs.index(ref) if ref in refs else 0
    return links.models(ref.provider, at // _rows(choices.context) + 1)
