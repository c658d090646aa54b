"""`python -m agentcore_sample SCRIPT [OPTION]...`: what the shell scripts in compat/ run."""

import sys

from agentcore_sample.scripts import run_script

run_script(sys.argv[1], sys.argv[2:])
