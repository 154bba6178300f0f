"""How repairs change the config and the stores: under the locks that the program itself takes, with what was there kept first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bot import doctor_wiring as wiring
from bot.doctor.check import Keep
from bot.doctor.scene import Scene

if TYPE_CHECKING:
    from bot.config.edit import TreeChange

Document = dict[str, Any]


def edit_config(scene: Scene, change: "TreeChange", keep: Keep) -> None:
    """Change the config, all its comments kept. Raises BotError, and then it is as it was."""
    from bot.config.edit import edited

    path = scene.paths.config

    def content(before: bytes) -> bytes:
        after = edited(before, change, scene.environment, str(path))
        if after != before:
            keep.file(path)
        return after

    wiring.edit_file(path, scene.clock, content)


def edit_store(scene: Scene, agent: str, change: Callable[[Document], Document], keep: Keep) -> None:
    """Change an agent's store. What older files hold is taken over on the way, so they are kept too. Raises StoreError."""
    with _keeping(scene, agent, keep):
        wiring.writer(scene.paths, agent, scene.clock).edit(change)


def import_older(scene: Scene, agent: str, keep: Keep) -> None:
    """Take over what older files hold for an agent's store. Raises StoreError."""
    with _keeping(scene, agent, keep):
        wiring.writer(scene.paths, agent, scene.clock).import_older()


@contextmanager
def _keeping(scene: Scene, agent: str, keep: Keep) -> Iterator[None]:
    """The store's lock, with the store and the older files beside it kept."""
    store, folder = scene.paths.auth_store(agent), scene.paths.agent(agent)
    with wiring.lock_of(store, scene.clock)[1]():
        for path in (store, folder / "auth.json", folder / "auth-state.json"):
            keep.file(path)
        yield


def plain(value: Any) -> Any:
    """A value of a TOML document without the ties that it has to its place."""
    return value.unwrap() if hasattr(value, "unwrap") else value
