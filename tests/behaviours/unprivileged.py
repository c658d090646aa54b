"""Runs `sre-agent-deploy` where the modes of files apply to root, too: `python -m behaviours.unprivileged words…`"""

from __future__ import annotations

import ctypes
import sys

from sre_agent_deploy.cli import main

# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, in the first word of each set of <linux/capability.h>, version 3.
_VERSION, _RIGHTS = 0x20080522, 1 << 1 | 1 << 2

if __name__ == "__main__":
    libc, head, sets = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    sets[0] &= ~_RIGHTS  # of those in effect: what this thread starts later inherits them
    assert libc.capset(head, sets) == 0
    main(sys.argv[1:])
