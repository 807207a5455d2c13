"""Services that are asked whether they are well: what each says, in words; nothing that was started stays."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents.driving import box
from tests.support.until import until
from tracekit.agent.asking import ask, checks_of


class Page(BaseHTTPRequestHandler):
    """Answers with the number that its path says."""

    def do_GET(self) -> None:
        number = self.path.strip("/?")
        self.send_response(int(number) if number.isdigit() else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(safe: ssl.SSLContext | None = None) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        if safe is not None:
            server.socket = safe.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def said(check: dict[str, Any], patience: float = 30.0) -> str:
    ((told),) = ask([{"name": "it", **check}], patience)
    assert told["name"] == "it"
    return str(told["said"])


def test_ask__port_takes_a_connection_or_not__then_well_or_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert said({"tcp": f"127.0.0.1:{port}"}) == ""
    assert said({"tcp": f"127.0.0.1:{port}"}) == f"127.0.0.1:{port} takes no connection: Connection refused"


@pytest.mark.parametrize(("path", "why"), [("", ""), ("204", ""), ("503", " with 503"), ("302", " with 302")])
def test_ask__address_answers__then_well_with_2xx_alone(path: str, why: str) -> None:
    with served() as port:
        address = f"http://127.0.0.1:{port}/{path}"
        assert said({"http": address}) == (f"{address} answers{why}" if why else "")


def test_ask__what_answers_is_no_web_server__then_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"220 mail.example\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert said({"http": address}) == f"{address} does not speak HTTP: BadStatusLine"
        thread.join()


def test_ask__takes_the_connection_and_says_nothing__then_said_how_long_was_waited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert said({"http": address}, 0.2) == f"{address} does not answer within 0.2 s"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["true"], ""),
        (["sh", "-c", "echo first; echo it is down >&2; exit 3"], "sh ends with 3: it is down"),
        (["sh", "-c", "kill -9 $$"], "sh is killed by signal 9"),
        (
            ["there-is-no-such-program"],
            "there-is-no-such-program cannot be started: No such file or directory",
        ),
        (["sh", "-c", 'test "$PWD" = "$HOME"'], ""),
    ],
)
def test_ask__command_ends__then_well_with_0_alone_and_its_last_line_is_told(
    words: list[str], why: str
) -> None:
    assert said({"command": words}) == why


@pytest.mark.parametrize(
    "script", ["sleep 300 & echo $! >{0}; exit 1", "echo $$ >{0}; while :; do echo x; done"]
)
def test_ask__command_leaves_something_or_says_things_for_ever__then_nothing_of_it_lives(
    script: str, tmp_path: Path
) -> None:
    place = tmp_path / "pid"
    assert said({"command": ["sh", "-c", script.format(place)]}, 1.0)
    until(lambda: not _lives(int(place.read_text())))


def test_ask__command_ends_and_leaves_something_that_holds_its_output__then_nobody_waits_for_that(
    tmp_path: Path,
) -> None:
    place = tmp_path / "pid"
    left = f"sleep 300 & echo $! >{place}; echo it is down; exit 3"
    # Waiting for the end of its output would be told as a command that does not end.
    assert said({"command": ["sh", "-c", left]}, 200.0) == "sh ends with 3: it is down"
    until(lambda: not _lives(int(place.read_text())))


def test_ask__command_says_much_just_before_it_ends__then_its_last_line_is_told() -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo the last; exit 1"
    assert said({"command": ["sh", "-c", script]}) == "sh ends with 1: the last"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        # The end of a long answer is cut off, and the beginning of one that nobody keeps as a whole.
        (
            "printf '%0150d ' 0; echo {0} and more",
            "sh ends with 1: " + "0" * 150 + " \N{HORIZONTAL ELLIPSIS}",
        ),
        (
            "printf %s {0}; printf '%04050d at last' 0",
            "sh ends with 1: \N{HORIZONTAL ELLIPSIS} at last",
        ),
    ],
)
def test_ask__what_it_says_is_long__then_cut_between_words_and_no_part_of_a_secret_is_left(
    script: str, told: str
) -> None:
    secret = "a-password-of-" + "many-letters-" * 8
    assert said({"command": ["sh", "-c", script.format(secret) + "; exit 1"]}) == told


def test_ask__it_may_take_no_longer_than_that_to_be_well__then_nobody_waits_longer_for_it() -> None:
    waited = said({"command": ["sleep", "300"], "within": 0.2}, 200.0)
    assert waited == "sleep does not end within 0.2 s"


def test_ask__project_is_on_the_box__then_commands_are_started_in_its_folder(tmp_path: Path) -> None:
    here = {"command": ["sh", "-c", 'test "$PWD" = "$0"', str(tmp_path)], "at": str(tmp_path)}
    assert said(here) == ""
    gone = tmp_path / "gone"
    why = f"the project is not at {gone}, where true is to be started"
    assert said({"command": ["true"], "at": str(gone)}) == why


def test_ask__certificate_is_nobodys_or_none_comes__then_each_has_its_own_words(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with served(context) as port:
        address = f"https://127.0.0.1:{port}/"
        why = f"{address} has a certificate that is not trusted there: self-signed certificate"
        assert said({"http": address}).replace("self signed", "self-signed") == why
    with served() as port:
        address = f"https://127.0.0.1:{port}/"
        assert said({"http": address}).startswith(f"{address} takes a connection, and does not speak TLS")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        [1],
        [{"name": "a"}],
        [{"name": 1, "tcp": "a:1"}],
        [{"name": "a", "tcp": 1}],
        [{"name": "a", "tcp": "a:1", "http": "http://a"}],
        [{"name": "a", "command": []}],
        [{"name": "a", "command": ["x"], "at": 1}],
        [{"name": "a", "command": ["x", 1]}],
        [{"name": "a", "tcp": "a:1"}] * 257,
    ],
)
def test_checks_of__no_list_of_questions__then_refused(found: object) -> None:
    assert checks_of(found) is None


def test_ask__address_or_port_is_none__then_said_and_nobody_waits() -> None:
    assert said({"tcp": "nowhere"})
    assert said({"http": "http://127.0.0.1:99999999/"})
    assert said({"command": ["a\0b"]})


def test_daemon__asked_about_services__then_each_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with box(tmp_path) as made, socket.create_server(("127.0.0.1", 0)) as server:
        link = made.link()
        assert link.hello()["answers"] == ["services"]
        # Its bridge hands over at the first word.
        link.client.ping(1)
        link.until(lambda event: event["type"] == "pong")
        before = _held(made.daemon_pid())
        up = {"name": "up", "tcp": f"127.0.0.1:{server.getsockname()[1]}"}
        for _ in range(3):
            link.events.clear()
            link.client.ask([up, {"name": "down", "command": ["false"]}])
            told = link.until(lambda event: event["type"] == "told")
            assert told["services"] == [
                {"name": "up", "said": ""},
                {"name": "down", "said": "false ends with 1"},
            ]
        until(lambda: _held(made.daemon_pid()) == before)
        until(lambda: not _children(made.daemon_pid()))


def test_daemon__asked_what_is_no_question__then_refused_and_the_connection_stays(tmp_path: Path) -> None:
    with box(tmp_path) as made:
        link = made.link()
        link.hello()
        link.client.ask([{"name": "a"}])
        refused = link.until(lambda event: event["type"] == "error")
        assert (refused["for"], refused["problems"][0]["action"]) == ("ASK", "update the console")
        link.client.ask([])
        assert link.until(lambda event: event["type"] == "told")["services"] == []


def test_daemon__who_asks_services_is_killed__then_none_is_known_to_be_well_and_nobody_waits(
    tmp_path: Path,
) -> None:
    with box(tmp_path) as made:
        link = made.link()
        link.hello()
        link.client.ask([{"name": "slow", "command": ["sleep", "300"]}])

        def asking() -> list[int]:
            link.pump(0)
            return [pid for pid in _children(made.daemon_pid()) if _name(pid) == "tracekit-asking"]

        until(lambda: bool(asking()))
        os.kill(asking()[0], 9)
        assert link.until(lambda event: event["type"] == "told")["services"] == []


def _held(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_ask__command_says_things_for_ever__then_it_is_said_that_it_does_not_end() -> None:
    assert said({"command": ["yes"]}, 0.5) == "yes does not end within 0.5 s"


def test_ask__address_that_is_none_or_has_foreign_letters__then_no_traceback_and_no_codec() -> None:
    with served() as port:
        assert said({"http": f"http://127.0.0.1:{port}/?\u00e9"}) == ""
    assert said({"http": "http://local host/"}).startswith("http://local host/ is no address: ")
    assert said({"http": "http://127.0.0.1:x/"}).startswith("http://127.0.0.1:x/ is no address: ")


def test_daemon__command_puts_something_into_a_session_of_its_own__then_nothing_of_it_lives(
    tmp_path: Path,
) -> None:
    place = tmp_path / "pid"
    with box(tmp_path) as made:
        link = made.link()
        link.hello()
        script = (
            f"setsid sh -c 'echo $$ >{place}.new; mv {place}.new {place}; exec sleep 300' >/dev/null 2>&1 & "
        )
        script += f"while [ ! -e {place} ]; do sleep 0.01; done"
        link.client.ask([{"name": "it", "command": ["sh", "-c", script]}])
        told = link.until(lambda event: event["type"] == "told")
        assert told["services"] == [{"name": "it", "said": ""}]
        until(lambda: not _lives(int(place.read_text())))


def test_ask__a_service_says_a_secret__then_it_is_not_told_even_where_a_line_is_cut() -> None:
    secret = "a-word-that-only-the-box-knows"
    words = "x " * 95 + f"{secret} and more"
    for text in (f"refused {secret}", words):
        check = {"name": "it", "command": ["sh", "-c", f"echo '{text}'; exit 1"]}
        (told,) = ask([check], secrets={"DB_PASSWORD": secret})
        assert secret[:8] not in told["said"]
        assert "ends with 1" in told["said"]
