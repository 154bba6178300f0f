"""Secrets in environment variables."""

import pytest

from adapters.secret_sources.env import EnvSource
from core.auth.refs import UnresolvedRef
from core.auth.secret import Secret, SecretRef


def test_a_variable_gives_its_value_without_line_breaks_and_blanks():
    assert EnvSource({"A": " x\n"}).read(SecretRef("env", "default", "A")) == Secret("x")


@pytest.mark.parametrize("environ", [{}, {"A": ""}, {"A": " \n"}])
def test_a_missing_or_empty_variable_is_named(environ: dict[str, str]):
    with pytest.raises(UnresolvedRef, match="variable A is missing or empty"):
        EnvSource(environ).read(SecretRef("env", "default", "A"))


def test_a_provider_that_is_not_configured_is_named():
    with pytest.raises(UnresolvedRef, match="'vault' of source env is not configured"):
        EnvSource({"A": "x"}).read(SecretRef("env", "vault", "A"))
