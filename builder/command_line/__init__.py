"""What `builder` and `harness` share on the command line: options, near names, messages, exit codes, JSON. One habit for both.

`-v`, `-q` and `--version` stand before or after the verb. No option may be abbreviated: a script would change its meaning with the next
option. An unknown verb, option or value is told with the nearest known one.
"""

from builder.command_line.parser import EXIT_CODES, Parser
from builder.command_line.printing import print_document, print_file, print_json
from builder.command_line.running import run

__all__ = ["EXIT_CODES", "Parser", "print_document", "print_file", "print_json", "run"]
