"""Which addresses the server connects to when a client or another server chooses them."""

from __future__ import annotations

import pytest

from moorage.domain.hosts import may_connect


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_reached(address: str) -> None:
    assert may_connect(address, private_networks=False)


PRIVATE = "127.0.0.1 127.8.8.8 10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 ::1 fd00::1 ::ffff:127.0.0.1 64:ff9b::7f00:1"
LINK_LOCAL = "169.254.169.254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe fe80::1 fe80::1%eth0 fec0::1"
RESERVED = "224.0.0.1 ff02::1 0.0.0.0 0.1.2.3 :: ::127.0.0.1 255.255.255.255 240.0.0.1 2002:7f00:1:: 2001:0:7f00:1::"
NO_ADDRESSES = "127.1 0x7f000001 localhost"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_private_addresses_are_reached_only_if_they_are_allowed(address: str) -> None:
    assert not may_connect(address, private_networks=False)
    assert may_connect(address, private_networks=True)


@pytest.mark.parametrize("address", f"{LINK_LOCAL} {RESERVED} {NO_ADDRESSES}".split())
def test_special_addresses_are_never_reached(address: str) -> None:
    assert not may_connect(address, private_networks=True)
