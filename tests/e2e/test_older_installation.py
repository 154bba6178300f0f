"""An installation of an older program is taken over by the first chat: its keys serve, its orders and cooldowns hold."""

import json
import time
from pathlib import Path

from tests.e2e.installation import KEYS, Installation
from tests.fakes.provider_server import ThreadedProviderServer


def private(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    path.chmod(0o600)


def test_keys_order_and_cooldowns_of_older_files_hold_from_the_first_message(
    house: Installation, server: ThreadedProviderServer
) -> None:
    folder = house.store.parent
    house.store.unlink()
    soon = int((time.time() + 3600) * 1000)
    private(folder / "auth.json", {"zeta": {"type": "api_key", "key": "sk-zeta-of-the-OLDZ"}})
    private(
        house.store,
        {
            "profiles": {
                name: {"mode": "api_key", "provider": "acme", "apiKey": KEYS[name]}
                for name in ("acme:work", "acme:home")
            },
            "order": {"acme": ["acme:work", "acme:home"]},
            "usageStats": {"acme:work": {"cooldownUntil": soon, "cooldownReason": "rate_limit", "errorCount": 1}},
        },
    )
    looked = house.run("models", "status", "--json")
    assert (looked.code, looked.err) == (0, "")
    status = looked.json
    assert "zeta:default" in json.dumps(status), "what is not imported yet is seen already"
    assert (folder / "auth.json").exists(), "looking imports nothing"
    house.say("hi", "/model opus", "hi")
    assert [seen.key for seen in server.seen] == [KEYS["acme:home"], "sk-zeta-of-the-OLDZ"]
    assert not (folder / "auth.json").exists()
    stored = json.loads(house.store.read_text())
    assert "usageStats" not in stored
    assert stored["order"] == {"acme": ["acme:work", "acme:home"]}
    rows = {row["profile_id"]: row for row in house.run("models", "status", "--json").json["auth"]["unusable_profiles"]}
    assert (rows["acme:work"]["kind"], rows["acme:work"]["reason"]) == ("cooldown", "rate_limit")
