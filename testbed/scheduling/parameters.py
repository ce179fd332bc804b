"""Checks of scheduler parameters, with messages that say what was expected."""

from __future__ import annotations

from testbed.errors import SchedulerError


def check_choice(scheduler: str, parameter: str, value: object, choices: tuple[str, ...]) -> None:
    """SchedulerError unless a parameter that takes one of a few words has one of them."""
    if value not in choices:
        raise SchedulerError(
            f"scheduler {scheduler}: parameter {parameter} is {value!r}; expected one of: {', '.join(choices)}"
        )


def check_switch(scheduler: str, parameter: str, value: object) -> None:
    """SchedulerError unless a parameter is true or false."""
    if not isinstance(value, bool):
        raise SchedulerError(f"scheduler {scheduler}: parameter {parameter} is {value!r}; expected true or false")


def check_number(scheduler: str, parameter: str, value: object, least: float, *, above: bool = False) -> None:
    """SchedulerError unless a parameter is a finite number of at least (or `above`) `least`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (least < value or (value == least and not above)) and value < float("inf"):  # type: ignore[operator]
        return
    expected = f"a number {'above' if above else 'of at least'} {least:g}"
    raise SchedulerError(f"scheduler {scheduler}: parameter {parameter} is {value!r}; expected {expected}")


def check_whole(scheduler: str, parameter: str, value: object, least: int, most: int) -> None:
    """SchedulerError unless a parameter is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SchedulerError(
            f"scheduler {scheduler}: parameter {parameter} is {value!r}; expected a whole number from {least} to {most}"
        )
