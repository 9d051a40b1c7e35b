//! What the harness takes from the manifests: the command, its environment, the probes, the services.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use yaml_serde::{Deserializer, Value};

const CLUSTER: &str = include_str!("../fixtures/migratorydata-cluster.yaml");
const LOAD_BALANCER: &str = include_str!("../fixtures/nlb-service.yaml");

/// The StatefulSet with its headless service and its load balancer.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Of the StatefulSet, before the ordinal of a pod.
    pub(crate) name: String,
    /// What follows the name of a pod in its full name.
    pub(crate) domain: String,
    pub(crate) replicas: usize,
    pub(crate) command: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) readiness: Probe,
    pub(crate) liveness: Probe,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
    pub(crate) service: LoadBalancer,
}

/// A TCP probe; what the manifest leaves out has the defaults of Kubernetes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Probe {
    tcp_socket: TcpSocket,
    #[serde(default)]
    initial_delay_seconds: u32,
    #[serde(default = "ten")]
    period_seconds: u32,
    #[serde(default = "one")]
    timeout_seconds: u32,
    /// In a row, until it counts.
    #[serde(default = "three")]
    pub(crate) failure_threshold: u32,
}

/// The service that clients outside the cluster connect to.
#[derive(Clone, Debug)]
pub(crate) struct LoadBalancer {
    pub(crate) name: String,
    pub(crate) port_name: String,
    pub(crate) port: u16,
    /// Of the pods.
    pub(crate) target_port: u16,
}

impl Manifest {
    /// The manifests of the fixtures.
    ///
    /// # Panics
    /// They ask for something that this harness does not do.
    pub(crate) fn of_fixtures() -> Self {
        let set: Document<SetSpec> = document(CLUSTER, "StatefulSet");
        let service: Document<ServiceSpec> = document(LOAD_BALANCER, "Service");
        assert_eq!(set.spec.pod_management_policy, "OrderedReady", "the only order that this harness knows");
        let [port] = <[_; 1]>::try_from(service.spec.ports).expect("the load balancer has one port");
        let PodSpec { containers, termination_grace_period_seconds: grace_s } = set.spec.template.spec;
        let [container] = <[_; 1]>::try_from(containers).expect("the pod has one container");
        Self {
            domain: format!("{}.{}.svc.cluster.local", set.spec.service_name, set.metadata.namespace),
            name: set.metadata.name,
            replicas: set.spec.replicas,
            command: container.command,
            environment: container.env.into_iter().map(|variable| (variable.name, variable.value)).collect(),
            readiness: container.readiness_probe,
            liveness: container.liveness_probe,
            grace: Duration::from_secs(grace_s),
            service: LoadBalancer {
                name: service.metadata.name,
                port_name: port.name,
                port: port.port,
                target_port: port.target_port,
            },
        }
    }

    /// Name of a pod.
    pub(crate) fn pod(&self, ordinal: usize) -> String {
        format!("{}-{ordinal}", self.name)
    }

    /// Full name of a pod, as `ClusterMembers` has it.
    pub(crate) fn host(&self, ordinal: usize) -> String {
        format!("{}.{}", self.pod(ordinal), self.domain)
    }
}

impl Probe {
    pub(crate) fn port(&self) -> u16 {
        self.tcp_socket.port
    }

    /// From the start of the container to the first probe.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs(self.initial_delay_seconds.into())
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs(self.period_seconds.into())
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

#[derive(Debug, Deserialize)]
struct Document<Spec> {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetSpec {
    service_name: String,
    replicas: usize,
    pod_management_policy: String,
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Vec<Container>,
    #[serde(default = "thirty")]
    termination_grace_period_seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    command: Vec<String>,
    env: Vec<Variable>,
    readiness_probe: Probe,
    liveness_probe: Probe,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
struct TcpSocket {
    port: u16,
}

#[derive(Debug, Deserialize)]
struct ServiceSpec {
    ports: Vec<ServicePort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServicePort {
    name: String,
    port: u16,
    target_port: u16,
}

fn one() -> u32 {
    1
}

fn three() -> u32 {
    3
}

fn ten() -> u32 {
    10
}

fn thirty() -> u64 {
    30
}

/// The only document of that kind.
fn document<T: DeserializeOwned>(text: &str, kind: &str) -> T {
    let documents = Deserializer::from_str(text).map(|document| Value::deserialize(document).expect("YAML"));
    let document = documents.into_iter().find(|document| document["kind"] == kind);
    yaml_serde::from_value(document.expect("it is in the fixture")).expect("fields that the harness knows")
}
