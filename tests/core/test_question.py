"""What a message may hold: very long ones, and files with a secret in them."""

import asyncio
from dataclasses import replace

import pytest

from adapters.providers.registry import HttpProviderClient
from core.errors import FailureReason
from core.messages import File, Ingress, Reply, ReplyKind
from core.models.catalog import Catalog
from tests.fakes.provider_script import Step, slow, stall
from tests.fakes.provider_server import ProviderServer
from tests.world import DIRECT, World

LONG = "word " * 20_000
KEY = "sk-ant-api03-" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY" * 2
PATIENCE = 5


async def sends(world: World, text: str, *files: File, **where: object) -> list[Reply]:
    async def fetch() -> tuple[File, ...]:
        return files

    return await world.do(world.inbound(text, files=fetch, **where))


class TestLong:
    async def test_a_hundred_thousand_characters_reach_the_model_whole(self):
        world = World()
        assert (await world.say(LONG)).text == "served-by:acme:work"
        assert world.provider.requests[-1].messages[-1].text == LONG

    async def test_the_conversation_makes_room_for_them_and_they_are_never_cut(self):
        world = World()
        found = world.rules.catalog
        acme = found.providers["acme"]
        small = replace(acme, models=tuple(replace(model, context_window=1000) for model in acme.models))
        world.rules = replace(world.rules, catalog=Catalog({**found.providers, "acme": small}, found.aliases))
        await world.say("before")
        await world.say(LONG)
        assert [m.text for m in world.provider.requests[-1].messages] == [LONG]

    async def test_where_the_provider_refuses_them_that_is_told_and_the_message_is_kept(self):
        world = World()
        world.provider.script["acme:work"] = [FailureReason.CONTEXT_OVERFLOW]
        card = await world.say(LONG)
        assert (card.kind, card.code) == (ReplyKind.ERROR, "context_overflow")
        assert "longer than the model can read" in card.text
        await world.press(card, "Start a new conversation")
        assert world.provider.requests[-1].messages[-1].text == LONG


class TestSecretsInFiles:
    async def test_a_file_with_a_key_is_refused_with_the_whole_message(self):
        world = World()
        (refused,) = await sends(world, "what is wrong here?", File("config.env", "text/plain", f"A={KEY}\n".encode()))
        assert (refused.kind, refused.code) == (ReplyKind.ERROR, "secret_in_chat")
        assert refused.text.startswith("config.env holds something that looks like a key")
        assert "remoteclaw models auth add" in refused.text
        assert (refused.deletes, refused.private) == (True, True)
        assert world.served == []
        assert world.sessions.messages == {}
        assert KEY not in repr(refused)

    async def test_so_is_one_with_a_secret_of_this_installation(self):
        world = World()
        (refused,) = await sends(world, "see", File("notes.txt", "text/plain", b"the key is sk-acme:work, keep it"))
        assert refused.code == "secret_in_chat"
        assert world.served == []

    async def test_the_next_message_is_asked_without_it(self):
        world = World()
        await sends(world, "see", File("config.env", "text/plain", KEY.encode()))
        await world.say("hello")
        assert [m.text for m in world.provider.requests[-1].messages] == ["hello"]

    async def test_an_edit_does_not_bring_it_in_either(self):
        world = World()
        await sends(world, "see", File("notes.txt", "text/plain", b"harmless"), message="1")
        secret = File("config.env", "text/plain", KEY.encode())
        (refused,) = await sends(world, "see this", secret, message="1", ingress=Ingress.EDIT)
        assert refused.code == "secret_in_chat"
        assert KEY not in repr(world.sessions.messages)

    async def test_ordinary_text_passes(self):
        world = World()
        text = b"def main():\n    print('2f5c1e9a7b3d4c6e8f0a1b2c3d4e5f60', 'https://example.com/a?b=c')\n"
        replies = await sends(world, "explain", File("main.py", "text/x-python", text))
        assert replies[-1].kind is ReplyKind.TEXT


class TestStop:
    """`/stop` and a deletion close the connection to a provider that says nothing any more."""

    @pytest.mark.parametrize("step", [pytest.param(slow(), id="silent"), pytest.param(stall("half"), id="half-way")])
    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("by", ["/stop", "deletion"])
    async def test_the_connection_is_closed_within_a_second(self, by: str, stream: bool, step: Step):
        world = World()
        async with ProviderServer() as server:
            acme = replace(world.rules.catalog.providers["acme"], base_url=server.openai_url)
            world.rules = replace(world.rules, catalog=Catalog({"acme": acme}, {}))
            client = HttpProviderClient(world.clock)
            world.provider = client  # type: ignore[assignment]
            world.rewire()
            server.script["sk-acme:work"] = [step]
            asked = world.inbound("hello", message="1", stream=stream)
            turn = asyncio.create_task(world.do(asked))
            await server.wait_seen(1, PATIENCE)
            if by == "/stop":
                await world.do(world.inbound("/stop"))
            else:
                await world.do(world.inbound("", message="1", ingress=Ingress.DELETION))
            await server.wait_abandoned(seconds=1)
            async with asyncio.timeout(1):
                replies = await turn
            assert replies[-1].kind is ReplyKind.NOTICE
            assert not world.gateway.busy(asked.session)
            await client.close()

    async def test_who_waits_behind_it_is_served_next(self):
        world = World()
        async with ProviderServer() as server:
            acme = replace(world.rules.catalog.providers["acme"], base_url=server.openai_url)
            world.rules = replace(world.rules, catalog=Catalog({"acme": acme}, {}))
            client = HttpProviderClient(world.clock)
            world.provider = client  # type: ignore[assignment]
            world.rewire()
            server.script["sk-acme:work"] = [stall("half")]
            turn = asyncio.create_task(world.do(world.inbound("hello")))
            await server.wait_seen(1, PATIENCE)
            behind = asyncio.create_task(world.say("next", key=DIRECT))
            await asyncio.sleep(0)
            await world.say("/stop")
            async with asyncio.timeout(PATIENCE):
                await turn
                assert (await behind).text == "served-by:work"
            await client.close()
