"""What Linux holds beyond Python's hook: a seccomp filter, which native code meets, too, and children inherit.

A filter sees the numbers of a system call and not what its pointers lead to: the kind of a socket, and not an address. So a
process that needs none but Unix sockets gets none (`Reach.NOTHING`); one that speaks with this machine over TCP can be
refused everything else (`Reach.TCP`), and its addresses are left to the hook. Landlock is no help: its rules name ports.
"""

import ctypes
import errno
import platform
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_GET_ACTION_AVAILABLE: Final = 2
_ALL_THREADS: Final = 1
_NO_MITIGATION: Final = 4  # without it, older kernels slow the whole process down
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_LOAD: Final = 0x20  # a word of the call at an offset
_AND: Final = 0x54
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = (16, 24, 32)  # the lower halves of the first three
_X32: Final = 0x40000000
_KIND_BITS: Final = 0xF
_IO_URING_SETUP: Final = 425
_NETLINK: Final = 16


@dataclass(frozen=True, slots=True)
class _Machine:
    architecture: int
    seccomp: int
    socket: int
    has_x32: bool


_MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, 317, 41, True),
    "aarch64": _Machine(0xC00000B7, 277, 198, False),
}


class Reach(Enum):
    """What a process may open."""

    NOTHING = "nothing"  # but Unix sockets
    TCP = "tcp"  # and TCP, of which the hook knows the addresses


Instruction = tuple[int, int, int, int]  # what, how far when true, how far when false, with which number


def is_available() -> bool:
    """Whether this kernel holds processes that ask it to. Changes nothing."""
    machine = _machine()
    if machine is None:
        return False
    refuse = ctypes.c_uint32(_ERRNO)
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(machine.seccomp, _GET_ACTION_AVAILABLE, 0, ctypes.byref(refuse)) == 0


def hold(reach: Reach) -> bool:
    """Hold this process, all its threads and all its children to `reach`, for good. False where the kernel does not."""
    machine = _machine()
    if machine is None:
        return False
    program = filter_program(machine.architecture, machine.socket, has_x32=machine.has_x32, reach=reach)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    filter_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return libc.syscall(machine.seccomp, _SET_MODE_FILTER, _ALL_THREADS | _NO_MITIGATION, filter_) == 0


def filter_program(architecture: int, socket_call: int, *, has_x32: bool, reach: Reach) -> Sequence[Instruction]:
    """The filter, in the kernel's words. What is refused gets the errors of a system that has no such thing."""
    denied, unknown = _ERRNO | errno.EACCES, _ERRNO | errno.ENOSYS
    families = (int(socket.AF_INET), int(socket.AF_INET6)) if reach is Reach.TCP else ()
    judge: list[Instruction] = [  # of `socket(family, kind, protocol)`
        (_LOAD, 0, 0, _ARGUMENTS[0]),
        *_take(int(socket.AF_UNIX)),
        *_take(_NETLINK),  # the kernel itself: which interfaces there are
    ]
    if families:
        judge += [
            (_EQUAL, 2, 0, families[0]),
            (_EQUAL, 1, 0, families[1]),
            (_RETURN, 0, 0, denied),
            (_LOAD, 0, 0, _ARGUMENTS[1]),
            (_AND, 0, 0, _KIND_BITS),
            (_EQUAL, 1, 0, int(socket.SOCK_STREAM)),
            (_RETURN, 0, 0, denied),
            (_LOAD, 0, 0, _ARGUMENTS[2]),
            *_take(0),
            *_take(int(socket.IPPROTO_TCP)),
        ]
    judge.append((_RETURN, 0, 0, denied))
    # The calls of another architecture have other numbers, and a ring of io_uring opens sockets without a call.
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, unknown),
        (_LOAD, 0, 0, _NUMBER),
        *([(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, unknown)] if has_x32 else []),
        (_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, unknown),
        (_EQUAL, 1, 0, socket_call),
        (_RETURN, 0, 0, _ALLOW),
        *judge,
    ]


def _take(value: int) -> Sequence[Instruction]:
    """Let the call through when what was loaded is `value`."""
    return [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]


def _machine() -> _Machine | None:
    # Of a 32-bit program on a 64-bit kernel `machine` says what the kernel is, and its calls are others.
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    return _MACHINES.get(platform.machine())
