import gc

import pytest

from akeso.engine.garbage import uncollected


def test_the_collector_rests_inside_and_runs_again_after_an_error():
    assert gc.isenabled()
    with pytest.raises(ValueError), uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()  # the inner one found it resting
        raise ValueError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
