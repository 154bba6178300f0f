"""Scenarios of who may do what: strangers, pairing, revocation, and keys that are pasted into a chat."""

import asyncio

from tests.scenarios.stage import Stage


async def test_a_stranger_is_not_heard_and_their_press_is_refused_to_them_alone(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, mallory = stage.ada.enters(group), stage.mallory.enters(group)
    ada.says("/model")
    picker = await ada.sees_choice("opus")
    mallory.asks("hi")
    mallory.says("/model big")
    mallory.touches("opus", on=picker)
    await mallory.sees_privately("not authorised")
    await ada.settles()
    assert [sight.id for sight in ada.looks() if "You are" not in sight.text] == [picker.id]
    assert ada.looks_at(picker).text == picker.text
    assert stage.provider.seen == []


async def test_who_is_no_longer_allowed_is_refused_at_once_in_what_was_shown_before_too(stage: Stage) -> None:
    await stage.opens()
    bob = stage.bob.enters(stage.group())
    assert await bob.served_by() == "acme:main"
    bob.says("/model")
    picker = await bob.sees_choice("opus")
    stage.house.allow.clear()
    await stage.reloads()
    bob.asks("still there?")
    bob.touches("opus", on=picker)
    await bob.sees_privately("not authorised")
    assert bob.looks_at(picker).text == picker.text
    assert len(stage.provider.seen) == 1


async def test_a_stranger_is_served_once_an_owner_approves_and_no_longer_when_it_is_revoked(stage: Stage) -> None:
    await stage.opens()
    ada, mallory = stage.ada.at_home(), stage.mallory.at_home()
    mallory.says("let me in please")
    await mallory.sees("give this code to an owner")
    await ada.sees_choice("Approve")
    await ada.picks("Approve")
    await mallory.sees("You are let in")
    assert await mallory.served_by() == "acme:main"
    group = stage.mallory.enters(stage.group())
    group.asks("here too?")
    ada.says(f"/pairing revoke {stage.mallory.member.key}")
    await ada.sees("Mallory")
    mallory.asks("and now?")
    assert await stage.bob.at_home().served_by() == "acme:main"
    assert len(stage.provider.seen) == 2
    assert group.looks() == []
    assert "let me in please" not in str([seen.body for seen in stage.provider.seen])


async def test_a_key_that_is_pasted_is_refused_and_removed_and_is_nowhere_afterwards(stage: Stage) -> None:
    key = "sk-ant-api03-" + "Zk3vT9qLw2XbR8mYc5PdJ7hFs1Gn4Ke6"
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    pasted = ada.asks(f"please use {key} from now on")
    await ada.sees("remoteclaw models auth")
    await stage.driver.until(lambda: stage.driver.is_gone(pasted))
    await ada.settles()
    assert stage.provider.seen == []
    assert all(key not in sight.text for sight in ada.looks())
    assert key.encode() not in stage.house.bytes_on_disk()
    await stage.closes()
    assert key.encode() not in stage.house.bytes_on_disk()


async def test_an_approval_on_the_host_reaches_the_stranger_in_the_chat(stage: Stage) -> None:
    await stage.opens()
    mallory = stage.mallory.at_home()
    mallory.says("let me in please")
    told = await mallory.sees("remoteclaw pairing approve")
    code = told.text.partition("remoteclaw pairing approve ")[2].split()[0]
    done = await asyncio.to_thread(stage.house.files.run, "pairing", "approve", code)
    assert (done.code, done.err) == (0, "")
    await stage.as_time_passes(mallory.sees("You are let in"), minutes=1)
    assert await mallory.served_by() == "acme:main"


async def test_a_credential_that_somebody_may_not_pin_does_not_exist_for_them(stage: Stage) -> None:
    stage.house.more += ['[auth.profiles."anthropic:home"]', 'provider = "anthropic"', 'mode = "api_key"']
    stage.house.more += ['pin_allow = ["owners"]']
    await stage.opens()
    ada, bob = stage.ada.at_home(), stage.bob.at_home()
    await bob.opens_picker()
    await bob.picks("opus")
    await bob.sees("anthropic:work")
    refused = []
    for profile in ("anthropic:home", "anthropic:nowhere"):
        bob.commands(f"model opus@{profile}")
        refused.append((await bob.is_told(profile)).replace(profile, "<profile>"))
    assert refused[0] == refused[1]
    bob.commands("model opus")
    await bob.sees("Now opus")
    bob.commands("model status")
    await bob.sees("anthropic:work")
    everything = "\n".join(f"{sight.text} {sight.labels}" for sight in bob.looks())
    assert everything.count("anthropic:home") == everything.count("anthropic:nowhere"), (
        "only what Bob has typed himself"
    )
    ada.commands("model opus@anthropic:home")
    await ada.sees("anthropic:home, pinned strict")
    assert await ada.served_by() == "anthropic:home"
