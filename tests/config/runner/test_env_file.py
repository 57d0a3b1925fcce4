from pathlib import Path

from config.runner import env_file


def test_it_reads_what_it_wrote(tmp_path: Path):
    values = {"URL": "redis://:a=b@127.0.0.1:1/0?x=y", "EMPTY": ""}
    env_file.write(tmp_path / "x.env", values)
    assert env_file.read(tmp_path / "x.env") == values


def test_only_its_owner_may_read_it(tmp_path: Path):
    path = tmp_path / "x.env"
    path.touch(mode=0o644)
    env_file.write(path, {"SECRET": "x"})
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_file_is_empty(tmp_path: Path):
    assert env_file.read(tmp_path / "x.env") == {}
