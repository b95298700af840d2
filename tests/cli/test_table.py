"""Tables, on a terminal and in a pipe."""

import os
import pty
import re
import subprocess
import sys

from outrider.cli.table import print_table


def test_in_a_pipe_columns_align_and_a_row_is_a_line(capsys):
    print_table(("name", "what"), [("a", "x" * 300), ("long name", "two\nlines\x1b[2J"), ("", "")])
    lines = capsys.readouterr().out.split("\n")
    assert lines == ["name       what", "a          " + "x" * 300, "long name  two\\nlines\\x1b[2J", "", ""]


def test_a_table_without_rows_is_its_head(capsys):
    print_table(("name", "what"), [])
    assert capsys.readouterr().out == "name  what\n"


def test_on_a_terminal_cells_are_printed_as_they_are_and_never_cut():
    code = (
        "from outrider.cli.table import print_table\n"
        "print_table(('name', 'what'), [('[red]a[/red]', 'x' * 100 + '\\x1b[2J')])"
    )
    terminal, end = pty.openpty()
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "60"}
    subprocess.run([sys.executable, "-c", code], stdout=end, env=environ, check=True, timeout=20)
    os.close(end)
    printed = os.read(terminal, 10_000).decode()
    os.close(terminal)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert "[red]a[/red]" in plain
    assert plain.count("x") == 100 + 1
    assert "\x1b[2J" not in plain
