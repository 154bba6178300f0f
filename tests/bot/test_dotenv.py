"""Files of variables: those of the operator, and that of a working directory, which may be anybody's."""

import os
import re
from pathlib import Path

import pytest

from bot.dotenv import parse_dotenv, read_dotenv, read_untrusted
from core.errors import StoreError

OF_THE_OPERATOR = re.findall(
    r"\w+",
    """
    HTTP_PROXY https_proxy ALL_PROXY No_Proxy NODE_TLS_REJECT_UNAUTHORIZED SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE
    REQUESTS_CA_BUNDLE CURL_CA_BUNDLE ANTHROPIC_API_KEY ANTHROPIC_API_KEYS ANTHROPIC_API_KEY_2 ANTHROPIC_OAUTH_TOKEN
    ANTHROPIC_BASE_URL OPENAI_API_KEY OPENAI_API_KEYS OPENAI_API_KEY_WORK openai_api_key ACME_BASE_URL acme_base_url
    REMOTECLAW_LIVE_ACME_KEY REMOTECLAW_LIVE_ANTHROPIC_KEYS REMOTECLAW_STATE_DIR REMOTECLAW_CONFIG_PATH REMOTECLAW_HOME
    REMOTECLAW_AGENT_DIR REMOTECLAW_GATEWAY_TOKEN REMOTECLAW_LOAD_SHELL_ENV REMOTECLAW_DEBUG PI_CODING_AGENT_DIR
    PATH Path LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONSTARTUP NODE_OPTIONS GIT_SSH_COMMAND
    SHELL HOME BASH_ENV ENV IFS PERL5LIB PERL5OPT RUBYOPT UV_PYTHON ZDOTDIR EDITOR BROWSER XDG_CONFIG_HOME
    CLAUDE_CONFIG_DIR TELEGRAM_BOT_TOKEN DISCORD_BOT_TOKEN
    """,
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=x", "x"),
        ("export A=x", "x"),
        ("  A = x  ", "x"),
        ("A=x # note", "x"),
        ("A=x#y", "x#y"),
        ("A=", ""),
        ("A= # note", ""),
        ('A="x # y" # note', "x # y"),
        ("A='x $HOME'", "x $HOME"),
        (r'A="a\"b\\c\nd"', 'a"b\\c\nd'),
        ("A=a=b==", "a=b=="),
        ('A="not closed', '"not closed'),
        ("A=ä", "ä"),
    ],
)
def test_a_line_gives_its_value(line: str, value: str):
    assert parse_dotenv(f"# first\n\n{line}\nnonsense\n1A=no\n") == {"A": value}


class TestTheOperatorsOwn:
    @pytest.fixture
    def dotenv(self, state_dir: Path) -> Path:
        path = state_dir / ".env"
        path.write_text("A=file\nB=\nREMOTECLAW_STATE_DIR=/elsewhere\nREMOTECLAW_HOME=/elsewhere\nC=x\0y\n")
        path.chmod(0o600)
        return path

    def test_it_gives_everything_but_its_own_place(self, dotenv: Path):
        assert read_dotenv(dotenv) == {"A": "file", "B": ""}

    def test_without_a_file_there_is_nothing(self, state_dir: Path):
        assert read_dotenv(state_dir / ".env") == {}
        (state_dir / "file").touch()
        assert read_dotenv(state_dir / "file" / ".env") == {}

    def test_a_file_that_others_can_only_read_is_used(self, dotenv: Path):
        dotenv.chmod(0o644)
        assert read_dotenv(dotenv)["A"] == "file"

    @pytest.mark.parametrize("mode", [0o660, 0o606])
    def test_a_file_that_others_can_write_is_refused(self, dotenv: Path, mode: int):
        dotenv.chmod(mode)
        with pytest.raises(StoreError) as caught:
            read_dotenv(dotenv)
        assert str(caught.value) == (
            f"{dotenv} can be written by others, so nothing is started with it. Run: chmod 600 {dotenv}"
        )

    def test_what_is_no_text_is_refused(self, dotenv: Path):
        dotenv.write_bytes(b"A=\xff")
        with pytest.raises(StoreError, match="UTF-8"):
            read_dotenv(dotenv)
        dotenv.unlink()
        dotenv.mkdir(mode=0o700)
        with pytest.raises(StoreError, match="not a file"):
            read_dotenv(dotenv)


class TestAWorkingDirectorys:
    @pytest.fixture
    def dotenv(self, tmp_path: Path) -> Path:
        path = tmp_path / ".env"
        path.write_text("ACME_API_KEY=k\nBLANK= \nNUL=x\0y\n")
        path.chmod(0o644)
        return path

    def test_it_gives_what_is_set(self, dotenv: Path):
        found = read_untrusted(dotenv, {})
        assert (found.values, found.note) == ({"ACME_API_KEY": "k"}, "")
        assert "k" not in repr(found).replace("Untrusted", "")

    def test_without_a_file_there_is_nothing_to_tell(self, tmp_path: Path):
        found = read_untrusted(tmp_path / ".env", {})
        assert (found.values, found.note) == ({}, "")

    @pytest.mark.parametrize("name", OF_THE_OPERATOR)
    def test_it_chooses_neither_what_runs_nor_where_a_credential_goes_nor_whose_bot_this_is(
        self, dotenv: Path, name: str
    ):
        dotenv.write_text(f"{name}=theirs\nGROQ_API_KEY=fine\n")
        assert read_untrusted(dotenv, {}).values == {"GROQ_API_KEY": "fine"}

    @pytest.mark.parametrize(
        "name", ["ACME_API_KEY", "GROQ_API_KEYS", "GEMINI_API_KEY_1", "HF_TOKEN", "ENVOY", "HOMEPAGE", "MY_PATH_KEY"]
    )
    def test_names_that_only_look_alike_are_taken(self, dotenv: Path, name: str):
        dotenv.write_text(f"{name}=x\n")
        assert read_untrusted(dotenv, {}).values == {name: "x"}

    def test_a_refused_key_is_told_by_name_unless_it_is_set_elsewhere(self, dotenv: Path):
        dotenv.write_text(
            "OPENAI_API_KEY=sk-theirs\nHTTPS_PROXY=http://evil\nPYTHONPATH=src\nOPENAI_API_KEYS=sk-more\n"
        )
        assert read_untrusted(dotenv, {"OPENAI_API_KEY": "sk-mine"}).note == (
            f"{dotenv}: HTTPS_PROXY, OPENAI_API_KEYS is not taken from a working directory; "
            "set it in the environment, or in .env of the state directory."
        )

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            pytest.param(lambda p: (p.rename(f"{p}.real"), p.symlink_to(f"{p}.real")), "it is a link.", id="link"),
            pytest.param(lambda p: (p.unlink(), p.symlink_to("nowhere")), "it is a link.", id="dangling link"),
            pytest.param(lambda p: p.write_bytes(b"A=\xff"), "it is not UTF-8 text.", id="no text"),
            pytest.param(lambda p: p.write_text("A=b\n" * 300_000), "it is larger than 1 MiB.", id="large"),
            pytest.param(lambda p: (p.unlink(), p.mkdir()), "it is not a file.", id="directory"),
            pytest.param(lambda p: (p.unlink(), os.mkfifo(p)), "it is not a file.", id="pipe"),
            pytest.param(lambda p: p.chmod(0o646), "it belongs to another user, or everybody can write it.", id="open"),
        ],
    )
    def test_one_that_cannot_be_used_gives_nothing_and_one_sentence(self, dotenv: Path, spoil, reason: str):
        spoil(dotenv)
        found = read_untrusted(dotenv, {})
        assert (found.values, found.note) == ({}, f"{dotenv} is not used: {reason}")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_one_that_cannot_be_read_gives_nothing(self, dotenv: Path):
        dotenv.chmod(0)
        assert read_untrusted(dotenv, {}).note == f"{dotenv} is not used: Permission denied."
