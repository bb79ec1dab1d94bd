"""What answers a request: templates, their files, the choice among them."""
