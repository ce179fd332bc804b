"""What each reader gets of the messages."""

from __future__ import annotations

import json
import threading

from testbed.watch import board as module
from testbed.watch.board import Board, Place


def state(at_s: float) -> str:
    return json.dumps({"at_s": at_s, "rate_Bps": 10 * at_s})


def test_lasting_messages_come_once_and_of_the_states_the_last() -> None:
    board = Board()
    board.take("run", "1")
    board.take("state", state(1))
    messages, place = board.read(Place(), 0)
    assert messages == [("run", "1"), ("state", state(1))]
    assert board.read(place, 0) == ([], place)
    board.take("state", state(2))
    board.take("finished", "[]")
    board.take("state", state(3))
    assert board.read(place, 0)[0] == [("finished", "[]"), ("state", state(3))]


def test_a_late_reader_gets_the_history_of_the_present_run() -> None:
    board = Board()
    board.take("run", "1")
    board.take("state", state(9))
    board.take("run", "2")
    assert board.read(Place(), 0)[0] == [("run", "1"), ("run", "2")]
    board.take("state", state(1))
    board.take("state", state(2))
    *lasting, history, last = board.read(Place(), 0)[0]
    assert lasting == [("run", "1"), ("run", "2")]
    assert (history[0], json.loads(history[1])) == ("history", [[1, 10], [2, 20]])
    assert last == ("state", state(2))


def test_a_long_history_is_thinned() -> None:
    board = Board()
    for at_s in range(10 * module.MOST_POINTS):
        board.take("state", state(at_s))
    ((_, history), _) = board.read(Place(), 0)[0]
    points = json.loads(history)
    assert module.MOST_POINTS / 2 <= len(points) <= module.MOST_POINTS
    assert points[0] == [0, 0]


def test_a_reader_waits_for_news_and_is_freed_by_the_end() -> None:
    board, heard = Board(), []
    place = board.read(Place(), 0)[1]
    reader = threading.Thread(target=lambda: heard.append(board.read(place, 60)[0]))
    reader.start()
    board.take("say", '"hello"')
    reader.join(60)
    assert heard == [[("say", '"hello"')]]
    place = board.read(Place(), 0)[1]
    reader = threading.Thread(target=lambda: heard.append(board.read(place, 60)[0]))
    reader.start()
    board.end()
    reader.join(60)
    assert heard[1:] == [[]]
    assert board.ended
