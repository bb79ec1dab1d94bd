"""What a command does from its request to its answer; only these see everything."""
