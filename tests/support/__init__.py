"""The hermetic test ground: tiny wheels with real metadata, an index that can fail, projects and a command line."""
