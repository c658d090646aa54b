"""The four backend APIs that the gateway's tools reach: Kubernetes, logs, metrics and runbooks."""
