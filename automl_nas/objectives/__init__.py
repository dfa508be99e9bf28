"""Objectives: configuration x fidelity -> measurement."""
