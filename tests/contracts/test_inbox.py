"""What core may rely on from an inbox."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from core.errors import StorageError
from core.ports import Backlog, InboxItem, InboxState
from tests.contracts.conftest import Stores
from tests.contracts.values import NOW, update

LATER = NOW + timedelta(minutes=5)
REPLIES = ({"kind": "text", "text": "hello 😀", "data": {}}, {"kind": "notice", "text": "moved", "buttons": [{"n": 1}]})


async def unfinished(stores: Stores) -> tuple[InboxItem, ...]:
    return await stores.inbox.unfinished("telegram", "bot")


async def test_new_updates_are_stored_in_their_order(stores: Stores):
    items = await stores.inbox.receive([update("2"), update("1", lane="chat:2"), update("3")], NOW)
    assert [(item.update, item.state, item.received_at) for item in items] == [
        (update("2"), InboxState.NEW, NOW),
        (update("1", lane="chat:2"), InboxState.NEW, NOW),
        (update("3"), InboxState.NEW, NOW),
    ]
    assert await unfinished(stores) == items


async def test_the_same_update_twice_is_one(stores: Stores):
    (first,) = await stores.inbox.receive([update("1"), update("1")], NOW)
    (second,) = await stores.inbox.receive([update("1"), update("2"), replace(update("1"), payload={})], NOW)
    assert second.update.key == "2"
    assert await unfinished(stores) == (first, second)
    assert await stores.inbox.receive([update("1"), update("2")], NOW) == ()
    assert await stores.inbox.receive([], NOW) == ()


async def test_another_account_or_platform_has_its_own_keys(stores: Stores):
    elsewhere = [update("1", account="other"), replace(update("1"), platform="discord")]
    items = await stores.inbox.receive([update("1"), *elsewhere, update("2")], NOW)
    assert len(items) == 4
    assert [item.update.key for item in await unfinished(stores)] == ["1", "2"]
    assert await stores.inbox.unfinished("discord", "bot") == (items[2],)


async def test_an_answered_item_waits_with_its_replies(stores: Stores):
    one, two = await stores.inbox.receive([update("1"), update("2")], NOW)
    await stores.inbox.answered(one.id, REPLIES)
    answered = replace(one, state=InboxState.ANSWERED, replies=REPLIES)
    assert await unfinished(stores) == (answered, two)


async def test_what_waits_is_counted_by_platform_and_state_with_its_oldest(stores: Stores):
    assert await stores.inbox.backlog() == ()
    _, two, three = await stores.inbox.receive([update("1"), update("2"), update("3")], NOW)
    await stores.inbox.receive([update("1", account="other"), replace(update("9"), platform="discord")], LATER)
    await stores.inbox.answered(two.id, REPLIES)
    await stores.inbox.done(three.id)
    assert await stores.inbox.backlog() == (
        Backlog("discord", InboxState.NEW, 1, LATER),
        Backlog("telegram", InboxState.ANSWERED, 1, NOW),
        Backlog("telegram", InboxState.NEW, 2, NOW),
    )


async def test_notes_of_a_delivery_are_replaced_by_the_next(stores: Stores):
    (item,) = await stores.inbox.receive([update("1")], NOW)
    await stores.inbox.note_delivery(item.id, {"sent": [1], "first": True})
    await stores.inbox.answered(item.id, REPLIES)
    await stores.inbox.note_delivery(item.id, MappingProxyType({"sent": [1, 2]}))
    (noted,) = await unfinished(stores)
    assert noted == replace(item, state=InboxState.ANSWERED, replies=REPLIES, delivery={"sent": [1, 2]})


async def test_a_done_item_is_over_and_still_known(stores: Stores):
    (item,) = await stores.inbox.receive([update("1")], NOW)
    await stores.inbox.answered(item.id, REPLIES)
    await stores.inbox.done(item.id)
    await stores.inbox.done(item.id)
    assert await unfinished(stores) == ()
    assert await stores.inbox.receive([update("1")], NOW) == ()


async def test_nothing_brings_a_done_item_back(stores: Stores):
    (item,) = await stores.inbox.receive([update("1")], NOW)
    await stores.inbox.done(item.id)
    await stores.inbox.answered(item.id, REPLIES)
    await stores.inbox.note_delivery(item.id, {"sent": [1]})
    assert await unfinished(stores) == ()


async def test_an_item_that_never_was_is_an_error(stores: Stores):
    for lost in (
        stores.inbox.done(5),
        stores.inbox.answered(5, REPLIES),
        stores.inbox.note_delivery(5, {}),
    ):
        with pytest.raises(StorageError, match="no item 5"):
            await lost


async def test_what_is_not_json_is_refused_and_not_stored(stores: Stores):
    with pytest.raises(TypeError):
        await stores.inbox.receive([update("1"), replace(update("2"), payload={"moment": NOW})], NOW)
    assert await unfinished(stores) == ()


async def test_marks_are_kept_for_each_account(stores: Stores):
    assert await stores.inbox.get_mark("telegram", "bot") is None
    await stores.inbox.set_mark("telegram", "bot", "41")
    await stores.inbox.set_mark("telegram", "bot", "42")
    await stores.inbox.set_mark("telegram", "other", "7")
    assert await stores.inbox.get_mark("telegram", "bot") == "42"
    assert await stores.inbox.get_mark("telegram", "other") == "7"
    assert await stores.inbox.get_mark("discord", "bot") is None
