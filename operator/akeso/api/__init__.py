"""The custom resources as frozen models: `HealingPolicy`, `Healing`, `HealingControl`.

The contract is `crds/`; these models follow it, and a test compares the two in both directions.
Reading is forgiving (a field of a newer version is ignored), writing is exact: `to_wire()` is the
JSON that the API server stores.
"""
