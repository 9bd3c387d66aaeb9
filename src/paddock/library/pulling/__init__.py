"""From a reference to a model on the disk: what the source told, the plan, the job, its progress, the record."""
