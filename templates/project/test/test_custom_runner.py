"""What `pio test` reads from the board: lines of PASS and FAIL with a name, then DONE."""

import re

import click
from platformio.public import TestCase, TestRunnerBase, TestStatus


class CustomTestRunner(TestRunnerBase):
    def on_testing_line_output(self, line):
        click.echo(line.rstrip("\r\n"))
        found = re.search(r"\b(PASS|FAIL) (\w+)\s*$", line)
        if found:
            passed = found[1] == "PASS"
            self.test_suite.add_case(
                TestCase(name=found[2], status=TestStatus.PASSED if passed else TestStatus.FAILED)
            )
        if re.search(r"\bDONE\s*$", line):
            self.test_suite.on_finish()
