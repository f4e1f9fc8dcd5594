"""Where files lie: one interface (`annotate.storage.base`) over this machine's files and over S3 object storage."""
