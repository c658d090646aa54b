#!/usr/bin/env python3
"""The sample's script of this name, with sre-agent-deploy behind it: docs/how-to/sample-scripts.md. --help shows what it does."""

import sys

try:
    from agentcore_sample.scripts import run_script
except ModuleNotFoundError:
    sys.exit(f"sre-agent is not installed for {sys.executable}. Activate its virtual environment, or: pip install sre-agent")

run_script(__file__)
