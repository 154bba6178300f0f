"""Who decides on the host. Whoever runs commands there can do anything; the name is for the record."""

import getpass
import os


def host_person() -> str:
    """`host:<user>`, as decisions name the actor."""
    try:
        return f"host:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, as in many containers
        return f"host:{os.getuid()}"
