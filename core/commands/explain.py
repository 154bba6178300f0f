"""What would serve, if: the resolver's answer for a session after a choice, or after a failure that is only assumed."""

from collections.abc import Sequence
from dataclasses import replace

from core.auth.health import after_failure
from core.commands.choose import choose
from core.commands.command import Asker
from core.commands.model_request import Form, parse_request
from core.commands.pin_lookup import find_profile
from core.commands.visibility import Reader
from core.errors import Failure, FailureReason, UserError
from core.messages import Sender
from core.models.ref import ModelRef
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import everyone

HOST = Sender("host", "operator")
"""Who asks on the host: may see everything, because who runs commands there can read the files."""
_OPERATOR = Reader(everyone, owner=True)


def explain(snapshot: Snapshot, selector: str, assumed: Sequence[tuple[str, FailureReason]]) -> Snapshot:
    """The snapshot as it would be. `selector` is what follows `/model`, empty for the session as it is; `assumed` are pairs of
    a profile and how its next request fails. Nothing is stored. Raises UserError as `/model` would."""
    access = snapshot.rules.access
    rules = replace(snapshot.rules, access=replace(access, owners=access.owners | {HOST.key}), locked=frozenset())
    snapshot = replace(snapshot, rules=rules)
    if selector.strip():
        request = parse_request(selector)
        if request.form is Form.NUMBER:
            request = replace(request, form=Form.SELECT)
        if request.form not in (Form.SELECT, Form.AUTO, Form.DEFAULT):
            raise UserError("usage", f"{selector!r} is not a model reference.", "Write <model>[@<profile>].")
        snapshot = replace(
            snapshot, session=choose(Asker(snapshot=snapshot, sender=HOST, reader=_OPERATOR), request).session
        )
    for profile, reason in assumed:
        snapshot = _assume(snapshot, profile, reason)
    return snapshot


def _assume(snapshot: Snapshot, name: str, reason: FailureReason) -> Snapshot:
    model: ModelRef = resolve(snapshot).selected.ref
    profile = snapshot.credentials.profiles.get(name)
    profile = profile or find_profile(Asker(snapshot=snapshot, sender=HOST, reader=_OPERATOR), name, model)
    health = after_failure(snapshot.health_of(profile), Failure(reason=reason), str(model), snapshot.now)
    return replace(snapshot, health={**snapshot.health, (health.profile, health.fingerprint): health})
