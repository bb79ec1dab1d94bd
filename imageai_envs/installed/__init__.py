"""What is in the site-packages of any Python, and what is known of the distributions there."""
