"""Recorded series from files of people's own: CSV, and Parquet where pyarrow is installed."""
