"""The published vocabulary of causes: each with its area, what decides it, and the words by which runbooks are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One kind of cause. `explains` says what follows from it at other objects."""

    area: str
    title: str
    decided_by: str
    explains: str = "its callers fail"

    @property
    def search(self) -> str:
        return f"{self.area} {self.title}"


_SCHEDULED = "the waiting pod's constraints, compared with every node"
_CLAIMED = "the claim, compared with every PersistentVolume"
CAUSES: Mapping[str, Cause] = {
    "namespace_cpu_quota_exceeded": Cause("admission", "the namespace's quota of CPU is used up", "refused creations and the quota"),
    "namespace_memory_quota_exceeded": Cause("admission", "the namespace's quota of memory is used up", "refused creations and the quota"),
    "namespace_pod_quota_exceeded": Cause("admission", "the namespace's quota of pods is used up", "refused creations and the quota"),
    "namespace_service_quota_exceeded": Cause(
        "admission", "the namespace's quota of Services is used up", "the quota, and a Service that is missing"
    ),
    "namespace_storage_quota_exceeded": Cause(
        "admission", "the namespace's quota of storage is used up", "the quota, and a claim that is missing"
    ),
    "missing_service_account": Cause("admission", "its ServiceAccount does not exist", "the reference, and refused creations of pods"),
    "limit_range_exceeded": Cause("admission", "the namespace's limits refuse its pods", "refused creations of pods, and the limits"),
    "node_cordon_mismatch": Cause("scheduling", "the nodes that its pods may use are cordoned", _SCHEDULED),
    "node_affinity_mismatch": Cause("scheduling", "no node matches its node affinity", _SCHEDULED),
    "node_selector_mismatch": Cause("scheduling", "no node has the labels of its nodeSelector", _SCHEDULED),
    "pod_anti_affinity_conflict": Cause("scheduling", "its anti-affinity leaves no node for a further pod", _SCHEDULED),
    "taint_toleration_mismatch": Cause("scheduling", "its pods do not tolerate the taints of the nodes", _SCHEDULED),
    "cpu_capacity_mismatch": Cause("scheduling", "no node has the CPU that its pods request", _SCHEDULED),
    "memory_capacity_mismatch": Cause("scheduling", "no node has the memory that its pods request", _SCHEDULED),
    "pv_binding_occupied": Cause("storage", "the volume of its claim is bound to another claim", _CLAIMED),
    "pvc_selector_mismatch": Cause("storage", "no volume has the labels that its claim selects", _CLAIMED),
    "pvc_storage_class_mismatch": Cause("storage", "its claim asks for another storage class than the volumes have", _CLAIMED),
    "pvc_capacity_mismatch": Cause("storage", "its claim asks for more than any volume has", _CLAIMED),
    "pvc_access_mode_mismatch": Cause("storage", "its claim asks for an access mode that no volume offers", _CLAIMED),
    "volume_mount_permission_denied": Cause("startup", "it may not read or write what is mounted", "its log, and the mounted volume"),
    "missing_secret_binding": Cause("startup", "a Secret that it needs does not exist", "the reference, and the kubelet's message"),
    "incorrect_image_reference": Cause("startup", "its image does not exist in the registry", "the registry's answer"),
    "image_registry_dns_failure": Cause("startup", "the name of its image's registry can't be resolved", "the kubelet's message"),
    "missing_image_pull_secret": Cause(
        "startup", "the registry refuses its image without credentials", "the registry's answer, and no pull secret"
    ),
    "oom_killed": Cause("runtime", "it is killed for exceeding its memory limit", "how its containers ended"),
    "liveness_probe_incorrect_protocol": Cause(
        "runtime", "its liveness probe speaks another protocol than it", "the probe, and the kubelet's message"
    ),
    "liveness_probe_incorrect_port": Cause(
        "runtime", "its liveness probe asks a port on which it does not listen", "the probe, compared with the declared ports"
    ),
    "liveness_probe_incorrect_timing": Cause(
        "runtime", "its liveness probe gives it too little time to start", "the probe's delays, and restarts while it starts"
    ),
    "readiness_probe_incorrect_protocol": Cause(
        "runtime", "its readiness probe speaks another protocol than it", "the probe, and the kubelet's message"
    ),
    "readiness_probe_incorrect_port": Cause(
        "runtime", "its readiness probe asks a port on which it does not listen", "the probe, compared with the declared ports"
    ),
    "service_sidecar_port_conflict": Cause("runtime", "two of its containers use one port", "the declared ports, or its log"),
    "mysql_invalid_credentials": Cause("database", "its database refuses its user or password", "its log"),
    "mysql_invalid_port": Cause(
        "database", "it connects to another port than its database has", "its settings, compared with the Service, and its log"
    ),
    "db_readonly_mode": Cause("database", "the database accepts no writes", "the logs of those that use it"),
    "db_connection_exhaustion": Cause("database", "the database accepts no more connections", "the logs of those that use it"),
    "deployment_zero_replicas": Cause("service", "it is scaled to zero", "its replicas, and who misses it"),
    "service_selector_mismatch": Cause("service", "its Service selects no pod", "the selector, compared with the pods' labels"),
    "service_port_mapping_mismatch": Cause(
        "service", "its Service leads to a port on which nothing listens", "the Service's ports, compared with the containers'"
    ),
    "service_protocol_mismatch": Cause(
        "service", "its Service uses another protocol than the containers", "the Service's ports, compared with the containers'"
    ),
    "service_env_var_address_mismatch": Cause(
        "service", "it is configured with an address that no Service has", "its environment, compared with the Services, and its log"
    ),
    "service_dns_resolution_failure": Cause("service", "names of Services can't be resolved", "logs that say so of a Service that exists"),
    "route_backend_missing": Cause(
        "service",
        "it leads to a Service or port that does not exist",
        "the route, compared with the Services",
        "requests from outside fail",
    ),
    "network_policy_denied": Cause(
        "service", "it denies a connection that a workload needs", "the policies' rules, and complaints of the workload"
    ),
    "gateway_misrouted": Cause("service", "the gateway sends requests to the wrong place", "answers that only a wrong service gives"),
    "job_failed": Cause("runtime", "it failed", "its status", "what waits for its result fails"),
    "cron_schedule_missed": Cause("runtime", "its schedule went by without a run", "its schedule, compared with its last run"),
    "autoscaler_at_maximum": Cause(
        "performance", "it may not add the replicas that it needs", "its conditions, and its target that is slower or fails"
    ),
    "autoscaler_without_metrics": Cause(
        "performance", "it does not scale, because it knows no metrics", "its conditions, and its target that is slower or fails"
    ),
    "pod_cpu_overload": Cause("performance", "its CPU use rose and slowed it down", "its CPU and its latency", "its callers become slower"),
    "pod_network_delay": Cause("performance", "its network became slow", "latencies, and who calls whom", "its callers become slower"),
    "containerd_unavailable": Cause(
        "infrastructure", "the node's container runtime does not run", "the component's state", "pods there can't start"
    ),
    "kubelet_unavailable": Cause("infrastructure", "the node's kubelet does not run", "the component's state", "pods there are not ready"),
    "kube_proxy_unavailable": Cause(
        "infrastructure", "the node's kube-proxy does not run", "the component's state", "calls from there fail"
    ),
    "kube_scheduler_unavailable": Cause("infrastructure", "the scheduler does not run", "the component's state", "new pods get no node"),
    "node_network_delay": Cause(
        "infrastructure", "the node's network became slow", "latencies of the services there", "everything there is slower"
    ),
    "node_network_packet_loss": Cause(
        "infrastructure", "the node's network loses packets", "the node's retransmissions", "everything there is slower"
    ),
    "bad_configuration": Cause("configuration", "it fails at start because of a bad setting", "its log or its change names the setting"),
    "memory_leak": Cause("runtime", "its memory grows until it is killed", "the course of its memory, and kills"),
    "out_of_memory": Cause("runtime", "it was killed for memory once", "how its containers ended"),
    "image_pull_failure": Cause("startup", "its image can't be pulled, for a reason that nothing shows", "the state of its containers"),
    "container_cannot_start": Cause("startup", "its containers can't be created", "the state of its containers"),
    "unschedulable": Cause("scheduling", "no node takes its pods, for a reason that is not seen", "the state of its pods"),
    "node_problem": Cause("infrastructure", "the node is not ready or under pressure", "its conditions"),
    "cpu_saturation": Cause("performance", "it has reached its CPU limit", "its CPU against its limit"),
    "failing_after_change": Cause("configuration", "it fails since it was changed", "the change, and when it failed"),
}
"""The names by which conclusions are published. What is decided by no record is never concluded."""
