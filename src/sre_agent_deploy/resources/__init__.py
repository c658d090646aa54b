"""One file per AWS resource type: declare, find, create, configure, ready, delete, console, template, failures."""
