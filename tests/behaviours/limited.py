"""Runs `sre-agent-deploy` where no file can be longer: `python -m behaviours.limited BYTES words…`"""

from __future__ import annotations

import resource
import sys

from sre_agent_deploy.cli import main

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    main(sys.argv[2:])
