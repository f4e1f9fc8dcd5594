"""Scripts that start a cluster: templates to be reviewed, edited, and given to SLURM, Kubernetes or a container tool."""
