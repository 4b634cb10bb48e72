//! What a route of HTTP does about failures: faults that it injects, and retries.

use crate::at::At;
use crate::fault::Faults;
use crate::istio::form;

/// Conditions on which Envoy tries again, beside the statuses of HTTP.
const RETRY_ON: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];
const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Judges the faults that a route injects.
pub fn fault(fault: &At<'_>, faults: &mut Faults) {
    if !fault.is_set() {
        return;
    }
    let (abort, delay) = (fault.get("abort"), fault.get("delay"));
    if !abort.is_set() && !delay.is_set() {
        faults.deny(
            fault,
            "HTTP fault injection must have an abort and/or a delay",
        );
    }
    for one in [&abort, &delay] {
        let share = one.at("percentage.value");
        let number = share.value.as_f64().unwrap_or_default();
        if !(0.0..=100.0).contains(&number) || (number > 0.0 && number < 0.0001) {
            let why = format!("percentage {number} is neither 0.0, nor in range [0.0001, 100.0]");
            faults.deny(&share, why);
        }
    }
    if abort.get("httpStatus").is_set() {
        http_status(&abort.get("httpStatus"), faults);
    }
    let status = abort.get("grpcStatus");
    if status.is_set() && !GRPC.contains(&status.text()) {
        faults.deny(
            &status,
            format!("gRPC status {:?} is not supported", status.text()),
        );
        form::meant(faults, status.text(), &GRPC);
    }
    if abort.get("http2Error").is_set() {
        faults.deny(
            &abort.get("http2Error"),
            "HTTP/2 abort fault injection not supported yet",
        );
    }
    form::duration(&delay.get("fixedDelay"), faults);
    if delay.get("exponentialDelay").is_set() {
        faults.deny(
            &delay.get("exponentialDelay"),
            "exponentialDelay not supported yet",
        );
    }
}

/// Judges the status of an answer that no server gives.
pub fn http_status(status: &At<'_>, faults: &mut Faults) {
    let number = status.int().unwrap_or_default();
    // The webhook takes 600, whatever its words are.
    if !(200..=600).contains(&number) {
        faults.deny(
            status,
            format!("HTTP status {number} is not in range 200-599"),
        );
    }
}

/// Judges how often and on what a request is sent again.
pub fn retries(retries: &At<'_>, faults: &mut Faults) {
    if !retries.is_set() {
        return;
    }
    let attempts = retries.get("attempts").int().unwrap_or_default();
    if attempts < 0 {
        faults.deny(&retries.get("attempts"), "attempts cannot be negative");
    }
    let others = ["perTryTimeout", "retryOn", "retryRemoteLocalities"];
    let is_given = |at: &At<'_>| at.is_set() && at.value != "";
    if attempts == 0 && others.iter().any(|other| is_given(&retries.get(other))) {
        faults.deny(
            retries,
            "http retry policy configured when attempts are set to 0 (disabled)",
        );
    }
    form::duration(&retries.get("perTryTimeout"), faults);
    form::duration(&retries.get("backoff"), faults);
    let on = retries.get("retryOn");
    for policy in on.text().split(',').filter(|_| !on.text().is_empty()) {
        let is_status = policy
            .parse::<u16>()
            .is_ok_and(|code| (100..=511).contains(&code));
        if !is_status && !RETRY_ON.contains(&policy) {
            faults.deny(&on, format!("{policy:?} is not a valid retryOn policy"));
            form::meant(faults, policy, &RETRY_ON);
        }
    }
}
