"""Random installations: hundreds of models and dozens of credentials, called whatever somebody may call them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from core.auth.profiles import AuthProfile, CredentialKind
from core.errors import Suggestion
from core.messages import Button, Inbound, Ingress, Reply
from tests.world import World, profile, provider, rules

_NAMES = (
    *(
        "small",
        "gpt-4.1-mini@20250414",
        "@cf/meta/llama-3.1",
        "gemma:q8_0",
        "with blanks in it",
        "UPPER",
        "a/b/c",
        "x" * 240,
    ),
    *(
        "👩‍👩‍👧",
        "漢字",
        "אבג",
        "مرحبا",
        "e\u0301\u0323",
        "ﷺ" * 40,
        "\U0001d54f" * 90,
        "🏳️‍🌈" * 30,
        '"quoted"',
        "back\\slash",
    ),
    *("**bold**", "`code`", "```", "@everyone", "<@1>", "<b>", "[x](https://x.example)", "# head", "||x||", "a_b_c"),
    *("%s{0}", "1", "auto", "sk-looks-like-a-key", "tab\tin it", "line\nbreak", "\u202edlrow", "zero\u200bwidth"),
    *("status", "list", "default", "a@b.example"),
)
TYPED = ("", "a", "acme/", "al1", "@", "al0@", "status", "漢", '"', "x" * 99, "zzz")
_LABELS = (
    *(
        None,
        None,
        "Work",
        "日本の仕事用アカウント",
        "l" * 500,
        "**Team** [x](https://x.example)",
        "two\nlines",
        "\u202eevil",
        "@here",
    ),
)
_FIRST = (
    *(
        "/model",
        "/model list",
        "/models acme",
        "/models zeta 2",
        "/model status",
        "/status",
        "/model why",
        "/usage",
        "/help",
    ),
)


@dataclass(frozen=True)
class Script:
    """An installation and what its owner does there: a command, then presses (any number stands for one of the buttons)."""

    models: int
    profiles: int
    odd: int
    rows: int
    command: str
    presses: tuple[int, ...]

    def world(self) -> World:
        listed: tuple[list[str], list[str]] = ([], [])
        for n in range(self.models):
            listed[n % 2].append(f"{_NAMES[(n + self.odd) % len(_NAMES)]}{f'-{n}' if n >= len(_NAMES) else ''}")
        aliases = {name: f"al{n}" for n, name in enumerate(dict.fromkeys(listed[0])) if n % 3 == 0}
        acme = provider("acme", "small", *(name for name in listed[0] if name != "small"), aliases=aliases)
        zeta = provider("zeta", *listed[1], is_open=not listed[1])
        return World(rules=rules(acme, zeta), profiles=[self._profile(n) for n in range(self.profiles)])

    def _profile(self, n: int) -> AuthProfile:
        name = _NAMES[(n * 5 + self.odd) % len(_NAMES)].replace("\n", " ").replace("\t", " ")
        changes: dict[str, object] = {"label": _LABELS[(n + self.odd) % len(_LABELS)]}
        changes["provider"] = "acme" if n % 3 else "zeta"
        if n % 4 == 3:
            return profile(f"{name}:{n}", CredentialKind.TOKEN, expires=1_000, **changes)
        return profile(f"acme:{name}{n}", **changes)  # type: ignore[arg-type]

    async def replies(self) -> list[Reply]:
        """Everything that is answered on the way."""
        world = self.world()
        told = await world.do(world.inbound(self.command, rows=self.rows))
        answered = list(told)
        for number in self.presses:
            offering = [reply for reply in answered if reply.buttons]
            if not offering:
                break
            button = offering[-1].buttons[number % len(offering[-1].buttons)]
            told = await world.do(self._press(world, offering[-1], button))
            answered += told
        return answered

    async def suggestions(self, typed: str) -> tuple[Suggestion, ...]:
        """What is offered to somebody who has typed this."""
        world = self.world()
        return await world.gateway.suggest(world.inbound(typed, ingress=Ingress.SUGGEST))

    def _press(self, world: World, reply: Reply, button: Button) -> Inbound:
        typed = "e" if button.asks else ""
        return world.inbound(typed, ingress=Ingress.BUTTON, token=reply.token, number=button.n, rows=self.rows)


def scripts(rows: int) -> st.SearchStrategy[Script]:
    """Of 0 to 400 models and 0 to 60 credentials."""
    return st.builds(
        Script,
        models=st.one_of(st.integers(0, 60), st.integers(60, 400)),
        profiles=st.integers(0, 60),
        odd=st.integers(0, 60),
        rows=st.just(rows),
        command=st.one_of(st.just("/model"), st.sampled_from(_FIRST)),
        presses=st.lists(st.integers(0, 60), min_size=3, max_size=9).map(tuple),
    )
