"""Putting a credential back into service from the host: what keeps it out, what to ask its provider, and what an answer ends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.checking import ProviderCheck, Said
from bot.cli.model_argument import model_meant
from core.auth.eligibility import Eligibility, judge, serves
from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider, provider_id
from core.clock import Clock
from core.commands.checks import PATIENCE
from core.errors import BotError
from core.models.catalog import ProviderEntry
from core.models.ref import ModelRef
from core.resolution.outage import Hold, needs_answer, recorded
from core.resolution.probe import probe_models
from core.resolution.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """What is to be put back. `model` None: whatever keeps the credential out, for whichever model."""

    snapshot: Snapshot
    profile: AuthProfile
    model: ModelRef | None

    @property
    def scope(self) -> str:
        """The model as windows name it; empty for all."""
        return str(self.model) if self.model is not None else ""

    @property
    def out(self) -> tuple[Hold, ...]:
        """The windows that keep it out now."""
        return open_holds(self.snapshot, self.profile, self.scope)

    def ended_by(self, accepted: Iterable[ModelRef]) -> tuple[Hold, ...]:
        """What is over when the provider accepts the credential with these models. Together with what has ended before, so that
        the ladders start anew."""
        found = [hold for model in accepted for hold in recorded(self.snapshot, self.profile, str(model))]
        if all(hold in found for hold in self.out):
            found += recorded(self.snapshot, self.profile, self.scope)
        return tuple(found)

    @property
    def everything(self) -> tuple[Hold, ...]:
        """What is over by a person's word alone."""
        return recorded(self.snapshot, self.profile, self.scope)


def open_holds(snapshot: Snapshot, profile: AuthProfile, scope: str) -> tuple[Hold, ...]:
    """The windows that keep a credential out at the snapshot's moment."""
    return tuple(hold for hold in recorded(snapshot, profile, scope) if hold.window.is_open(snapshot.now))


def clearing(snapshot: Snapshot, name: str, model: str | None) -> Clearing:
    """`name` is the id of a profile, `model` an alias, a model id or what a window names. Raises BotError for what there is not."""
    profile = snapshot.credentials.profiles.get(name)
    if profile is None:
        out = ", ".join(sorted(snapshot.open_windows()))
        agent = snapshot.session.key.agent
        hint = f"Out are: {out}." if out else "None is out now."
        raise BotError("profile_missing", f'The agent {agent} has no auth profile "{name}".', hint)
    return Clearing(snapshot=snapshot, profile=profile, model=_model(snapshot, profile, model) if model else None)


def _model(snapshot: Snapshot, profile: AuthProfile, text: str) -> ModelRef:
    """A model that is configured no more can still have a window."""
    named = (hold.window.model for hold in recorded(snapshot, profile) if hold.window.model)
    known = next((ModelRef.parse(model) for model in named if model == text.strip()), None)
    model = known or model_meant(text, snapshot.rules.catalog, snapshot.agent.default)
    if not serves(profile, model.provider):
        raise BotError("provider_mismatch", f'Auth profile "{profile.id}" is for {profile.provider}, not {model}.')
    return model


def models_to_ask(wanted: Clearing, providers: Mapping[str, ProviderEntry]) -> tuple[ModelRef, ...]:
    """With which models the provider is asked: that of each window that is bound to one, else any that it has here.

    Raises BotError where nothing can be asked.
    """
    bound = [ModelRef.parse(hold.window.model) for hold in wanted.out if hold.window.model]
    models = [wanted.model] if wanted.model is not None else list(dict.fromkeys(bound)) or _any_model(wanted)
    for model in models:
        verdict = judge(wanted.profile, model.provider, wanted.snapshot.now)
        if verdict is not Eligibility.OK:
            raise BotError(
                "not_askable", f"{wanted.profile.id} cannot be asked with: {verdict}.", "Mend that, or add --no-probe."
            )
    if not models or any(model.provider not in providers for model in models):
        raise BotError(
            "not_askable",
            f"No model is configured here that {wanted.profile.id} could be asked for.",
            "Configure its provider, or add --no-probe.",
        )
    return tuple(models)


def _any_model(wanted: Clearing) -> list[ModelRef]:
    snapshot, profile = wanted.snapshot, wanted.profile
    names = [snapshot.agent.default.provider, provider_id(profile.provider), *snapshot.rules.catalog.providers]
    fitting = [name for name in names if credential_provider(name) == credential_provider(profile.provider)]
    return [model for name in fitting for model in probe_models(snapshot, name)][:1]


async def ask_lists(
    check: ProviderCheck,
    clock: Clock,
    wanted: Clearing,
    models: Iterable[ModelRef],
    providers: Mapping[str, ProviderEntry],
) -> list[Said]:
    """Ask for the list of models, on behalf of each model. No tokens are spent."""
    said = []
    for model in models:
        windows = (h.window for h in open_holds(wanted.snapshot, wanted.profile, str(model)))
        said.append(
            await check.by_list(
                wanted.profile,
                providers[model.provider],
                model,
                clock.now() + PATIENCE,
                by_answer=needs_answer(windows),
            )
        )
    return said


async def ask_answers(
    check: ProviderCheck, clock: Clock, wanted: Clearing, said: Iterable[Said], providers: Mapping[str, ProviderEntry]
) -> list[Said]:
    """Ask for a completion where the list was no proof."""
    found = []
    for one in said:
        if is_open(one):
            provider = providers[one.model.provider]
            one = await check.by_answer(wanted.profile, provider, one.model, clock.now() + PATIENCE)
        found.append(one)
    return found


def is_open(said: Said) -> bool:
    """Whether the question has no answer yet."""
    return not said.accepted and said.failure is None
