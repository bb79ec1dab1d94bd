"""What is asked for, and for what: request, framework, target, interpreter."""
