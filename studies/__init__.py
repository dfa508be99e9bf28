"""Runnable definitions: each module offers `studies(...) -> list[Study]`."""
