"""Object storage with the S3 API."""
