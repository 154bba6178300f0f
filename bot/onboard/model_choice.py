"""The default model: chosen from what a provider lists, or typed, and put into the draft."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.cli import prompts
from bot.cli.model_argument import NOWHERE
from bot.cli.models_edit import Setup
from bot.cli.models_set import planned
from bot.config.edit import TreeChange
from bot.config.edit_models import place_of
from bot.config.problems import dotted
from bot.onboard.draft import Check, Draft, Verdict
from bot.onboard.model_offer import ModelOffer
from bot.onboard.provider import first_model
from bot.onboard.questions import Back, ask_line
from bot.onboard.standing import answering_model, as_it_is
from bot.onboard.wish import Wish
from core.errors import UserError
from core.models.ref import ModelRef
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from core.models.listed import ListedModel

_OTHER, _BACK = "", " "
"""What no model is called."""


def refuse_model(draft: Draft, wish: Wish, provider: str) -> None:
    """Raises BotError where the flags name no model, or what cannot be one: before its provider is asked for anything."""
    _named(draft, wish, ModelOffer.of(draft.catalog, provider, ()))


def choose_model(draft: Draft, wish: Wish, provider: str, listed: "Sequence[ListedModel]") -> ModelRef:
    """The model that is to answer. It becomes the default, in the draft, unless nobody said so and there is one. `listed` is what
    the provider says that it serves. Raises BotError, and Back where somebody wants another credential."""
    offer, current = ModelOffer.of(draft.catalog, provider, listed), _current(draft)
    ref = _asked(draft, wish, offer) if wish.asks else _named(draft, wish, offer)
    is_said = wish.model is not None or wish.asks
    is_set = Setup(draft.settings, offer.catalog, draft.desk.agent).choice("model") is not None
    stays = current != NOWHERE and (not is_said or (ref == current and is_set))
    draft.model, draft.served = str(current if stays else ref), ref
    _check_list(draft, offer, ref)
    if stays:
        draft.plan("model", None)
    else:
        _plan(draft, ref)
    return ref


def _usual(draft: Draft, provider: str) -> str | None:
    current = _current(draft)
    return current.name if current.provider == provider else first_model(draft, provider)


def _named(draft: Draft, wish: Wish, offer: ModelOffer) -> ModelRef:
    text = wish.model or _usual(draft, offer.provider)
    if text is None:
        raise UserError("usage", f"No model of {offer.provider} is known.", "Name one: --model MODEL.")
    return offer.meant(text)


def _current(draft: Draft) -> ModelRef:
    """The model that answers now; NOWHERE if none does."""
    desk, snapshot = draft.desk, as_it_is(draft.desk)
    return snapshot.agent.default if snapshot is not None else Setup(desk.settings, draft.catalog, None).default


def _plan(draft: Draft, ref: ModelRef) -> None:
    from bot.models_catalog import configured_models

    agent, desk = _agent(draft), draft.desk

    def plan(settings: "Settings") -> TreeChange:
        catalog = configured_models(settings, desk.paths, desk.agent)
        return planned(Setup(settings, catalog, agent), "model", str(ref))[0]

    setup = Setup(draft.settings, draft.catalog, agent)
    done = planned(setup, "model", str(ref))[1]
    if done.widened is not None:
        draft.notes.append(f"{ref} is added to {done.widened}, which did not cover it.")
    if agent is None and Setup(setup.settings, setup.catalog, desk.agent).own("model") is not None:
        path = dotted((*place_of(desk.agent), "model"))
        draft.notes.append(
            f"{path} is set, so the agent {desk.agent} goes on with its own. "
            f"Change it with `remoteclaw models set --agent {desk.agent} {ref}`."
        )
    draft.plan("model", plan)


def _agent(draft: Draft) -> str | None:
    """The agent whose own model is to be set; None: that of all agents, as long as there is none, and for `main` without its
    own."""
    desk = draft.desk
    if not draft.is_agent_named or answering_model(desk) is None:
        return None
    has_own = desk.agent in desk.settings.agents.list and desk.settings.agents.list[desk.agent].model is not None
    return desk.agent if desk.agent != DEFAULT_AGENT or has_own else None


def _asked(draft: Draft, wish: Wish, offer: ModelOffer) -> ModelRef:
    """Raises Back."""
    if wish.model is not None:
        problem = offer.problem(wish.model)
        ref = _sure(offer, offer.meant(wish.model)) if problem is None else None
        if ref is not None:
            return ref
        if problem is not None:
            prompts.tell(problem)
    usual = _usual(draft, offer.provider)
    names = offer.names(usual)
    choices = [*((name, name) for name in names), *([(_OTHER, "another one, by its id")] if offer.is_open else [])]
    while True:
        if names:
            chosen = prompts.choose("Which model shall answer?", [*choices, (_BACK, "back to the credential")])
            if chosen == _BACK:
                raise Back
            if chosen != _OTHER:
                return ModelRef(offer.provider, chosen)
        try:
            text = ask_line("The model's id", usual or "", offer.problem)
        except Back:
            if names:
                continue
            raise
        ref = _sure(offer, offer.meant(text))
        if ref is not None:
            return ref


def _sure(offer: ModelOffer, ref: ModelRef) -> ModelRef | None:
    """What somebody says of a model that its provider does not list; None: another one."""
    if offer.is_listed(ref):
        return ref
    near = offer.near(ref)
    choices = [
        *([(near, f"I mean {near}")] if near is not None else []),
        (ref.name, f"{ref.name} all the same"),
        (_OTHER, "another one"),
    ]
    chosen = prompts.choose(f"{ref.provider} does not list {ref.name}. What now?", choices)
    return ModelRef(ref.provider, chosen) if chosen != _OTHER else None


def _check_list(draft: Draft, offer: ModelOffer, ref: ModelRef) -> None:
    """What the list says of the model that was chosen."""
    if not offer.listed:
        return
    if offer.is_listed(ref):
        draft.checks.append(Check("model", str(ref), Verdict.OK, f"{ref.provider} lists {ref.name}."))
        return
    near = offer.near(ref)
    told = f"{ref.provider} does not list {ref.name}."
    if near is not None:
        told += f" Did you mean {near}? Then: remoteclaw models set {ref.provider}/{near}"
    draft.checks.append(Check("model", str(ref), Verdict.UNKNOWN, told))
