"""Who is behind an address."""

import pytest

from realtime.addresses import Tally, customer, is_foreign


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::9", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_who_an_address_stands_for(address, who):
    """An address of IPv4, also one that comes mapped; of IPv6 the /64 that a customer is given."""
    assert customer(address) == who


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "", "no address"])
def test_this_machine_is_not_foreign(address):
    """A proxy on this machine stands for many."""
    assert not is_foreign(address)
    tally = Tally()
    tally.add(address, 5)
    assert not tally.is_full(address, 1)


def test_a_tally_is_full_at_its_bound():
    """Each customer by itself; 0 is no bound; who gives all back leaves nothing behind."""
    tally = Tally()
    tally.add("2001:db8::1", 1)
    assert not tally.is_full("2001:db8::2", 2)
    tally.add("2001:db8::2", 1)
    assert tally.is_full("2001:db8::3", 2)
    assert not tally.is_full("2001:db8::3", 0)
    assert not tally.is_full("2001:db8:0:1::1", 2)
    tally.add("2001:db8::1", -2)
    assert not len(tally)
