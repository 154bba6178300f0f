"""Every error that `/model` can give, by process: its code, a next step, and a database that is as it was before."""

from tests.e2e.installation import Installation
from tests.fakes.provider_server import ThreadedProviderServer

ERRORS = [
    ("/model status@work", "profile_needs_model"),
    ("/model big@nope", "profile_not_found"),
    ("/model big@zeta:me", "profile_wrong_provider"),
    ("/model sonnet-1", "model_not_allowed"),
    ("/model xyzzyxyzzy", "model_unknown"),
    ("/model gemma", "model_ambiguous"),
    ("/model 99", "number_without_picker"),
    ("/model big for soon", "bad_duration"),
    ("/model big please", "usage"),
    ("/model undo undo", "usage"),
]


class TestErrors:
    def test_every_error_has_its_code_and_a_next_step_and_stores_nothing(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.configure(server.base_url, "[model_policy]", 'allow = ["acme/*", "zeta/opus-1"]')
        with house.chat() as chat:
            chat.say("/model big@home")
            chat.say("hi")
            before = house.dump()
            for text, code in ERRORS:
                (reply,) = chat.say(text)
                assert (reply["kind"], reply["code"]) == ("error", code), text
                assert reply["text"].count(". ") >= 1, "a next step is named"
                assert house.dump() == before, f"{text} stored something"
        assert len(server.seen) == 1

    def test_who_is_not_authorised_is_told_so_and_leaves_no_trace(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.say("/whoami")
        before = house.dump()
        ended = house.run("chat", "--json", "--as", "terminal:mallory", "-m", "/model big", "-m", "hi")
        assert [event["code"] for event in ended.events] == ["not_authorised"] * 2
        assert house.dump() == before
        assert not server.seen

    def test_a_locked_session_stays_as_it_is(self, house: Installation, server: ThreadedProviderServer) -> None:
        house.configure(server.base_url, "[session]", 'locked = ["agent:main:terminal:default:named:room"]')
        house.say("/whoami")
        before = house.dump()
        (reply,) = house.say("/model big", session="room")
        assert reply["code"] == "selection_locked"
        assert house.dump() == before
