"""Say what is wrong with any Python or environment, made by us or not; nothing is changed, no TensorFlow imported."""
