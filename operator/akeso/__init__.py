"""Akeso: watches metrics, forecasts failures, heals before users notice, and explains itself."""
