//! The program and its parts as they are used: in this process, and as a process of its own.

// What a test calls may unwrap like the test itself.
#![allow(clippy::unwrap_used)]

// Each binary uses its part of what is common.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;

mod adopt;
mod answers;
mod cluster_location;
mod cluster_options;
mod cluster_refusals;
mod command_line;
mod control_planes;
mod credentials;
mod data_plane;
mod discovery;
mod dns_endpoint;
mod doctor;
mod emulator_compute;
mod emulator_compute_reads;
mod emulator_container;
mod emulator_dns;
mod emulator_hub;
mod emulator_iam;
mod emulator_networks;
mod emulator_refusals;
mod emulator_refusals_gke;
mod emulator_server;
mod emulator_services;
mod emulator_storage;
mod evaluator;
mod existing_network;
mod explain;
mod follow;
mod journal;
mod json_schema;
mod kubernetes_api;
mod kubernetes_connections;
mod kubernetes_streams;
mod kubernetes_webhooks;
mod kubernetes_workloads;
mod living;
mod manifests;
mod name_prefix;
mod nat_addresses;
mod node_pools;
mod outputs;
mod outside;
mod own_steps;
mod pager;
mod pipe;
mod plan_file;
mod proxy_config;
mod questions;
mod reach;
mod readme;
mod recorded;
mod recording;
mod refusals;
mod rehearsal;
mod replace;
mod rows;
mod screens;
mod secrets;
mod signals;
mod state_folder;
mod static_address;
mod steps;
mod teardown;
mod terminal;
mod traffic_director;
mod up_down;
mod verdict;
mod verify;
mod waits;
mod warnings;
