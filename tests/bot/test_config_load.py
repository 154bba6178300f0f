"""Reading config.toml: everything wrong is told, with its path, and no value is shown."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.config import load_settings
from bot.config.problems import InvalidConfig
from core.auth.secret import Secret, SecretRef
from core.errors import BotError, ConfigError

CANARY = "sk-canary-0123456789abcdef"


def load(tmp_path: Path, text: str, **environ: str):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_settings(path, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        load(tmp_path, text, **environ)
    assert CANARY not in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_config_is_valid_and_holds_the_documented_defaults(tmp_path: Path):
    settings = load(tmp_path, "")
    assert settings.failover.deadline == timedelta(seconds=120)
    assert settings.failover.silence == timedelta(seconds=60)
    assert settings.failover.cross_billing == "ask"
    assert settings.session.sticky_idle == timedelta(hours=1)
    assert settings.session.on_reset == "release"
    assert settings.session.dm_scope == "per-account-channel-peer"
    assert settings.channels.telegram is None
    assert settings.gateway.listen is None


def test_the_sections_that_other_programs_write_are_read(tmp_path: Path):
    settings = load(
        tmp_path,
        """
        [channels.telegram]
        token = "${T}"
        [models.providers.Acme]
        base_url = "http://127.0.0.1:9000/v1/"
        api = "openai-completions"
        api_key = { source = "env", provider = "default", id = "ACME_KEY" }
        headers = { "X-Title" = "me" }
        models = ["small", { id = "Large", alias = "BIG", context_window = 200000 }]
        [agents.defaults]
        model = { primary = "acme/Large", fallbacks = ["acme/small"] }
        [agents.list.writer]
        model = "acme/small"
        [auth.order]
        "Z.AI" = ["zai:work"]
        """,
        T="123:abc",
    )
    assert settings.channels.telegram is not None
    assert settings.channels.telegram.token == Secret("123:abc")
    acme = settings.models.providers["acme"]
    assert acme.base_url == "http://127.0.0.1:9000/v1"
    assert acme.api_key == SecretRef("env", "default", "ACME_KEY")
    assert [(m.id, m.alias) for m in acme.models] == [("small", None), ("Large", "big")]
    assert settings.agents.list["writer"].model is not None
    assert settings.agents.list["writer"].model.primary == "acme/small"
    assert settings.auth.order == {"zai": ("zai:work",)}


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        pytest.param('chanels = "x"', "chanels", "Did you mean channels?", id="unknown table"),
        pytest.param('[channels.telegram]\ntokn = "x"', "channels.telegram.tokn", "Did you mean token?", id="misspelt"),
        pytest.param("[agents.defaults]\nmodl = 1", "agents.defaults.modl", "Did you mean model?", id="nested"),
        pytest.param(
            '[models.providers.acme]\nmodels = [{ id = "a", aliass = "b" }]',
            "models.providers.acme.models[0].aliass",
            "Did you mean alias?",
            id="inside a list",
        ),
        pytest.param(
            '[auth.profiles."a:b"]\nprovider = "a"\nlable = "x"', 'auth.profiles."a:b".lable', "label", id="quoted key"
        ),
        pytest.param("[failover]\ndeadline = 90", "failover.deadline", "must be a duration", id="number as duration"),
        pytest.param('[failover]\nsilence = "soon"', "failover.silence", "must be a duration", id="bad duration"),
        pytest.param('[session]\non_reset = "drop"', "session.on_reset", "'release' or 'keep'", id="not a choice"),
        pytest.param('[channels.discord]\nenabled = "yes"', "channels.discord.enabled", "true or false", id="bool"),
        pytest.param("[access]\nowners = 1001", "access.owners", "must be a list", id="not a list"),
        pytest.param("[models]\nproviders = 1", "models.providers", "must be a table", id="not a table"),
        pytest.param("[agents.defaults]\nmodel = 1", "agents.defaults.model", "a string or a table", id="model number"),
        pytest.param('[access]\nowners = ["telegram:@anna"]', "access.owners[0]", "numeric id", id="a name"),
        pytest.param('[access]\nallow = ["telegram:1", "1001"]', "access.allow[1]", "platform:id", id="no platform"),
        pytest.param('[access]\nallow = ["telegram:-100"]', "access.allow[0]", "numeric id", id="a group is nobody"),
        pytest.param('[access]\nallow = ["telegram:١٢"]', "access.allow[0]", "numeric id", id="other digits"),
        pytest.param('[access]\nallow = ["discord:role:mods"]', "access.allow[0]", "discord:role:<id>", id="role name"),
        pytest.param(
            '[access]\nallow = ["telegram:role:7"]', "access.allow[0]", "discord:role:<id>", id="no such roles"
        ),
        pytest.param(
            '[access]\nowners = ["discord:role:7"]', "access.owners[0]", "numeric id", id="a role owns nothing"
        ),
        pytest.param(
            '[access]\ngroups = ["discord:role:7"]', "access.groups[0]", "numeric id", id="a role is no group"
        ),
        pytest.param('[access]\npairing = "yes"', "access.pairing", "true or false", id="pairing is a switch"),
        pytest.param('[access]\ngroups = ["discord:-1"]', "access.groups[0]", "numeric id", id="discord group"),
        pytest.param('[access]\ngroups = ["terminal:me"]', "access.groups[0]", "numeric id", id="terminal group"),
        pytest.param(
            '[models.providers.a]\napi_key = { source = "vault", id = "X" }',
            "models.providers.a.api_key",
            "env, file, exec",
            id="unknown source",
        ),
        pytest.param(
            '[models.providers.a]\napi_key = { source = "env", id = "lower" }',
            "models.providers.a.api_key",
            "variable name",
            id="bad env id",
        ),
        pytest.param(
            '[models.providers.a]\napi_key = { source = "env", id = "X", key = "y" }',
            "models.providers.a.api_key",
            "'key'",
            id="ref with more keys",
        ),
        pytest.param('[models.providers.a]\napi_key = ""', "models.providers.a.api_key", "is empty", id="empty key"),
        pytest.param(
            '[models.providers.a]\napi_key = "x"\nauth = "none"', "models.providers.a.api_key", "must not", id="keyless"
        ),
        pytest.param(
            '[models.providers.a]\nbase_url = "ftp://x"', "models.providers.a.base_url", "https://host", id="scheme"
        ),
        pytest.param(
            f'[models.providers.a]\nbase_url = "https://u:{CANARY}@x"',
            "models.providers.a.base_url",
            "user name or password",
            id="password in the url",
        ),
        pytest.param(
            '[models.providers.a]\nbase_url = "http://[::1"', "models.providers.a.base_url", "must be a URL", id="ipv6"
        ),
        pytest.param(
            '[models.providers.a]\napi = "openai"', "models.providers.a.api", "'openai-completions'", id="api"
        ),
        pytest.param(
            '[models.providers."a b"]\nauth = "key"',
            'models.providers."a b"',
            "provider id",
            id="provider with a blank",
        ),
        pytest.param(
            '[models.providers.zai]\n[models.providers."Z.AI"]', "models.providers", "the same provider", id="twice"
        ),
        pytest.param(
            '[models.providers.a]\nmodels = ["x", ""]', "models.providers.a.models[1].id", "empty", id="no id"
        ),
        pytest.param(
            '[models.providers.a]\nmodels = [{ id = "x", context_window = 0 }]',
            "models.providers.a.models[0].context_window",
            "at least 1",
            id="no context",
        ),
        pytest.param('[agents.list."My Agent"]', 'agents.list."My Agent"', "agent id", id="agent id"),
        pytest.param('[session]\nlocked = ["main"]', "session.locked[0]", "session key", id="session key"),
        pytest.param('[gateway]\nlisten = "18789"', "gateway.listen", "host:port", id="no host"),
        pytest.param('[gateway]\nlisten = "127.0.0.1:99999"', "gateway.listen", "host:port", id="port too large"),
        pytest.param('[log]\nlevel = "loud"', "log.level", "'debug'", id="level"),
        pytest.param('[env]\n"a b" = "x"', 'env."a b"', "environment variable", id="variable name"),
        pytest.param('[env]\nREMOTECLAW_HOME = "x"', "env.REMOTECLAW_HOME", "environment itself", id="own variable"),
        pytest.param("[channels.telegram]\nenabled = true", "channels.telegram.token", "is missing", id="no token"),
        pytest.param(
            '[channels.telegram]\ntoken = "x"\nmode = "webhook"',
            "channels.telegram.webhook",
            "is missing",
            id="webhook",
        ),
        pytest.param(
            '[channels.telegram]\ntoken = "x"\nwebhook = { url = "https://x" }',
            "channels.telegram.webhook.secret_token",
            "is missing",
            id="webhook without a secret",
        ),
        pytest.param(
            '[channels.discord]\ntoken = "x"\ngateway_url = "https://x"',
            "channels.discord.gateway_url",
            "wss://",
            id="gateway url",
        ),
        pytest.param('[auth.profiles."a:b"]\nmode = "token"', 'auth.profiles."a:b".provider', "is missing", id="whose"),
        pytest.param(
            '[auth.profiles."a:b"]\nprovider = "a"\npin_allow = ["everyone"]',
            'auth.profiles."a:b".pin_allow[0]',
            '"owners"',
            id="pin_allow",
        ),
        pytest.param(
            f'[channels.telegram]\ntoken = ["{CANARY}"]', "channels.telegram.token", "must be a string", id="list"
        ),
        pytest.param(f'token = "{CANARY}"', "token", "is not a setting", id="secret under an unknown key"),
    ],
)
def test_a_mistake_is_told_with_its_path(tmp_path: Path, text: str, path: str, words: str):
    (found,) = problems(tmp_path, text)
    assert found.startswith(f"{path}: ")
    assert words in found


@pytest.mark.parametrize("word", ["list", "status", "default", "auto", "undo", "why", "strict", "prefer", "-", "List"])
def test_an_alias_that_model_keeps_for_itself_is_refused(tmp_path: Path, word: str):
    (found,) = problems(tmp_path, f'[models.providers.a]\nmodels = [{{ id = "x", alias = "{word}" }}]')
    assert found.startswith("models.providers.a.models[0].alias: must not be one of the words")


@pytest.mark.parametrize("alias", ["a/b", "a@b", "two words", "7", ""])
def test_an_alias_that_could_not_be_typed_is_refused(tmp_path: Path, alias: str):
    (found,) = problems(tmp_path, f'[agents.defaults.models."a/x"]\nalias = "{alias}"')
    assert found.startswith('agents.defaults.models."a/x".alias: must be one word')


def test_one_alias_for_two_models_is_refused_and_both_are_named(tmp_path: Path):
    (found,) = problems(
        tmp_path,
        """
        [models.providers.a]
        models = [{ id = "x", alias = "big" }]
        [agents.defaults.models."a/y"]
        alias = "Big"
        """,
    )
    assert found == (
        'agents.defaults.models."a/y".alias: this alias already means a/x (by models.providers.a.models[0].alias)'
    )


def test_the_same_alias_twice_for_one_model_is_no_clash(tmp_path: Path):
    load(
        tmp_path,
        '[models.providers.a]\nmodels = [{ id = "x", alias = "big" }]\n[agents.defaults.models."A/x"]\nalias = "big"',
    )


def test_every_mistake_is_told_not_only_the_first(tmp_path: Path):
    found = problems(
        tmp_path,
        f"""
        nonsense = "{CANARY}"
        [channels.telegram]
        token = "1:${{NO_SUCH}}"
        [failover]
        deadline = "never"
        [access]
        owners = ["anna", "telegram:1"]
        """,
    )
    assert [line.split(":")[0] for line in found] == [
        "channels.telegram.token",
        "failover.deadline",
        "access.owners[0]",
        "nonsense",
    ]


def test_the_error_has_one_line_for_each_mistake_and_the_path_of_the_first(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "a = 1\nb = 2")
    assert caught.value.path == "a"
    assert caught.value.code == "config"
    assert len(str(caught.value).splitlines()) == 2
    assert str(tmp_path / "config.toml") in caught.value.hint


class TestVariables:
    def test_are_filled_anywhere_also_inside_a_string(self, tmp_path: Path):
        settings = load(
            tmp_path,
            '[models.providers.a]\nbase_url = "http://${HOST}:9/v1"\nmodels = ["${MODEL}"]',
            HOST="127.0.0.1",
            MODEL="m",
        )
        assert settings.models.providers["a"].base_url == "http://127.0.0.1:9/v1"
        assert settings.models.providers["a"].models[0].id == "m"

    def test_what_a_variable_holds_is_not_looked_at_again(self, tmp_path: Path):
        settings = load(tmp_path, '[models.providers.a]\napi_key = "${A}"', A="${B}", B="no")
        assert settings.models.providers["a"].api_key == Secret("${B}")

    @pytest.mark.parametrize("text", ["$${NAME}", "${lower}", "$NAME", "${}", "${A-B}"])
    def test_escapes_and_what_is_no_variable_stay(self, tmp_path: Path, text: str):
        settings = load(tmp_path, f'[auth.profiles.x]\nprovider = "a"\nlabel = "{text}"')
        assert settings.auth.profiles["x"].label == text.replace("$$", "$")

    @pytest.mark.parametrize("environ", [{}, {"KEY": ""}, {"KEY": "  "}], ids=["unset", "empty", "blank"])
    def test_a_missing_one_is_named_with_its_path(self, tmp_path: Path, environ: dict[str, str]):
        assert problems(tmp_path, '[models.providers.a]\nbase_url = "${KEY}"', **environ) == [
            "models.providers.a.base_url: the environment variable KEY is missing or empty"
        ]

    @pytest.mark.parametrize("environ", [{}, {"KEY": ""}, {"KEY": "  "}], ids=["unset", "empty", "blank"])
    def test_a_whole_one_in_the_place_of_a_reference_is_one(self, tmp_path: Path, environ: dict[str, str]):
        text = (
            '[models.providers.Acme]\napi_key = "${KEY}"\nheaders = { X = " ${KEY} " }\n[database]\nurl = "${KEY}"\n'
            '[channels.telegram]\ntoken = "${KEY}"\nwebhook = { url = "https://x", secret_token = "${KEY}" }'
        )
        settings = load(tmp_path, text, **environ)
        acme, telegram = settings.models.providers["acme"], settings.channels.telegram
        assert telegram is not None
        assert telegram.webhook is not None
        places = [
            acme.api_key, acme.headers["X"], settings.database.url, telegram.token, telegram.webhook.secret_token,
        ]  # fmt: skip
        assert places == [SecretRef("env", "default", "KEY")] * 5
        assert load(tmp_path, text, KEY="found").models.providers["acme"].api_key == Secret("found")

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            pytest.param('[models.providers.a]\napi_key = "sk-${KEY}"', "models.providers.a.api_key", id="a part"),
            pytest.param('[models.providers.a]\napi_key = "${_KEY}"', "models.providers.a.api_key", id="no id of one"),
            pytest.param('[models.providers.a]\nheaders = { X = "Bearer ${KEY}" }', "models.providers.a.headers.X", id="header"),
            pytest.param(
                '[secrets.providers.a]\nsource = "exec"\ncommand = "/bin/x"\nenv = { T = "${KEY}" }',
                "secrets.providers.a.env.T",
                id="a secret that takes no reference",
            ),
        ],
    )  # fmt: skip
    def test_anywhere_else_a_missing_one_is_a_mistake(self, tmp_path: Path, text: str, path: str):
        (found,) = problems(tmp_path, text)
        assert found.startswith(f"{path}: the environment variable ")

    def test_nothing_else_is_said_about_a_value_whose_variable_is_missing(self, tmp_path: Path):
        assert problems(tmp_path, '[gateway]\nlisten = "${HOST}:1"\n[access]\nowners = ["${ME}", "telegram:1"]') == [
            "gateway.listen: the environment variable HOST is missing or empty",
            "access.owners[0]: the environment variable ME is missing or empty",
        ]

    @pytest.mark.parametrize("channel", ["telegram", "discord"])
    def test_a_missing_one_in_a_disabled_channel_is_no_error(self, tmp_path: Path, channel: str):
        settings = load(tmp_path, f'[channels.{channel}]\nenabled = false\ntoken = "${{TOKEN}}"')
        assert getattr(settings.channels, channel).token is None

    def test_a_disabled_channel_is_checked_for_everything_else(self, tmp_path: Path):
        (found,) = problems(
            tmp_path, '[channels.telegram]\nenabled = false\ntoken = "${TOKEN}"\nmode = "carrier pigeon"'
        )
        assert found.startswith("channels.telegram.mode: ")

    def test_the_env_table_fills_what_the_environment_does_not_set(self, tmp_path: Path):
        text = '[env]\nA = "from ${B}"\nC = "table"\n[auth.profiles.x]\nprovider = "a"\nlabel = "${A} ${C}"'
        settings = load(tmp_path, text, B="outside", C=" ")
        assert settings.auth.profiles["x"].label == "from outside table"
        assert settings.environment({"C": "mine"}) == {"A": "from outside", "C": "mine"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a = [1,\n2 b]", "line 2", id="not closed"),
        pytest.param("a = 1\na = 2\nb = 3", "line 2", id="twice"),
        pytest.param("a = " + "9" * 5000, "not valid TOML", id="a number without end"),
        pytest.param("a = " + "[" * 5000, "nested too deeply", id="nested without end"),
    ],
)
def test_wrong_toml_names_the_file_and_the_line(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "config.toml") in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_names_the_ways_to_begin(tmp_path: Path):
    with pytest.raises(BotError) as caught:
        load_settings(tmp_path / "no.toml", {})
    assert caught.value.code == "no_config"
    assert "remoteclaw onboard" in caught.value.hint
    assert "make demo" in caught.value.hint


def test_what_is_no_text_file_is_refused(tmp_path: Path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(tmp_path / "binary.toml", {})
    with pytest.raises(ConfigError, match="is not a file"):
        load_settings(tmp_path, {})


def test_settings_show_no_secret(tmp_path: Path):
    settings = load(
        tmp_path,
        f"""
        [channels.telegram]
        token = "{CANARY}"
        webhook = {{ url = "https://x", secret_token = "{CANARY}" }}
        [models.providers.a]
        api_key = "{CANARY}"
        headers = {{ Authorization = "{CANARY}" }}
        [database]
        url = "postgresql://u:{CANARY}@h/d"
        [env]
        A = "{CANARY}"
        """,
    )
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


def test_settings_cannot_be_changed(tmp_path: Path):
    settings = load(tmp_path, "")
    with pytest.raises(AttributeError, match="does not change"):
        settings.log.level = "debug"
