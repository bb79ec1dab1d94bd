"""What is wrong with a Python: any Python, ours or not."""
