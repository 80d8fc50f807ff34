"""The Kubernetes API server, spoken to in raw JSON.

kubernetes.aio brings configuration, credentials and TLS; its generated models stay unused: they
cost tens of kilobytes per pod, and a cache of 10,000 pods keeps only the fields that decide.
"""
