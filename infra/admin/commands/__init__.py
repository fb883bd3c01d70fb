"""The command's words, one noun per file."""
