"""deploy/firn.conf is a file that the server takes, and holds what the server does without it."""
import pathlib
import re
import subprocess

from firn_server import BINARY

SAMPLE = pathlib.Path(__file__).parents[2] / "deploy/firn.conf"


def firn(*words, **environment):
    return subprocess.run([BINARY, *map(str, words)], env=environment, capture_output=True, text=True, timeout=60)


def shown(*words):
    """{setting: (value, origin)}"""
    answer = firn("config", "show", *words)
    assert answer.returncode == 0, answer.stderr
    return {name: (value, origin) for name, value, origin in re.findall(r"^([\w-]+) = (.*)  # (.*)$", answer.stdout, re.MULTILINE)}


def test_the_sample_as_it_is_changes_nothing():
    assert firn("config", "check", "--config", SAMPLE, "--data", "d").returncode == 0
    assert shown("--config", SAMPLE, "--data", "d") == shown("--data", "d")


def test_every_setting_is_in_the_sample_with_its_default(tmp_path):
    uncommented = re.sub(r"^#([\w-]+ = .+)$", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    (tmp_path / "firn.conf").write_text(uncommented)
    assert firn("config", "check", "--config", tmp_path / "firn.conf", "--data", "d").returncode == 0
    defaults, taken = shown("--data", "d"), shown("--config", tmp_path / "firn.conf", "--data", "d")
    assert {name: value for name, (value, _) in taken.items()} == {name: value for name, (value, _) in defaults.items()}
    in_file = re.findall(r"^#?([\w-]+) =", SAMPLE.read_text(), re.MULTILINE)
    assert in_file == list(defaults)
    from_file = {name for name, (_, origin) in taken.items() if f"{tmp_path}/firn.conf line " in origin}
    assert from_file == {name for name, (value, _) in defaults.items() if value not in ("", "(not set)") and name not in ("data", "store")}


def test_origins_are_told_from_weakest_to_strongest(tmp_path):
    (tmp_path / "firn.conf").write_text("region = file\ndomain = file\ndrain = 3\n")
    answer = firn("config", "show", "--config", tmp_path / "firn.conf", "--data", "d", "--drain", "5", FIRN_DOMAIN="environment").stdout
    assert f"region = file  # {tmp_path}/firn.conf line 1\n" in answer
    assert "domain = environment  # environment FIRN_DOMAIN\n" in answer and "drain = 5  # flag\n" in answer


def test_a_mistake_stops_the_start_and_is_told_with_its_line(tmp_path):
    (tmp_path / "firn.conf").write_text("# settings\nregion = eu\nlog-format = xml\n")
    for verb in (("config", "check"), ("serve",)):
        answer = firn(*verb, "--config", tmp_path / "firn.conf", "--data", tmp_path / "data")
        assert answer.returncode == 2 and answer.stderr == f"firn: {tmp_path}/firn.conf line 3: setting 'log-format' must be one of text, json, not 'xml'\n"
    assert not (tmp_path / "data").exists()
