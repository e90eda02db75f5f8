"""Who fails waits, longer each time; others do not, and the memory it takes is bounded."""

from __future__ import annotations

import pytest

from api.pages.throttle import (
    FAILURES,
    MAX_CLIENTS,
    NAME_FAILURES,
    NAME_WAIT_SECONDS,
    PAIR_FAILURES,
    PAIR_MAX_SECONDS,
    WINDOW_SECONDS,
    SignInThrottle,
    network_of,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> SignInThrottle:
    return SignInThrottle(clock)


def test_failures_count_for_a_window_and_an_address(clock: Clock, throttle: SignInThrottle) -> None:
    for _ in range(FAILURES):
        assert throttle.begin("a") == 0
    assert throttle.begin("a") == WINDOW_SECONDS
    assert throttle.wait_seconds("b") == 0
    clock.now = WINDOW_SECONDS
    assert throttle.begin("a") == 0


def test_the_wait_for_a_name_doubles_from_the_fifth_failure_on(
    clock: Clock, throttle: SignInThrottle
) -> None:
    waits = []
    for _ in range(PAIR_FAILURES + 14):
        while wait := throttle.begin("a", "ines"):
            clock.now += wait
        waits.append(throttle.wait_seconds("a", "ines"))
        clock.now += WINDOW_SECONDS
    assert waits[: PAIR_FAILURES - 1] == [0] * (PAIR_FAILURES - 1)
    assert waits[PAIR_FAILURES - 1 : PAIR_FAILURES + 4] == [1, 2, 4, 8, 16]
    assert max(waits) == PAIR_MAX_SECONDS


def test_many_addresses_slow_each_other_down_on_one_name(
    clock: Clock, throttle: SignInThrottle
) -> None:
    for number in range(NAME_FAILURES):
        assert throttle.begin(f"client {number}", "ines") == 0
    assert throttle.begin("another", "ines") == NAME_WAIT_SECONDS
    assert throttle.begin("another", "tom") == 0
    clock.now += NAME_WAIT_SECONDS
    assert throttle.begin("another", "ines") == 0
    assert throttle.begin("a third", "ines") == NAME_WAIT_SECONDS


def test_a_held_attempt_is_not_counted_again(clock: Clock, throttle: SignInThrottle) -> None:
    for _ in range(PAIR_FAILURES):
        throttle.begin("a", "ines")
    for _ in range(50):
        assert throttle.begin("a", "ines") == 1
    clock.now += 1
    assert throttle.begin("a", "ines") == 0


def test_signing_in_does_not_pay_for_guesses_at_others(throttle: SignInThrottle) -> None:
    for number in range(FAILURES - 1):
        throttle.begin("a", f"victim {number}")
        assert throttle.begin("a", "own") == 0
        throttle.succeed("a", "own")
    throttle.begin("a", "victim")
    assert throttle.begin("a", "own") > 0


def test_signing_in_ends_the_waits_of_that_name(throttle: SignInThrottle) -> None:
    for _ in range(PAIR_FAILURES - 1):
        throttle.begin("a", "ines")
    throttle.begin("b", "ines")
    throttle.succeed("a", "ines")
    assert throttle.begin("a", "ines") == 0
    assert throttle.wait_seconds("a", "ines") == 0


def test_what_is_remembered_is_bounded(throttle: SignInThrottle) -> None:
    for number in range(MAX_CLIENTS + 50):
        throttle.begin(f"client {number}", f"name {number}")
    held = (throttle._by_client, throttle._by_pair, throttle._by_name)
    assert [len(one) for one in held] == [MAX_CLIENTS] * 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_ipv6_customer_is_one_client(address: str, network: str) -> None:
    assert network_of(address) == network
