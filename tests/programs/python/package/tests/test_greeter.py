import os

import pytest

from greeter import greet


@pytest.mark.parametrize("name", ["a", "b"])
def test_greets(name):
    assert greet(name) == f"hello {name}"


def test_uses_fixtures(tmp_path, monkeypatch, capfd):
    (tmp_path / "f").write_text("x")
    monkeypatch.chdir(tmp_path)
    os.system("cat f")
    assert capfd.readouterr().out == "x"


def test_fails():
    assert greet("a") == "goodbye"
