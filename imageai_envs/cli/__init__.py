"""The command line: parses, calls the library, renders results and errors. Nothing else prints or exits."""
