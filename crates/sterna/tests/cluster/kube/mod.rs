//! As much of Kubernetes as the manifests need: network namespaces as pods, a headless service, a load balancer,
//! probes that kill, a StatefulSet. The test thread is the operator and the controller; each pod has a thread that
//! is its kubelet.

mod cluster;
mod container;
mod kubelet;
mod manifest;
mod names;
mod network;
mod process;
mod services;

pub(crate) use cluster::{Cluster, Options};
pub(crate) use manifest::Manifest;
pub(crate) use network::Direction;
pub(crate) use process::{enter, inside};
