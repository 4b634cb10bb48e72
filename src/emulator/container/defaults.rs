//! The default fields of a cluster: from recorded clusters, as `v1` prints them.

use serde_json::{Value, json};

use crate::names;

/// The fields of every cluster that its request does not set.
pub fn cluster(id: &str) -> Value {
    let mut components = [
        "SYSTEM_COMPONENTS",
        "STATEFULSET",
        "JOBSET",
        "STORAGE",
        "HPA",
        "POD",
        "DAEMONSET",
        "DEPLOYMENT",
        "CADVISOR",
        "KUBELET",
        "DCGM",
    ];
    // Their order differs from cluster to cluster.
    components.sort_by_key(|name| names::hash(&format!("{id}{name}")));
    json!({
        "addonsConfig": {
            "dnsCacheConfig": {"enabled": true},
            "gcePersistentDiskCsiDriverConfig": {"enabled": true},
            "kubernetesDashboard": {"disabled": true},
            "networkPolicyConfig": {"disabled": true},
        },
        "anonymousAuthenticationConfig": {"mode": "ENABLED"},
        "autopilot": {},
        "autoscaling": {"autoscalingProfile": "BALANCED"},
        "binaryAuthorization": {},
        "controlPlaneEgress": {"mode": "VIA_CONTROL_PLANE"},
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"allowExternalTraffic": false, "enableK8sCertsViaDns": false, "enableK8sTokensViaDns": false},
            "ipEndpointsConfig": {"enabled": true, "enablePublicEndpoint": true},
        },
        "databaseEncryption": {"state": "DECRYPTED", "currentState": "CURRENT_STATE_DECRYPTED"},
        "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"},
        "enterpriseConfig": {"clusterTier": "STANDARD"},
        "ipAllocationPolicy": {
            "stackType": "IPV4",
            "podCidrOverprovisionConfig": {},
            "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
        },
        "legacyAbac": {},
        "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
        "loggingService": "logging.googleapis.com/kubernetes",
        "maintenancePolicy": {"resourceVersion": "e3b0c442"},
        "monitoringConfig": {
            "advancedDatapathObservabilityConfig": {},
            "componentConfig": {"enableComponents": components},
            "managedPrometheusConfig": {"enabled": true},
        },
        "monitoringService": "monitoring.googleapis.com/kubernetes",
        "networkConfig": {"defaultSnatStatus": {}, "serviceExternalIpsConfig": {}},
        "nodePoolAutoConfig": {"nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": false}},
        "nodePoolDefaults": {"nodeConfigDefaults": {
            "loggingConfig": {"variantConfig": {"variant": "DEFAULT"}},
            "nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": false},
        }},
        "notificationConfig": {"pubsub": {}},
        "podAutoscaling": {"hpaProfile": "HPA_PROFILE_UNSPECIFIED"},
        "privateClusterConfig": {},
        "rbacBindingConfig": {
            "enableInsecureBindingSystemAuthenticated": true,
            "enableInsecureBindingSystemUnauthenticated": true,
        },
        "releaseChannel": {"channel": "REGULAR"},
        "securityPostureConfig": {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_MODE_UNSPECIFIED"},
        "shieldedNodes": {"enabled": true},
        "userManagedKeysConfig": {},
    })
}
