"""The id that a new credential is stored under."""

from bot.cli.models_auth_add import free_name
from bot.cli.models_auth_paste import refuse_foreign
from bot.onboard.draft import Draft
from bot.onboard.wish import Wish


def free_id(draft: Draft, wish: Wish, provider: str) -> str:
    """Where nobody can be asked, a stored one is replaced, as by `models auth paste-api-key`. Raises BotError for one of another
    provider."""
    name, desk = wish.profile or f"{provider}:manual", draft.desk
    if wish.asks:
        return free_name(desk, provider, name)
    refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), provider)
    return name
