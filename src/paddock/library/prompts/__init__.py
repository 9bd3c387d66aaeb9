"""Prompt templates with variables: a small, metered part of Jinja, validated before anything is kept or rendered. Pure."""
