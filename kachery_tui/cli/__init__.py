"""The command line: parses, picks what to run, prints. A command's module is imported when it runs."""
