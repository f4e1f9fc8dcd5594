"""What starts a cluster: texts that are printed, to be read, changed and handed to schedulers of jobs and containers."""
