"""Broken environments, built for real; run by the session doctor-zoo."""
