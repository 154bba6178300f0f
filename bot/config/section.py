"""What every table of the config is: values by name, with their types and defaults. A table declares them as a class does:
`name: type = default`, and what has no default must be there."""

import types
from collections.abc import Iterator, Set
from typing import Annotated, Any, Never, TypeGuard, Union, dataclass_transform, get_args, get_origin

_OTHERS = "_others"


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Section:
    """A table of the config. It never changes, and is equal to one of the same kind with the same values.

    Made by its constructor it is not checked; what stands in a file is read by `bot.config.reading`. A table that declares the
    mapping `_others` keeps there what stands under keys without a name of their own; any other table refuses them.
    """

    def __init__(self, **given: Any) -> None:
        declared = type(self).__annotations__
        values = {**vars(type(self)), **given}
        if not given.keys() <= declared.keys() <= values.keys():
            raise TypeError(f"{type(self).__name__} has {', '.join(declared)}, and not {', '.join(given)}")
        self.__dict__.update((name, values[name]) for name in declared)

    def _check(self, given: Set[str]) -> None:
        """What the values demand of each other; `given` are the keys that were there. Raises ValueError as any check does."""

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} does not change")

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self.__dict__.items())

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self)})"


def keys_of(section: type[Section]) -> dict[str, Any]:
    """The keys that a table may have by name, each with its type."""
    return {name: kind for name, kind in section.__annotations__.items() if name != _OTHERS}


def others_of(section: type[Section]) -> Any:
    """The type of the mapping that holds what has no name in a table; None where nothing else may stand."""
    return section.__annotations__.get(_OTHERS)


def inside(annotation: object, key: str | int) -> object:
    """The type of what stands under a key or at an index; None where the settings have nothing."""
    for kind in kinds_of(annotation):
        if is_section(kind):
            known = keys_of(kind)
            if str(key) in known:
                return known[str(key)]
            kind = others_of(kind)
        arguments = get_args(kind)
        if arguments:
            return arguments[0 if isinstance(key, int) else -1]
    return None


def kinds_of(annotation: object) -> tuple[object, ...]:
    """The types that a value may have, without Annotated and None."""
    if get_origin(annotation) is Annotated:
        return kinds_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(kind for part in get_args(annotation) for kind in kinds_of(part))
    return () if annotation in (None, types.NoneType) else (annotation,)


def is_section(kind: object) -> TypeGuard[type[Section]]:
    """Whether a type is that of a table."""
    return isinstance(kind, type) and issubclass(kind, Section)
