"""The places of the window, whoever holds them."""

import random

from outrider.domain.hosts import Hosts
from outrider.domain.shares import Repute, Shares
from outrider.engine import window as window_module
from outrider.engine.window import Window


def make_window(size: int = 1000, most: int = 200) -> Window:
    return Window(Shares(size, most))


def fill(window: Window, name: str) -> int:
    """Hold all that the host may; how much that is."""
    held = 0
    while window.has_room(name):
        window.hold(name)
        held += 1
    return held


def test_host_in_trouble_is_remembered_when_it_holds_nothing():
    window = make_window()
    window.learn("dead", Repute.IN_TROUBLE)
    others = [f"dead{number}" for number in range(749)]
    for name in others:
        window.learn(name, Repute.IN_TROUBLE)
        window.hold(name)
    assert fill(window, "dead") == 1
    window.release(window.hosts["dead"])
    window.hold("dead749")
    window.learn("dead749", Repute.IN_TROUBLE)
    assert not window.has_room("dead")
    assert "dead" not in window.choose_for_claim()
    assert window.has_room("healthy")


def test_places_kept_for_a_claim_are_taken_but_hold_nothing():
    window = make_window(size=10, most=10)
    window.hold("healthy")
    window.keep(9)
    assert window.is_full
    assert window.held - window.kept == 1
    window.keep_no_longer(9)
    assert window.held - window.kept == window.held == 1


def test_host_that_answers_again_has_its_share_again():
    window = make_window(size=100, most=100)
    window.learn("slow", Repute.IN_TROUBLE)
    assert fill(window, "slow") == 38
    assert window.learn("slow", Repute.ANSWERS)
    assert fill(window, "slow") == 50 - 38
    assert window.room_for_lane() is None


def test_oldest_trouble_is_forgotten(monkeypatch):
    monkeypatch.setattr(window_module, "MOST_REMEMBERED", 2)
    window = make_window(size=4, most=4)
    for name in ("a", "b", "c"):
        window.learn(name, Repute.IN_TROUBLE)
        window.hold(name)
    assert not window.has_room("c")
    assert window.learn("a", Repute.ANSWERS) is False
    assert window.learn("c", Repute.ANSWERS) is True


def test_release_says_when_somebody_who_was_left_out_has_room():
    window = make_window(size=10, most=3)
    fill(window, "a")
    fill(window, "b")
    assert window.choose_for_claim() == Hosts.but("a", "b")
    assert window.release(window.hosts["a"])
    assert window.choose_for_claim() == Hosts.but("b")
    assert not window.release(window.hosts["a"])


def test_release_of_one_host_makes_room_for_another():
    window = make_window(size=8, most=8)
    for name in "abc":
        window.learn(name, Repute.ANSWERS)
    assert (fill(window, "a"), fill(window, "b"), fill(window, "c")) == (4, 2, 1)
    assert window.choose_for_claim() == Hosts.but("a", "b", "c")
    assert not window.release(window.hosts["a"]), "the last quarter is for those who hold none"
    assert window.release(window.hosts["a"]), "c holds one, and three are left"


def test_claim_never_takes_more_than_half_of_what_is_left():
    window = make_window(size=100, most=100)
    assert window.room_for_claim() == 44, "an eighth is not for unknown hosts, which it may bring"
    window.learn("dead", Repute.IN_TROUBLE)
    fill(window, "dead")
    assert window.room_for_claim() == 19, "half of what hosts in trouble have left"
    window.held += 62
    assert window.room_for_claim() == 0


def test_unknown_hosts_are_left_out_of_claims_when_they_have_no_room():
    window = make_window(size=80, most=80)
    window.learn("answers", Repute.ANSWERS)
    for number in range(69):
        window.hold(f"unknown{number}")
    assert window.choose_for_claim() == Hosts.but(*window.hosts)
    assert window.room_for_claim() == 1
    window.keep(1)
    assert not window.has_room("another"), "it may be what the claim brings"
    window.keep_no_longer(1)
    another = window.hold("another")
    assert window.choose_for_claim() == Hosts.only("answers")
    assert window.room_for_claim() == 5
    window.keep(5)
    assert window.has_room("answers")
    window.keep_no_longer(5)
    assert window.release(another), "another one may have its place"
    window.hold("another")
    assert window.learn("another", Repute.ANSWERS), "so many fewer are unknown"
    assert window.has_room("one more")


def test_host_that_is_forgotten_is_unknown(monkeypatch):
    monkeypatch.setattr(window_module, "MOST_REMEMBERED", 1)
    window = make_window(size=8, most=8)
    for name in ("a", "b"):
        window.learn(name, Repute.ANSWERS)
    for number in range(7):
        window.hold(f"unknown{number}")
    assert not window.has_room("a")
    assert window.has_room("b")


def test_accounts_agree_after_any_walk():
    chance = random.Random(7)
    window = make_window(size=60, most=20)
    names = [f"host{number}" for number in range(12)]
    for _ in range(5000):
        name = chance.choice(names)
        match chance.randrange(3):
            case 0 if window.has_room(name):
                window.hold(name)
            case 1 if name in window.hosts:
                window.release(window.hosts[name])
            case _ if chance.random() < 0.1:
                window.learn(name, chance.choice([Repute.ANSWERS, Repute.IN_TROUBLE]))
        held = {host.name: host.held for host in window.hosts.values()}
        assert window.held == sum(held.values()) <= 60
        assert all(0 < count <= 20 for count in held.values())
        for repute, known in window._known.items():
            assert window._held_by[repute] == sum(held.get(name, 0) for name in known)
        assert sum(window._held_by.values()) == window.held
        hosts = window.choose_for_claim()
        assert all(window.has_room(name) == (name in hosts) for name in names)
