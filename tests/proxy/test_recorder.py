"""What is recorded of questions, how long, and that a file brings it back."""

from __future__ import annotations

import pytest

from pgcache.proxy.recorder import Asked, Question, Recorder, startup_of
from tests.proxy.rig import DATABASE, Rig, whole_run
from tests.support.frames import query

KIND = None


def _question(key: bytes, size: int = 10) -> Question:
    return Question("shop", "alice", Asked(b"Q" * size), key=key, text=key.decode())


def _texts(recorder: Recorder, count: int = 9) -> list[str]:
    return [recorded.question.text for recorded in recorder.top(count)]


def test_those_that_saved_most_come_first() -> None:
    recorder = Recorder(10)
    for key, cost, hits in ((b"a", 1.0, 0), (b"b", 2.0, 0), (b"c", 0.5, 3)):
        credited = recorder.note(_question(key), cost, KIND)
        assert credited is not None
        credited.credit(hits, cost, 1, 1)
    assert _texts(recorder) == ["c", "b", "a"]
    assert _texts(recorder, 1) == ["c"]


def test_hits_are_passed_on() -> None:
    class Kind:
        def __init__(self) -> None:
            self.told: tuple[float, ...] = ()

        def credit(self, *what: float) -> None:
            self.told = what

    kind = Kind()
    credited = Recorder(10).note(_question(b"a"), 1.0, kind)
    assert credited is not None
    credited.credit(2, 0.5, 3, 40)
    assert kind.told == (2, 0.5, 3, 40)


def test_it_is_bounded_and_the_least_valuable_leave() -> None:
    recorder = Recorder(20)
    for number in range(21):
        recorder.note(_question(b"%d" % number), float(number), KIND)
    assert len(recorder) == 19
    assert set(_texts(recorder, 99)) == {str(number) for number in range(2, 21)}


def test_long_questions_and_none_at_all() -> None:
    recorder = Recorder(10)
    recorder.note(_question(b"a", 65 * 1024), 1.0, KIND)
    assert len(recorder) == 0
    assert Recorder(0).note(_question(b"a"), 1.0, KIND) is KIND


def test_a_file_brings_everything_back() -> None:
    first, second = Recorder(10), Recorder(10)
    asked = Asked(parse=b"P\0\xff", bind=b"B\0", limit=7)
    startup, settings = (("options", "\xe4"),), (("search_path", "a, b"), ("app.x", None))
    question = Question("shop", "\xe4", asked, startup, settings, b"key\xff", "select")
    credited = first.note(question, 1.25, KIND)
    assert credited is not None
    credited.credit(2, 1.25, 1, 1)
    assert second.load(first.dump()) == 1
    (recorded,) = second.top(9)
    assert recorded.question == question
    assert (recorded.cost, recorded.saved) == (1.25, 2.5)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 2, "questions": []}', '{"format": 1, "questions": [{}]}']
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a file|of this version|Expecting"):
        Recorder(10).load(text)


def test_what_of_a_startup_packet_is_repeated() -> None:
    given = {"user": "u", "database": "d", "replication": "no", "_pq_.x": "1", "TimeZone": "UTC"}
    assert startup_of(given) == (("TimeZone", "UTC"),)


async def test_sessions_record_what_they_ask() -> None:
    rig = Rig()
    line = rig.line()
    line.state.startup = {"user": "alice", "options": "-c x=y"}
    line.says(query("set timezone to 'Asia/Tokyo'"))
    line.says(query("select v from t"))
    line.says(whole_run("select v from u where v = $1", [b"u"]))
    line.says(query("select now()"))
    simple, extended = sorted(
        (recorded.question for recorded in rig.engine.recorder.top(9)), key=lambda q: q.text
    )
    assert (simple.database, simple.user, simple.startup) == (
        DATABASE,
        "alice",
        (("options", "-c x=y"),),
    )
    assert simple.settings == (("timezone", "Asia/Tokyo"),)
    assert simple.asked == Asked(query("select v from t"))
    assert extended.asked.bind[:1] == b"B"
    assert extended.asked.parse[:1] == b"P"
    now = rig.engine.clock()
    for question in (simple, extended):
        assert rig.engine.store.get(question.key, rig.database.generations, now) is not None
