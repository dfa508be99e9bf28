"""Searchers: functions from the record to the next proposal."""
