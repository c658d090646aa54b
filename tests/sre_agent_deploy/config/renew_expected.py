"""Write the answer to each broken configuration anew; the diff is what has to be reviewed."""

from __future__ import annotations

from broken_files import answer, broken_files, expected, problems

if __name__ == "__main__":
    for path in broken_files():
        expected(path).write_text(answer(problems(path)), encoding="utf-8")
