"""Storage backends behind one interface (`annotate.storage.base`): local files and S3 object storage."""
