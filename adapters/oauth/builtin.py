"""The logins of well-known providers, as data from builtin.toml. `models status` asks it, so it needs nothing else."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@cache
def builtin_logins() -> Mapping[str, Mapping[str, Any]]:
    """By provider id: keys as the config has them in `auth.oauth.<provider>`, and the variables
    `client_id_env` and `client_secret_env`."""
    table = tomllib.loads(Path(__file__).with_name("builtin.toml").read_text("utf-8"))
    return MappingProxyType({name: MappingProxyType(entry) for name, entry in table.items()})
