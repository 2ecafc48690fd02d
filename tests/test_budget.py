"""The budget: its numbers, its errors, and that a process reads it once."""

import pytest

import ganlib
from ganlib.errors import InputError
from ganlib.teaching import budget as module

Budget = module.Budget


def test_numbers_of_each_budget():
    smoke, laptop, colab = (Budget(name) for name in module.NAMES)
    assert (smoke.steps(5000), laptop.steps(5000), colab.steps(5000)) == (50, 5000, 20000)
    assert (smoke.steps(40), smoke.steps(1)) == (2, 1)
    assert (smoke.steps(5000, smoke=7), colab.steps(5000, colab=9000)) == (7, 9000)
    assert (smoke.samples(5000), laptop.samples(5000), colab.samples(5000)) == (256, 5000, 10000)
    assert smoke.samples(100) == 100
    assert (smoke.seeds, laptop.seeds, colab.seeds) == ((0,), (0, 1, 2), (0, 1, 2, 3, 4))
    assert (smoke.asserts, laptop.asserts, colab.asserts) == (False, True, True)


def test_learned_outcomes_are_asserted_from_laptop_on():
    Budget("smoke").expects(False, "not looked at")
    for name in ("laptop", "colab"):
        Budget(name).expects(True, "fine")
        with pytest.raises(AssertionError, match="D should be near 1/2"):
            Budget(name).expects(False, "D should be near 1/2")


@pytest.mark.parametrize("count", [0, -3])
@pytest.mark.parametrize("method", ["steps", "samples"])
def test_counts_below_one_are_errors(method, count):
    with pytest.raises(InputError, match=f"{method} under laptop is {count}, but must be at least 1"):
        getattr(Budget("laptop"), method)(count)
    with pytest.raises(InputError, match=f"{method} under smoke is {count}"):
        getattr(Budget("laptop"), method)(10, smoke=count)


def test_the_environment_is_read_once(monkeypatch):
    module.budget.cache_clear()
    try:
        monkeypatch.setenv("GANLIB_BUDGET", "colab")
        assert ganlib.budget().name == "colab"
        monkeypatch.setenv("GANLIB_BUDGET", "smoke")
        assert ganlib.budget().name == "colab"
    finally:
        module.budget.cache_clear()


@pytest.mark.parametrize("value", ["Laptop", "fast", "0", " smoke"])
def test_a_wrong_value_is_named(monkeypatch, value):
    module.budget.cache_clear()
    monkeypatch.setenv("GANLIB_BUDGET", value)
    try:
        with pytest.raises(InputError) as raised:
            ganlib.budget()
    finally:
        module.budget.cache_clear()
    message = str(raised.value)
    assert repr(value) in message and "smoke, laptop, colab" in message and "\n" not in message


@pytest.mark.parametrize(("accelerator", "name"), [(True, "colab"), (False, "laptop")])
def test_unset_it_follows_the_hardware(monkeypatch, accelerator, name):
    module.budget.cache_clear()
    monkeypatch.setenv("GANLIB_BUDGET", "")
    monkeypatch.setattr(module, "_accelerator_visible", lambda: accelerator)
    try:
        assert ganlib.budget().name == name
    finally:
        module.budget.cache_clear()


def test_a_process_that_asks_says_nothing(run_python):
    done = run_python(
        "import ganlib; print(ganlib.budget().name)", environment={"GANLIB_BUDGET": "smoke"}, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "smoke\n", "")


def test_the_courses_tools_are_at_the_front_door_and_bring_no_tensorflow(run_python):
    result = run_python(
        """
        import sys
        import ganlib

        seen = [name in sys.modules for name in ("ganlib.teaching", "numpy")]
        before = ganlib.budget
        import ganlib.teaching.budget
        import ganlib.teaching.claims
        import ganlib.teaching.grading

        result = {
            "early": seen,
            "budget": before is ganlib.budget is ganlib.teaching.budget.budget,
            "claims": ganlib.claims is ganlib.teaching.claims,
            "grading": ganlib.grading is ganlib.teaching.grading,
            "tensorflow": "tensorflow" in sys.modules,
        }
        """
    )
    assert result == {
        "early": [False, False],
        "budget": True,
        "claims": True,
        "grading": True,
        "tensorflow": False,
    }


def test_importing_ganlib_does_not_import_tensorflow(run_python):
    done = run_python("import sys, ganlib; print('tensorflow' in sys.modules)", check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_run_python_splits_the_cpu_and_returns_arrays(run_python):
    result = run_python(
        """
        import numpy as np

        devices = tf.config.list_logical_devices("CPU")
        result = {"devices": len(devices), "array": np.arange(3.0), "t": tf.ones(2)}
        """,
        devices=4,
    )
    assert result == {"devices": 4, "array": [0.0, 1.0, 2.0], "t": [1.0, 1.0]}
