"""Confine this process for good before it touches a stranger's file. Linux; plain ctypes.

    rlimits        address space, CPU seconds, file size, open files, no core dump
    no_new_privs   nothing it starts can gain rights
    pdeathsig      dies with its parent
    Landlock       sees the Python libraries and its own folder, nothing else; no TCP
    seccomp        no sockets at all, no other process or program, no signals to others, no
                   tracing, no way out of its session

Landlock and seccomp are left out where the kernel lacks them; the answer says what is in force.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_SET_DUMPABLE = 1, 38, 22, 4
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR, _WRITE_FILE = 1, 4, 8, 2
_FILE_RIGHTS_BY_ABI = {1: 2**13 - 1, 2: 2**14 - 1, 3: 2**15 - 1, 4: 2**15 - 1}
_FILE_RIGHTS = 2**16 - 1  # since ABI 5, with ioctl on devices
_TCP_RIGHTS = 3
_SCOPES = 3  # abstract unix sockets, signals


@dataclass(frozen=True)
class _Calls:
    """Numbers of the system calls of one kind of processor.

    Attributes:
        architecture: how the kernel names it to a filter.
        forbidden: answered with EPERM.
        clone: makes threads and processes; only threads are allowed.
        clone3: the same with its flags out of a filter's sight: answered with ENOSYS, upon which
            the C library uses ``clone``.
    """

    architecture: int
    forbidden: tuple[int, ...]
    clone: int
    clone3: int


_CALLS = {
    # socket socketpair connect bind ptrace execve execveat io_uring_setup process_vm_readv
    # process_vm_writev kill tkill tgkill rt_sigqueueinfo pidfd_send_signal setpgid setsid
    # and, on x86-64, fork vfork
    "x86_64": _Calls(
        0xC000003E,
        (41, 53, 42, 49, 101, 59, 322, 425, 310, 311, 62, 200, 234, 129, 424, 109, 112, 57, 58),
        clone=56,
        clone3=435,
    ),
    "aarch64": _Calls(
        0xC00000B7,
        (198, 199, 203, 200, 117, 221, 281, 425, 270, 271, 129, 130, 131, 138, 424, 154, 157),
        clone=220,
        clone3=435,
    ),
}
_CLONE_THREAD = 0x00010000


@dataclass(frozen=True)
class Limits:
    """What the process may use.

    Attributes:
        memory_bytes: address space.
        cpu_seconds: processor time over all threads.
        file_bytes: size of any one file it writes.
        open_files: file descriptors.
    """

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int
    open_files: int = 256


def confine(limits: Limits, writable: Path, readable: Iterable[Path], parent: int) -> list[str]:
    """Confine this process.

    Args:
        limits: what it may use.
        writable: the only folder it may write.
        readable: what it may read and load libraries from.
        parent: process id of the parent; without it the process ends.

    Returns:
        The kinds of confinement in force.
    """
    _limit_resources(limits)
    applied = ["rlimits"]
    if sys.platform != "linux":
        return applied
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before prctl
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    applied += ["no_new_privs", "pdeathsig"]
    if _landlock(libc, writable, readable):
        applied.append("landlock")
    if _seccomp(libc):
        applied.append("seccomp")
    return applied


def _limit_resources(limits: Limits) -> None:
    pairs = [
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ]
    for kind, value in pairs:
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _landlock(libc: ctypes.CDLL, writable: Path, readable: Iterable[Path]) -> bool:
    """Allow files by folder; return whether the kernel does it."""
    abi = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if abi < 1:
        return False
    files = _FILE_RIGHTS_BY_ABI.get(abi, _FILE_RIGHTS)
    rules = _Ruleset(files, _TCP_RIGHTS if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = libc.syscall(
        _LANDLOCK_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    if ruleset < 0:
        return False
    _allow(libc, ruleset, writable, files & ~_EXECUTE)
    for path in readable:
        rights = _EXECUTE | _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        if str(path) == os.devnull:
            rights |= _WRITE_FILE
        _allow(libc, ruleset, path, rights)
    restricted = libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    return bool(restricted == 0)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    rule = _PathRule(rights, handle)
    libc.syscall(
        _LANDLOCK_ADD,
        ctypes.c_int(ruleset),
        ctypes.c_int(1),
        ctypes.byref(rule),
        ctypes.c_uint32(0),
    )
    os.close(handle)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Refuse the forbidden system calls and new processes; return whether the kernel does it."""
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return False
    code = _filter_program(calls)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    return bool(libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0) == 0)


def _filter_program(calls: _Calls) -> bytes:
    """Return the BPF program: load the architecture, then the number, compare, decide."""
    load, equal, ret, greater, bits = 0x20, 0x15, 0x06, 0x35, 0x45
    allow, eperm, enosys, kill = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    number, first_argument = 0, 16
    count = len(calls.forbidden)
    lines = [
        (load, 0, 0, 4),
        (equal, 1, 0, calls.architecture),
        (ret, 0, 0, kill),
        (load, 0, 0, number),
        (equal, 0, 1, calls.clone3),
        (ret, 0, 0, enosys),
        (equal, 0, 2, calls.clone),
        (load, 0, 0, first_argument),
        (bits, count + 1, count + 2, _CLONE_THREAD),
        (greater, count + 1, 0, 0x40000000),  # the x32 numbers are aliases of the others
    ]
    lines += [(equal, count - i, 0, call) for i, call in enumerate(calls.forbidden)]
    lines += [(ret, 0, 0, allow), (ret, 0, 0, eperm)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
