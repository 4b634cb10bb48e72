//go:build tools

// Pins the reference implementation of NetworkPolicy.
package lab

import _ "sigs.k8s.io/kube-network-policies/cmd"
