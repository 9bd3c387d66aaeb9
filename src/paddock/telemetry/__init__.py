"""What happened, for people and machines that watch: structured logs, metrics. Never prompts, never secrets."""
