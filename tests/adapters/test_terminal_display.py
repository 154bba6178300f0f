"""What scripts and people see: JSON lines, plain text, and the drawn screen."""

import io
import json
import re
from types import MappingProxyType

import pytest

from adapters.terminal.choices import NumberedChoices
from adapters.terminal.display import JsonDisplay, PlainDisplay
from adapters.terminal.screen import ScreenDisplay
from core.messages import Button, Delta, Event, Reply, ReplyKind, TurnReport, Working

TEXT = Reply(kind=ReplyKind.TEXT, text="Hello **you**")
NOTICE = Reply(kind=ReplyKind.NOTICE, text="acme:work → acme:home", data={"from": "acme:work"})
ERROR = Reply(kind=ReplyKind.ERROR, code="model_unknown", text="No such model.")
TURN = TurnReport(data={"outcome": "ok", "model": "acme/small"})
FOOTED = Reply(kind=ReplyKind.TEXT, text="Hello **you**", data={"footer": "7 in · 3 out"}, footer="7 in · 3 out")
ANSWER: list[Event] = [Working(), Delta("Hello "), Delta("**you**"), TEXT, TURN]


def shown(display: JsonDisplay | PlainDisplay | ScreenDisplay, events: list[Event]) -> None:
    for event in events:
        display.show(event)
    display.end()


def json_lines(events: list[Event], stream: bool = False) -> list[dict[str, object]]:
    out = io.StringIO()
    shown(JsonDisplay(out, stream), events)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def plain(events: list[Event], stream: bool = False) -> str:
    out = io.StringIO()
    shown(PlainDisplay(out, stream), events)
    return out.getvalue()


class TestJson:
    def test_a_reply_and_its_turn_are_an_object_a_line(self) -> None:
        reply = {"event": "reply", "kind": "text", "code": None, "text": "Hello **you**", "data": {}}
        assert json_lines(ANSWER) == [reply, {"event": "turn", "outcome": "ok", "model": "acme/small"}]

    def test_deltas_come_before_the_reply_if_asked_for(self) -> None:
        events = json_lines(ANSWER, stream=True)
        assert [event["event"] for event in events] == ["delta", "delta", "reply", "turn"]
        assert events[0] == {"event": "delta", "text": "Hello "}

    def test_a_footer_is_in_the_data(self) -> None:
        (line,) = json_lines([FOOTED])
        assert (line["text"], line["data"]) == ("Hello **you**", {"footer": "7 in · 3 out"})

    def test_code_and_data_are_those_of_the_reply(self) -> None:
        notice, error = json_lines([NOTICE, ERROR])
        assert notice["data"] == {"from": "acme:work"}
        assert (error["kind"], error["code"]) == ("error", "model_unknown")

    def test_one_object_stays_one_line_for_every_reader_whatever_the_text(self) -> None:
        nasty = "a\u2028b\u2029c\x85d\ne\x1b[31mf\ud800"
        data = MappingProxyType({"label": nasty, "inner": MappingProxyType({"n": 1})})
        out = io.StringIO()
        shown(JsonDisplay(out, False), [Reply(kind=ReplyKind.TEXT, text=nasty, data=data)])
        assert len(out.getvalue().splitlines()) == 1
        out.getvalue().encode()
        event = json.loads(out.getvalue())
        assert event["text"] == "a\u2028b\u2029cd\nef\ufffd"
        assert event["data"] == {"label": nasty, "inner": {"n": 1}}

    def test_text_is_written_as_itself_and_not_as_escapes(self) -> None:
        out = io.StringIO()
        shown(JsonDisplay(out, False), [Reply(kind=ReplyKind.TEXT, text="Grüße 🦀")])
        assert "Grüße 🦀" in out.getvalue()


class TestPlain:
    def test_replies_are_parted_by_a_blank_line_and_nothing_else_is_shown(self) -> None:
        assert plain([*ANSWER, NOTICE]) == "Hello **you**\n\nacme:work → acme:home\n"

    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            pytest.param(ANSWER, "Hello **you**\n", id="the whole is not repeated"),
            pytest.param(
                [*ANSWER[:-1], NOTICE], "Hello **you**\n\nacme:work → acme:home\n", id="what follows is parted"
            ),
            pytest.param([Delta("Hello "), TEXT], "Hello **you**\n", id="what was not streamed is added"),
            pytest.param([Delta("Other"), TEXT], "Other\n\nHello **you**\n", id="another whole is shown whole"),
            pytest.param([Delta("Hel"), ERROR], "Hel\n\nNo such model.\n", id="an error after half an answer"),
            pytest.param(
                [Delta("Hello "), Delta("**you**"), NOTICE, TEXT],
                "Hello **you**\n\nacme:work → acme:home\n",
                id="a notice between the pieces and the whole",
            ),
            pytest.param([Delta("Hel")], "Hel\n", id="an answer that was cut off"),
            pytest.param([Delta("Hello "), FOOTED], "Hello **you**\n7 in · 3 out\n", id="a footer stands under it"),
            pytest.param(
                [FOOTED, NOTICE], "Hello **you**\n7 in · 3 out\n\nacme:work → acme:home\n", id="and belongs to it"
            ),
            pytest.param(
                [Delta("Hello **you**"), NOTICE, FOOTED],
                "Hello **you**\n\nacme:work → acme:home\n\n7 in · 3 out\n",
                id="a footer under a notice is parted from it",
            ),
        ],
    )
    def test_a_streamed_answer_is_shown_once(self, events: list[Event], expected: str) -> None:
        assert plain(events, stream=True) == expected

    def test_no_escape_sequence_is_written(self) -> None:
        evil = Reply(kind=ReplyKind.PICKER, text="1. \x1b]0;owned\x07big\x9b2J")
        assert plain([Delta("\x1b[31mx"), evil], stream=True) == "x\n\n1. big\n"


class TestScreen:
    @pytest.fixture(autouse=True)
    def _window(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "60")
        monkeypatch.setenv("LINES", "10")
        monkeypatch.delenv("NO_COLOR", raising=False)

    def screen(self, events: list[Event]) -> str:
        out = io.StringIO()
        shown(ScreenDisplay(out), events)
        return out.getvalue()

    def test_an_answer_is_drawn_as_markdown_and_stays_once(self) -> None:
        drawn = self.screen(ANSWER)
        final = drawn.rsplit("\x1b[?25h", 1)[1]  # after the cursor came back, nothing is redrawn
        assert "\x1b[1myou" in final
        assert final.count("you") == 1

    def test_notices_are_dim_and_errors_red(self) -> None:
        assert "\x1b[2macme:work" in self.screen([NOTICE])
        assert "\x1b[31mNo such model." in self.screen([ERROR])

    def test_a_footer_is_dim_and_no_markdown(self) -> None:
        drawn = self.screen([Reply(kind=ReplyKind.TEXT, text="Hello", footer="*7* in \x1b[31m· 3 out")])
        assert "\x1b[2m*7* in · 3 out" in drawn

    def test_an_answer_longer_than_the_window_is_whole_in_the_scroll_back(self) -> None:
        lines = "\n".join(f"- line {n}" for n in range(40))
        drawn = self.screen([Working(), Delta(lines), Reply(kind=ReplyKind.TEXT, text=lines)])
        final = drawn.rsplit("\x1b[?25h", 1)[1]
        assert [int(n) for n in re.findall(r"line (\d+)", final)] == list(range(40))

    def test_what_was_shown_of_an_answer_that_failed_stays(self) -> None:
        drawn = self.screen([Working(), Delta("half an ans"), ERROR])
        assert drawn.index("half an ans", drawn.rindex("\x1b[?25h")) < drawn.index("No such model.")

    def test_an_answer_is_not_repeated_around_a_notice(self) -> None:
        drawn = self.screen([Working(), Delta("Hello "), Delta("**you**"), NOTICE, TEXT])
        final = drawn.rsplit("\x1b[?25h", 1)[1]
        assert (final.count("you"), final.count("acme:work")) == (1, 1)

    @pytest.mark.parametrize("kind", list(ReplyKind))
    def test_sequences_of_the_model_never_reach_the_terminal(self, kind: ReplyKind) -> None:
        evil = "\x1b]0;owned\x07\x9b2J\x1b[8mhidden\x1b[0m &#27;]0;owned&#x1b;[2J [x](http://a/\x1b[5m) \r\x08"
        drawn = self.screen([Delta(evil), Reply(kind=kind, text=evil)])
        assert not re.search(r"\x1b\]|\x9b|\x1b\[2J|\x1b\[8m|\x1b\[5m|\x08", drawn)
        assert "hidden" in drawn

    def test_a_link_shows_where_it_leads(self) -> None:
        assert "http://evil.example" in self.screen([Reply(kind=ReplyKind.TEXT, text="[bank](http://evil.example)")])


async def test_a_bare_number_right_after_choices_is_a_choice_and_at_no_other_time() -> None:
    picker = Reply(kind=ReplyKind.PICKER, text="1. big", buttons=(Button(n=1, label="big", command="/model big"),))
    choices = NumberedChoices(PlainDisplay(io.StringIO(), False))
    replies = {"2": TEXT, "/model": picker}

    async def typed():  # type: ignore[no-untyped-def]
        for line in ("2", "/model", " 2 ", "2", "/model", "2026", "/model", "two"):
            yield line
            if line in replies:
                choices.show(replies[line])

    read = [line async for line in choices.read(typed())]
    assert read == ["2", "/model", "/model 2", "/model 2", "/model", "2026", "/model", "two"]
