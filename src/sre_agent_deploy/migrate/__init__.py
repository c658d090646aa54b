"""From what users already have, older formats of ours and the files of the sample, to the current config.yaml."""
