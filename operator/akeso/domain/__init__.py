"""Frozen values and arithmetic of the domain; standard library only, no clock, no input or output.

One word per idea: Snapshot (seen) -> Finding (is wrong) / Forecast (will be) -> Plan of Actions
-> Verdict (allow, or deny with reason and retry-after) -> Outcome.
"""
