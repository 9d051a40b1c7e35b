//! The yardstick beside a cluster: NATS `JetStream`, three servers and publishers at them. No part of the product.

mod client;
mod cluster;
mod protocol;
mod publishers;

pub(crate) use cluster::NatsCluster;
pub(crate) use publishers::NatsPublishers;
