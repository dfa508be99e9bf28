"""Catalogue of search spaces: what can be chosen, how to build it, and its supernet."""
