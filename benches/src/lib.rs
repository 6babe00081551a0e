//! Workloads, trace import and measurements.
