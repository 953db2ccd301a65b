"""Features and distances by which samples are scored."""
