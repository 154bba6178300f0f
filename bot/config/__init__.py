"""The settings of an installation: config.toml, checked as a whole, and what core makes of it."""

from bot.config.load import load_settings

__all__ = ["load_settings"]
