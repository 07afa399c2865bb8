"""`python -m engine doctor`: what it finds, what it says to do, and its exit status."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import doctor
from engine.commands.main import main
from engine.doctor import (
    NOTE,
    OK,
    WRONG,
    Finding,
    Machine,
    clock,
    cluster,
    data,
    devices,
    disk,
    engines,
    settings,
    store,
    versions,
)
from engine.store import Store
from engine.store.engines import EngineInfo
from tests.engine import test_store as plain


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("LAB_", "RAY_")) and name not in ("LAB_DATA", "LAB_STORE")]:
        monkeypatch.delenv(name)


def look(check: doctor.Check, machine: Machine | None = None) -> list[Finding]:
    return list(check.look(machine or Machine()))


def say(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    status = main(["doctor", "--json", *words])
    return status, json.loads(capsys.readouterr().out)


def beat(store: Store, **more: object) -> EngineInfo:
    info = EngineInfo("here-1", socket.gethostname(), 1, time.time(), time.time(), "CPU", ["cpu"], 2, **{"ready": 2} | more)
    store.record_heartbeat(info)
    return info


def test_every_check_is_found_and_has_a_title_of_its_own():
    titles = [check.TITLE for check in doctor.list_checks()]
    assert titles == ["store", "clock", "engines", "data", "devices", "versions", "disk", "settings", "cluster"]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_sound_machine_without_an_engine_is_not_wrong(store, capsys):
    """All of it, as it is on this machine."""
    status, said = say("--store", store.url, capsys=capsys)
    assert status == 0 and said["wrong"] == 0, said
    assert {row["check"] for row in said["findings"]} == {check.TITLE for check in doctor.list_checks()}
    (none,) = (row for row in said["findings"] if row["check"] == "engines")
    assert (none["level"], none["says"]) == ("note", "no engine lives") and "python -m engine serve" in none["do"]


def test_what_is_wrong_is_said_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "list_checks", lambda: [store, engines])
    assert main(["doctor", "--store", f"sqlite:///{tmp_path / 'no folder' / 'lab.db'}"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith(
        f"wrong  store: the folder {tmp_path / 'no folder'} of the store is missing -> make it"
    )
    assert err == "1 wrong, 1 to know\n"
    (tmp_path / "lab.db").write_bytes(b"not a database at all" * 100)
    assert main(["doctor", "--store", f"sqlite:///{tmp_path / 'lab.db'}"]) == 1
    assert capsys.readouterr().out.startswith("wrong  store: ")


def test_looking_at_a_store_makes_and_changes_nothing(store, tmp_path):
    (found,) = look(doctor.list_checks()[0], Machine(f"sqlite:///{tmp_path / 'new.db'}"))
    assert found.level == OK and not (tmp_path / "new.db").exists()
    plain.finished(store, plain.SPEC)
    before = store.jobs()
    (found,) = look(doctor.list_checks()[0], Machine(store.url))
    assert found.level == OK and "holds 1 jobs" in found.says
    assert before == store.jobs() and len(before) == 1


def test_engines_are_listed_and_trouble_is_wrong(store):
    machine = Machine(store.url)
    beat(store, busy=1)
    assert [(one.level, one.says) for one in look(engines, machine)] == [(OK, "here-1: 1 of 2 slots in use, CPU, 0 MiB")]
    beat(store, ready=1)
    assert look(engines, machine)[0].level == NOTE
    beat(store, trouble="the workers do not start")
    assert look(engines, machine)[0].level == WRONG
    machine.close()


def test_a_clock_that_was_set_back_is_wrong(store, monkeypatch):
    plain.finished(store, plain.SPEC)
    assert look(clock, Machine(store.url))[0].level == OK
    now = time.time()
    monkeypatch.setattr(clock.time, "time", lambda: now - 3600)
    (found,) = look(clock, Machine(store.url))
    assert found.level == WRONG and "3600 s in the future" in found.says and "time server" in found.todo


def test_data_that_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "has_engine_packages", lambda: False)
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "none"))
    assert [one.level for one in look(data)] == [WRONG, OK]
    from engine.data import sources

    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setattr(data, "has_engine_packages", lambda: True)
    monkeypatch.setattr(sources, "datasets", lambda found: [{"name": "glass2"}, {"name": "moons"}])
    monkeypatch.setattr(sources, "available", lambda name: name == "moons")
    monkeypatch.setattr(sources, "unreadable", lambda: ["That zip is damaged."])
    levels = [(one.level, one.says) for one in look(data)]
    assert levels == [
        (OK, "1 of 2 datasets are here"),
        (NOTE, "the KEEL datasets are not here"),
        (NOTE, "That zip is damaged."),
    ]


def test_devices_and_their_memory(monkeypatch):
    pytest.importorskip("torch")
    found = look(devices)
    assert found[0].level == OK and found[0].says.startswith("cpu: ")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("engine.devices.list_devices", lambda: ["cpu"])
    assert "sees no GPU" in look(devices)[-1].says
    monkeypatch.setenv("LAB_SLOTS", "64")
    monkeypatch.setenv("LAB_WORKER_MEMORY", str(10**6))
    (much,) = (one for one in look(devices) if "64 slots of 1000000 MiB" in one.says)
    assert much.level == NOTE and "LAB_SLOTS" in much.todo
    monkeypatch.setattr(devices, "has_engine_packages", lambda: False)
    assert [one.says for one in look(devices)] == ["only the page is installed here; engines train"]


def test_versions_are_held_against_the_pins(monkeypatch, tmp_path):
    assert [one.level for one in look(versions)] == [OK]  # tests/test_setup.py holds this environment to its pins
    monkeypatch.setattr(
        versions, "read_pins", lambda root, name: {"numpy": "0.1", "no-such-package": "1.0", "pytest": pytest.__version__}
    )
    missing, other, ok = look(versions)
    assert missing.level == WRONG and missing.says == "not installed: no-such-package"
    assert other.level == NOTE and "(pinned: 0.1)" in other.says and "-m pip install -r requirements-engine.txt" in other.todo
    assert "1 of 3 packages as pinned" in ok.says
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert look(versions)[0].says == "this is Python 3.10.1"


@pytest.mark.parametrize(("free", "level"), [(10 << 20, WRONG), (500 << 20, NOTE), (5 << 30, OK)])
def test_room_on_the_disks(free, level, monkeypatch, tmp_path):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    found = look(disk, Machine(f"sqlite:///{tmp_path / 'lab.db'}"))
    assert len(found) == 3 and {one.level for one in found} == {level}
    assert any(str(tmp_path) in one.says for one in found)


def test_settings_that_cannot_be_used(monkeypatch, tmp_path):
    assert [one.level for one in look(settings)] == [OK]
    (token := tmp_path / "token").write_text("s3cret")
    token.chmod(0o644)
    for name, value in {
        "LAB_SLOTS": "many",
        "LAB_LOG": "xml",
        "LAB_METRICS": "0.0.0.0:9100",
        "LAB_AUTH_CLIENT_SECRET_FILE": str(tmp_path / "gone"),
        "LAB_OTHER_FILE": str(token),
    }.items():
        monkeypatch.setenv(name, value)
    found = look(settings)
    assert [one.level for one in found] == [WRONG] * 4 + [NOTE]
    said = " ".join(one.says for one in found)
    assert all(
        word in said for word in ("LAB_SLOTS", "LAB_LOG", "LAB_METRICS_TOKEN", "LAB_AUTH_CLIENT_SECRET_FILE", "LAB_OTHER_FILE")
    )
    assert "s3cret" not in said


def test_a_cluster_without_a_token_is_wrong(monkeypatch, tmp_path):
    assert look(cluster)[0].says == "none: runs are trained on this machine"
    monkeypatch.setenv("LAB_EXECUTOR", "ray")
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    assert [one.level for one in look(cluster)] == [WRONG, OK] and "requirements-ray.txt" in look(cluster)[0].todo
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: object())
    assert [one.level for one in look(cluster)] == [OK]
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    assert "cannot be read" in look(cluster)[0].says
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    (found,) = look(cluster)
    assert found.level == WRONG and "runs code on it" in found.says


def test_whether_an_engine_lives_is_its_exit_status(store, tmp_path, capsys):
    ask: Callable[..., int] = lambda *words: main(["doctor", "--store", store.url, "--alive", *words])  # noqa: E731
    assert ask() == ask("here-1") == 1
    beat(store)
    assert ask() == ask("here-1") == ask(socket.gethostname()) == 0
    assert ask("here-2") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "no engine 'here-2' lives"
    store.retire("here-1")
    assert ask("here-1") == 1
    assert (
        main(["doctor", "--store", f"sqlite:///{tmp_path / 'none.db'}", "--alive"]) == 1
        and not Path(tmp_path / "none.db").exists()
    )


@pytest.mark.long
@pytest.mark.timeout(180)
def test_the_settings_of_a_server_of_postgresql(postgres):
    """The server of the tests has two of the six settings, and keeps time with this machine."""
    url = postgres.make_schema("examined")
    machine = Machine(url)
    try:
        first, version, *notes = look(doctor.list_checks()[0], machine)
        assert first.level == version.level == OK and version.says.startswith("PostgreSQL ") and url not in first.says
        missing = {one.todo.split()[1] for one in notes}
        assert missing <= set(store.SETTINGS) - {"log_error_verbosity", "log_min_error_statement"} and {
            one.level for one in notes
        } == {NOTE}
        assert "log_parameter_max_length" in missing
        (time_there,) = look(clock, machine)
        assert time_there.level == OK and "s from the database's" in time_there.says
    finally:
        machine.close()
        postgres.run_sql("DROP SCHEMA examined CASCADE", "lab")
