"""A running gateway takes new secrets and settings without a restart, whole or not at all: the key that arrives tells."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("reload")

FIRST, SECOND, THIRD = "sk-vault-number-ONE1", "sk-vault-number-TWO2", "sk-vault-number-SIX6"


class Vault:
    """A file with secrets that references of profiles lead to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, content: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.touch(0o600)
        fresh.write_text(content)
        os.replace(fresh, self.path)

    def hold(self, key: str) -> None:
        self.put(json.dumps({"omega": key, "spare": "sk-spare-of-the-vault-SPAR"}))


class Scene:
    """The stage with a provider whose only credential lies in the vault."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.house = stage.house
        self.vault = Vault(folder / "vault.json")
        self.vault.hold(FIRST)
        self.config = self.house.state / "config.toml"
        self.before = self.config.read_text()
        self.write("[gateway]", 'listen = "127.0.0.1:0"')
        self.keep({})
        self.chat = stage.telegram.private(stage.ada)

    def write(self, *more: str) -> None:
        """Replace the config: the stage's, with the vault and these lines."""
        lines = [
            self.before,
            "[models.providers.omega]",
            f'base_url = "{self.stage.provider.base_url}/v1"',
            'api = "openai-completions"',
            'models = ["o"]',
            "[secrets.providers.vault]",
            'source = "file"',
            f'path = "{self.vault.path}"',
            *more,
        ]
        fresh = self.config.with_suffix(".new")
        fresh.write_text("\n".join(lines))
        os.replace(fresh, self.config)

    def keep(self, more: dict[str, object]) -> None:
        """A store with the profile of the vault, and these."""
        ref = {"source": "file", "provider": "vault", "id": "/omega"}
        entry = {"type": "api_key", "provider": "omega", "keyRef": ref}
        self.house.write_store(json.dumps({"version": 1, "profiles": {"omega:vault": entry, **more}}))

    def serves(self, text: str = "hi") -> str:
        return self.stage.serves(self.stage.ada, self.chat, text)

    def choose(self) -> None:
        self.stage.asks(self.stage.ada, self.chat, "/model omega/o@omega:vault")


@pytest.fixture
def scene(state_dir: Path, tmp_path: Path) -> Iterator[Scene]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        yield Scene(Stage(Installation(state_dir), telegram, provider), tmp_path)


def reload(scene: Scene, *flags: str) -> tuple[int, str, str]:
    ended = scene.house.run("secrets", "reload", *flags)
    return ended.code, ended.out, ended.err


def test_a_rotated_secret_serves_the_next_message_and_one_that_is_lost_leaves_the_last_good_one(scene: Scene):
    """C190, and the words for it."""
    with scene.stage.gateway() as gateway:
        scene.choose()
        assert scene.serves() == "ONE1"
        scene.vault.hold(SECOND)
        assert reload(scene) == (0, "Secrets reloaded.\n", "")
        assert scene.serves() == "TWO2"
        scene.vault.put("{ not json")
        code, out, err = reload(scene)
        assert (code, out) == (1, "")
        assert err.startswith(
            "remoteclaw: A secret that has been there is not available: The secret reference file:vault:'/omega': "
        )
        assert scene.serves() == "TWO2"
        gateway.says("SECRETS_RELOADER_DEGRADED: config and references were not reloaded, the last good values stay.")
        scene.vault.hold(THIRD)
        assert reload(scene, "--json") == (0, '{\n  "reloaded": true,\n  "warnings": []\n}\n', "")
        assert scene.serves() == "SIX6"
        gateway.says("SECRETS_RELOADER_RECOVERED")
        assert gateway.stop() == 0
    everything = "".join(gateway.log)
    assert not any(key in everything for key in (FIRST, SECOND, THIRD))
    assert sum("SECRETS_RELOADER_DEGRADED" in line for line in gateway.log) == 1


def test_sighup_and_a_change_of_a_file_reload_too(scene: Scene):
    with scene.stage.gateway() as gateway:
        scene.choose()
        assert scene.serves() == "ONE1"
        scene.vault.hold(SECOND)
        gateway.says("Configuration and secrets reloaded.")
        assert scene.serves() == "TWO2"
        gateway.log.clear()
        scene.vault.hold(THIRD)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.says("Configuration and secrets reloaded.")
        assert scene.serves() == "SIX6"


def test_a_config_that_is_edited_badly_and_then_well(scene: Scene):
    with scene.stage.gateway() as gateway:
        listening = gateway.says("Health is answered at")
        address = listening.split("at ")[1].split()[0].rstrip(".")
        scene.write("[acces]", "[gateway]", 'listen = "127.0.0.1:0"')
        gateway.says("the last good values stay. acces: is not a setting. Did you mean access?")
        status, page = get(address)
        assert status == 200
        assert page["notes"][0].startswith(
            "config and references were not reloaded, the last good values stay: acces: is not a setting."
        )
        scene.choose()
        assert scene.serves("as it was") == "ONE1"
        for _ in range(2):
            assert reload(scene)[0] == 1
        chat = scene.stage.telegram.private(scene.stage.mallory)
        scene.before = scene.before.replace('allow = ["telegram:1002"]', 'allow = ["telegram:1002", "telegram:1003"]')
        scene.write("[gateway]", 'listen = "127.0.0.1:0"')
        gateway.says("SECRETS_RELOADER_RECOVERED")
        scene.stage.asks(scene.stage.mallory, chat, "/model omega/o")
        assert scene.stage.serves(scene.stage.mallory, chat, "hi") == "ONE1"
        assert scene.serves("afterwards") == "ONE1"
        assert get(address)[1]["notes"] == []
        for word in ("DEGRADED", "RECOVERED"):
            assert sum(f"SECRETS_RELOADER_{word}" in line for line in gateway.log) == 1
        assert len(scene.stage.provider.seen) == 3


def test_what_only_a_start_reads_is_told(scene: Scene):
    with scene.stage.gateway():
        scene.write("[gateway]", 'listen = "127.0.0.1:0"', "[log]", 'level = "debug"')
        ended = reload(scene)
        assert ended[0] == 0
        assert ended[1].splitlines()[1:] == ["- log: changed, and read again only when the gateway is started anew."]


def test_an_oauth_profile_with_a_reference_is_refused_at_start_and_at_reload(scene: Scene):
    """credentials.md 2.4, C29."""
    oauth = ['[auth.profiles."omega:vault"]', 'provider = "omega"', 'mode = "oauth"']
    lines = [
        "Auth profile policy validation failed: OAuth + SecretRef is not supported.",
        '- profiles.omega:vault.keyRef: auth.profiles."omega:vault".mode is "oauth", and this is a reference',
    ]
    with scene.stage.gateway():
        scene.choose()
        scene.write(*oauth)
        code, _, err = reload(scene)
        assert (code, err.splitlines()) == (1, [f"remoteclaw: {lines[0]}", lines[1]])
        assert scene.serves() == "ONE1"
    ended = scene.house.run("gateway")
    assert ended.code == 1
    assert lines[1] in ended.err.splitlines()


def test_without_a_gateway_reload_says_so(scene: Scene):
    code, out, err = reload(scene)
    assert (code, out) == (1, "")
    assert err == f"remoteclaw: No gateway serves {scene.house.state}. Start it: remoteclaw gateway\n"


def test_the_socket_is_private_and_survives_a_kill(scene: Scene):
    with scene.stage.gateway() as gateway:
        path = scene.house.state / "gateway.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        gateway.kill()
    assert reload(scene)[0] == 1
    with scene.stage.gateway() as gateway:
        assert reload(scene)[0] == 0
        assert gateway.stop() == 0
    assert not path.exists()


def test_a_secret_that_was_never_there_serves_as_soon_as_it_is(scene: Scene):
    scene.vault.put("{}")
    with scene.stage.gateway() as gateway:
        code, out, _ = reload(scene)
        assert (code, out.splitlines()[1:]) == (
            0,
            ["- omega:vault: its secret is not available, so it does not serve."],
        )
        scene.vault.hold(FIRST)
        gateway.says("Configuration and secrets reloaded.")
        scene.choose()
        assert scene.serves() == "ONE1"


def get(address: str) -> tuple[int, dict[str, list[str]]]:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(address) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_a_store_that_cannot_be_read_is_told_at_once_everywhere(scene: Scene):
    with scene.stage.gateway() as gateway:
        address = gateway.says("Health is answered at").split("at ")[1].split()[0].rstrip(".")
        scene.choose()
        assert scene.serves() == "ONE1"
        good = scene.house.store.read_text()
        scene.house.write_store("{")
        scene.stage.asks(scene.stage.ada, scene.chat, "hi")
        told = gateway.says("auth-profiles.json: is not valid JSON")
        assert "WARNING" in told
        status, page = get(address)
        assert (status, page["reasons"]) == (503, ["credentials of main: the store cannot be read"])
        assert "auth-profiles.json: is not valid JSON" in page["notes"][0]
        code, out, _ = reload(scene)
        assert (code, out.splitlines()[0]) == (0, "Secrets reloaded with 1 warning(s).")
        scene.house.write_store(good)
        assert scene.serves() == "ONE1"
        assert get(address) == (200, {"status": "ready", "reasons": [], "platforms": page["platforms"], "notes": []})


def test_a_vault_that_is_down_at_the_start_is_in_the_log(scene: Scene):
    scene.vault.put("{ not json")
    with scene.stage.gateway() as gateway:
        assert "WARNING" in gateway.says("omega:vault does not serve: ")
