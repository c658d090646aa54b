"""The Kubernetes API as a source: which server, by which credentials, and the requests that are made. It is only read."""
