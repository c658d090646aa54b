#!/usr/bin/env bash
# The sample's script of this name, with sre-agent-deploy behind it: docs/how-to/sample-scripts.md. --help shows what it does.
python3 -c 'import agentcore_sample' 2>/dev/null || {
    echo "sre-agent is not installed for $(command -v python3). Activate its virtual environment, or: pip install sre-agent" >&2
    exit 1
}
exec python3 -m agentcore_sample "$0" "$@"
