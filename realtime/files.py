"""File descriptors: every client takes one, and so do the log, its readers and whoever asks by HTTP.

A crowd that takes the last of them would stop the recording, so it is held to what the system gives less
what is kept back.
"""

import sys

KEPT = 64
"""For the log, its readers, sealing, backups, and what Python holds itself."""
ASKING = 32
"""For those who ask by HTTP while the crowd is full; an eighth of all where that is more."""
UNKNOWN = 8192
"""Where the system does not say: what Windows lets a C library have."""


def raise_limit() -> int:
    """Take as many as the system allows without asking; how many that is.

    The usual soft limit of 1,024 is for programs that still use select(2), which this one does not.
    """
    if sys.platform == "win32":
        return UNKNOWN
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS says "unlimited" and then allows less
        hard = soft
    return 1 << 20 if hard == resource.RLIM_INFINITY else hard


def for_sockets(files: int) -> int:
    """Of so many descriptors, those that clients of any kind may hold."""
    return max(2, files - KEPT)


def for_streams(files: int, wanted: int) -> int:
    """Those that streams may hold: `wanted`, if something stays for those who only ask."""
    sockets = for_sockets(files)
    return max(1, min(wanted, sockets - max(ASKING, files // 8)))
