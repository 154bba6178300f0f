"""Whoever walks the picker finds everything that they may choose, and nothing that they may not see; whatever things are called."""

from collections import deque
from collections.abc import AsyncIterator, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from core.auth.profiles import AuthProfile
from core.messages import Button, Ingress, Reply
from core.models.ref import ModelRef
from tests.world import ALLOWED, OWNER, World, profile, provider, rules

HIDDEN = "zq9hidden"
"""In the id and the label of every profile that only owners may see."""
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text and HIDDEN not in text
)
NAMES = st.one_of(
    TEXT,
    st.sampled_from(
        ["@everyone", "a b", 'q"q', "x@20251001", "gemma@q8_0", "b`c`", "\u202egnp.exe", "n/a/me", "y" * 200]
    ),
)


async def walk(
    world: World, rows: int, by: str, follow: Callable[[str], bool] = lambda press: True
) -> AsyncIterator[tuple[str, Reply]]:
    """Every step that presses lead to, once each, with the press that led there. Nothing is chosen: presses that choose are left
    alone."""
    home = await world.say("/model", rows=rows, by=by)
    yield "/pick home", home
    seen, left = {"/pick home"}, deque([(home, button) for button in home.buttons])
    while left:
        reply, button = left.popleft()
        if not button.press.startswith("/pick") or button.asks or button.press in seen or not follow(button.press):
            continue
        seen.add(button.press)
        inbound = world.inbound("", ingress=Ingress.BUTTON, token=reply.token, number=button.n, rows=rows, by=by)
        (step,) = await world.do(inbound)
        yield button.press, step
        left.extend((step, one) for one in step.buttons)


def bounded(reply: Reply, rows: int) -> None:
    """What a platform can rely on."""
    groups: dict[str, list[Button]] = {}
    for button in reply.buttons:
        assert 0 < len(button.label) <= 80
        assert button.label.isprintable()
        assert len(button.detail) <= 80
        groups.setdefault(f"{button.group}{'' if not button.earlier else ' earlier'}", []).append(button)
    assert [button.n for button in reply.buttons] == list(range(1, len(reply.buttons) + 1))
    for name, buttons in groups.items():
        most = 10 if name == "action" else 25 if name.endswith("earlier") else rows
        assert len(buttons) <= most, name
        if name in ("provider earlier", "model earlier") and "fit" not in reply.text.splitlines()[0]:
            assert sum(button.selected for button in buttons) == 1, "what was chosen before is not lost"


def chosen(reply: Reply) -> set[tuple[str, str | None]]:
    """The models and credentials that this step offers."""
    return {(choice["ref"], choice["profile"]) for choice in reply.data.get("choices", ())}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, 4))
    providers = []
    for n in range(count):
        names = draw(st.lists(NAMES, min_size=1, max_size=12, unique_by=str.lower))
        aliased = {names[0]: f"alias{n}"} if draw(st.booleans()) else {}
        providers.append(provider(f"p{n}", *names, aliases=aliased))
    profiles: dict[str, AuthProfile] = {}
    for name, place, is_hidden in draw(
        st.lists(st.tuples(NAMES, st.integers(0, count - 1), st.booleans()), max_size=20, unique_by=lambda one: one[0])
    ):
        made = f"{HIDDEN}{name}" if is_hidden else name
        profiles[made] = profile(
            made, provider=f"p{place}", label=made[:40], pin_allow=("owners",) if is_hidden else None
        )
    first = providers[0].models[0].ref
    return World(rules=rules(*providers, default=str(first)), profiles=list(profiles.values()))


@given(worlds(), st.sampled_from([8, 25]), st.sampled_from([OWNER, ALLOWED]))
@settings(max_examples=25, deadline=None)
async def test_every_model_and_every_visible_credential_is_reached_and_no_other(
    world: World, rows: int, by: str
) -> None:
    found: set[tuple[str, str | None]] = set()
    async for _, step in walk(world, rows, by):
        bounded(step, rows)
        found |= chosen(step)
        if by == ALLOWED:
            shown = f"{step.text}{step.data}{step.blocks}{[(b.label, b.detail) for b in step.buttons]}"
            assert HIDDEN not in shown
    profiles = world.credentials.load("main").profiles.values()
    refs = world.rules.catalog.refs()
    seen = [one for one in profiles if by == OWNER or one.pin_allow is None]
    assert found >= {(str(ref), None) for ref in refs}
    assert {(ref, name) for ref, name in found if name is not None} == {
        (str(ref), one.id) for ref in refs for one in seen if one.provider == ref.provider
    }


@given(worlds(), st.data())
@settings(max_examples=25, deadline=None)
async def test_what_was_pressed_is_what_comes_next_and_what_the_provider_receives(
    world: World, data: st.DataObject
) -> None:
    offers = []
    async for _, step in walk(world, 25, ALLOWED):
        offers += [(step, button) for button in step.buttons if button.group == "credential"]
    step, button = data.draw(st.sampled_from(offers))
    wanted = next(choice for choice in step.data["choices"] if choice["n"] == button.n)
    inbound = world.inbound("", ingress=Ingress.BUTTON, token=step.token, number=button.n, rows=25, by=ALLOWED)
    await world.do(inbound)
    found = world.resolution()
    assert str(found.selected.ref) == wanted["ref"]
    pinned = found.pinned.profile if found.pinned is not None else None
    assert pinned == wanted["profile"]
    await world.do(world.inbound("hi", by=ALLOWED))
    if found.next.profile is not None:
        assert world.served == [found.next.profile]
        assert world.provider.requests[0].model == ModelRef.parse(wanted["ref"]).name
    if pinned is not None:
        assert found.next.profile == pinned


async def test_nothing_is_lost_of_four_hundred_models_and_sixty_profiles() -> None:
    names = [f"m{n:03}" for n in range(397)]
    world = World(
        rules=rules(provider("acme", *names, "odd one", "x@20251001", "last"), default="acme/m000"),
        profiles=[profile(f"acme:k{n:02}") for n in range(60)],
    )

    def follow(press: str) -> bool:
        return "credentials" not in press or "acme/m123 " in press or "odd" in press

    for rows in (8, 25):
        found: set[tuple[str, str | None]] = set()
        async for _, step in walk(world, rows, OWNER, follow):
            bounded(step, rows)
            found |= chosen(step)
        assert found >= {(str(ref), None) for ref in world.rules.catalog.refs()}
        for ref in ("acme/m123", "acme/odd one"):
            assert {name for known, name in found if known == ref} == {None, *(f"acme:k{n:02}" for n in range(60))}
