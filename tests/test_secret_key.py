"""The secret key's file: made once, for its owner's eyes alone."""

import threading

import pytest

from outrider.domain.errors import Misconfigured
from outrider.sealing import SecretKey
from outrider.secret_key import find_secret_key, fingerprint_of, keep_secret_key


def test_key_is_made_at_first_use_and_then_kept(tmp_path):
    key = keep_secret_key(tmp_path)
    assert keep_secret_key(tmp_path) == key
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    assert keep_secret_key(tmp_path / "other") != key


def test_all_who_come_at_once_get_the_same_key(tmp_path):
    keys, together = [], threading.Barrier(8)

    def take():
        together.wait()
        keys.append(keep_secret_key(tmp_path))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"c0ffee", b"\xff" * 32])
def test_file_that_holds_no_key_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(Misconfigured, match=r"secret\.key") as refused:
        keep_secret_key(tmp_path)
    assert "c0ffee" not in refused.value.sentence
    assert (tmp_path / "secret.key").read_bytes() == content


def test_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misconfigured, match="nowhere") as refused:
        keep_secret_key(tmp_path / "nowhere")
    assert "OUTRIDER_SECRET_KEY" in refused.value.hint


def test_a_key_is_found_and_not_made(tmp_path):
    assert find_secret_key(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    key = keep_secret_key(tmp_path)
    assert find_secret_key(tmp_path) == key


def test_a_fingerprint_tells_keys_apart_and_nothing_of_them():
    key = SecretKey(bytes(range(32)))
    assert fingerprint_of(key) == fingerprint_of(SecretKey(bytes(range(32))))
    assert fingerprint_of(key) != fingerprint_of(SecretKey(bytes(32)))
    assert len(fingerprint_of(key)) == 64
    assert key.raw.hex() not in fingerprint_of(key)
