"""The salt of the installation's fingerprints."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.storage.guarded_file import Unusable
from adapters.storage.salt_file import load_salt


def test_it_is_made_once_and_for_nobody_else(state_dir: Path):
    path = state_dir / "fingerprint.salt"
    salt = load_salt(path)
    assert len(salt) == 32
    assert load_salt(path) == salt
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(state_dir) == ["fingerprint.salt"]


def test_the_state_directory_is_made_for_it(tmp_path: Path):
    load_salt(tmp_path / "state" / "fingerprint.salt")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_all_who_ask_for_it_at_once_get_the_same(state_dir: Path):
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(load_salt, [state_dir / "salt"] * 64))) == 1


@pytest.mark.parametrize(
    ("content", "mode", "words"), [(b"short", 0o600, "is damaged"), (b"x" * 32, 0o644, "chmod 600")]
)
def test_one_that_cannot_be_used_is_left_alone_and_told(state_dir: Path, content: bytes, mode: int, words: str):
    path = state_dir / "salt"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(Unusable, match=words):
        load_salt(path)
    assert path.read_bytes() == content


def test_a_place_where_it_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unusable, match="file/salt"):
        load_salt(tmp_path / "file" / "salt")
