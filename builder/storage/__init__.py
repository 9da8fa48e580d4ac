"""What is kept on disk: results by content, outputs, environments of other tools."""
