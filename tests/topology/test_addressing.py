"""Addresses say which core and which edge; what does not fit the scheme is refused."""

from __future__ import annotations

import pytest

from testbed.errors import SpecError
from testbed.plan import Address
from testbed.topology.addressing import addresses
from testbed.topology.big_switch import BigSwitch
from testbed.topology.fat_tree import FatTree
from testbed.topology.leaf_spine import LeafSpine
from testbed.topology.shape import LinkSetting, Shape

LINK = LinkSetting(20e6, 2.4e6, 256_000)


def of(shape: Shape) -> tuple[Address, ...]:
    return addresses(shape.build(LINK, LINK, 9000))


def test_addresses_in_a_fat_tree() -> None:
    address = of(FatTree(4))[5]
    assert address == Address(
        host="h5",
        mac="02:00:00:00:00:06",
        primary="10.255.2.2",
        via=("10.0.2.2", "10.1.2.2", "10.2.2.2", "10.3.2.2"),
    )


def test_hosts_of_a_big_switch_fill_one_edge_after_another() -> None:
    found = of(BigSwitch(600))
    assert [found[host].primary for host in (0, 249, 250, 599)] == [
        "10.255.0.1", "10.255.0.250", "10.255.1.1", "10.255.2.100",
    ]  # fmt: skip
    assert found[0].via == ()


@pytest.mark.parametrize("shape", [FatTree(6), LeafSpine(5, 3, 7), BigSwitch(600)], ids=str)
def test_no_two_hosts_share_an_address(shape: Shape) -> None:
    found = of(shape)
    all_of_them = [text for address in found for text in (address.primary, *address.via)]
    assert len(set(all_of_them)) == len(all_of_them)
    assert len({address.mac for address in found}) == len(found)
    assert all(int(address.mac[:2], 16) & 3 == 2 for address in found)  # locally administered, unicast


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (LeafSpine(2, 251, 1), "251 core switches (or spines): addresses of the form 10.CORE.EDGE.HOST allow 250"),
        (LeafSpine(256, 1, 1), "256 edge switches: addresses of the form 10.CORE.EDGE.HOST allow 255"),
        (LeafSpine(2, 1, 251), "251 hosts on one edge switch: addresses of the form 10.CORE.EDGE.HOST allow 250"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(shape: Shape, what: str) -> None:
    with pytest.raises(SpecError) as error:
        of(shape)
    assert str(error.value) == (
        f"{what} in an emulated network; expected a smaller topology, or 'backends: [simulation]'"
    )


def test_the_largest_fat_tree_that_has_addresses() -> None:
    assert len(of(FatTree(22))) == 22**3 // 4
