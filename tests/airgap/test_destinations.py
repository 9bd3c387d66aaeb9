"""Which hosts are this machine, in any spelling."""

import socket

import pytest

from paddock.airgap.destinations import listens_here, may_be_made, place_in, place_of, stays_here

HERE = (
    "localhost",
    "LOCALHOST",
    "127.0.0.1",
    "127.1",
    "127.250.3.4",
    "0x7f000001",
    "2130706433",
    "::1",
    "[::1]",
    "0.0.0.0",
)
HERE_TOO = ("::", "::ffff:127.0.0.1", "::1%lo", "localhost.", "")
ELSEWHERE = (
    "example.org",
    "localhost.example.org",
    "evil-localhost",
    "192.168.1.7",
    "169.254.169.254",
    "10.0.0.1",
    "8.8.8.8",
)
ELSEWHERE_TOO = (
    "::ffff:8.8.8.8",
    "fe80::1%eth0",
    "fd00::2",
    "2001:db8::1",
    "0x08080808",
    "127.0.0.1.nip.io",
    "64:ff9b::7f00:1",
)


@pytest.mark.parametrize("host", [*HERE, *HERE_TOO])
def test_this_machine_in_every_spelling_is_reached(host: str) -> None:
    assert stays_here(host)


@pytest.mark.parametrize("host", [*ELSEWHERE, *ELSEWHERE_TOO])
def test_everything_else_is_not_this_machine(host: str) -> None:
    """Private networks are other machines, and a name that only ends up here today may not tomorrow."""
    assert not stays_here(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_whoever_listens_for_others_does_not_listen_here(host: str) -> None:
    assert not listens_here(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_listening_on_loopback_is_listening_here(host: str) -> None:
    assert listens_here(host)


def test_paths_and_what_is_connected_already_lead_nowhere() -> None:
    assert place_of(socket.AF_UNIX, "/run/socket") is None
    assert place_of(socket.AF_INET, None) is None


def test_an_address_is_told_without_what_is_asked_there() -> None:
    """Paths, queries and passwords hold secrets, and the ledger is read by others."""
    assert place_in("https://me:secret@example.org/a/b?token=1") == ("example.org", 443)
    assert place_in("http://127.0.0.1:8484/v1") == ("127.0.0.1", 8484)
    assert not stays_here(place_in("http://[::1/oops")[0])


def test_sockets_that_know_no_addresses_of_ours_are_not_made() -> None:
    assert may_be_made(socket.AF_INET, socket.SOCK_STREAM)
    assert not may_be_made(socket.AF_INET, socket.SOCK_RAW)
    assert not may_be_made(40, socket.SOCK_STREAM)  # to the machine below a virtual one
