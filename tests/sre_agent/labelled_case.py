"""A small labelled case of the Cloud-OpsBench layout, made up for tests: one namespace, two deployments, one claim."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOW = "Fri, 14 Nov 2025 22:30:00 +0800"
SELECTOR = "app=till"
POD = """Name:             {name}-7d9f8b6c5d-x7k2p
Namespace:        mall
Service Account:  {name}
Node:             node-a/10.0.0.1
Start Time:       Fri, 14 Nov 2025 22:28:00 +0800
Labels:           app={name}
                  pod-template-hash=7d9f8b6c5d
Status:           Running
IP:               10.1.0.7
Controlled By:    ReplicaSet/{name}-7d9f8b6c5d
Containers:
  main:
    Image:          registry.example/{name}:1
    Port:           8080/TCP
    State:          Running
      Started:      Fri, 14 Nov 2025 22:28:01 +0800
    Last State:     Terminated
      Reason:       Error
      Exit Code:    1
      Finished:     Fri, 14 Nov 2025 22:27:59 +0800
    Ready:          True
    Restart Count:  1
    Limits:
      memory:  300Mi
    Liveness:       http-get http://:8080/healthz delay=5s timeout=1s period=10s #success=1 #failure=3
    Environment:
      STORE_ADDR:  store:6379
      TOKEN:       <set to the key 'token' in secret 'till-token'>
    Mounts:
      /data from data (rw)
Conditions:
  Type           Status
  Ready          True
  PodScheduled   True
Volumes:
  data:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  till-data
Node-Selectors:  disk=ssd
Tolerations:     node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
Events:
  Type     Reason   Age                From     Message
  ----     ------   ----               ----     -------
  Warning  BackOff  10s (x3 over 90s)  kubelet  Back-off restarting failed container main
"""
DEPLOYMENT = """Name:                   {name}
Namespace:              mall
CreationTimestamp:      Fri, 14 Nov 2025 22:28:00 +0800
Labels:                 app={name}
Selector:               app={name}
Replicas:               1 desired | 1 updated | 1 total | 1 available | 0 unavailable
StrategyType:           RollingUpdate
Pod Template:
  Labels:           app={name}
  Service Account:  {name}
  Containers:
   main:
    Image:  registry.example/{name}:1
    Port:   8080/TCP
  Volumes:  <none>
"""
SERVICE = """Name:         {name}
Namespace:    mall
Selector:     {selector}
Type:         ClusterIP
IP:           10.2.0.1
Port:         http  80/TCP
TargetPort:   8080/TCP
Endpoints:    {endpoints}
"""
ENDPOINTS = """Name:         {name}
Namespace:    mall
Labels:       app={name}
Subsets:
  Addresses:          {addresses}
  NotReadyAddresses:  <none>
  Ports:
    Name  Port  Protocol
    ----  ----  --------
    http  8080  TCP
"""
QUOTA = """Name:       pods
Namespace:  mall
Resource    Used  Hard
--------    ----  ----
pods        2     10
"""
CLAIM = """Name:          till-data
Namespace:     mall
StorageClass:
Status:        Pending
Labels:        <none>
"""
MANIFEST = """apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: till-data
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 3Gi}}
  selector: {matchLabels: {disk: ssd}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: till}
spec:
  template:
    spec:
      imagePullSecrets: [{name: registry}]
      containers: []
"""
UNIT = "Service: kubelet\nStatus: ● kubelet.service\n     Active: active (running) since Fri 2025-11-14 22:00:00 CST; 30min ago\n"
RPC = (
    '{"error":"dial tcp 10.2.0.1:80: connect: connection refused","message":"calling till failed",'
    '"severity":"error","timestamp":"2025-11-14T14:29:00Z"}'
)


def write_case(
    folder: Path, *, selector: str = SELECTOR, cause: str = "service_selector_mismatch", changes: dict[str, Any] | None = None
) -> Path:
    """Write the case: `till` behind a Service with this selector, `web` in front of it. `changes` replaces answers of the cache."""
    endpoints = "10.1.0.7:8080" if selector == SELECTOR else "<none>"
    cache: dict[str, Any] = {"collection_timestamp": "2025-11-14T22:30:00.000000"}
    for name in ("till", "web"):
        own = {"selector": f"app={name}", "endpoints": "10.1.0.8:8080", "addresses": "10.1.0.8"}
        if name == "till":
            own |= {"selector": selector, "endpoints": endpoints, "addresses": endpoints.partition(":")[0]}
        for kind, text in (("pods", POD), ("deployments", DEPLOYMENT), ("services", SERVICE), ("endpoints", ENDPOINTS)):
            named = f"{name}-7d9f8b6c5d-x7k2p" if kind == "pods" else name
            cache[key("DescribeResource", resource_type=kind, name=named, namespace="mall")] = text.format(name=name, **own)
    cache[key("DescribeResource", resource_type="resourcequota", name="pods", namespace="mall")] = QUOTA
    cache[key("DescribeResource", resource_type="persistentvolumeclaims", name="till-data", namespace="mall")] = CLAIM
    cache[key("GetAppYAML", app_name="till")] = MANIFEST
    cache[key("CheckNodeServiceStatus", node_name="node-a", service_name="kubelet")] = UNIT
    cache[key("GetErrorLogs", namespace="mall", service_name="web")] = {"patterns": [{"count": 12, "sample": RPC}]}
    cache[key("GetServiceDependencies", service_name="web")] = "[Service]: web\n[Downstream (Calls)]:\nweb\n└── till\n"
    cache["GetAlerts:{}"] = {
        "alerts": [{"type": "Service", "name": "web", "evidence": ["X [Slow] | web-p95latency: Normal=5.0ms -> Current=80.0ms (+1%)"]}]
    }
    (folder / "raw_data").mkdir(parents=True)
    (folder / "metadata.json").write_text(
        json.dumps({"namespace": "mall", "query": "The web site fails.", "result": {"root_cause": cause, "fault_object": "app/till"}})
    )
    (folder / "tool_cache.json").write_text(json.dumps(cache | (changes or {})))
    (folder / "raw_data" / "alert.json").write_text("{}")
    return folder


def key(tool: str, **arguments: str) -> str:
    """The name of an answer in the cache."""
    return f"{tool}:{json.dumps(arguments, separators=(',', ':'))}"
