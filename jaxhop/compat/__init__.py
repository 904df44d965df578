"""Layers for scripts that were written for other tools: `from jaxhop.compat import pyhopper`."""
