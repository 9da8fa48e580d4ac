"""Facts about an exported program: its operators, where they come from, what they reach, what they refuse."""
