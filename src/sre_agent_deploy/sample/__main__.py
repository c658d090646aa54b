"""`python -m sre_agent_deploy.sample SCRIPT [OPTION]...`: what the shell scripts in compat/ run."""

import sys

from sre_agent_deploy.sample.scripts import run_script

run_script(sys.argv[1], sys.argv[2:])
