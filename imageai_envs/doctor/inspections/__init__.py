"""One inspection each; ``doctor.py`` lists them."""
