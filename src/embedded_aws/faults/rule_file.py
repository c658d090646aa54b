"""The file that the rules are in, followed while it changes: whoever wrote it may change the weather."""

from __future__ import annotations

from pathlib import Path

from embedded_aws.faults.rule import Rules, read
from sre_core import log
from sre_core.problem import Problem


class RuleFile:
    """Answers what is new in the file since it was last looked at. A change that can't be read leaves the rules as they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._now()
        self._log = log.get()

    def changed_rules(self) -> Rules | None:
        """The rules, if the file is another one than before."""
        stamp = self._now()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        rules = read(self._path)
        if isinstance(rules, Problem):
            self._log.warning("faults.not_read", why=rules.why)
            return None
        return rules

    def _now(self) -> tuple[int, int, int]:
        """What tells one content from another: a file that is replaced is another file, however soon after."""
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_ino, found.st_mtime_ns, found.st_size)
