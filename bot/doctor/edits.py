"""How repairs change the config and the stores: under the locks that the program itself takes, judged once more inside them, and
with what was there kept first."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import doctor_wiring as wiring
from bot.doctor.check import Keep
from bot.doctor.scene import Scene

if TYPE_CHECKING:
    from bot.config.edit import TreeChange

Document = dict[str, Any]


def edit_config(
    scene: Scene, change: "TreeChange", keep: Keep, still: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> None:
    """Change the config, all its comments kept. `still` raises where the config, as it is now, is not to be changed.

    Raises BotError, and then it is as it was.
    """
    from bot.config.edit import edited

    path = scene.paths.config

    def content(before: bytes) -> bytes:
        after = edited(before, change, scene.environment, str(path))
        if after != before:
            still(tomllib.loads(before.decode("utf-8-sig")))
            keep.file(path)
        return after

    wiring.edit_file(path, scene.clock, content)


def edit_store(
    scene: Scene,
    agent: str,
    change: Callable[[Document], Document],
    keep: Keep,
    still: Callable[[], None] = lambda: None,
) -> None:
    """Change an agent's store. What older files hold is taken over on the way, so they are kept too. `still` raises where nothing
    is to be changed any more. Raises StoreError."""
    with _keeping(scene, agent, keep, still):
        wiring.writer(scene.paths, agent, scene.clock).edit(change)


def import_older(scene: Scene, agent: str, keep: Keep) -> None:
    """Take over what older files hold for an agent's store. Raises StoreError."""
    with _keeping(scene, agent, keep, lambda: None):
        wiring.writer(scene.paths, agent, scene.clock).import_older()


def changed_with(scene: Scene, agent: str) -> tuple[Path, ...]:
    """An agent's store and the older files beside it, which a change of it may empty."""
    store, folder = scene.paths.auth_store(agent), scene.paths.agent(agent)
    return store, folder / "auth.json", folder / "auth-state.json"


@contextmanager
def _keeping(scene: Scene, agent: str, keep: Keep, still: Callable[[], None]) -> Iterator[None]:
    with wiring.lock_of(scene.paths.auth_store(agent), scene.clock)[1]():
        still()
        for path in changed_with(scene, agent):
            keep.file(path)
        yield


def plain(value: Any) -> Any:
    """A value of a TOML document without the ties that it has to its place."""
    return value.unwrap() if hasattr(value, "unwrap") else value
