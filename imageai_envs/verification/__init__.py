"""The proof of an environment: ImageAI is run inside it."""
