"""The loop: observe, forecast, judge, plan, act, verify, record.

State that must survive a crash is in the custom resources; what is kept here is rebuilt from
them, from the API server and from the metrics source.
"""
