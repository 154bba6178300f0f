"""Sessions whose pinned profile is not there, or whose rows make no sense.

They are named and left alone. A pin is a promise: its chat is told with the next message, offers what there is, and only a
person there decides (product.md 5.2).
"""

from collections.abc import Iterator

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.documents import is_known, is_of_surroundings
from bot.doctor.scene import Scene
from bot.doctor.steps import named, typed
from core.errors import StorageError

_MOST = 20


def checks(scene: Scene) -> Iterator[Check]:
    """Of the agents that are looked at. A database that cannot be asked is told by its own checks."""
    path = scene.database
    if path is None or not path.is_file():
        return
    look = wiring.examination(path)
    try:
        pins, senseless = look.pins(scene.now), look.senseless_sessions()
    except StorageError:
        return
    for session in senseless[:_MOST]:
        told = f"What is stored of the session {named(session)} makes no sense, so its chat is not answered."
        yield error("session.senseless", session, told, "Restore a backup of the database.")
    known = [pin for pin in pins if pin.agent in scene.agents]
    missing = [pin for pin in known if not is_known(pin.profile, pin.agent, scene)]
    for pin in missing[:_MOST]:
        yield _missing(pin.session, pin.profile, scene)
    if len(missing) > _MOST:
        yield warning(
            "session.pin",
            path,
            f"{len(missing) - _MOST} more sessions are pinned to profiles that are not there.",
            "See them: remoteclaw sessions list",
        )
    if not missing and not senseless:
        told = (
            f"{len(known)} session(s) are pinned, all of them to profiles that are there."
            if known
            else "No session is pinned."
        )
        yield ok("sessions", path, told)


def _missing(session: str, profile: str, scene: Scene) -> Check:
    """A key of the environment may be missing here alone: where nobody knows what the gateway sees, its pin is as good as ever."""
    pinned = f"The session {named(session)} is pinned to {named(profile)}, which"
    if is_of_surroundings(profile) and not scene.sees_gateway:
        return note("session.pin", session, f"{pinned} is not set here.", "Set it, also where the service reads it.")
    release = typed("(here: remoteclaw sessions clear --choice {key})", "", key=session)
    step = f"Store that credential again, or in the chat: /model auto {release}".rstrip()
    return warning("session.pin", session, f"{pinned} is not there: it is not answered as it is.", step)
