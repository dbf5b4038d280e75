"""The live page: rebuilt when a file changes, and served only to this machine."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_modules.records.kept import keep, record_of
from lightning_modules.records.reader import read_runs
from lightning_modules.report.live import LivePage, server
from tests.lightning_modules.records.made_up_runs import write_metrics

SHOWN = [
    *("results.json", "metrics.csv", "config.yaml", "model.json", "memory_film.npz", "probe.json"),
    "pictures/generations_test.png",
    "pictures/moving_generations_test.webp",
]


@pytest.fixture
def live(runs, tmp_path: Path) -> Iterator[tuple[LivePage, int]]:
    runs.frames("DNC", 0, 2.0)
    page = LivePage([runs.root], tmp_path / "out.html")
    web_server = server(page, 0)
    thread = threading.Thread(target=web_server.serve_forever)
    thread.start()
    yield page, web_server.server_port
    web_server.shutdown()
    thread.join()
    web_server.server_close()


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_page_follows_the_runs(live, runs, tmp_path: Path):
    page, port = live
    status, content = get(port, "/")
    version = get(port, "/version")[1]
    assert status == 200 and f'data-version="{version}"' in content
    assert page.content() is page.content(), "nothing changed"
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == content
    fresh = runs.frames("NTM", 0, 3.0)
    assert get(port, "/version")[1] != version
    assert "GTMM (NTM)" in get(port, "/")[1]
    write_metrics(fresh / "metrics.csv", "bound", -1, {"kl": [1.0]}, rows=7)
    assert get(port, "/version")[1] not in (version, page._cached[0])


@pytest.mark.parametrize("name", SHOWN)
def test_every_kind_of_shown_file_is_watched(runs, name: str):
    file = runs.frames("DNC", 0) / name
    file.parent.mkdir(exist_ok=True)
    page = LivePage([runs.root])
    before = page.version()
    with file.open("ab") as end:
        end.write(b"\n")
    assert page.version() != before


def test_a_run_and_its_record_count_once(live, runs, tmp_path: Path):
    (run,) = read_runs([runs.root]).runs
    keep(record_of(run), tmp_path / "records/0.json")
    page = LivePage([tmp_path / "records", runs.root])
    assert "1 run, 1 tested" in page.content()


def test_only_this_machine_may_ask(live):
    assert get(live[1], "/", host="evil.example:80")[0] == 403
    assert get(live[1], "/etc/passwd")[0] == 404
    assert get(live[1], "/version", host=f"localhost:{live[1]}")[0] == 200


def test_any_port_will_do(live):
    assert get(live[1], "/version", host="127.0.0.1")[0] == 200, "a browser leaves out port 80"


def test_it_waits_for_the_folder(tmp_path: Path):
    page = LivePage([tmp_path / "runs"])
    assert "Waiting: there is no folder" in page.content()
    waiting = page.version()
    (tmp_path / "runs").mkdir()
    assert page.version() != waiting


def test_it_waits_for_the_first_run(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    content = LivePage([tmp_path / "runs"]).content()
    assert "Waiting: no run has measurements" in content and "setInterval" in content
