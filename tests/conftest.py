"""What all tests share: a store of their own, and which tests need something that this machine may not have."""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import signal
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything imports torch: threads that wait for each other on a busy machine make single tests a hundred times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from engine.store import Store
    from tests.engine.ray_nodes import Cluster
    from tests.postgres import Server

# A shell that starts this in the background ignores SIGINT, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow now and then, which is no error; CI draws the same examples every time.
settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("lab")


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """LAB_STORE for the whole session, also for the processes that tests start: nobody's own runs are touched."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'lab.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STORE", url)
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of PostgreSQL for this process, started once."""
    from tests.postgres import lacking, serving

    if reason := lacking():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with serving() as server:
        yield server


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that nobody made yet: a file, or in the half of both_databases on PostgreSQL a schema."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield f"sqlite:///{tmp_path / 'lab.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    schema = f"test_{uuid.uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as patch:  # tests set heartbeats back to before the server started
        patch.setattr("engine.store.postgres.PostgresDatabase.read_uptime", lambda *_: 3600.0)
        yield server.make_schema(schema)
    server.run_sql(f"DROP SCHEMA {schema} CASCADE", "lab")


@pytest.fixture
def store(empty_url: str) -> Iterator[Store]:
    """An empty store of the test's own."""
    from engine.store import Store

    store = Store(empty_url)
    yield store
    store.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked both_databases run on SQLite, and among the long ones on PostgreSQL, but those marked sqlite."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "both_databases" in marks and "sqlite" not in marks and "empty_url" in metafunc.fixturenames:
        theirs = pytest.param("postgres", marks=(pytest.mark.long, pytest.mark.timeout(180)))
        metafunc.parametrize("empty_url", ["sqlite", theirs], indirect=True)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A Ray cluster of a head and two nodes, for the whole session."""
    if importlib.util.find_spec("ray") is None:  # not imported here, since Ray reads the token where it is imported
        pytest.skip("Ray is not installed: requirements-ray.txt")
    from tests.engine.ray_nodes import Cluster

    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit leaves the script it ran as `__main__`; a process that a later test spawns would run it again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


ALONE = (
    "tests/browser/",
    "tests/engine/test_service.py",
    "tests/engine/test_engines.py",
    "tests/engine/test_ray.py",
    "tests/engine/test_ray_engine.py",
    "tests/engine/test_forgetting.py",
    "tests/engine/test_postgres_engine.py",
    "tests/app/test_server.py",
    "tests/app/test_signed_in_server.py",
    "tests/app/test_origin.py",
    "tests/test_benchmarks.py::test_it_runs_alone",
    "tests/test_portable.py",
    "tests/test_wheel.py",
)
"""Tests whose ids begin so start browsers, servers and engines, and wait for them: they run one after the other, beside nothing else."""

BESIDE = (
    "tests/app/test_server.py",
    "tests/app/test_signed_in_server.py",
    "tests/engine/test_engines.py",
    "tests/engine/test_forgetting.py",
    "tests/engine/test_kills.py",
    "tests/engine/test_postgres_engine.py",
    "tests/engine/test_sealing.py",
    "tests/engine/test_service.py",
    "tests/test_containers.py",
    "tests/test_benchmarks.py::test_it_runs_long[engine_cells",
    "tests/test_benchmarks.py::test_it_runs_long[kills",
    "tests/test_portable.py",
    "tests/test_setup.py",
    "tests/test_wheel.py",
)
"""Files of tests that are alone and long, of which `make test-long` runs two at once: they start engines and databases of their own, and
wait for them for as long as it takes. Those that use Ray stay alone, since they share a cluster.
"""

EACH_TIME = (
    "tests/app/test_origin.py",
    "tests/app/test_server.py::test_every_answer",
    "tests/app/test_server.py::test_the_policy",
    "tests/app/test_server.py::test_script_hashes",
    "tests/app/test_server.py::test_the_owners_cookie",
    "tests/app/test_server.py::test_metrics",
    "tests/browser/test_compare.py::test_the_first_screen",
    "tests/browser/test_data.py::test_a_closed_step",
    "tests/browser/test_decide.py::test_a_key_moves_the_cut",
    "tests/browser/test_deep.py::test_the_map_has_its_sizes",
    "tests/browser/test_lab.py::test_the_first_screen",
    "tests/browser/test_menu.py",
    "tests/browser/test_origin.py",
    "tests/browser/test_papers.py::test_the_first_screen",
    "tests/browser/test_player.py::test_the_keyboard",
    "tests/browser/test_report.py",
    "tests/browser/test_stage.py::test_the_film_owns",
    "tests/engine/test_service.py::test_a_run_goes_through",
    "tests/engine/test_service.py::test_a_secret",
    "tests/engine/test_service.py::test_a_running_run_is_cancelled",
    "tests/engine/test_service.py::test_each_bad_end",
    "tests/engine/test_service.py::test_settings",
    "tests/engine/test_service.py::test_the_command_runs",
    "tests/test_portable.py::test_a_p",
    "tests/test_portable.py::test_one_module",
    "tests/test_portable.py::test_text_files",
    "tests/test_portable.py::test_the_search",
)
"""The tests of ALONE that `make test` runs: of most pages a test, of the engine what every run meets. The others are `long`."""

FIRST = ("tests/test_pretend.py", "tests/engine/test_kills.py")
"""The longest tests run first: at the end, one of two workers would wait for the other."""

LONG = (
    "tests/app/test_api.py::test_a_server_without",
    "tests/app/test_compare.py::test_hostile_names",
    "tests/app/test_data_names.py::test_a_comparison_full",
    "tests/app/test_data_takeaway.py::test_the_line_installs",
    "tests/app/test_data_takeaway.py::test_the_model_is_used",
    "tests/app/test_demo.py::test_a_run_in_any_state",
    "tests/app/test_demo.py::test_deep_draws",
    "tests/app/test_demo.py::test_the_server_takes",
    "tests/app/test_leftovers.py",
    "tests/app/test_many_runs.py::test_a_view_reads",
    "tests/app/test_pieces.py::test_a_file_that_is_dropped",
    "tests/app/test_preview.py::test_20_requests",
    "tests/app/test_preview.py::test_a_closed_stream",
    "tests/app/test_preview.py::test_a_preview_is_streamed",
    "tests/app/test_preview.py::test_another_owner",
    "tests/app/test_runs_page.py::test_filters_find",
    "tests/app/test_runs_page.py::test_pin_and_name",
    "tests/app/test_runs_page.py::test_search_takes_any_words",
    "tests/app/test_shared.py::test_a_deleted_run",
    "tests/app/test_shared.py::test_a_page_shares",
    "tests/app/test_shared.py::test_cycles_are",
    "tests/app/test_store_gone.py::test_every_page_says",
    "tests/engine/analysis/test_contributions.py::test_they_are",
    "tests/engine/analysis/test_embedding.py::test_near_rows",
    "tests/engine/analysis/test_embedding.py::test_rows_that_are_hard",
    "tests/engine/analysis/test_embedding.py::test_the_mark_of_what",
    "tests/engine/analysis/test_embedding.py::test_the_same_seed_gives_the_same_bits[umap",
    "tests/engine/analysis/test_embedding.py::test_umap_with",
    "tests/engine/analysis/test_metrics.py::test_equal_to_the_libraries",
    "tests/engine/analysis/test_metrics.py::test_per_class",
    "tests/engine/analysis/test_shifts.py::test_the_values_are_scikit_learn",
    "tests/engine/data/test_adult.py::test_openml",
    "tests/engine/data/test_archives.py::test_rows_of_the_real",
    "tests/engine/data/test_catalog.py::test_images_are",
    "tests/engine/data/test_kinds_near.py::test_days_and_clocks",
    "tests/engine/data/test_mat.py::test_a_file_that_is_cut",
    "tests/engine/data/test_mnist.py::test_rows_of_the_real",
    "tests/engine/data/test_reading.py::test_a_hundred_thousand",
    "tests/engine/data/test_reading_odd.py::test_guesses_given_back",
    "tests/engine/data/test_tables_made.py::test_frames_hold",
    "tests/engine/data/test_tables_made.py::test_tables_are_read",
    "tests/engine/decide/test_curves.py::test_a_share_in_use",
    "tests/engine/decide/test_cut.py::test_a_cut_chosen_on_validation",
    "tests/engine/papers/test_command.py::test_a_folder_needs",
    "tests/engine/papers/test_command.py::test_the_full_",
    "tests/engine/papers/test_command.py::test_the_text_says",
    "tests/engine/papers/test_command.py::test_what_is_written",
    "tests/engine/papers/test_measured.py::test_a_shipped_cell",
    "tests/engine/papers/test_stacked.py::test_a_process_that_dies",
    "tests/engine/papers/test_stacked.py::test_a_shipped_cell",
    "tests/engine/papers/test_stacked.py::test_keel_end",
    "tests/engine/papers/test_stacked.py::test_moving_is",
    "tests/engine/papers/test_stacked.py::test_two_at_once",
    "tests/engine/test_cli.py::test_a_reader_that",
    "tests/engine/test_cli.py::test_every_keel_set",
    "tests/engine/test_compaction.py::test_numbers_",
    "tests/engine/test_compare.py::test_every_method_ends",
    "tests/engine/test_compare.py::test_the_budget",
    "tests/engine/test_compare_by_time.py::test_a_random_split",
    "tests/engine/test_compare_by_time.py::test_intervals",
    "tests/engine/test_compare_by_time.py::test_parts_follow",
    "tests/engine/test_compare_command.py::test_a_report",
    "tests/engine/test_compare_command.py::test_one_object",
    "tests/engine/test_compare_options.py::test_end_to_end",
    "tests/engine/test_compare_sizes.py::test_average",
    "tests/engine/test_compare_tuning.py::test_shares",
    "tests/engine/test_compare_tuning.py::test_without_time",
    "tests/engine/test_estimators.py::test_clone_pickle",
    "tests/engine/test_estimators.py::test_the_one_check",
    "tests/engine/test_examples.py::test_an_example",
    "tests/engine/test_explicit_gradient.py::test_points_sets_start_from_steps_that_can_be_seen[50",
    "tests/engine/test_family.py::test_each_run",
    "tests/engine/test_four_ways_corpus.py",
    "tests/engine/test_four_ways_made.py::test_tables_hold",
    "tests/engine/test_generators.py::test_at_most",
    "tests/engine/test_hostile.py::test_names",
    "tests/engine/test_hostile.py::test_no_name",
    "tests/engine/test_images.py::test_a_network_kept",
    "tests/engine/test_images.py::test_alone_equals",
    "tests/engine/test_leftovers.py",
    "tests/engine/test_memory.py::test_an_estimate",
    "tests/engine/test_methods.py::test_it_can_be_closed",
    "tests/engine/test_model_file.py::test_sizes",
    "tests/engine/test_network_study.py::test_the_budget",
    "tests/engine/test_no_leak.py::test_a_column",
    "tests/engine/test_one_file_method.py",
    "tests/engine/test_onnx.py::test_a_comparison",
    "tests/engine/test_plugins.py::test_a_demonstration",
    "tests/engine/test_plugins.py::test_a_folder_adds",
    "tests/engine/test_preview.py::test_previews_have",
    "tests/engine/test_refit.py::test_each_replicate",
    "tests/engine/test_row_code.py::test_rows_that",
    "tests/engine/test_row_code.py::test_the_terminal",
    "tests/engine/test_run_report.py::test_names_never",
    "tests/engine/test_score.py::test_a_promise",
    "tests/engine/test_score_command.py::test_a_file_is_scored",
    "tests/engine/test_score_command.py::test_a_person",
    "tests/engine/test_sentences.py::test_every_state",
    "tests/engine/test_store.py::test_several_first",
    "tests/engine/test_store.py::test_three_claimers",
    "tests/engine/test_store_faults.py::test_an_error_at",
    "tests/engine/test_store_faults.py::test_opening",
    "tests/engine/test_store_gone.py::test_a_locked_store",
    "tests/engine/test_sweep_command.py::test_a_real_sweep",
    "tests/engine/test_sweep_command.py::test_the_python",
    "tests/engine/test_uploads.py::test_no_byte",
    "tests/engine/test_why.py::test_a_suspect_has",
    "tests/engine/test_why.py::test_three_classes",
    "tests/engine/test_why.py::test_what_is_explained",
    "tests/held/test_held.py::test_a_printed_command",
    "tests/held/test_held.py::test_an_address",
    "tests/held/test_held.py::test_every_printed_import",
    "tests/held/test_held.py::test_printed",
    "tests/test_benchmarks.py::test_it_runs",
    "tests/test_benchmarks_gpu.py::test_it_needs",
    "tests/test_fleet.py::test_each_station",
    "tests/test_one_file_kinds.py::test_a_report",
    "tests/test_one_file_kinds.py::test_a_source",
    "tests/test_pretend.py::test_a_recorded_step",
    "tests/test_pretend.py::test_every_method",
    "tests/test_pretend.py::test_stacks_of_settings",
    "tests/test_setup.py::test_the_server_comes",
)
"""Tests that take more than about a second of a processor and are no first look at anything: they are `long` too."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files without a test that is alone, where `-m` asks for those: importing all of them takes longer."""
    asked = re.sub(r"not \w+", "", config.option.markexpr).split()
    return (
        True if {"alone", "beside"} & {*asked} and collection_path.suffix == ".py" and not says_alone(collection_path) else None
    )


@cache
def says_alone(path: Path) -> bool:
    """Whether ALONE names the file or tests in it, or the file has the marker."""
    name = path.relative_to(Path(__file__).parents[1]).as_posix()
    named = any(id.partition("::")[0] == name or name.startswith(id) for id in ALONE)
    return named or "mark.alone" in path.read_text(encoding="utf-8")


def pytest_configure() -> None:
    """Collect garbage seldom: imports and pages' tests spend a fifth of their time on it otherwise."""
    gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Leave what was imported out of later collections."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here, with one line why; mark what ALONE and LONG name, begin with FIRST.

    One marked `long` by hand needs a timeout of its own. Tests marked `browser` skip themselves (tests/browser/conftest.py).
    """
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            raise pytest.UsageError(f"{item.nodeid} is marked long and has no timeout of its own")
        if item.nodeid.startswith(ALONE):
            item.add_marker("alone")
        elif item.get_closest_marker("alone") and not says_alone(item.path):
            raise pytest.UsageError(f"{item.nodeid} is alone by a marker of another file, so `-m alone` would not find it")
        alone = item.get_closest_marker("alone") and not item.nodeid.startswith(EACH_TIME)
        if alone or item.nodeid.startswith(LONG):
            item.add_marker("long")
        if alone and item.nodeid.startswith(BESIDE) and "ray" not in re.findall(r"\w+", item.name.partition("[")[2]):
            item.add_marker("beside")
        for mark, absent in (("network", no_data), ("gpu", no_gpu)):
            if item.get_closest_marker(mark) and (reason := absent()):
                item.add_marker(pytest.mark.skip(reason=reason))


@cache
def no_data() -> str:
    """Why a test of fetched data cannot run, or ''."""
    from engine.data.sources import keel

    return "" if keel.available("glass2") else f"the KEEL data are not on this machine: {keel.HOW}"


@cache
def no_gpu() -> str:
    """Why a test of a CUDA device cannot run, or ''."""
    import torch

    return "" if torch.cuda.is_available() else "there is no CUDA device"
