"""Sessions whose pinned profile is not there, or whose rows make no sense.

They are named and left alone. A pin is a promise: its chat is told with the next message, offers what there is, and only a
person there decides (product.md 5.2).
"""

from collections.abc import Iterator

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, error, ok, warning
from bot.doctor.documents import is_known
from bot.doctor.scene import Scene
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
        told = f"What is stored of the session {session} makes no sense, so its chat is not answered."
        yield error("session.senseless", session, told, "Restore a backup of the database.")
    known = [pin for pin in pins if pin.agent in scene.agents]
    missing = [pin for pin in known if not is_known(pin.profile, pin.agent, scene)]
    for pin in missing[:_MOST]:
        told = f"The session {pin.session} is pinned to {pin.profile}, which is not there: it is not answered as it is."
        step = f"Store that credential again, or in the chat: /model auto (here: remoteclaw sessions clear --choice {pin.session})"
        yield warning("session.pin", pin.session, told, step)
    if len(missing) > _MOST:
        yield warning(
            "session.pin", path, f"{len(missing) - _MOST} more sessions are pinned to profiles that are not there."
        )
    if not missing and not senseless:
        told = (
            f"{len(known)} session(s) are pinned, all of them to profiles that are there."
            if known
            else "No session is pinned."
        )
        yield ok("sessions", path, told)
