//go:build race

package message

// slow is how much less some tests do, since the race detector makes them slow.
const slow = 16
