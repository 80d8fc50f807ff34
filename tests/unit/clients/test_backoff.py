"""A server that is down is left alone for a while; one query that is too much harms no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso.clients.backoff import LONGEST_PAUSE_SECONDS, SILENT_IN_A_ROW, Gate
from akeso.errors import AkesoError, PermanentError, SilentError, TransientError, UnreachedError


class Server:
    """What a gate lets through, in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.gate = Gate(clock=lambda: self.now)

    def ask(self, answer: AkesoError | None, way: object = None) -> AkesoError | None:
        try:
            with self.gate.passed(way):
                self.asked += 1
                if answer is not None:
                    raise answer
        except AkesoError as error:
            return error
        return None


def test_who_can_not_reach_it_tells_the_others_what_was_learned() -> None:
    server = Server()
    server.ask(UnreachedError("nothing listens there"))
    said = server.ask(None)
    assert isinstance(said, UnreachedError)
    assert str(said) == "nothing listens there"
    assert server.asked == 1
    server.now = 1.0
    assert server.ask(None) is None
    assert server.ask(None) is None


def test_with_new_credentials_it_is_asked_at_once() -> None:
    server = Server()
    refused = UnreachedError("it does not accept these credentials")
    assert server.ask(refused, way="old") is refused
    assert server.ask(None, way="old") is not None
    assert server.ask(None, way="new") is None
    assert server.asked == 2


def test_one_query_that_takes_too_long_is_no_reason_to_leave_out_the_others() -> None:
    server = Server()
    for _ in range(20):
        for answer in (*[SilentError("too slow")] * (SILENT_IN_A_ROW - 1), None):
            asked = server.asked
            assert server.ask(answer) is answer
            assert server.asked == asked + 1


def test_silence_in_a_row_is_the_server_and_then_one_query_at_a_time_finds_out() -> None:
    server = Server()
    for _ in range(100):
        server.ask(SilentError("no answer"))
    assert server.asked == SILENT_IN_A_ROW
    server.now = 1.0
    for _ in range(100):
        server.ask(SilentError("no answer"))
    assert server.asked == SILENT_IN_A_ROW + 1


@pytest.mark.parametrize("answer", [PermanentError("bad query"), TransientError("HTTP 503")])
def test_a_server_that_refuses_a_query_is_there(answer: AkesoError) -> None:
    server = Server()
    for _ in range(10):
        assert server.ask(answer) is answer
    assert server.asked == 10


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300))
def test_however_often_it_fails_it_is_asked_again_within_the_longest_pause(
    gaps: list[float],
) -> None:
    server = Server()
    last = 0.0
    for gap in gaps:
        server.now += gap
        before = server.asked
        server.ask(UnreachedError("down"))
        if server.asked > before:
            last = server.now
        assert server.now - last <= LONGEST_PAUSE_SECONDS
    server.now += LONGEST_PAUSE_SECONDS
    assert server.ask(None) is None
