"""Benchmarks of jaxhop and its rivals: problems, adapters, runs and reports."""
