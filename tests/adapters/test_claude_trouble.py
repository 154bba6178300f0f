"""What comes of a Claude command line that refuses, breaks, hangs or leaves children behind: with real processes and signals."""

import asyncio
import json
import os
import signal
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.claude_cli.client import ClaudeCliClient
from core.chat.completion import Completed, TextDelta, Usage
from core.errors import FailureReason
from tests.fakes.claude_cli import FakeClaude, answer, held, lines_of, put, refusal, wait_dead
from tests.fakes.claude_request import TOKEN, ask, failing, first_text, make_client, text, whole
from tests.fakes.clock import FakeClock

R = FailureReason


@pytest.fixture
def fake(tmp_path: Path) -> FakeClaude:
    return FakeClaude(tmp_path / "claude")


@pytest.fixture
def client(fake: FakeClaude, tmp_path: Path, clock: FakeClock) -> ClaudeCliClient:
    return make_client(fake, tmp_path, clock)


class TestRefusals:
    @pytest.mark.parametrize(
        ("said", "status", "reason"),
        [
            pytest.param("Not logged in · Please run /login", None, R.AUTH, id="no login"),
            pytest.param("Failed to authenticate. API Error: 401 Invalid bearer token", 401, R.AUTH, id="401"),
            pytest.param("Failed to authenticate. API Error: 403 forbidden", 403, R.AUTH, id="403"),
            pytest.param("OAuth token revoked · Please run /login", None, R.AUTH, id="revoked"),
            pytest.param("You've hit your session limit · resets 5pm (UTC)", 429, R.RATE_LIMIT, id="plan"),
            pytest.param("Server is temporarily limiting requests", 429, R.RATE_LIMIT, id="429"),
            pytest.param("Claude AI usage limit reached|1767312000", None, R.RATE_LIMIT, id="older words"),
            pytest.param("API Error: 529 Overloaded", 529, R.OVERLOADED, id="529"),
            pytest.param("API Error: 500 Internal server error", 500, R.TIMEOUT, id="500"),
            pytest.param(
                "There's an issue with the selected model (x). It may not exist", 404, R.MODEL_NOT_FOUND, id="404"
            ),
            pytest.param("Prompt is too long · the request is ~250000 tokens", 400, R.CONTEXT_OVERFLOW, id="too long"),
            pytest.param("API Error: 400 messages: bad", 400, R.FORMAT, id="400"),
            pytest.param("API Error: 402 credit balance is too low", 402, R.BILLING, id="402"),
            pytest.param("API Error: Connection to the API was lost (ECONNRESET)", None, R.NETWORK, id="connection"),
            pytest.param("API Error: Request timed out.", None, R.TIMEOUT, id="time"),
        ],
    )
    async def test_a_refusal_is_classified_although_it_calls_itself_a_success(
        self, said: str, status: int | None, reason: FailureReason, fake: FakeClaude, client: ClaudeCliClient
    ) -> None:
        fake.plan(refusal(said, status))
        failure = await failing(client, ask("hello"))
        assert (failure.reason, failure.status) == (reason, status)
        assert said.partition("|")[0] in failure.detail

    async def test_a_missing_login_says_what_to_do(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.plan(refusal("Not logged in · Please run /login"))
        failure = await failing(client, ask("hello"))
        assert failure.detail.endswith("Run `claude` on the gateway's host and log in with /login.")

    @pytest.mark.parametrize(
        ("kind", "is_whole"),
        [("five_hour", True), ("seven_day", True), ("seven_day_opus", False), (None, False)],
    )
    async def test_a_limit_of_the_plan_has_its_own_end(
        self, kind: str | None, is_whole: bool, fake: FakeClaude, client: ClaudeCliClient, clock: FakeClock
    ) -> None:
        back = clock.now() + timedelta(hours=3)
        limit = {"status": "rejected", "resetsAt": int(back.timestamp()), "rateLimitType": kind}
        fake.plan(refusal("You've hit your session limit", 429, limit))
        failure = await failing(client, ask("hello"))
        assert (failure.reason, failure.whole_profile) == (R.RATE_LIMIT, is_whole)
        assert failure.retry_at == back.replace(microsecond=0)

    @pytest.mark.parametrize("at", [float("inf"), 10**30, -5, True, "soon", None])
    async def test_a_senseless_end_is_none_or_a_week(
        self, at: object, fake: FakeClaude, client: ClaudeCliClient, clock: FakeClock
    ) -> None:
        fake.plan(refusal("limit", 429, {"status": "rejected", "resetsAt": at}))
        failure = await failing(client, ask("hello"))
        assert failure.retry_at in (None, clock.now() + timedelta(days=7))

    async def test_an_older_version_writes_the_end_into_its_words(self, fake: FakeClaude, tmp_path: Path) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        client = make_client(fake, tmp_path, FakeClock(now))
        fake.plan(refusal(f"Claude AI usage limit reached|{int(now.timestamp()) + 3600}"))
        failure = await failing(client, ask("hello"))
        assert (failure.retry_at, failure.whole_profile) == (now + timedelta(hours=1), True)
        assert failure.detail == "Claude AI usage limit reached"

    async def test_no_character_of_a_token_is_told(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.plan(refusal(f"bad token {TOKEN} and sk-ant-ort01-abcdef", 401))
        detail = (await failing(client, ask("hello"))).detail
        assert detail.startswith("bad token *** and ***")

    async def test_an_answer_at_its_longest_is_an_answer(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        told = "API Error: Claude's response exceeded the 8 output token maximum"
        fake.plan(answer("as far as", stop="max_tokens", is_error=True, result=told))
        _, done = await whole(client, ask("hello", max_tokens=8))
        assert (done.text, done.stop_reason) == ("as far as", "length")

    async def test_a_refusal_without_words_is_no_answer(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.plan(answer(stop="refusal"))
        assert (await failing(client, ask("hello"))).reason is R.FORMAT


class TestTrouble:
    @pytest.mark.parametrize(
        ("plan", "reason", "words"),
        [
            pytest.param([["exit", 7]], R.UNKNOWN, "ended with code 7 before it had answered.", id="ends"),
            pytest.param([["signal", signal.SIGSEGV]], R.UNKNOWN, "was ended by signal 11", id="crashes"),
            pytest.param([["complain", "boom\nmore"], ["exit", 1]], R.UNKNOWN, "answered: boom", id="complains"),
            pytest.param(
                [["complain", "error: unknown option '--tools'"], ["exit", 1]], R.FORMAT, "`claude update`", id="old"
            ),
            pytest.param([["complain", "Not logged in"], ["exit", 1]], R.AUTH, "log in with /login", id="no login"),
            pytest.param(
                [["put", "garbage\n\x00\n[1]\n"], ["exit", 0]], R.UNKNOWN, "3 lines that are no JSON", id="garbage"
            ),
            pytest.param([put(*lines_of("part")[:4]), ["exit", 1]], R.UNKNOWN, "code 1", id="breaks off"),
            pytest.param([["put", '{"type":"result","is_error":'], ["exit", 0]], R.UNKNOWN, "code 0", id="cut"),
        ],
    )
    async def test_a_program_that_gives_no_result_has_failed(
        self, plan: list[list[Any]], reason: FailureReason, words: str, fake: FakeClaude, client: ClaudeCliClient
    ) -> None:
        fake.plan(plan)
        failure = await failing(client, ask("hello"))
        assert failure.reason is reason
        assert words in failure.detail

    async def test_noise_around_an_answer_does_no_harm(
        self, fake: FakeClaude, client: ClaudeCliClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        lines = "".join(json.dumps(line) + "\n" for line in lines_of("fine"))
        together = lines.replace("}\n{", "}{")
        fake.plan([["put", "Warning: something\n"], ["put", together], ["put", "trailing"], ["complain", "x" * 9000]])
        assert await text(client, "hello") == "fine"
        assert "1 lines that are no JSON" in caplog.text

    async def test_a_program_that_is_not_there_says_what_to_do(
        self, fake: FakeClaude, client: ClaudeCliClient, clock: FakeClock
    ) -> None:
        fake.path.unlink()
        failure = await failing(client, ask("hello"))
        assert failure.reason is R.AUTH
        assert failure.detail.endswith("Install it, or name its path in claude_cli.command.")
        assert (await failing(ClaudeCliClient(lambda: None, clock), ask("hello"))).reason is R.AUTH

    async def test_a_file_that_is_no_program_is_told(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.path.write_bytes(b"\x7fELF no more")
        assert "could not be started (Exec format error)" in (await failing(client, ask("hello"))).detail

    async def test_silence_ends_it(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.plan(held("first ", "rest"))
        failure = await failing(client, ask("hello", silence=0.2))
        assert (failure.reason, failure.detail) == (R.TIMEOUT, "The Claude CLI said nothing for 0.2 s and was ended.")
        assert wait_dead(fake.runs[0].pid)

    async def test_a_flood_is_ended(
        self, fake: FakeClaude, client: ClaudeCliClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.claude_cli.process.LONGEST_OUTPUT", 1024 * 1024)
        fake.plan([["flood", 1000]])
        assert "wrote more than" in (await failing(client, ask("hello"))).detail
        assert wait_dead(fake.runs[0].pid)

    async def test_the_end_of_the_question_is_the_end_of_the_program_and_of_its_children(
        self, fake: FakeClaude, client: ClaudeCliClient
    ) -> None:
        fake.plan([["child"], *held("first ", "rest")])
        async with aclosing(client.complete(ask("hello"))) as pieces:
            assert await first_text(pieces) == "first "
        (run,) = fake.runs
        assert run.group == run.pid != os.getpgid(0)
        assert fake.child is not None
        assert wait_dead(run.pid)
        assert wait_dead(fake.child)

    async def test_cancelling_ends_it_too(self, fake: FakeClaude, client: ClaudeCliClient) -> None:
        fake.plan([["child"], *held("first ", "rest")])
        started = asyncio.Event()

        async def listen() -> None:
            async with aclosing(client.complete(ask("hello"))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, TextDelta):
                        started.set()

        task = asyncio.create_task(listen())
        await asyncio.wait_for(started.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert fake.child is not None
        assert wait_dead(fake.runs[0].pid)
        assert wait_dead(fake.child)

    async def test_a_child_that_outlives_the_answer_holds_nobody_up(
        self, fake: FakeClaude, client: ClaudeCliClient
    ) -> None:
        """It has the program's output open, which therefore does not end by itself."""
        fake.plan([["child"], put(*lines_of("done"))])
        async with asyncio.timeout(5):
            assert await text(client, "hello") == "done"
        assert fake.child is not None
        assert wait_dead(fake.child)

    async def test_a_child_that_outlives_a_crash_holds_nobody_up(
        self, fake: FakeClaude, client: ClaudeCliClient
    ) -> None:
        fake.plan([["child"], ["exit", 3]])
        async with asyncio.timeout(5):
            assert "code 3" in (await failing(client, ask("hello"))).detail
        assert fake.child is not None
        assert wait_dead(fake.child)


class TestPlaces:
    async def test_no_more_run_at_a_time_than_there_are_places(
        self, fake: FakeClaude, tmp_path: Path, clock: FakeClock
    ) -> None:
        client = make_client(fake, tmp_path, clock, places=1)
        fake.plan(held("one", "!"), answer("two"))
        async with aclosing(client.complete(ask("first"))) as pieces:
            assert await first_text(pieces) == "one"
            second = asyncio.create_task(text(client, "second"))
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(fake.runs) == 1
            fake.open_gate()
            assert [piece async for piece in pieces][-1] == Completed("one!", Usage(7, 3), "stop")
        assert await second == "two"

    async def test_whoever_gives_up_waiting_takes_no_place(
        self, fake: FakeClaude, tmp_path: Path, clock: FakeClock
    ) -> None:
        client = make_client(fake, tmp_path, clock, places=1)
        fake.plan(held("one", "!"), answer("third"))
        async with aclosing(client.complete(ask("first"))) as pieces:
            assert await first_text(pieces) == "one"
            waiting = asyncio.create_task(text(client, "second"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert await text(client, "third") == "third"
