//go:build race

package e2e

// buildFlags make the server look for data races as well where the tests do.
var buildFlags = []string{"-race"}
